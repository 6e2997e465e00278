"""The one source of time. Everything stored is UTC and aware."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from contextvars import ContextVar
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

# All provinces keep Beijing time (IANA tz database), and the database's functions count by it.
ZONE = ZoneInfo("Asia/Shanghai")
_offset: ContextVar[timedelta] = ContextVar("clock_offset", default=timedelta())


def now() -> datetime:
    """Return the present moment, aware, in UTC."""
    return datetime.now(UTC) + _offset.get()


def local(at: datetime) -> datetime:
    """Return a moment as clocks in the province show it."""
    return at.astimezone(ZONE)


def day_of(at: datetime) -> date:
    """Return the calendar day of a moment: days are the province's, not those of UTC."""
    return local(at).date()


def today() -> date:
    """Return the present calendar day."""
    return day_of(now())


@contextlib.contextmanager
def travelling_to(moment: datetime) -> Iterator[None]:
    """Let the clock of this context start at ``moment`` and run on from there.

    The demo province uses it to live its past months through the ordinary operations, and
    tests use it to meet deadlines. Requests never do.
    """
    token = _offset.set(moment - datetime.now(UTC))
    try:
        yield
    finally:
        _offset.reset(token)
