"""Reactions to other rooms' events."""

from __future__ import annotations

from sqlalchemy.orm import Session

from certs.issue.operations import request_certificate
from exams.events import AttemptGraded
from lms.core.access import SYSTEM


def on_attempt_graded(session: Session, event: AttemptGraded) -> None:
    """Ask for the certificate that a passed attempt earns. A second delivery changes nothing."""
    if event.passed:
        request_certificate(session, SYSTEM, person_id=event.person_id, attempt_id=event.attempt_id)
