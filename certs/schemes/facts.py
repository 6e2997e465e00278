"""Bringing together what is known of people, for judging them: one at issue, a thousand in a dry run."""

from __future__ import annotations

import uuid
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date

from sqlalchemy import func, or_, select, text
from sqlalchemy.orm import Session

import exams.api as exams
import lms.accounts.api as accounts
import lms.courses.api as courses
from certs.schemes.models import Credential
from certs.schemes.rules import EDUCATION, Facts, Requirements
from lms.core import clock

# In words the driver knows: the function answers for the worker and for departments in whose scope the person learns.
_KNOWN = text(
    "select person_id, birth_date, banned, ban_until, education, practice_months, papers"
    " from certs_facts_of(cast(:people as uuid[]), :scheme, :day)"
)


@dataclass(frozen=True, slots=True)
class Known:
    """What only the register, the bans and the officials' records tell of a person."""

    person_id: uuid.UUID
    birth_date: date
    banned: bool
    ban_until: date | None
    education: list[str] | None
    practice_months: int | None
    papers: list[str]


def known_of(session: Session, people: Iterable[uuid.UUID], scheme_code: str, today: date) -> dict[uuid.UUID, Known]:
    """Return what is known of people in one statement. Worker or region scope; the latter leaves strangers out."""
    asked = {"people": list(people), "scheme": scheme_code, "day": today}
    return {row[0]: Known(*row) for row in session.connection().execute(_KNOWN, asked)}


def facts_for(
    known: Known,
    enrolment: courses.EnrolmentView,
    attempt: exams.AttemptView | None,
    employment: accounts.EmploymentView | None,
    class_hours: float | None,
) -> Facts:
    """Join what the rooms tell of a person in one cycle of a programme."""
    levels = known.education or ()
    return Facts(
        learning_completed=enrolment.learning_completed_at is not None,
        # The exam room lets nobody in unverified and names the verification; a person who declined
        # biometrics has one too, made by an administrator who checked the id.
        identity_verified=attempt is not None,
        score=attempt.score if attempt else None,
        passed=bool(attempt and attempt.passed),
        class_hours=class_hours,
        employed=employment is not None and employment.left_on is None,
        birth_date=known.birth_date,
        education=max(levels, key=EDUCATION.index) if levels else None,
        practice_months=known.practice_months,
        papers=tuple(known.papers),
        banned=known.banned,
        ban_until=known.ban_until,
    )


def hours_if_asked(session: Session, wanted: Requirements, enrolment: courses.EnrolmentView) -> float | None:
    """Return the class hours of one cycle; nobody adds them up where they are not asked."""
    if not wanted.class_hours:
        return None
    return courses.credited_class_hours(session, enrolment.person_id, enrolment.enrolment_id)


def recorded_day(session: Session, person_id: uuid.UUID, wanted: Requirements) -> date | None:
    """Return the day on which the last of the records was made that the scheme asks for, None without any.

    Worker scope. Nobody looks for records where none are asked.
    """
    asked = [
        *([Credential.kind == "education"] if wanted.education else []),
        *([Credential.kind == "practice"] if wanted.practice_months else []),
        *([(Credential.kind == "paper") & Credential.code.in_(wanted.papers)] if wanted.papers else []),
    ]
    if not asked:
        return None
    mine = (Credential.person_id == person_id, Credential.withdrawn_at.is_(None), or_(*asked))
    at = session.scalar(select(func.max(Credential.recorded_at)).where(*mine))
    return clock.day_of(at) if at else None
