"""What this room does when others announce something. Each may run twice."""

from __future__ import annotations

import uuid
from collections.abc import Iterable

from sqlalchemy import select
from sqlalchemy.orm import Session

from lms.accounts.events import EmploymentsStarted, EmploymentStarted
from lms.core import clock, queue
from lms.courses.assignments.models import Assignment, AssignmentState, TargetKind
from lms.courses.assignments.operations import ENROL_TASK


def _open_assignments(session: Session, tenant_id: uuid.UUID, posts: Iterable[str]) -> list[uuid.UUID]:
    query = select(Assignment.id).where(
        Assignment.tenant_id == tenant_id,
        Assignment.target == TargetKind.POST,
        Assignment.post_code.in_(list(posts)),
        Assignment.state == AssignmentState.OPEN,
        Assignment.due_on > clock.today(),
    )
    return list(session.scalars(query))


def _enrol_later_hires(session: Session, tenant_id: uuid.UUID, posts: Iterable[str]) -> None:
    for assignment_id in _open_assignments(session, tenant_id, posts):
        queue.enqueue(session, ENROL_TASK, assignment_id=str(assignment_id), lock=f"courses.enrol.{tenant_id}")


def on_employment_started(session: Session, event: EmploymentStarted) -> None:
    """Somebody was hired, or given another post: they owe what that post has been assigned."""
    _enrol_later_hires(session, event.tenant_id, [event.post_code])


def on_employments_started(session: Session, event: EmploymentsStarted) -> None:
    """A chunk of a roster was imported."""
    _enrol_later_hires(session, event.tenant_id, event.post_codes)
