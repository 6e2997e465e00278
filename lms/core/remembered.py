"""Reference data that busy pages show, kept for a minute in each process.

Rules, definitions and names change with a release or a decision, pages are read all day. What
must follow at once, such as the judging of warnings, reads the rules itself.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Generic, TypeVar
from weakref import WeakKeyDictionary

from sqlalchemy.orm import Session

from lms.core.db import Database
from lms.core.services import services_of

T = TypeVar("T")
K = TypeVar("K")
V = TypeVar("V")
KEPT_FOR_S = 60.0
MISSED_AGAIN_S = 1.0
"""How soon a missing key is looked for again: somebody may ask for keys that do not exist, as often as they like."""


class Remembered(Generic[T]):
    """The answer of ``read``, which must hold plain immutable values, for one database."""

    def __init__(self, read: Callable[[Session], T]) -> None:
        self._read = read
        self._kept: WeakKeyDictionary[Database, tuple[float, T]] = WeakKeyDictionary()

    def get(self, session: Session) -> T:
        """Return the answer, at most a minute old."""
        return self._younger_than(KEPT_FOR_S, session)

    def _younger_than(self, age_s: float, session: Session) -> T:
        database, now = services_of(session).db, time.monotonic()
        kept = self._kept.get(database)
        if kept is None or now - kept[0] >= age_s:
            kept = self._kept[database] = (now, self._read(session))
        return kept[1]

    def forget(self) -> None:
        """Read anew at the next call: something was missing from the answer."""
        self._kept.clear()


def find(remembered: Remembered[dict[K, V]], session: Session, key: K) -> V | None:
    """Return what a remembered mapping holds under ``key``, or None."""
    found = remembered.get(session).get(key)
    if found is None:
        found = remembered._younger_than(MISSED_AGAIN_S, session).get(key)  # noqa: SLF001 - of this module
    return found
