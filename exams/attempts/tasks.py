"""Periodic work of attempts."""

from __future__ import annotations

from exams.attempts import operations
from lms.core.services import Services
from lms.core.tenancy import WORKER_SCOPE

SUBMIT_OVERDUE = "exams.submit_overdue"
SUBMIT_OVERDUE_EVERY_S = 5.0


def submit_overdue(services: Services) -> None:
    """Hand in everything that is past its time, one batch to a transaction."""
    while True:
        with services.db.transaction(WORKER_SCOPE) as session:
            if operations.submit_overdue(session) < operations.OVERDUE_BATCH:
                return
