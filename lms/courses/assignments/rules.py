"""Pure rules of assignments."""

from __future__ import annotations

from datetime import date
from enum import StrEnum

# Up to so many people are enrolled while the administrator waits; more are a job's work.
ENROL_AT_ONCE_MAX = 200
CHUNK_PEOPLE = 1000
SELECTED_PEOPLE_MAX = 500


class Standing(StrEnum):
    """How an assignment looks on a list."""

    RUNNING = "running"
    DONE = "done"
    OVERDUE = "overdue"
    CANCELLED = "cancelled"


def deadline_is_ahead(due_on: date, today: date) -> bool:
    """Tell whether people still have at least the rest of today; a deadline includes its day."""
    return due_on >= today


def standing(state: str, due_on: date, today: date, learned: int, total: int) -> Standing:
    """Return how an assignment stands today."""
    if state == "cancelled":
        return Standing.CANCELLED
    if total and learned >= total:
        return Standing.DONE
    return Standing.OVERDUE if due_on < today else Standing.RUNNING
