"""The one source of time. Everything stored is UTC and aware."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from contextvars import ContextVar
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

_offset: ContextVar[timedelta] = ContextVar("clock_offset", default=timedelta())


def now() -> datetime:
    """Return the present moment, aware, in UTC."""
    return datetime.now(UTC) + _offset.get()


def today(zone: str = "Asia/Shanghai") -> date:
    """Return the calendar day in ``zone``: deadlines are days of the province, not of UTC."""
    return now().astimezone(ZoneInfo(zone)).date()


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
