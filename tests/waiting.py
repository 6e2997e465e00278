"""Waiting for what another thread or process does."""

from __future__ import annotations

import time
from collections.abc import Callable


def wait_for(what: str, found: Callable[[], object], within_s: float = 60.0) -> None:
    """Return when ``found`` tells yes; fails after ``within_s``.

    Asks again and again: a killed process, a row or a page gives no sign that could be waited on.
    """
    deadline = time.monotonic() + within_s
    while not found():
        assert time.monotonic() < deadline, f"{what} did not happen within {within_s} s"
        time.sleep(0.02)
