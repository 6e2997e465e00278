"""What this room announces."""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from datetime import date, datetime

from lms.core.events import Event


@dataclass(frozen=True, slots=True)
class EnrolmentCreated(Event):
    """A person has been given a programme to complete by ``due_on``; once per enrolment."""

    version: int
    person_id: uuid.UUID
    enrolment_id: uuid.UUID
    tenant_id: uuid.UUID
    programme_code: str
    assignment_id: uuid.UUID
    region_code: int
    industry_code: str
    due_on: date


@dataclass(frozen=True, slots=True)
class EnrolmentCancelled(Event):
    """An enrolment that was not yet learned has been withdrawn with its assignment."""

    version: int
    person_id: uuid.UUID
    enrolment_id: uuid.UUID
    tenant_id: uuid.UUID
    programme_code: str
    assignment_id: uuid.UUID
    region_code: int
    industry_code: str
    due_on: date


@dataclass(frozen=True, slots=True)
class LessonCredited(Event):
    """Seconds were credited for a lesson: with the first ones, and again when it is completed.

    ``credited_s`` is what the lesson has been credited in all in its present viewing cycle;
    ``first`` marks the first credit of this lesson in this enrolment; ``on`` is the calendar
    day in the province.
    """

    version: int
    person_id: uuid.UUID
    enrolment_id: uuid.UUID
    tenant_id: uuid.UUID
    region_code: int
    industry_code: str
    lesson_id: uuid.UUID
    credited_s: int
    first: bool
    on: date


@dataclass(frozen=True, slots=True)
class LearningCompleted(Event):
    """Every lesson of the programme is completed; the exam is open. Once per enrolment."""

    version: int
    person_id: uuid.UUID
    enrolment_id: uuid.UUID
    tenant_id: uuid.UUID
    region_code: int
    industry_code: str
    programme_code: str
    due_on: date
    at: datetime
