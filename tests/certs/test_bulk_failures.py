"""Bulk issue when something fails: one entry, one authority, or somebody who changes their mind."""

from __future__ import annotations

import threading
import uuid
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest
from sqlalchemy import inspect, select

from certs.adapters.stamping import StampError
from certs.issue import bulk_tasks
from certs.issue.operations import mark_failed
from certs.models import Scheme
from lms.core.access import SYSTEM
from lms.core.audit import AuditRow
from lms.core.services import Services
from lms.core.settings import SigningSettings
from lms.core.storage import ObjectMissing, Storage
from lms.core.tenancy import WORKER_SCOPE
from lms.core.web import AnzhengFlask
from tests.certs import certificate_world as world
from tests.certs.authorities import Authority, pem_of, serving
from tests.certs.test_bulk import Desk, open_desk, start, states, stored
from tests.conftest import Admin, Worker
from tests.waiting import wait_for


@pytest.fixture
def desk(app: AnzhengFlask, jobs_services: Services, admin_connection: Admin) -> Desk:
    return open_desk(app, jobs_services, admin_connection, people=3)


def actions_about(services: Services, subject_id: uuid.UUID) -> Sequence[str]:
    with services.db.transaction(WORKER_SCOPE, read_only=True) as session:
        query = select(AuditRow.action).where(AuditRow.subject_id == str(subject_id)).order_by(AuditRow.id)
        return session.scalars(query).all()


def test_what_was_issued_meanwhile_is_not_called_failed(desk: Desk, jobs_services: Services) -> None:
    bulk_id = start(desk)
    bulk_tasks.start(jobs_services, bulk_id=str(bulk_id))
    bulk_tasks.chunk(jobs_services, bulk_id=str(bulk_id), number=0)
    (row,) = world.certificate_rows(jobs_services, desk.people[0].person_id)
    with jobs_services.db.transaction(WORKER_SCOPE) as session:
        assert not mark_failed(session, SYSTEM, row, "no glyph")
    assert "certs.certificate.failed" not in actions_about(jobs_services, row.id)
    assert "certs.certificate.issued" in actions_about(jobs_services, row.id)


class Breaking(Storage):
    """Storage that breaks the timestamp authority after the second certificate."""

    def __init__(self, url: str, authority: Authority) -> None:
        super().__init__(url)
        self._authority = authority
        self.stored: list[str] = []

    def put_once(self, key: str, data: bytes) -> bool:
        self.stored.append(key)
        self._authority.is_broken = len(self.stored) >= 2
        return super().put_once(key, data)


def exists(storage: Storage, key: str) -> bool:
    try:
        return storage.size(key) > 0
    except ObjectMissing:
        return False


def test_a_timestamp_service_that_fails_leaves_no_files_behind(
    desk: Desk, jobs_services: Services, tmp_path: Path
) -> None:
    with serving(tmp_path / "authority") as authority:
        (tmp_path / "tsa.pem").write_bytes(pem_of(authority.root))
        signing = SigningSettings("B-T", f"{authority.url}/tsa", tmp_path / "tsa.pem", None, "", None)
        storage = Breaking(jobs_services.settings.storage_url, authority)
        stamped = replace(jobs_services, storage=storage, settings=replace(jobs_services.settings, signing=signing))
        bulk_id = start(desk)
        bulk_tasks.start(stamped, bulk_id=str(bulk_id))
        with pytest.raises(StampError):
            bulk_tasks.chunk(stamped, bulk_id=str(bulk_id), number=0)
        assert [exists(storage, key) for key in storage.stored] == [False, False]
        assert states(jobs_services, desk) == [["requested"]] * 3
    bulk_tasks.chunk(jobs_services, bulk_id=str(bulk_id), number=0)
    assert states(jobs_services, desk) == [["issued"]] * 3


def test_an_order_is_cancelled_while_it_is_prepared(
    desk: Desk, jobs_services: Services, admin_connection: Admin
) -> None:
    bulk_id = start(desk)
    cutting = threading.Thread(target=lambda: bulk_tasks.start(jobs_services, bulk_id=str(bulk_id)))
    with admin_connection.transaction():
        admin_connection.execute("lock table exams_attempt in access exclusive mode")
        cutting.start()
        waits = "select 1 from pg_locks where not granted and relation = 'exams_attempt'::regclass"
        wait_for("the wait", lambda: admin_connection.execute(waits).fetchone())
        assert desk.client.post(f"/regulator/bulk/{bulk_id}/cancel").status_code == 302
    cutting.join()
    assert stored(admin_connection, bulk_id) == ("cancelled", 0, 0, 0, 0, 0, 0)
    cut = admin_connection.execute("select count(*) from certs_bulk_chunk where bulk_id = %s", (bulk_id,)).fetchone()
    assert cut == (0,)


def test_one_bad_entry_fails_alone_and_says_why(
    desk: Desk, jobs_services: Services, queue_worker: Worker, admin_connection: Admin
) -> None:
    early = desk.people[1].person_id
    admin_connection.execute(
        "update exams_attempt set graded_at = timestamptz '2019-05-05' where person_id = %s", (early,)
    )
    bulk_id = start(desk)
    world.settle(queue_worker)
    assert stored(admin_connection, bulk_id) == ("done", 3, 3, 2, 1, 1, 1)
    assert states(jobs_services, desk) == [["issued"], [], ["issued"]]
    reason = "该证书类型在有关日期尚未施行"
    assert reason in desk.client.get(f"/regulator/bulk/{bulk_id}").text
    english = desk.client.get(f"/regulator/bulk/{bulk_id}", headers={"Accept-Language": "en"}).text
    assert ("was not yet in force on the day" in english, reason in english) == (True, False)
    attempt = admin_connection.execute("select id from exams_attempt where person_id = %s", (early,)).fetchone()
    assert attempt
    with jobs_services.db.transaction(WORKER_SCOPE, read_only=True) as session:
        mine = select(AuditRow.data).where(
            AuditRow.subject_id == str(attempt[0]), AuditRow.action == "certs.certificate.refused"
        )
        assert session.scalars(mine).one() == {"bulk": str(bulk_id), "reason": reason}


def test_an_order_of_one_type_issues_nothing_of_another_that_shares_its_programme(
    desk: Desk, jobs_services: Services, queue_worker: Worker, admin_connection: Admin
) -> None:
    other = f"type-{uuid.uuid4().hex[:8]}"
    with jobs_services.db.transaction(WORKER_SCOPE) as session:
        scheme = session.scalars(select(Scheme).where(Scheme.code == world.SCHEME, Scheme.version == 1)).one()
        values = {one.key: getattr(scheme, one.key) for one in inspect(Scheme).column_attrs}
        session.add(Scheme(**{**values, "code": other}))
    answer = desk.client.post("/regulator/bulk", data={"scheme": other})
    world.settle(queue_worker)
    bulk_id = uuid.UUID(answer.location.rsplit("/", 1)[1])
    assert stored(admin_connection, bulk_id) == ("done", 3, 3, 0, 0, 1, 1)
    assert states(jobs_services, desk) == [[], [], []]
