"""Sharing the demo's work between two processes: one core of Python is not enough for a province."""

from __future__ import annotations

import multiprocessing
import threading
from collections.abc import Callable
from typing import Protocol

from lms.core.services import Services

HANDS = 2
PATIENCE_S = 300.0


class Gate(Protocol):
    """Where both hands wait for each other."""

    def wait(self, timeout: float | None = None) -> int: ...

    def abort(self) -> None: ...


def with_two_hands(services: Services, work: Callable[[int, Gate], None]) -> None:
    """Run ``work(hand, gate)`` in this process as hand 0 and in a forked one as hand 1; wait for both.

    Only hand 0 may compare faces: the engine's threads do not live on in a forked process. Raises
    RuntimeError when the other hand failed, and whatever this one raises.
    """
    context = multiprocessing.get_context("fork")
    gate = context.Barrier(HANDS)
    other = context.Process(target=_other_hand, args=(services, work, gate), daemon=True)
    services.db.dispose()
    other.start()
    try:
        work(0, gate)
    except threading.BrokenBarrierError:
        other.join(PATIENCE_S)
        raise RuntimeError("the demo's second process failed; its error stands above") from None
    except BaseException:
        gate.abort()
        raise
    finally:
        other.join(PATIENCE_S)
    if other.exitcode != 0:
        raise RuntimeError("the demo's second process failed; its error stands above")


def _other_hand(services: Services, work: Callable[[int, Gate], None], gate: Gate) -> None:
    # Connections belong to the process that opened them.
    services.db.engine.dispose(close=False)
    try:
        work(1, gate)
    except BaseException:
        gate.abort()
        raise
    finally:
        services.db.dispose()
