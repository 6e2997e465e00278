"""Reference data that each process keeps for a minute."""

from __future__ import annotations

import pytest
from sqlalchemy import text
from sqlalchemy.orm import Session

from lms.core.remembered import Remembered, find
from lms.core.services import Services
from lms.core.tenancy import PUBLIC_SCOPE, WORKER_SCOPE


class Reader:
    """Reads two names from the database and counts how often it was asked."""

    def __init__(self) -> None:
        self.asked = 0

    def __call__(self, session: Session) -> dict[str, str]:
        self.asked += 1
        return {"login": session.execute(text("select session_user::text")).scalar_one(), "kind": "test"}


@pytest.fixture
def reader() -> Reader:
    return Reader()


def test_what_is_remembered_is_read_once(jobs_services: Services, reader: Reader) -> None:
    remembered = Remembered(reader)
    for _ in range(3):
        with jobs_services.db.transaction(WORKER_SCOPE) as session:
            assert find(remembered, session, "kind") == "test"
    assert reader.asked == 1


def test_asking_for_what_does_not_exist_does_not_read_each_time(jobs_services: Services, reader: Reader) -> None:
    remembered = Remembered(reader)
    with jobs_services.db.transaction(WORKER_SCOPE) as session:
        assert [find(remembered, session, str(n)) for n in range(50)] == [None] * 50
    assert reader.asked <= 2


def test_each_database_is_remembered_by_itself(jobs_services: Services, services: Services, reader: Reader) -> None:
    remembered = Remembered(reader)
    with jobs_services.db.transaction(WORKER_SCOPE) as session:
        mine = find(remembered, session, "login")
    with services.db.transaction(PUBLIC_SCOPE) as session:
        theirs = find(remembered, session, "login")
    assert mine != theirs
    assert reader.asked == 2
