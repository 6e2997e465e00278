"""Reference data that busy pages show, kept for a minute in each process.

Rules, definitions and names change with a release or a decision, pages are read all day. What
must follow at once, such as the judging of warnings, reads the rules itself.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Generic, TypeVar

from sqlalchemy.orm import Session

from lms.core.services import services_of

T = TypeVar("T")
KEPT_FOR_S = 60.0


class Remembered(Generic[T]):
    """The answer of ``read``, which must hold plain immutable values, for one database."""

    def __init__(self, read: Callable[[Session], T]) -> None:
        self._read = read
        self._kept: dict[int, tuple[float, T]] = {}

    def get(self, session: Session) -> T:
        """Return the answer, at most a minute old."""
        key = id(services_of(session).db)
        kept = self._kept.get(key)
        if kept is None or kept[0] < time.monotonic():
            kept = (time.monotonic() + KEPT_FOR_S, self._read(session))
            self._kept[key] = kept
        return kept[1]

    def forget(self) -> None:
        """Read anew at the next call: something was missing from the answer."""
        self._kept.clear()
