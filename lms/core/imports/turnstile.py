"""Order among threads that work ahead of one another."""

from __future__ import annotations

import threading


class Stopped(RuntimeError):
    """One ahead has stopped, so those behind must not pass."""


class Turnstile:
    """Lets numbered workers pass one by one; when one stops, nobody behind it passes."""

    def __init__(self, first: int) -> None:
        self._next = first
        self._is_stopped = False
        self._changed = threading.Condition()

    def wait(self, number: int) -> None:
        """Return when it is the turn of ``number``. Raises Stopped."""
        with self._changed:
            self._changed.wait_for(lambda: self._is_stopped or self._next == number)
            if self._is_stopped:
                raise Stopped

    def raise_if_stopped(self) -> None:
        """Raise Stopped when there is no use in beginning."""
        if self._is_stopped:
            raise Stopped

    def pass_on(self) -> None:
        """Give the turn to the next."""
        with self._changed:
            self._next += 1
            self._changed.notify_all()

    def stop(self) -> None:
        """Let nobody pass any more."""
        with self._changed:
            self._is_stopped = True
            self._changed.notify_all()
