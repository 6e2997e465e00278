"""Reading enrolments, progress and credited time."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Any

from sqlalchemy import ColumnElement, ScalarSelect, Select, Uuid, bindparam, func, literal, select
from sqlalchemy.orm import Session, aliased

from lms.accounts import api as accounts
from lms.core import notify
from lms.core.errors import NotFound
from lms.core.prepared import Prepared
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
class BegunLesson:
    """What lists need of a ``LessonProgress``, in the order of ``_BEGUN``."""

    enrolment_id: uuid.UUID
    lesson_id: uuid.UUID
    credited_s: float
    furthest_s: float
    last_beat_at: datetime | None
    video_completed_at: datetime | None
    completed_at: datetime | None
    restarts: int


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
    rows = _ENROLMENT.rows(session, person_id=person_id, enrolment_id=enrolment_id)
    if not rows:
        raise NotFound
    return EnrolmentView(*rows[0])


def enrolments_of(session: Session, person_id: uuid.UUID) -> list[EnrolmentView]:
    """Return a person's enrolments that were not cancelled, the nearest deadline first."""
    query = (
        select(Enrolment)
        .where(Enrolment.person_id == person_id, Enrolment.state != EnrolmentState.CANCELLED)
        .order_by(Enrolment.due_on, Enrolment.id)
    )
    return [view_of(row) for row in session.scalars(query)]


def enrolments_in(session: Session, programme_code: str, *, after: uuid.UUID, limit: int) -> list[EnrolmentView]:
    """Return each person's newest enrolment in a programme within the scope, none cancelled, by id, ``after`` it."""
    newer = aliased(Enrolment)
    later = select(newer.id).where(
        newer.person_id == Enrolment.person_id,
        newer.programme_code == programme_code,
        newer.state != EnrolmentState.CANCELLED,
        newer.id > Enrolment.id,
    )
    query = (
        select(Enrolment)
        .where(Enrolment.programme_code == programme_code, Enrolment.state != EnrolmentState.CANCELLED)
        .where(Enrolment.id > after, ~later.exists())
        .order_by(Enrolment.id)
        .limit(limit)
    )
    return [view_of(row) for row in session.scalars(query)]


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


def standing(lesson: LessonView, progress: LessonProgress | BegunLesson | None) -> LessonStanding:
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


def class_hours_of(session: Session, enrolments: Sequence[EnrolmentView]) -> dict[uuid.UUID, float]:
    """Return the class hours credited in each of the enrolments that has any, cut to two decimals."""
    query = (
        select(Credit.enrolment_id, func.sum(Credit.credited_s))
        .where(Credit.person_id.in_([one.person_id for one in enrolments]))
        .where(Credit.enrolment_id.in_([one.enrolment_id for one in enrolments]))
        .where(Credit.exclusion_reason.is_(None))
        .group_by(Credit.enrolment_id)
    )
    return {found: rules.class_hours(float(seconds), rulebook()) for found, seconds in session.execute(query)}


def credited_class_hours(session: Session, person_id: uuid.UUID, enrolment_id: uuid.UUID) -> float:
    """Return the class hours credited in one enrolment, cut to two decimals (rules.json)."""
    return rules.class_hours(credited_seconds(session, person_id, enrolment_id), rulebook())


@dataclass(frozen=True, slots=True)
class LearnerRecord:
    """What a learner has to do and has done; figures are those of one calendar year, the nearest deadline comes first.

    ``progress`` is by (enrolment, lesson); ``unread`` counts the notices that wait.
    """

    credited_s: float
    quizzes_passed: int
    quizzes_marked: int
    unread: int
    workplace: accounts.Workplace
    enrolments: list[EnrolmentView]
    progress: dict[tuple[uuid.UUID, uuid.UUID], BegunLesson]


_ENROLLED: tuple[Any, ...] = (
    Enrolment.id,
    Enrolment.person_id,
    Enrolment.tenant_id,
    Enrolment.employment_id,
    Enrolment.programme_code,
    Enrolment.programme_version,
    Enrolment.assignment_id,
    Enrolment.cycle,
    Enrolment.region_code,
    Enrolment.industry_code,
    Enrolment.due_on,
    Enrolment.state,
    Enrolment.created_at,
    Enrolment.learning_completed_at,
)
_BEGUN: tuple[Any, ...] = (
    LessonProgress.enrolment_id,
    LessonProgress.lesson_id,
    LessonProgress.credited_s,
    LessonProgress.furthest_s,
    LessonProgress.last_beat_at,
    LessonProgress.video_completed_at,
    LessonProgress.completed_at,
    LessonProgress.restarts,
)


def _quizzes(*conditions: ColumnElement[bool]) -> ScalarSelect[int]:
    marked = (
        Quiz.person_id == bindparam("person_id"),
        Quiz.score.is_not(None),
        Quiz.submitted_at >= bindparam("since"),
    )
    return select(func.count()).select_from(Quiz).where(*marked, *conditions).scalar_subquery()


def _record_statement() -> Select[Any]:
    """Return the statement of ``learner_record``: one row for each begun lesson and each enrolment without any.

    It starts from a row of its own, so that there is one also for those who have no enrolment.
    """
    person_id = bindparam("person_id", type_=Uuid)
    credited = select(func.coalesce(func.sum(Credit.credited_s), 0)).where(
        Credit.person_id == person_id,
        Credit.exclusion_reason.is_(None),
        Credit.on_day >= bindparam("begins"),
        Credit.on_day < bindparam("ends"),
    )
    workplace = accounts.workplace_of(person_id, bindparam("tenant_id", type_=Uuid))
    self_row = select(literal(1).label("one")).subquery("self")
    theirs = (Enrolment.person_id == person_id) & (Enrolment.state != EnrolmentState.CANCELLED)
    begun = (LessonProgress.person_id == Enrolment.person_id) & (LessonProgress.enrolment_id == Enrolment.id)
    return (
        select(
            credited.scalar_subquery(),
            _quizzes(Quiz.state == "passed"),
            _quizzes(),
            notify.unread_of(person_id).scalar_subquery(),
            workplace.scalar_subquery(),
            *_ENROLLED,
            *_BEGUN,
        )
        .select_from(self_row)
        .outerjoin(Enrolment, theirs)
        .outerjoin(LessonProgress, begun)
        .order_by(Enrolment.due_on, Enrolment.id)
    )


# Made once: putting a statement together costs a page as much as asking it.
_RECORD = Prepared(_record_statement())
_ENROLMENT = Prepared(
    select(*_ENROLLED).where(Enrolment.person_id == bindparam("person_id"), Enrolment.id == bindparam("enrolment_id"))
)


def learner_record(session: Session, person_id: uuid.UUID, tenant_id: uuid.UUID | None, year: int) -> LearnerRecord:
    """Return what the learner's own pages show, in one statement; nothing of cancelled enrolments."""
    rows = _RECORD.rows(
        session,
        person_id=person_id,
        tenant_id=tenant_id,
        begins=date(year, 1, 1),
        ends=date(year + 1, 1, 1),
        since=datetime(year, 1, 1, tzinfo=UTC),
    )
    credited_s, passed, marked, unread, workplace = rows[0][:5]
    # The outer joins leave the columns of both empty for whoever has none.
    enrolments = [EnrolmentView(*row[5:19]) for row in rows if row[5] is not None]
    begun = [BegunLesson(*row[19:]) for row in rows if row[19] is not None]
    return LearnerRecord(
        credited_s=float(credited_s),
        quizzes_passed=passed,
        quizzes_marked=marked,
        unread=unread,
        workplace=accounts.Workplace(*(workplace or ("", "", ""))),
        enrolments=list({one.enrolment_id: one for one in enrolments}.values()),
        progress={(one.enrolment_id, one.lesson_id): one for one in begun},
    )


def blocking_check(session: Session, person_id: uuid.UUID, progress: LessonProgress) -> FaceCheck | None:
    """Return the check that stops credit now: due, or referred to the enterprise."""
    query = select(FaceCheck).where(
        FaceCheck.person_id == person_id,
        FaceCheck.progress_id == progress.id,
        FaceCheck.viewing_cycle == progress.viewing_cycle,
        FaceCheck.state.in_(("due", "referred")),
    )
    return session.scalars(query.order_by(FaceCheck.at_s).limit(1)).first()
