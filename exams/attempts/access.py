"""Permissions of sitting an exam, and the only ways to load an attempt for a request."""

from __future__ import annotations

import uuid
from enum import StrEnum

from sqlalchemy import select
from sqlalchemy.orm import Session

from exams.attempts.models import Attempt
from lms.core.access import Actor
from lms.core.errors import NotFound


class P(StrEnum):
    """What one may do with attempts."""

    TAKE = "exams.attempt.take"


def person_of(actor: Actor) -> uuid.UUID:
    """Return who sits the exam. Raises NotFound for the system, which sits none."""
    if actor.person_id is None:
        raise NotFound
    return actor.person_id


def access_attempt(session: Session, actor: Actor, attempt_id: uuid.UUID) -> Attempt:
    """Return the actor's own attempt. Raises NotFound for anybody else's."""
    attempt = session.scalars(
        select(Attempt)
        .where(Attempt.person_id == person_of(actor), Attempt.id == attempt_id)
        .execution_options(populate_existing=True)
    ).first()
    if attempt is None:
        raise NotFound
    return attempt
