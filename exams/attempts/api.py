"""What other rooms may ask about attempts (re-exported by ``exams.api``)."""

from __future__ import annotations

import uuid
from collections.abc import Collection
from typing import Any

from sqlalchemy import bindparam, select
from sqlalchemy.orm import Session

from exams.attempts.models import Attempt
from exams.attempts.queries import AttemptView, view_of
from lms.core.errors import NotFound
from lms.core.prepared import Prepared

__all__ = ["AttemptView", "attempt", "best_attempt", "best_attempts", "passed_attempts"]


_COLUMNS: tuple[Any, ...] = (
    Attempt.id,
    Attempt.person_id,
    Attempt.enrolment_id,
    Attempt.tenant_id,
    Attempt.programme_code,
    Attempt.attempt_no,
    Attempt.state,
    Attempt.started_at,
    Attempt.deadline_at,
    Attempt.score,
    Attempt.passed,
    Attempt.pass_score,
    Attempt.graded_at,
    Attempt.submit_reason,
    Attempt.identity_verification_id,
)
_ATTEMPT = Prepared(
    select(*_COLUMNS).where(Attempt.person_id == bindparam("person_id"), Attempt.id == bindparam("attempt_id"))
)


def attempt(session: Session, person_id: uuid.UUID, attempt_id: uuid.UUID) -> AttemptView:
    """Return one attempt of a person within the scope. Raises NotFound."""
    rows = _ATTEMPT.rows(session, person_id=person_id, attempt_id=attempt_id)
    if not rows:
        raise NotFound
    return AttemptView(*rows[0])


def best_attempt(session: Session, person_id: uuid.UUID, enrolment_id: uuid.UUID) -> AttemptView | None:
    """Return the graded attempt with the highest score (the earlier of equals), None without one."""
    row = session.scalars(
        select(Attempt)
        .where(Attempt.person_id == person_id, Attempt.enrolment_id == enrolment_id, Attempt.state == "graded")
        .order_by(Attempt.passed.desc(), Attempt.score.desc(), Attempt.attempt_no)
        .limit(1)
    ).first()
    return view_of(row) if row else None


def best_attempts(
    session: Session, person_ids: Collection[uuid.UUID], enrolment_ids: Collection[uuid.UUID]
) -> dict[uuid.UUID, AttemptView]:
    """Return the best graded attempt of each enrolment that has one, by enrolment; as ``best_attempt`` would."""
    rows = session.scalars(
        select(Attempt)
        .where(Attempt.person_id.in_(person_ids), Attempt.enrolment_id.in_(enrolment_ids), Attempt.state == "graded")
        .order_by(Attempt.passed, Attempt.score, Attempt.attempt_no.desc())
    )
    # The best of an enrolment comes last and stays.
    return {row.enrolment_id: view_of(row) for row in rows}


def passed_attempts(
    session: Session, programme_code: str, *, after: uuid.UUID, limit: int
) -> list[tuple[uuid.UUID, uuid.UUID]]:
    """Return person and attempt id of passed attempts of a programme within the scope, by attempt id, ``after`` it."""
    rows = session.execute(
        select(Attempt.person_id, Attempt.id)
        .where(Attempt.programme_code == programme_code, Attempt.passed.is_(True), Attempt.id > after)
        .order_by(Attempt.id)
        .limit(limit)
    )
    return [(person_id, attempt_id) for person_id, attempt_id in rows]
