"""The audit chain: what is altered, deleted or reordered is found and named."""

from __future__ import annotations

import uuid

import pytest
from sqlalchemy import text
from sqlalchemy.exc import ProgrammingError

from lms.core import audit, sealing
from lms.core.access import SYSTEM
from lms.core.services import Services
from lms.core.tenancy import PUBLIC_SCOPE, WORKER_SCOPE
from tests.conftest import Admin, Worker


@pytest.fixture
def sealed_row(services: Services, queue_worker: Worker) -> uuid.UUID:
    """One audit row of this test's own, sealed."""
    subject = uuid.uuid4()
    with services.db.transaction(PUBLIC_SCOPE) as session:
        audit.record(session, SYSTEM, "tests.row.made", subject_type="test", subject_id=subject, data={"名": 1})
    queue_worker.tick("core.seal")
    return subject


def _row_id(connection: Admin, subject: uuid.UUID) -> object:
    row = connection.execute("select id from core_audit where subject_id = %s", (str(subject),)).fetchone()
    assert row is not None
    return row[0]


def test_an_untouched_log_verifies(sealed_row: uuid.UUID, auditor_services: Services) -> None:
    verdict = sealing.verify(auditor_services)
    assert verdict.problem is None
    assert verdict.rows >= 1


@pytest.mark.parametrize(
    ("column", "value"),
    [("action", "tests.row.forged"), ("data", '{"名": 2}'), ("actor_role", "auditor"), ("at", "2020-01-01T00:00:00Z")],
)
def test_an_altered_row_is_named(
    sealed_row: uuid.UUID, auditor_services: Services, admin_connection: Admin, column: str, value: str
) -> None:
    row_id = _row_id(admin_connection, sealed_row)
    before = admin_connection.execute(f"select {column}::text from core_audit where id = %s", (row_id,)).fetchone()
    admin_connection.execute(f"update core_audit set {column} = %s where id = %s", (value, row_id))
    verdict = sealing.verify(auditor_services)
    admin_connection.execute(
        f"update core_audit set {column} = %s where id = %s", (before[0] if before else "", row_id)
    )
    assert verdict.problem is not None
    assert str(row_id) in verdict.problem
    assert sealing.verify(auditor_services).holds


def test_a_deleted_row_is_named(sealed_row: uuid.UUID, auditor_services: Services, admin_connection: Admin) -> None:
    row_id = _row_id(admin_connection, sealed_row)
    with admin_connection.transaction(force_rollback=False):
        admin_connection.execute("create temporary table kept as select * from core_audit where id = %s", (row_id,))
        admin_connection.execute("delete from core_audit where id = %s", (row_id,))
    verdict = sealing.verify(auditor_services)
    admin_connection.execute("insert into core_audit select * from kept")
    assert verdict.problem is not None
    assert str(row_id) in verdict.problem


def test_two_rows_that_change_places_are_noticed(
    services: Services, queue_worker: Worker, auditor_services: Services, admin_connection: Admin
) -> None:
    with services.db.transaction(PUBLIC_SCOPE) as session:
        for _ in range(2):
            audit.record(session, SYSTEM, "tests.row.made", subject_type="test", subject_id=uuid.uuid4())
    queue_worker.tick("core.seal")
    last = admin_connection.execute("select max(seq) from core_audit_seal").fetchone()
    assert last is not None
    swap = "update core_audit_seal set audit_id = %s where seq = %s"
    rows = admin_connection.execute(
        "select seq, audit_id from core_audit_seal where seq > %s order by seq", (int(str(last[0])) - 2,)
    ).fetchall()
    (seq_a, id_a), (seq_b, id_b) = rows
    for first, second in (((uuid.uuid4(), seq_a), (id_a, seq_b)), ((id_b, seq_a), (id_a, seq_b))):
        admin_connection.execute(swap, first)
        admin_connection.execute(swap, second)
    verdict = sealing.verify(auditor_services)
    for values in ((uuid.uuid4(), seq_a), (id_b, seq_b), (id_a, seq_a)):
        admin_connection.execute(swap, values)
    assert verdict.problem is not None
    assert sealing.verify(auditor_services).holds


def test_cutting_the_end_off_is_noticed(
    sealed_row: uuid.UUID, auditor_services: Services, admin_connection: Admin
) -> None:
    with admin_connection.transaction():
        admin_connection.execute(
            "create temporary table cut as select * from core_audit_seal order by seq desc limit 1"
        )
        admin_connection.execute("delete from core_audit_seal where seq = (select seq from cut)")
    verdict = sealing.verify(auditor_services)
    admin_connection.execute("insert into core_audit_seal select * from cut")
    assert verdict.problem is not None


@pytest.mark.parametrize("statement", ["update core_audit set action = 'x'", "delete from core_audit"])
@pytest.mark.parametrize("login", ["services", "jobs_services"])
def test_no_login_of_ours_can_change_a_row(
    request: pytest.FixtureRequest, sealed_row: uuid.UUID, statement: str, login: str
) -> None:
    found: Services = request.getfixturevalue(login)
    scope = WORKER_SCOPE if login == "jobs_services" else PUBLIC_SCOPE
    with pytest.raises(ProgrammingError, match="permission denied"), found.db.transaction(scope) as session:
        session.execute(text(statement))
