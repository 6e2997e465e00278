"""Reading enrolments, progress and credited time."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime

from sqlalchemy import bindparam, func, select
from sqlalchemy.orm import Session

from lms.core import notify
from lms.core.errors import NotFound
from lms.courses.catalogue.queries import LessonView
from lms.courses.learning import rules
from lms.courses.learning.models import Credit, Enrolment, EnrolmentState, FaceCheck, LessonProgress, Quiz
from lms.courses.rulebook import rulebook


@dataclass(frozen=True, slots=True)
class EnrolmentView:
    """One person's cycle of a programme; ``state`` is assigned, learning, learned or cancelled.

    ``region_code`` and ``industry_code`` are those of the employment at the time of assignment.
    """

    enrolment_id: uuid.UUID
    person_id: uuid.UUID
    tenant_id: uuid.UUID
    employment_id: uuid.UUID
    programme_code: str
    programme_version: int
    assignment_id: uuid.UUID
    cycle: int
    region_code: int
    industry_code: str
    due_on: date
    state: str
    created_at: datetime
    learning_completed_at: datetime | None


@dataclass(frozen=True, slots=True)
class LessonStanding:
    """A lesson with what one person has done in it; times in seconds of the video."""

    lesson: LessonView
    credited_s: float
    furthest_s: float
    video_completed: bool
    completed: bool
    restarts: int
    touched_at: datetime | None

    @property
    def is_begun(self) -> bool:
        return self.credited_s > 0 or self.video_completed

    @property
    def percent(self) -> int:
        return 100 if self.completed else min(99, rules.percent(self.credited_s, self.lesson.duration_s))


def view_of(row: Enrolment) -> EnrolmentView:
    """Turn a row into what other rooms may hold."""
    return EnrolmentView(
        enrolment_id=row.id,
        person_id=row.person_id,
        tenant_id=row.tenant_id,
        employment_id=row.employment_id,
        programme_code=row.programme_code,
        programme_version=row.programme_version,
        assignment_id=row.assignment_id,
        cycle=row.cycle,
        region_code=row.region_code,
        industry_code=row.industry_code,
        due_on=row.due_on,
        state=row.state,
        created_at=row.created_at,
        learning_completed_at=row.learning_completed_at,
    )


def enrolment(session: Session, person_id: uuid.UUID, enrolment_id: uuid.UUID) -> EnrolmentView:
    """Return one enrolment; raises NotFound outside the scope."""
    mine = (Enrolment.person_id == person_id, Enrolment.id == enrolment_id)
    row = session.scalars(select(Enrolment).where(*mine)).first()
    if row is None:
        raise NotFound
    return view_of(row)


def enrolments_of(session: Session, person_id: uuid.UUID) -> list[EnrolmentView]:
    """Return a person's enrolments that were not cancelled, the nearest deadline first."""
    query = (
        select(Enrolment)
        .where(Enrolment.person_id == person_id, Enrolment.state != EnrolmentState.CANCELLED)
        .order_by(Enrolment.due_on, Enrolment.id)
    )
    return [view_of(row) for row in session.scalars(query)]


# Made once: putting a statement together costs a page as much as asking it.
_WITH_PROGRESS = (
    select(Enrolment, LessonProgress)
    .outerjoin(
        LessonProgress,
        (LessonProgress.person_id == Enrolment.person_id) & (LessonProgress.enrolment_id == Enrolment.id),
    )
    .where(Enrolment.person_id == bindparam("person_id"), Enrolment.state != EnrolmentState.CANCELLED)
    .order_by(Enrolment.due_on, Enrolment.id)
)


def enrolments_with_progress(
    session: Session, person_id: uuid.UUID
) -> tuple[list[EnrolmentView], dict[tuple[uuid.UUID, uuid.UUID], LessonProgress]]:
    """Return what ``enrolments_of`` and ``progress_of`` do, in one statement."""
    rows = session.execute(_WITH_PROGRESS, {"person_id": person_id}).all()
    views = {row.id: view_of(row) for row, _ in rows}
    # The outer join leaves the progress empty where no lesson was begun.
    begun: list[LessonProgress | None] = [progress for _, progress in rows]
    return list(views.values()), {(one.enrolment_id, one.lesson_id): one for one in begun if one is not None}


def progress_of(
    session: Session, person_id: uuid.UUID, enrolment_ids: Sequence[uuid.UUID]
) -> dict[tuple[uuid.UUID, uuid.UUID], LessonProgress]:
    """Return the progress rows of enrolments by (enrolment, lesson)."""
    if not enrolment_ids:
        return {}
    query = select(LessonProgress).where(
        LessonProgress.person_id == person_id, LessonProgress.enrolment_id.in_(enrolment_ids)
    )
    return {(row.enrolment_id, row.lesson_id): row for row in session.scalars(query)}


def standing(lesson: LessonView, progress: LessonProgress | None) -> LessonStanding:
    """Join a lesson with what was done in it, if anything."""
    if progress is None:
        return LessonStanding(lesson, 0, 0, video_completed=False, completed=False, restarts=0, touched_at=None)
    return LessonStanding(
        lesson=lesson,
        credited_s=progress.credited_s,
        furthest_s=progress.furthest_s,
        video_completed=progress.video_completed_at is not None,
        completed=progress.completed_at is not None,
        restarts=progress.restarts,
        touched_at=progress.last_beat_at,
    )


def credited_seconds(session: Session, person_id: uuid.UUID, enrolment_id: uuid.UUID) -> float:
    """Return the seconds that count towards class hours of one enrolment."""
    query = select(func.coalesce(func.sum(Credit.credited_s), 0)).where(
        Credit.person_id == person_id,
        Credit.enrolment_id == enrolment_id,
        Credit.exclusion_reason.is_(None),
    )
    return float(session.execute(query).scalar_one())


def credited_class_hours(session: Session, person_id: uuid.UUID, enrolment_id: uuid.UUID) -> float:
    """Return the class hours credited in one enrolment, cut to two decimals (rules.json)."""
    return rules.class_hours(credited_seconds(session, person_id, enrolment_id), rulebook())


@dataclass(frozen=True, slots=True)
class YearFigures:
    """What the learner has done since the year began, and how many notices wait unread."""

    credited_s: float
    quizzes_passed: int
    quizzes_marked: int
    unread: int


_YEAR_FIGURES = select(
    select(func.coalesce(func.sum(Credit.credited_s), 0))
    .where(
        Credit.person_id == bindparam("person_id"),
        Credit.exclusion_reason.is_(None),
        Credit.on_day >= bindparam("begins"),
        Credit.on_day < bindparam("ends"),
    )
    .scalar_subquery(),
    func.count().filter(Quiz.state == "passed"),
    func.count(),
    notify.unread_of(bindparam("person_id")).scalar_subquery(),
).where(Quiz.person_id == bindparam("person_id"), Quiz.score.is_not(None), Quiz.submitted_at >= bindparam("since"))


def year_figures(session: Session, person_id: uuid.UUID, year: int) -> YearFigures:
    """Return the figures of a calendar year, in one statement."""
    values = {
        "person_id": person_id,
        "begins": date(year, 1, 1),
        "ends": date(year + 1, 1, 1),
        "since": datetime(year, 1, 1, tzinfo=UTC),
    }
    row = session.connection().execute(_YEAR_FIGURES, values).one()
    return YearFigures(float(row[0]), row[1], row[2], row[3])


def blocking_check(session: Session, person_id: uuid.UUID, progress: LessonProgress) -> FaceCheck | None:
    """Return the check that stops credit now: due, or referred to the enterprise."""
    query = select(FaceCheck).where(
        FaceCheck.person_id == person_id,
        FaceCheck.progress_id == progress.id,
        FaceCheck.viewing_cycle == progress.viewing_cycle,
        FaceCheck.state.in_(("due", "referred")),
    )
    return session.scalars(query.order_by(FaceCheck.at_s).limit(1)).first()
