"""A roster's way through the pages, the jobs and the database."""

from __future__ import annotations

import re
import threading
import uuid
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import select
from sqlalchemy.orm import Session

from lms.accounts.events import EmploymentsStarted
from lms.accounts.models import Employment, Person
from lms.accounts.sign_in.models import ActivationCode
from lms.accounts.staff.limits import limits
from lms.accounts.staff.models import Import, ImportFault
from lms.accounts.staff.rosters import ROSTERS
from lms.core import clock
from lms.core.imports.forgetting import forget_old_files
from lms.core.imports.taking import take_over
from lms.core.services import Services
from lms.core.storage import ObjectMissing
from lms.core.tenancy import WORKER_SCOPE
from lms.core.web import AnzhengFlask
from tests.accounts import factories
from tests.accounts.staffing import Desk, job_file, open_desk, read_xlsx, roster_bytes
from tests.conftest import Admin, Instance, Worker
from tests.kills.processes import run_to_its_death
from tests.rosters import planted_faults, roster, wrong_check_digit


@pytest.fixture
def desk(app: AnzhengFlask, jobs_services: Services) -> Desk:
    """An administrator at work."""
    return open_desk(app, jobs_services)


@pytest.fixture
def kernel_events(jobs_services: Services) -> Iterator[list[object]]:
    """Hear what an import announces, in its own transaction."""
    heard: list[object] = []

    def hear(_session: Session, event: object) -> None:
        heard.append(event)

    jobs_services.kernel.subscribe(EmploymentsStarted, hear, name="tests.hear", inline=True)
    yield heard
    jobs_services.kernel.subscriptions["EmploymentsStarted"].pop()


def _take(desk: Desk, worker: Worker, data: bytes, name: str = "花名册.xlsx") -> uuid.UUID:
    """Upload, check, confirm and import."""
    import_id = desk.upload(data, name)
    worker.drain()
    assert desk.act(import_id, "confirm") == 302
    worker.drain()
    assert desk.import_row(import_id).state == "done"
    return import_id


@pytest.mark.parametrize(
    ("kind", "encoding"), [("xlsx", ""), ("csv", "utf-8"), ("csv", "utf-8-sig"), ("csv", "gb18030"), ("csv", "utf-16")]
)
def test_good_rows_come_in_and_every_planted_fault_is_named(
    desk: Desk, queue_worker: Worker, tmp_path: Path, kind: str, encoding: str
) -> None:
    planted = planted_faults(region=desk.region)
    rows = [*roster(10, region=desk.region), *(fault.cells for fault in planted)]
    options = {"encoding": encoding} if encoding else {}
    data = roster_bytes(tmp_path, rows, kind, **options)
    import_id = desk.upload(data, f"花名册.{kind}")
    queue_worker.drain()
    expected = {(n, fault.column, fault.code) for n, fault in enumerate(planted, start=12) if fault.code}
    assert desk.faults(import_id) == expected
    row = desk.import_row(import_id)
    assert (row.state, row.rows_total, row.rows_new, row.rows_bad) == ("ready", 28, 11, 17)
    assert not desk.employments()
    page = desk.client.get(f"/staff/import/{import_id}").text
    shown = set(re.findall(r'data-row="(\d+)".*?data-code="(\w+)"', page, re.DOTALL))
    assert shown == {(str(n), code) for n, _column, code in expected}
    assert "叉车司机" in page
    assert desk.act(import_id, "confirm") == 302
    queue_worker.drain()
    row = desk.import_row(import_id)
    assert (row.state, row.people_added) == ("done", 11)
    assert len(desk.employments()) == 11


def test_bad_rows_are_downloaded_as_they_stood_with_their_reasons(
    desk: Desk, queue_worker: Worker, tmp_path: Path
) -> None:
    good = roster(3, region=desk.region)
    bad = ("李小明", wrong_check_digit(str(good[0][1])), "没有的岗位", "设备部", "13900001111", "2024-03-01")
    import_id = desk.upload(roster_bytes(tmp_path, [*good, bad]))
    queue_worker.drain()
    answer = desk.client.post(f"/staff/import/{import_id}/bad-rows")
    queue_worker.drain()
    table = read_xlsx(job_file(desk.client, answer.headers["Location"]))
    assert table[1][:7] == [*bad, "5"]
    assert "校验位不正确" in str(table[1][7])
    assert "没有的岗位" in str(table[1][7])
    # Put right in the downloaded file, it goes straight in again.
    table[1][1:3] = [factories.new_id_number(), "叉车司机"]
    again = desk.upload(roster_bytes(tmp_path, table[1:], headings=[str(head) for head in table[0]]))
    queue_worker.drain()
    assert desk.import_row(again).rows_new == 1


def test_importing_again_changes_nothing(desk: Desk, queue_worker: Worker, tmp_path: Path) -> None:
    data = roster_bytes(tmp_path, roster(25, region=desk.region))
    _take(desk, queue_worker, data)
    before = desk.employments()
    again = _take(desk, queue_worker, data)
    assert desk.employments() == before
    row = desk.import_row(again)
    assert (row.rows_unchanged, row.people_added, row.people_changed) == (25, 0, 0)


def test_changes_are_taken_and_empty_cells_keep_what_is_there(
    desk: Desk, queue_worker: Worker, tmp_path: Path, admin_connection: Admin
) -> None:
    (name, number, *_rest), other = roster(2, region=desk.region)
    _take(
        desk,
        queue_worker,
        roster_bytes(tmp_path, [(name, number, "叉车司机", "旧部门", "13900001111", "2024-03-01"), other]),
    )
    admin_connection.execute("delete from procrastinate_jobs")
    changed = [(name, number, "化验员", "", "13900001112", ""), other]
    row = desk.import_row(_take(desk, queue_worker, roster_bytes(tmp_path, changed)))
    assert (row.rows_changed, row.rows_unchanged, row.people_changed) == (1, 1, 1)
    with desk.jobs.db.transaction(WORKER_SCOPE) as session:
        found = session.scalars(
            select(Employment).where(Employment.tenant_id == desk.tenant_id, Employment.name == name)
        )
        stored = found.one()
        assert stored.phone_sealed
        phone = desk.jobs.vault.decrypt(stored.phone_sealed, context=f"phone:{stored.id}")
    assert (stored.department_name, stored.phone_masked, str(stored.hired_on)) == (
        "旧部门",
        "139****1112",
        "2024-03-01",
    )
    assert phone == b"13900001112"


def test_a_name_that_differs_from_the_register_is_refused_without_showing_it(
    desk: Desk, app: AnzhengFlask, jobs_services: Services, queue_worker: Worker, tmp_path: Path
) -> None:
    worker = factories.new_worker(jobs_services, name="欧阳若兰")
    rows = [("欧阳若南", worker.id_number, "叉车司机", "", "", "")]
    import_id = desk.upload(roster_bytes(tmp_path, rows))
    queue_worker.drain()
    assert desk.faults(import_id) == {(2, "name", "name_differs")}
    assert "若兰" not in desk.client.get(f"/staff/import/{import_id}").text
    # The right name is hired: one person, two employers.
    second = _take(desk, queue_worker, roster_bytes(tmp_path, [("欧阳若兰", *rows[0][1:])]))
    assert desk.import_row(second).people_added == 1
    assert desk.employments()[0][2] == worker.person_id


def test_a_name_that_comes_to_differ_after_the_preview_is_named_too(
    desk: Desk, jobs_services: Services, queue_worker: Worker, tmp_path: Path
) -> None:
    rows = roster(3, region=desk.region)
    import_id = desk.upload(roster_bytes(tmp_path, rows))
    queue_worker.drain()
    with jobs_services.db.transaction(WORKER_SCOPE) as session:
        factories.operations.register_person(session, name="另一个名字", id_number=str(rows[1][1]))
    desk.act(import_id, "confirm")
    queue_worker.drain()
    row = desk.import_row(import_id)
    assert (row.state, row.people_added, row.rows_bad) == ("done", 2, 1)
    assert desk.faults(import_id) == {(3, "name", "name_differs")}


def test_a_name_that_another_employer_gives_at_the_same_moment_is_named_too(
    desk: Desk, jobs_services: Services, queue_worker: Worker, tmp_path: Path
) -> None:
    rows = roster(3, region=desk.region)
    import_id = desk.upload(roster_bytes(tmp_path, rows))
    queue_worker.drain()
    desk.act(import_id, "confirm")
    taking = threading.Thread(target=take_over, args=(ROSTERS, jobs_services), kwargs={"import_id": str(import_id)})
    with jobs_services.db.transaction(WORKER_SCOPE) as session:
        factories.operations.register_person(session, name="另一个名字", id_number=str(rows[1][1]))
        taking.start()
        # The comparison does not see the other's person yet; the insert waits for it.
        taking.join(timeout=0.5)
        assert taking.is_alive()
    taking.join(timeout=10)
    row = desk.import_row(import_id)
    assert (row.state, row.people_added, row.rows_bad) == ("done", 2, 1)
    assert desk.faults(import_id) == {(3, "name", "name_differs")}


def test_killed_in_the_middle_and_run_again_it_brings_each_row_exactly_once(
    desk: Desk, instance: Instance, queue_worker: Worker, tmp_path: Path
) -> None:
    count = 2 * limits().chunk_rows + 500
    rows = roster(count, region=desk.region)
    import_id = desk.upload(roster_bytes(tmp_path, rows))
    queue_worker.drain()
    desk.act(import_id, "confirm")
    run_to_its_death(instance.settings, "tests.run_and_die", "rosters", import_id, 3)
    # The first commit is of reading where to begin, the second of the first chunk.
    row = desk.import_row(import_id)
    assert (row.state, row.chunks_done, len(desk.employments())) == ("importing", 1, limits().chunk_rows)
    queue_worker.drain()
    row = desk.import_row(import_id)
    assert (row.state, row.chunks_done, row.people_added) == ("done", 3, count)
    stored = desk.employments()
    assert len(stored) == count
    with desk.jobs.db.transaction(WORKER_SCOPE) as session:
        vault = desk.jobs.vault
        people = session.execute(
            select(Person.id, Person.id_number_sealed, Employment.name)
            .join(Employment, Employment.person_id == Person.id)
            .where(Employment.tenant_id == desk.tenant_id)
        ).all()
    numbers = {(name, vault.decrypt(sealed, context=f"id_number:{who}").decode()) for who, sealed, name in people}
    assert numbers == {(row[0], row[1]) for row in rows}
    # The queue delivers at least once: the same job again is a no-op.
    take_over(ROSTERS, desk.jobs, import_id=str(import_id))
    assert desk.employments() == stored


def test_progress_is_shown_and_the_page_comes_back_when_it_is_over(
    desk: Desk, queue_worker: Worker, tmp_path: Path
) -> None:
    import_id = desk.upload(roster_bytes(tmp_path, roster(3, region=desk.region)))
    waiting = desk.client.get(f"/staff/import/{import_id}/progress")
    assert 'hx-trigger="every 1s"' in waiting.text
    assert "HX-Refresh" not in waiting.headers
    queue_worker.drain()
    over = desk.client.get(f"/staff/import/{import_id}/progress")
    assert "hx-trigger" not in over.text
    assert over.headers["HX-Refresh"] == "true"


def test_a_cancelled_import_brings_nobody(desk: Desk, queue_worker: Worker, tmp_path: Path) -> None:
    import_id = desk.upload(roster_bytes(tmp_path, roster(3, region=desk.region)))
    queue_worker.drain()
    assert desk.act(import_id, "confirm") == 302
    assert desk.act(import_id, "cancel") == 302
    queue_worker.drain()
    assert desk.import_row(import_id).state == "cancelled"
    assert not desk.employments()
    assert desk.act(import_id, "confirm") == 409
    assert desk.act(import_id, "cancel") == 409


def test_codes_are_handed_out_once_and_open_the_account(
    desk: Desk, app: AnzhengFlask, queue_worker: Worker, tmp_path: Path
) -> None:
    rows = roster(3, region=desk.region)
    import_id = _take(desk, queue_worker, roster_bytes(tmp_path, rows))
    answer = desk.client.post(f"/staff/import/{import_id}/codes")
    table = read_xlsx(answer.data)
    assert sorted(row[0] for row in table[1:]) == sorted(row[0] for row in rows)
    assert all(len(str(row[3]).replace("-", "")) == 16 for row in table[1:])
    second = desk.client.post(f"/staff/import/{import_id}/codes")
    assert second.status_code == 409
    assert "李四光" in second.text
    with desk.jobs.db.transaction(WORKER_SCOPE) as session:
        stored = session.scalars(select(ActivationCode).where(ActivationCode.tenant_id == desk.tenant_id)).all()
    shown = {str(row[3]).replace("-", "").encode() for row in table[1:]}
    assert not any(code in bytes(row.digest) for code in shown for row in stored)
    by_name = {str(row[0]): str(row[3]) for row in table[1:]}
    form = {
        "id_number": rows[0][1],
        "code": by_name[str(rows[0][0])],
        "password": "p-lantern-42",
        "repeat": "p-lantern-42",
    }
    assert app.test_client().post("/activate", data=form).status_code == 302
    # New codes are for the two who wait; the old ones are void.
    fresh = read_xlsx(desk.client.post(f"/staff/import/{import_id}/codes/again").data)
    assert sorted(row[0] for row in fresh[1:]) == sorted(row[0] for row in rows[1:])
    old = {
        "id_number": rows[1][1],
        "code": by_name[str(rows[1][0])],
        "password": "p-lantern-43",
        "repeat": "p-lantern-43",
    }
    assert app.test_client().post("/activate", data=old).status_code == 422
    new = {str(row[0]): str(row[3]) for row in fresh[1:]}
    assert app.test_client().post("/activate", data={**old, "code": new[str(rows[1][0])]}).status_code == 302


def test_another_tenants_import_is_not_found_and_its_file_is_sealed(
    desk: Desk, app: AnzhengFlask, jobs_services: Services, queue_worker: Worker, tmp_path: Path
) -> None:
    rows = roster(2, region=desk.region)
    import_id = desk.upload(roster_bytes(tmp_path, rows))
    queue_worker.drain()
    stranger = open_desk(app, jobs_services)
    for path in ("", "/progress"):
        assert stranger.client.get(f"/staff/import/{import_id}{path}").status_code == 404
    for deed in ("confirm", "cancel", "codes", "codes/again", "bad-rows"):
        assert stranger.act(import_id, deed) == 404
    assert "花名册.xlsx" not in stranger.client.get("/staff/import").text
    with stranger.jobs.db.transaction(factories.tenant_scope(stranger.tenant_id)) as session:
        mine = session.scalars(select(Import.id)).all()
        faults = session.scalars(select(ImportFault.import_id)).all()
    assert import_id not in mine
    assert import_id not in faults
    stored = jobs_services.storage.get(f"imports/{import_id}/good-0")
    assert str(rows[0][1]).encode() not in stored


@pytest.mark.parametrize("name", ["../../x/花名册.xlsx", "/etc/花名册.xlsx"])
def test_a_path_in_the_name_is_ignored(desk: Desk, tmp_path: Path, name: str) -> None:
    import_id = desk.upload(roster_bytes(tmp_path, roster(1, region=desk.region)), name)
    assert desk.import_row(import_id).file_name == "花名册.xlsx"


def test_files_that_are_no_rosters_are_refused_on_the_page(desk: Desk) -> None:
    status, page = desk.refused(b"<html><table></table></html>", "花名册.xlsx")
    assert (status, "网页" in page) == (422, True)
    status, page = desk.refused(b"x" * (limits().max_upload_bytes + 1), "花名册.csv")
    assert (status, "20 MB" in page) == (413, True)
    assert desk.client.post("/staff/import").status_code == 422


def test_a_file_without_a_heading_is_refused_by_the_check(desk: Desk, queue_worker: Worker) -> None:
    import_id = desk.upload(b"a,b\nc,d\n", "x.csv")
    queue_worker.drain()
    row = desk.import_row(import_id)
    assert (row.state, row.refusal_code) == ("refused", "sheet_columns_missing")
    assert "身份证号" in desk.client.get(f"/staff/import/{import_id}").text


def test_an_announcement_names_the_posts_and_counts_only_new_people(
    desk: Desk, queue_worker: Worker, tmp_path: Path, kernel_events: list[object]
) -> None:
    rows = roster(6, region=desk.region)
    _take(desk, queue_worker, roster_bytes(tmp_path, rows))
    mine = [event for event in kernel_events if getattr(event, "tenant_id", None) == desk.tenant_id]
    assert [getattr(event, "count", None) for event in mine] == [6]
    _take(desk, queue_worker, roster_bytes(tmp_path, rows))
    assert len([event for event in kernel_events if getattr(event, "tenant_id", None) == desk.tenant_id]) == 1


def test_old_files_are_forgotten(desk: Desk, queue_worker: Worker, tmp_path: Path) -> None:
    bad = ("", "", "", "", "", "")
    import_id = desk.upload(roster_bytes(tmp_path, [*roster(1, region=desk.region), (*bad[:2], "化验员")]))
    queue_worker.drain()
    with clock.travelling_to(clock.now() + timedelta(days=limits().keep_files_days + 1)):
        forget_old_files(ROSTERS, desk.jobs)
    for part in ("source", "good-0", "bad-0"):
        with pytest.raises(ObjectMissing):
            desk.jobs.storage.get(f"imports/{import_id}/{part}")
    assert desk.import_row(import_id).state == "cancelled"
