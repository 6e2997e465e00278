"""Certificates of earlier systems: from the uploaded list to the public check, through the pages."""

from __future__ import annotations

import contextlib
import io
import json
import os
import re
import signal
import subprocess
import sys
import uuid
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import psycopg
import pytest
from flask.testing import FlaskClient
from sqlalchemy import select, update
from sqlalchemy.exc import ProgrammingError

from certs.imports import operations, staging, tasks
from certs.imports.limits import limits
from certs.imports.models import CertificateImport
from certs.models import Certificate
from certs.registry.operations import sequence_all
from certs.registry.verification import verify
from certs.rules import Decision, ProposalKind
from certs.status.proposals import NewProposal
from lms.accounts.models import Person
from lms.core import clock, ids
from lms.core.access import Role
from lms.core.services import Services
from lms.core.storage import ObjectMissing
from lms.core.tenancy import WORKER_SCOPE
from lms.core.web import AnzhengFlask
from tests.accounts.staffing import job_file, read_xlsx
from tests.certs import certificate_world as world
from tests.certs.certificate_fixtures import signed
from tests.certs.imports_desk import (
    HEADINGS,
    ISSUER,
    PAGE,
    SOURCE,
    ImportDesk,
    album,
    earlier,
    list_bytes,
    open_import_desk,
    picture,
)
from tests.conftest import Instance, Worker
from tests.rosters import write_roster, wrong_check_digit

Connection = psycopg.Connection[tuple[object, ...]]
ROOT = Path(__file__).parents[2]
AT = {heading: place for place, heading in enumerate(HEADINGS)}


@pytest.fixture
def desk(app: AnzhengFlask, jobs_services: Services) -> ImportDesk:
    return open_import_desk(app, jobs_services)


def _take(desk: ImportDesk, queue_worker: Worker, data: bytes, **options: object) -> uuid.UUID:
    import_id = desk.upload(data, **options)  # type: ignore[arg-type]  # forwarded as they are
    queue_worker.drain()
    assert desk.act(import_id, "confirm") == 302, desk.page(import_id)
    queue_worker.drain()
    assert desk.import_row(import_id).state == "done"
    return import_id


@pytest.fixture
def imported(desk: ImportDesk, queue_worker: Worker, tmp_path: Path) -> Certificate:
    """One imported certificate."""
    return desk.certificates(_take(desk, queue_worker, list_bytes(tmp_path, earlier(1))))[0]


def _bad_rows() -> list[tuple[list[object], str, str]]:
    """Return one bad row of every kind that the file alone shows, with column and code."""

    def row(**changes: object) -> list[object]:
        return earlier(1, **changes)[0]

    number = world.id_number()
    return [
        (row(姓名=""), "name", "name_missing"),
        (row(姓名="张3"), "name", "name_characters"),
        (row(证件类型="护照"), "id_kind", "id_kind"),
        (row(证件号码=""), "id_number", "id_missing"),
        (row(证件号码=number[:-1]), "id_number", "id_length"),
        (row(证件号码=wrong_check_digit(number)), "id_number", "id_check_digit"),
        (row(证件号码=float(number[:17] + "0")), "id_number", "id_as_number"),
        (row(证书编号=""), "number", "number_missing"),
        (row(证书编号="<b>1</b>"), "number", "number_characters"),
        (row(证书编号="T" * 61), "number", "number_characters"),
        (row(证书编号="豫危管20260000017"), "number", "number_ours"),
        (row(证书类型=""), "scheme", "scheme_missing"),
        (row(证书类型="驾驶证"), "scheme", "scheme_unknown"),
        (row(发证机关=""), "issuer", "issuer_missing"),
        (row(发证机关="局" * 121), "issuer", "issuer_long"),
        (row(发证日期=""), "issued_on", "date_missing"),
        (row(发证日期="2025-02-30"), "issued_on", "date"),
        (row(发证日期="2099-01-01", 有效期至="2099-12-31"), "valid_until", "valid_long"),
        (row(有效期自="2028-02-29"), "valid_until", "valid_order"),
        (row(有效期自="2019-01-01", 有效期至="2022-01-01"), "issued_on", "issued_after_end"),
        (row(初次发证日期="2025-03-02"), "first_issued_on", "first_order"),
        (row(初次发证日期="1970-01-01"), "first_issued_on", "under_age"),
        (row(照片文件名="../a.jpg"), "photo", "photo_name"),
        (row(照片文件名="a.jpg"), "photo", "photo_no_zip"),
    ]


@pytest.mark.parametrize(("kind", "encoding"), [("xlsx", ""), ("csv", "utf-8-sig"), ("csv", "gb18030")])
def test_good_rows_are_entered_and_every_bad_one_is_named(
    desk: ImportDesk, queue_worker: Worker, tmp_path: Path, kind: str, encoding: str
) -> None:
    good, bad = earlier(3), _bad_rows()
    twin = list(earlier(1)[0])
    twin[AT["证书编号"]] = good[0][AT["证书编号"]]
    rows = [*good, *(row for row, _column, _code in bad), twin]
    options = {"encoding": encoding} if encoding else {}
    import_id = desk.upload(list_bytes(tmp_path, rows, kind, **options), f"旧证.{kind}")
    queue_worker.drain()
    row = desk.import_row(import_id)
    assert (row.state, row.rows_total, row.rows_new, row.rows_bad) == ("ready", len(rows), 3, len(bad) + 1)
    expected = {(n, column, code) for n, (_row, column, code) in enumerate(bad, start=5)}
    # As CSV the number that a spreadsheet spoilt is a text of digits and a point.
    found = {one for one in desk.faults(import_id) if one[2] != "issued_future"}
    if kind == "csv":
        expected = {one for one in expected if one[2] != "id_as_number"}
        found = {one for one in found if one[0] != 11}
    assert found == expected | {(len(rows) + 1, "number", "number_duplicate")}
    assert not desk.certificates(import_id)
    page = desk.page(import_id)
    assert "校验位不正确" in page
    assert str(good[0][AT["证件号码"]]) not in page
    assert desk.act(import_id, "confirm") == 302
    queue_worker.drain()
    assert [one.number for one in desk.certificates(import_id)] == sorted(str(r[AT["证书编号"]]) for r in good)


def test_what_is_entered_is_what_the_row_says_and_is_marked(
    desk: ImportDesk, queue_worker: Worker, tmp_path: Path
) -> None:
    row = earlier(1)[0]
    stored = desk.certificates(_take(desk, queue_worker, list_bytes(tmp_path, [row])))[0]
    assert (stored.origin, stored.state, stored.status) == ("imported", "issued", "valid")
    assert (stored.holder_name, stored.number, stored.issuer_name) == (row[0], row[3], ISSUER)
    days = (stored.issued_on, stored.valid_from, stored.valid_until, stored.first_issued_on)
    assert [str(day) for day in days] == ["2025-03-01", "2025-03-01", "2028-02-29", "2019-05-20"]
    assert (stored.source_system, stored.tenant_id, stored.region_code) == (SOURCE, desk.department_id, 410305)
    assert (stored.pdf_key, stored.pdf_sha256, stored.signer_key_id) == (None, None, None)


def test_the_person_who_is_known_keeps_the_certificate_and_the_unknown_is_registered_without_account(
    desk: ImportDesk, queue_worker: Worker, tmp_path: Path, admin_connection: Connection
) -> None:
    known, new = earlier(2)
    with desk.jobs.db.transaction(WORKER_SCOPE) as session:
        person_id = world.accounts.register_person(session, name=str(known[0]), id_number=str(known[2]))
    found = desk.certificates(_take(desk, queue_worker, list_bytes(tmp_path, [known, new])))
    by_number = {one.number: one for one in found}
    assert by_number[str(known[3])].person_id == person_id
    other = by_number[str(new[3])].person_id
    count = admin_connection.execute(
        "select (select count(*) from accounts_person where id = %s),"
        " (select count(*) from accounts_account where person_id = %s)",
        (other, other),
    ).fetchone()
    assert count == (1, 0)


def test_a_row_that_contradicts_the_register_is_refused(desk: ImportDesk, queue_worker: Worker, tmp_path: Path) -> None:
    first = earlier(1)[0]
    _take(desk, queue_worker, list_bytes(tmp_path, [first]))
    other_name, other_content = list(earlier(1)[0]), list(first)
    other_name[AT["证件号码"]] = first[AT["证件号码"]]
    other_name[0] = "欧阳若兰"
    other_content[AT["有效期至"]] = "2027-02-28"
    import_id = desk.upload(list_bytes(tmp_path, [other_name, other_content]))
    queue_worker.drain()
    assert desk.faults(import_id) == {(2, "name", "name_differs"), (3, "number", "number_held")}
    page = desk.page(import_id)
    assert str(first[0]) not in page
    assert desk.act(import_id, "confirm") == 409


def test_a_number_that_we_issued_is_not_taken(
    desk: ImportDesk, queue_worker: Worker, tmp_path: Path, jobs_services: Services
) -> None:
    learner = world.make_learner(jobs_services, world.make_enterprise(jobs_services))
    world.pass_exam(jobs_services, learner)
    world.settle(queue_worker)
    ours = world.certificate_rows(jobs_services, learner.person_id)[0]
    import_id = desk.upload(list_bytes(tmp_path, earlier(1, 证书编号=ours.number)))
    queue_worker.drain()
    assert desk.faults(import_id) == {(2, "number", "number_ours")}


def test_who_is_barred_gets_no_certificate_by_import_either(
    desk: ImportDesk, queue_worker: Worker, tmp_path: Path, imported: Certificate
) -> None:
    new = NewProposal(ProposalKind.BAN, "ban_other", "对事故负有责任")
    world.decide_by_two(desk.jobs, imported.id, new, region_code=desk.region_code)
    row = earlier(1, 姓名=imported.holder_name)[0]
    with desk.jobs.db.transaction(WORKER_SCOPE) as session:
        sealed = session.execute(select(Person.id_number_sealed).where(Person.id == imported.person_id)).scalar_one()
    row[AT["证件号码"]] = desk.jobs.vault.decrypt(sealed, context=f"id_number:{imported.person_id}").decode()
    import_id = desk.upload(list_bytes(tmp_path, [row]))
    queue_worker.drain()
    assert desk.faults(import_id) == {(2, "scheme", "banned")}


def test_expired_ones_are_entered_and_told(
    desk: ImportDesk, queue_worker: Worker, tmp_path: Path, client: FlaskClient
) -> None:
    old = {"发证日期": "2020-01-01", "有效期自": "2020-01-01", "有效期至": "2023-01-01", "初次发证日期": ""}
    import_id = desk.upload(list_bytes(tmp_path, earlier(1, **old)))
    queue_worker.drain()
    assert desk.import_row(import_id).rows_expired == 1
    assert "显示为过期" in desk.page(import_id)
    desk.act(import_id, "confirm")
    queue_worker.drain()
    one = desk.certificates(import_id)[0]
    assert client.get(f"/c/{one.public_id}", headers={"Accept": "application/json"}).json["status"] == "expired"


def test_importing_again_changes_nothing(desk: ImportDesk, queue_worker: Worker, tmp_path: Path) -> None:
    data = list_bytes(tmp_path, earlier(5))
    first = _take(desk, queue_worker, data)
    before = [(one.id, one.public_id, one.status_index) for one in desk.certificates(first)]
    again = _take(desk, queue_worker, data)
    row = desk.import_row(again)
    assert (row.rows_unchanged, row.rows_new, row.certificates_added) == (5, 0, 0)
    assert [(one.id, one.public_id, one.status_index) for one in desk.certificates(first, again)] == before


def test_bad_rows_are_downloaded_with_their_reasons_and_go_in_once_put_right(
    desk: ImportDesk, queue_worker: Worker, tmp_path: Path
) -> None:
    good, bad = earlier(2)
    number = str(bad[2])
    bad[2] = wrong_check_digit(number)
    import_id = desk.upload(list_bytes(tmp_path, [good, bad]))
    queue_worker.drain()
    answer = desk.client.post(f"{PAGE}/{import_id}/bad-rows")
    queue_worker.drain()
    table = read_xlsx(job_file(desk.client, answer.headers["Location"]))
    assert table[1][: len(HEADINGS)] == bad
    assert "校验位不正确" in str(table[1][-1])
    table[1][2] = number
    again = tmp_path / "again.xlsx"

    write_roster(again, table[1:], headings=[str(head) for head in table[0]])
    second = desk.upload(again.read_bytes())
    queue_worker.drain()
    assert desk.import_row(second).rows_new == 1


def test_a_chunk_that_was_taken_is_not_taken_twice(
    desk: ImportDesk, queue_worker: Worker, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    small = limits().__class__(**{**{f: getattr(limits(), f) for f in limits().__slots__}, "chunk_rows": 2})
    monkeypatch.setattr(tasks, "limits", lambda: small)
    import_id = desk.upload(list_bytes(tmp_path, earlier(5)))
    queue_worker.drain()
    desk.act(import_id, "confirm")
    assert tasks._take_chunk(desk.jobs, import_id)
    assert desk.import_row(import_id).chunks_done == 1
    assert len(desk.certificates(import_id)) == 2
    tasks.take_over(desk.jobs, import_id=str(import_id))
    tasks.take_over(desk.jobs, import_id=str(import_id))
    row = desk.import_row(import_id)
    assert (row.state, row.chunks_done, row.certificates_added, len(desk.certificates(import_id))) == ("done", 3, 5, 5)


def test_killed_in_the_middle_and_run_again_each_row_is_entered_exactly_once(
    desk: ImportDesk, instance: Instance, queue_worker: Worker, tmp_path: Path
) -> None:
    count = limits().chunk_rows + 100
    rows = earlier(count)
    import_id = desk.upload(list_bytes(tmp_path, rows))
    queue_worker.drain()
    desk.act(import_id, "confirm")
    settings = instance.settings
    environment = {
        **os.environ,
        "ANZHENG_ENV": "test",
        "ANZHENG_HOME": str(settings.home),
        "DATABASE_URL": instance.admin,
        "ANZHENG_STORAGE_URL": settings.storage_url,
    }
    command = [sys.executable, "-m", "tests.certs.import_and_die", str(import_id), "2"]
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == -signal.SIGKILL, done.stderr
    row = desk.import_row(import_id)
    assert (row.state, row.chunks_done, len(desk.certificates(import_id))) == ("importing", 1, limits().chunk_rows)
    queue_worker.drain()
    found = desk.certificates(import_id)
    assert {one.number for one in found} == {str(row[3]) for row in rows}
    assert (len(found), len({one.status_index for one in found})) == (count, count)
    assert desk.import_row(import_id).certificates_added == count


def test_a_department_cannot_place_a_list_outside_its_scope(desk: ImportDesk, services: Services) -> None:
    actor = world.official_actor(desk.jobs)
    upload = operations.Upload(ids.new_id(), SOURCE, "x.csv", "csv", "0" * 64)
    with services.db.transaction(actor.scope) as session:
        operations.add_import(session, actor, upload)
    wider = replace(actor, scope=replace(actor.scope, region_lo=410000, schemes=("other",)))
    other = replace(upload, import_id=ids.new_id())
    with pytest.raises(ProgrammingError, match="row-level security"), services.db.transaction(actor.scope) as session:
        operations.add_import(session, wider, other)


def test_a_file_by_the_same_number_is_never_called_ours(imported: Certificate, client: FlaskClient) -> None:
    pdf = signed(number=imported.number, holder_name=imported.holder_name)
    answer = client.post(
        "/verify",
        data={"file": (io.BytesIO(pdf), f"{imported.number}.pdf")},
        headers={"Accept": "application/json"},
    )
    found = answer.json
    assert found["verdict"] in {"refused", "undetermined"}
    assert imported.public_id not in answer.text


def test_a_wrong_file_or_source_is_refused_with_its_reason(desk: ImportDesk, tmp_path: Path) -> None:
    data = list_bytes(tmp_path, earlier(1))
    assert "原系统名称" in desk.refused(data, source="x")[1]
    status, page = desk.refused(b"%PDF-1.7 x")
    assert (status, "PDF" in page) == (422, True)
    status, page = desk.refused(data, photos=b"Rar!x")
    assert (status, ".zip" in page) == (422, True)
    status, page = desk.refused(b"", name="")
    assert (status, "请选择要上传的证书清单" in page) == (422, True)


def test_the_public_is_told_that_it_is_imported_and_not_signed_by_us(
    imported: Certificate, client: FlaskClient
) -> None:
    page = client.get(f"/c/{imported.public_id}").text
    assert f"导入的证书：由{ISSUER}签发，本平台只登记，未签名" in page
    assert "由发证机关签发" not in page
    english = client.get(f"/c/{imported.public_id}?lang=en").text
    assert f"Imported certificate: issued by {ISSUER}" in english
    found = client.get(f"/c/{imported.public_id}", headers={"Accept": "application/json"}).json
    assert (found["status"], found["origin"], found["issued_on"]) == ("valid", "imported", "2025-03-01")
    assert "未签名" in found["origin_note"] or "not signed" in found["origin_note"]


def test_it_is_in_the_log_as_imported_and_an_alteration_is_found(
    imported: Certificate,
    client: FlaskClient,
    auditor_services: Services,
    jobs_services: Services,
    admin_connection: Connection,
) -> None:
    sequence_all(jobs_services)
    proof = client.get(f"/c/{imported.public_id}/proof.json").json
    leaf = json.dumps(proof)
    row = admin_connection.execute(
        "select kind, convert_from(leaf_data, 'utf8') from certs_leaf where certificate_id = %s", (imported.id,)
    ).fetchone()
    assert row
    stated = json.loads(str(row[1]))
    assert (row[0], stated["kind"], stated["number"]) == ("import", "import", imported.number)
    assert "pdf_sha256" not in stated
    assert leaf
    assert verify(auditor_services).problem is None
    admin_connection.execute("update certs_certificate set issuer_name = '别的机关' where id = %s", (imported.id,))
    problem = verify(auditor_services).problem
    admin_connection.execute("update certs_certificate set issuer_name = %s where id = %s", (ISSUER, imported.id))
    assert problem is not None
    assert str(imported.id) in problem


def test_the_database_refuses_what_is_neither_issued_nor_imported_whole(
    imported: Certificate, admin_connection: Connection
) -> None:
    for change in ("origin = 'issued'", "pdf_key = 'x'", "source_system = null", "state = 'requested'"):
        with pytest.raises(psycopg.errors.CheckViolation):
            admin_connection.execute(f"update certs_certificate set {change} where id = %s", (imported.id,))


def test_no_signed_file_is_offered_to_anybody(
    app: AnzhengFlask, desk: ImportDesk, imported: Certificate, jobs_services: Services
) -> None:
    page = desk.client.get(f"/regulator/certificates/{imported.id}").text
    assert "/pdf" not in page
    assert "本平台只登记，未签名" in page
    assert desk.client.get(f"/regulator/certificates/{imported.id}/pdf").status_code == 404


def test_holder_and_present_employer_see_it_marked(
    app: AnzhengFlask, desk: ImportDesk, queue_worker: Worker, tmp_path: Path, jobs_services: Services
) -> None:
    tenant_id = world.make_enterprise(jobs_services)
    row = earlier(1)[0]
    with jobs_services.db.transaction(WORKER_SCOPE) as session:
        new = world.accounts.NewEmployment(name=str(row[0]), id_number=str(row[2]), post_code=world.POST)
        employment_id = world.accounts.employ(session, world.SYSTEM, tenant_id, new)
        person_id = world.accounts.employment(session, tenant_id, employment_id).person_id
    one = desk.certificates(_take(desk, queue_worker, list_bytes(tmp_path, [row])))[0]
    holder = world.client_for(app, jobs_services, person_id, tenant_id, Role.TRAINEE)
    assert "有效 · 导入" in holder.get("/certificates").text
    mine = holder.get(f"/certificates/{one.id}").text
    assert "未签名" in mine
    assert "申请更正" not in mine
    answer = holder.post(f"/certificates/{one.id}/corrections", data={"kind": "photo", "note": "照片不像本人"})
    assert answer.status_code in {404, 409}
    assert "登记到本平台" in holder.get("/notices").text
    admin = world.make_official(jobs_services, tenant_id, Role.ENTERPRISE_ADMIN)
    employer = world.client_for(app, jobs_services, admin, tenant_id, Role.ENTERPRISE_ADMIN)
    listed = employer.get("/tenant/certificates?origin=imported").text
    assert one.number in listed
    assert one.number not in employer.get("/tenant/certificates?origin=issued").text
    assert one.number in employer.get(f"/staff/{employment_id}").text


def test_status_decisions_work_and_the_check_page_follows(
    desk: ImportDesk, imported: Certificate, client: FlaskClient
) -> None:
    world.decided(desk.jobs, imported, Decision.SUSPEND)
    assert client.get(f"/c/{imported.public_id}", headers={"Accept": "application/json"}).json["status"] == "suspended"
    world.decided(desk.jobs, imported, Decision.REVOKE)
    page = client.get(f"/c/{imported.public_id}").text
    assert "吊销" in page
    assert "未签名" in page


def test_figures_of_issue_do_not_count_it(
    desk: ImportDesk, imported: Certificate, admin_connection: Connection
) -> None:
    world.decided(desk.jobs, imported, Decision.SUSPEND)
    deltas = admin_connection.execute(
        "select count(*) from supervision_delta where person_id = %s", (imported.person_id,)
    ).fetchone()
    counted = admin_connection.execute(
        "select count(*) from certs_certificate_figures where tenant_id = %s", (desk.department_id,)
    ).fetchone()
    assert (deltas, counted) == ((0,), (0,))


def test_photos_are_found_by_name_or_number_and_shown_to_those_who_may(
    app: AnzhengFlask, desk: ImportDesk, queue_worker: Worker, tmp_path: Path, jobs_services: Services
) -> None:
    named, numbered, without = earlier(3)
    named[AT["照片文件名"]] = "王.PNG"
    photos = album(
        {"a/王.png": picture(kind="PNG"), f"{numbered[3]}.jpg": picture(), ".hidden.jpg": b"x", "readme.txt": b"x"}
    )
    import_id = _take(desk, queue_worker, list_bytes(tmp_path, [named, numbered, without]), photos=photos)
    found = {one.number: one for one in desk.certificates(import_id)}
    assert [found[str(r[3])].photo_sha256 is not None for r in (named, numbered, without)] == [True, True, False]
    one = found[str(named[3])]
    answer = desk.client.get(f"/regulator/certificates/{one.id}/photo")
    assert (answer.status_code, answer.data[:3], answer.mimetype) == (200, b"\xff\xd8\xff", "image/jpeg")
    assert desk.client.get(f"/regulator/certificates/{found[str(without[3])].id}/photo").status_code == 404
    stranger = open_import_desk(app, jobs_services, region_code=world.OTHER_COUNTY)
    assert stranger.client.get(f"/regulator/certificates/{one.id}/photo").status_code == 404
    raw = jobs_services.storage.get(one.photo_key or "")
    assert b"\xff\xd8\xff" not in raw[:64]
    jobs_services.storage.put(one.photo_key or "", raw[:-1] + b"x")
    assert desk.client.get(f"/regulator/certificates/{one.id}/photo").status_code == 500


def test_photos_of_rows_that_bring_nothing_do_not_stay(desk: ImportDesk, queue_worker: Worker, tmp_path: Path) -> None:
    row = earlier(1)[0]
    data, photos = list_bytes(tmp_path, [row]), album({f"{row[3]}.jpg": picture()})
    first = _take(desk, queue_worker, data, photos=photos)
    again = _take(desk, queue_worker, data, photos=photos)
    stopped = desk.upload(list_bytes(tmp_path, earlier(1, 照片文件名="p.jpg")), photos=album({"p.jpg": picture()}))
    queue_worker.drain()
    desk.act(stopped, "cancel")
    with desk.jobs.db.transaction(WORKER_SCOPE) as session:
        age = update(CertificateImport).where(CertificateImport.id.in_((first, stopped)))
        session.execute(age.values(created_at=clock.now() - timedelta(days=limits().keep_files_days + 1)))
    tasks.forget_old_files(desk.jobs)
    for import_id, stays in ((first, True), (again, False), (stopped, False)):
        parts = staging.parts(desk.jobs, import_id)
        with contextlib.nullcontext() if stays else pytest.raises(ObjectMissing):
            parts.get("photo-2")
        for gone in ("source", "photos", "good-0"):
            with pytest.raises(ObjectMissing):
                parts.get(gone)


@pytest.mark.parametrize(
    ("files", "code"),
    [
        ({"other.jpg": picture()}, "photo_missing"),
        ({"a/p.jpg": picture(), "b/p.jpg": picture()}, "photo_twice"),
        ({"p.jpg": b"GIF89a" + b"x" * 100}, "photo_kind"),
        ({"p.jpg": picture()[:600]}, "photo_unreadable"),
        ({"p.jpg": picture(60, 60)}, "photo_small"),
        ({"p.jpg": picture(2500, 2500)}, "photo_large"),
        ({"p.jpg": b"\xff\xd8\xff" + bytes(3_000_000)}, "photo_large"),
    ],
)
def test_a_bad_photo_is_named_and_its_row_refused(
    desk: ImportDesk, queue_worker: Worker, tmp_path: Path, files: dict[str, bytes], code: str
) -> None:
    import_id = desk.upload(list_bytes(tmp_path, earlier(1, 照片文件名="p.jpg")), photos=album(files))
    queue_worker.drain()
    assert desk.faults(import_id) == {(2, "photo", code)}


def test_an_archive_with_a_lying_or_endless_directory_is_refused(desk: ImportDesk, tmp_path: Path) -> None:
    data, photos = list_bytes(tmp_path, earlier(1)), album({"p.jpg": picture()})
    end = photos.rfind(b"PK\x05\x06")
    lying = photos[: end + 12] + (2**31).to_bytes(4, "little") + photos[end + 16 :]
    many = album({f"{n}.jpg": b"" for n in range(limits().max_photos + 1)})
    for broken in (lying, many, photos[:end], b"PK\x03\x04"):
        status, page = desk.refused(data, photos=broken)
        assert (status, ".zip" in page) == (422, True)


def test_a_whole_batch_is_withdrawn_by_decisions_and_nothing_is_deleted(
    desk: ImportDesk, queue_worker: Worker, tmp_path: Path, auditor_services: Services
) -> None:
    import_id = _take(desk, queue_worker, list_bytes(tmp_path, earlier(3)))
    assert desk.act(import_id, "withdraw", reason="短") == 422
    assert desk.act(import_id, "withdraw", reason="原系统名单发错，整批作废") == 302
    queue_worker.drain()
    row = desk.import_row(import_id)
    assert (row.state, row.certificates_withdrawn) == ("withdrawn", 3)
    assert [one.status for one in desk.certificates(import_id)] == ["cancelled"] * 3
    assert "整批作废" in desk.page(import_id)
    assert desk.act(import_id, "withdraw", reason="再来一次也不行") == 409
    sequence_all(desk.jobs)
    assert verify(auditor_services).problem is None


def test_another_department_finds_neither_import_nor_certificate(
    app: AnzhengFlask, desk: ImportDesk, imported: Certificate, jobs_services: Services
) -> None:
    neighbour = open_import_desk(app, jobs_services)
    assert neighbour.client.get(f"{PAGE}/{imported.import_id}").status_code == 404
    assert str(imported.import_id) not in neighbour.client.get(PAGE).text
    far = open_import_desk(app, jobs_services, region_code=world.OTHER_COUNTY)
    assert far.client.get(f"/regulator/certificates/{imported.id}").status_code == 404


def test_the_list_is_searched_filtered_and_exported(
    desk: ImportDesk, queue_worker: Worker, tmp_path: Path, imported: Certificate
) -> None:
    assert "还没有导入过证书" not in desk.client.get(PAGE).text
    assert "旧证.xlsx" in desk.client.get(f"{PAGE}?q=旧系统&state=done").text
    assert "没有符合条件的导入" in desk.client.get(f"{PAGE}?q=别的").text
    answer = desk.client.post(f"{PAGE}/export?state=done")
    queue_worker.drain()
    table = read_xlsx(job_file(desk.client, answer.headers["Location"]))
    assert table[1][:2] == ["旧证.xlsx", SOURCE]
    batch = desk.client.get(f"/regulator/certificates?batch={imported.import_id}&origin=imported").text
    assert imported.number in batch


def test_the_template_reads_back_with_all_its_columns(desk: ImportDesk, queue_worker: Worker) -> None:
    answer = desk.client.get(f"{PAGE}/template.xlsx")
    heads = read_xlsx(answer.data)[0]
    assert [str(head).rstrip("*") for head in heads] == list(HEADINGS)
    import_id = desk.upload(answer.data)
    queue_worker.drain()
    row = desk.import_row(import_id)
    assert (row.state, row.refusal_code) == ("refused", "sheet_empty")
    assert "文件里没有数据行" in desk.page(import_id)


def test_progress_is_shown_while_the_job_runs(desk: ImportDesk, queue_worker: Worker, tmp_path: Path) -> None:
    import_id = desk.upload(list_bytes(tmp_path, earlier(1)))
    waiting = desk.client.get(f"{PAGE}/{import_id}/progress")
    assert re.search(r'hx-trigger="every 1s"', waiting.text)
    queue_worker.drain()
    over = desk.client.get(f"{PAGE}/{import_id}/progress")
    assert over.headers["HX-Refresh"] == "true"
    assert desk.act(import_id, "cancel") == 302
    assert desk.act(import_id, "confirm") == 409
    assert desk.import_row(import_id).state == "cancelled"
