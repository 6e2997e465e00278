"""What the learner's pages show, gathered in a fixed number of queries."""

from __future__ import annotations

import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import TypeVar

from sqlalchemy.orm import Session

from lms.core import clock
from lms.core.remembered import Remembered
from lms.courses.catalogue.queries import programme_names, published_lessons
from lms.courses.learning import rules
from lms.courses.learning.models import LessonProgress
from lms.courses.learning.queries import (
    BegunLesson,
    EnrolmentView,
    LessonStanding,
    learner_record,
    progress_of,
    standing,
)
from lms.courses.rulebook import rulebook

NAMES = Remembered(programme_names)
LESSONS = Remembered(published_lessons)
K = TypeVar("K")
V = TypeVar("V")
Progress = Mapping[tuple[uuid.UUID, uuid.UUID], LessonProgress | BegunLesson]


@dataclass(frozen=True, slots=True)
class Training:
    """An enrolment with its lessons as the learner stands in them."""

    enrolment: EnrolmentView
    name_zh: str
    name_en: str
    lessons: tuple[LessonStanding, ...]

    @property
    def done(self) -> int:
        return sum(item.completed for item in self.lessons)

    @property
    def percent(self) -> int:
        """Share of the training's video that has been credited; 100 only when all is completed."""
        whole = sum(item.lesson.duration_s for item in self.lessons)
        part = sum(
            item.lesson.duration_s if item.completed else min(item.credited_s, item.lesson.duration_s * 0.99)
            for item in self.lessons
        )
        return rules.percent(part, whole)

    @property
    def next_lesson(self) -> LessonStanding | None:
        """The first lesson that is not completed: lessons are learned in their order."""
        return next((item for item in self.lessons if not item.completed), None)

    @property
    def is_open(self) -> bool:
        return self.enrolment.state in {"assigned", "learning"}


@dataclass(frozen=True, slots=True)
class HomeView:
    """The learner's first page; hours are class hours, the month is the calendar month."""

    name: str
    tenant_name: str
    department: str
    year: int
    hours: float
    hours_owed: int
    hours_percent: int
    month_done: int
    month_planned: int
    month_percent: int
    quizzes_passed: int
    quizzes_marked: int
    quiz_percent: int
    unread: int
    trainings: tuple[Training, ...]
    current: Training | None


def trainings_of(session: Session, person_id: uuid.UUID) -> list[Training]:
    """Return the learner's trainings, open ones first, each by deadline."""
    record = learner_record(session, person_id, None, clock.today().year)
    return _gather(session, record.enrolments, record.progress)


def training(session: Session, person_id: uuid.UUID, found: EnrolmentView) -> Training:
    """Return one enrolment with its lessons."""
    return _gather(session, [found], progress_of(session, person_id, [found.enrolment_id]))[0]


def _gather(session: Session, enrolments: Sequence[EnrolmentView], progress: Progress) -> list[Training]:
    names = _known(NAMES, session, {item.programme_code for item in enrolments})
    lessons = _known(LESSONS, session, {(item.programme_code, item.programme_version) for item in enrolments})
    trainings = [
        Training(
            enrolment=item,
            name_zh=names[item.programme_code][0],
            name_en=names[item.programme_code][1],
            lessons=tuple(
                standing(lesson, progress.get((item.enrolment_id, lesson.lesson_id)))
                for lesson in lessons[item.programme_code, item.programme_version]
            ),
        )
        for item in enrolments
    ]
    trainings.sort(key=lambda each: (not each.is_open, each.enrolment.due_on))
    return trainings


def _known(remembered: Remembered[dict[K, V]], session: Session, keys: set[K]) -> Mapping[K, V]:
    """Return what is remembered, read anew when one of the keys is missing from it."""
    if not keys <= remembered.get(session).keys():
        remembered.forget()
    return remembered.get(session)


def home(session: Session, person_id: uuid.UUID, tenant_id: uuid.UUID | None, name: str) -> HomeView:
    """Return what the learner sees first."""
    figures, today = rulebook(), clock.today()
    record = learner_record(session, person_id, tenant_id, today.year)
    trainings = _gather(session, record.enrolments, record.progress)
    owed = rules.hours_owed(record.workplace.risk_class, figures)
    planned, done = _month(trainings, record.progress, today)
    return HomeView(
        name=name,
        tenant_name=record.workplace.tenant_name,
        department=record.workplace.department,
        year=today.year,
        hours=rules.class_hours(record.credited_s, figures),
        hours_owed=owed,
        hours_percent=rules.percent(record.credited_s, owed * figures.class_hour_s),
        month_done=done,
        month_planned=planned,
        month_percent=rules.percent(done, planned),
        quizzes_passed=record.quizzes_passed,
        quizzes_marked=record.quizzes_marked,
        quiz_percent=rules.percent(record.quizzes_passed, record.quizzes_marked),
        unread=record.unread,
        trainings=tuple(trainings),
        current=next((each for each in trainings if each.is_open and each.next_lesson), None),
    )


def _month(
    trainings: Sequence[Training],
    progress: Progress,
    today: date,
) -> tuple[int, int]:
    """Return lessons planned for and completed in this month."""
    planned = done = 0
    for each in trainings:
        rows = [progress.get((each.enrolment.enrolment_id, item.lesson.lesson_id)) for item in each.lessons]
        ends = [row.completed_at for row in rows if row is not None and row.completed_at is not None]
        this_month = sum((end.year, end.month) == (today.year, today.month) for end in ends)
        open_at_start = len(each.lessons) - len(ends) + this_month
        if open_at_start:
            planned += max(this_month, rules.planned_this_month(open_at_start, each.enrolment.due_on, today))
        done += this_month
    return planned, done
