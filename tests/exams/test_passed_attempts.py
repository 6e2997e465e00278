"""How passed attempts are found among very many."""

from __future__ import annotations

import uuid

import psycopg
from sqlalchemy import event
from sqlalchemy.engine import Connection

import exams.api as exams
from lms.core.services import Services
from lms.core.tenancy import WORKER_SCOPE


def test_who_is_due_is_found_by_an_index_of_the_programme(
    jobs_services: Services, admin_connection: psycopg.Connection[tuple[object, ...]]
) -> None:
    asked: list[tuple[str, dict[str, object]]] = []

    def note(_c: Connection, _cursor: object, statement: str, parameters: dict[str, object], *_: object) -> None:
        asked.append((statement, parameters))

    event.listen(jobs_services.db.engine, "before_cursor_execute", note)
    try:
        with jobs_services.db.transaction(WORKER_SCOPE, read_only=True) as session:
            exams.passed_attempts(session, "nothing", after=uuid.UUID(int=0), limit=5_000)
    finally:
        event.remove(jobs_services.db.engine, "before_cursor_execute", note)
    statement, parameters = asked[-1]
    with admin_connection.transaction():
        # So few rows are read whole otherwise.
        admin_connection.execute("set local enable_seqscan = off")
        plan = admin_connection.execute(f"explain {statement}", parameters).fetchall()  # type: ignore[arg-type]
    assert any("ix_exams_attempt_passed" in str(line) for line in plan), plan
