"""One person in one programme cycle: enrolment, lessons, credited seconds, checks and quizzes."""

from __future__ import annotations

import uuid
from datetime import date, datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import (
    CheckConstraint,
    ForeignKeyConstraint,
    Index,
    PrimaryKeyConstraint,
    String,
    UniqueConstraint,
    text,
)
from sqlalchemy.orm import Mapped, mapped_column

from lms.core.db import Base


class EnrolmentState(StrEnum):
    """Learned means that all lessons are completed; the exam stands in another room."""

    ASSIGNED = "assigned"
    LEARNING = "learning"
    LEARNED = "learned"
    CANCELLED = "cancelled"


class CheckState(StrEnum):
    """Life of a face check. Confirmed: a person, not the engine, vouched for the learner."""

    PLANNED = "planned"
    DUE = "due"
    PASSED = "passed"
    REFERRED = "referred"
    CONFIRMED = "confirmed"
    REJECTED = "rejected"


class QuizState(StrEnum):
    """Life of a quiz; only the marking function writes the last two."""

    DRAWN = "drawn"
    SUBMITTED = "submitted"
    PASSED = "passed"
    FAILED = "failed"


class Enrolment(Base):
    """A person's cycle of a programme. Cycles are appended, never reset."""

    __tablename__ = "courses_enrolment"
    __table_args__ = (
        PrimaryKeyConstraint("person_id", "id"),
        UniqueConstraint("person_id", "assignment_id"),
        CheckConstraint("state in ('assigned', 'learning', 'learned', 'cancelled')", name="state"),
        CheckConstraint("(state = 'learned') = (learning_completed_at is not null)", name="learned"),
        Index("ix_courses_enrolment_id", "id", unique=True),
        Index("ix_courses_enrolment_tenant_id_assignment_id", "tenant_id", "assignment_id", "id"),
        # Nobody owes the same programme to the same enterprise twice at a time.
        Index(
            "ix_courses_enrolment_open",
            "person_id",
            "tenant_id",
            "programme_code",
            unique=True,
            postgresql_where=text("state in ('assigned', 'learning')"),
        ),
        Index("ix_courses_enrolment_region_code", "region_code", "industry_code", "due_on"),
    )

    person_id: Mapped[uuid.UUID]
    id: Mapped[uuid.UUID]
    tenant_id: Mapped[uuid.UUID]
    employment_id: Mapped[uuid.UUID]
    region_code: Mapped[int]
    industry_code: Mapped[str] = mapped_column(String(2))
    programme_code: Mapped[str] = mapped_column(String(60))
    programme_version: Mapped[int]
    assignment_id: Mapped[uuid.UUID]
    cycle: Mapped[int]
    due_on: Mapped[date]
    state: Mapped[str] = mapped_column(String(12))
    created_at: Mapped[datetime]
    learning_completed_at: Mapped[datetime | None]


class LessonProgress(Base):
    """Where one person stands in one lesson of one enrolment. ``viewing_cycle`` grows when it starts over."""

    __tablename__ = "courses_lesson_progress"
    __table_args__ = (
        PrimaryKeyConstraint("person_id", "id"),
        ForeignKeyConstraint(["person_id", "enrolment_id"], ["courses_enrolment.person_id", "courses_enrolment.id"]),
        UniqueConstraint("person_id", "enrolment_id", "lesson_id"),
        CheckConstraint("credited_s >= 0", name="credited_s"),
        CheckConstraint("completed_at is null or video_completed_at is not null", name="completed"),
        Index("ix_courses_lesson_progress_id", "id", unique=True),
    )

    person_id: Mapped[uuid.UUID]
    id: Mapped[uuid.UUID]
    tenant_id: Mapped[uuid.UUID]
    region_code: Mapped[int]
    industry_code: Mapped[str] = mapped_column(String(2))
    enrolment_id: Mapped[uuid.UUID]
    lesson_id: Mapped[uuid.UUID]
    viewing_cycle: Mapped[int]
    credited_s: Mapped[float]
    furthest_s: Mapped[float]
    opened_at: Mapped[datetime]
    playback_id: Mapped[uuid.UUID | None]
    last_beat_at: Mapped[datetime | None]
    video_completed_at: Mapped[datetime | None]
    quiz_passed_at: Mapped[datetime | None]
    completed_at: Mapped[datetime | None]
    restarts: Mapped[int]


class Credit(Base):
    """Seconds credited for one lesson on one day: the person's ledger adds these up.

    ``exclusion_reason`` is set when the lesson had to be learned again; such seconds stay on
    record but no longer count towards class hours.
    """

    __tablename__ = "courses_credit"
    __table_args__ = (
        PrimaryKeyConstraint("person_id", "id"),
        ForeignKeyConstraint(["person_id", "enrolment_id"], ["courses_enrolment.person_id", "courses_enrolment.id"]),
        UniqueConstraint(
            "person_id", "enrolment_id", "lesson_id", "viewing_cycle", "on_day", name="uq_courses_credit_day"
        ),
        CheckConstraint("credited_s > 0", name="credited_s"),
        Index("ix_courses_credit_id", "id", unique=True),
        Index("ix_courses_credit_person_id_on_day", "person_id", "on_day"),
    )

    person_id: Mapped[uuid.UUID]
    id: Mapped[uuid.UUID]
    tenant_id: Mapped[uuid.UUID]
    region_code: Mapped[int]
    industry_code: Mapped[str] = mapped_column(String(2))
    enrolment_id: Mapped[uuid.UUID]
    lesson_id: Mapped[uuid.UUID]
    viewing_cycle: Mapped[int]
    on_day: Mapped[date]
    credited_s: Mapped[float]
    exclusion_reason: Mapped[str | None] = mapped_column(String(40))


class FaceCheck(Base):
    """A moment of a lesson, drawn by the server, at which the learner shows who they are."""

    __tablename__ = "courses_face_check"
    __table_args__ = (
        PrimaryKeyConstraint("person_id", "id"),
        ForeignKeyConstraint(
            ["person_id", "progress_id"], ["courses_lesson_progress.person_id", "courses_lesson_progress.id"]
        ),
        UniqueConstraint("person_id", "progress_id", "viewing_cycle", "at_s"),
        CheckConstraint("state in ('planned', 'due', 'passed', 'referred', 'confirmed', 'rejected')", name="state"),
        Index("ix_courses_face_check_id", "id", unique=True),
        Index("ix_courses_face_check_referred", "tenant_id", "id", postgresql_where=text("state = 'referred'")),
    )

    person_id: Mapped[uuid.UUID]
    id: Mapped[uuid.UUID]
    tenant_id: Mapped[uuid.UUID]
    progress_id: Mapped[uuid.UUID]
    enrolment_id: Mapped[uuid.UUID]
    lesson_id: Mapped[uuid.UUID]
    viewing_cycle: Mapped[int]
    at_s: Mapped[int]
    state: Mapped[str] = mapped_column(String(12))
    tries: Mapped[int]
    mismatches: Mapped[int]
    due_at: Mapped[datetime | None]
    settled_at: Mapped[datetime | None]
    verification_id: Mapped[uuid.UUID | None]
    decided_by: Mapped[uuid.UUID | None]
    decision_reason: Mapped[str | None] = mapped_column(String(300))


class Quiz(Base):
    """Questions drawn for one person after one lesson; reproducible from ``seed``.

    ``items`` holds the question ids and option orders, ``answers`` the chosen options by their
    keys in the bank, ``results`` what the marking function found.
    """

    __tablename__ = "courses_quiz"
    __table_args__ = (
        PrimaryKeyConstraint("person_id", "id"),
        ForeignKeyConstraint(
            ["person_id", "progress_id"], ["courses_lesson_progress.person_id", "courses_lesson_progress.id"]
        ),
        UniqueConstraint("person_id", "progress_id", "viewing_cycle"),
        CheckConstraint("state in ('drawn', 'submitted', 'passed', 'failed')", name="state"),
        CheckConstraint("score between 0 and 100", name="score"),
        Index("ix_courses_quiz_id", "id", unique=True),
    )

    person_id: Mapped[uuid.UUID]
    id: Mapped[uuid.UUID]
    tenant_id: Mapped[uuid.UUID]
    progress_id: Mapped[uuid.UUID]
    enrolment_id: Mapped[uuid.UUID]
    lesson_id: Mapped[uuid.UUID]
    viewing_cycle: Mapped[int]
    seed: Mapped[str] = mapped_column(String(32))
    items: Mapped[list[Any]]
    answers: Mapped[dict[str, Any]]
    results: Mapped[list[Any] | None]
    state: Mapped[str] = mapped_column(String(12))
    score: Mapped[int | None]
    drawn_at: Mapped[datetime]
    submitted_at: Mapped[datetime | None]
