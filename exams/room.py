"""The exams room: the question bank and sitting exams."""

from __future__ import annotations

import exams.attempts.room
import exams.bank.room
import exams.demo
from lms.core.services import Kernel


def register(kernel: Kernel) -> None:
    """Register both sub-rooms."""
    exams.bank.room.register(kernel)
    exams.attempts.room.register(kernel)
    kernel.demo_steps.append((40, exams.demo.make))
