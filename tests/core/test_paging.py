"""Keyset paging: every row once, in order, both ways; forged cursors are refused."""

from __future__ import annotations

import base64
import uuid
from collections.abc import Iterator

import pytest
from sqlalchemy import select
from sqlalchemy.orm import Session

from lms.core import clock
from lms.core.access import SYSTEM
from lms.core.audit import AuditRow, record
from lms.core.paging import BadCursor, Page, paginate
from lms.core.services import Services
from lms.core.tenancy import WORKER_SCOPE

ROWS = 7


@pytest.fixture
def listed(jobs_services: Services) -> Iterator[tuple[Session, str]]:
    """Seven rows of this test's own, two of them at the same moment."""
    subject = str(uuid.uuid4())
    with jobs_services.db.transaction(WORKER_SCOPE) as session:
        for _ in range(ROWS):
            record(session, SYSTEM, "tests.page.made", subject_type="page", subject_id=subject)
    with jobs_services.db.transaction(WORKER_SCOPE, read_only=True) as session:
        yield session, subject


def _page(
    session: Session, subject: str, cursor: str | None, *, size: int = 3, descending: bool = False
) -> Page[AuditRow]:
    return paginate(
        session,
        select(AuditRow).where(AuditRow.subject_id == subject),
        keys=(AuditRow.at, AuditRow.id),
        key_of=lambda row: (row.at.isoformat(), row.id),
        cursor=cursor,
        size=size,
        descending=descending,
    )


@pytest.mark.parametrize("descending", [False, True])
@pytest.mark.parametrize("size", [1, 3, 7, 8])
def test_walking_on_meets_every_row_once_in_order(listed: tuple[Session, str], size: int, descending: bool) -> None:
    session, subject = listed
    seen, cursor = [], None
    while True:
        page = _page(session, subject, cursor, size=size, descending=descending)
        seen += [(row.at, row.id) for row in page.items]
        cursor = page.next_cursor
        if cursor is None:
            break
    assert len(seen) == ROWS
    assert seen == sorted(seen, reverse=descending)


def test_walking_back_meets_the_same_pages(listed: tuple[Session, str]) -> None:
    session, subject = listed
    first = _page(session, subject, None)
    second = _page(session, subject, first.next_cursor)
    back = _page(session, subject, second.prev_cursor)
    assert [row.id for row in back.items] == [row.id for row in first.items]
    assert first.prev_cursor is None
    assert back.prev_cursor is None


@pytest.mark.parametrize(
    "cursor",
    [
        *("x", "€", "e30", "A" * 5000),
        *(base64.urlsafe_b64encode(text).decode() for text in (b'["n","yesterday","1"]', b'[["n"],"1","1"]')),
        pytest.param(base64.urlsafe_b64encode(b"[" * 9000).decode(), id="nested"),
    ],
)
def test_a_forged_cursor_is_refused(listed: tuple[Session, str], cursor: str) -> None:
    session, subject = listed
    with pytest.raises(BadCursor):
        _page(session, subject, cursor)
    assert clock.now().tzinfo is not None
