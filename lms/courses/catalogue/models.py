"""Courses, their lessons and questions, and the programmes that are made of courses."""

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
    Text,
    UniqueConstraint,
    text,
)
from sqlalchemy.orm import Mapped, mapped_column

from lms.core.db import Base


class CourseState(StrEnum):
    """A published course never goes back to draft."""

    DRAFT = "draft"
    PUBLISHED = "published"


class Course(Base):
    """A course of a training institution. Once published its rows stay as they are."""

    __tablename__ = "courses_course"
    __table_args__ = (
        PrimaryKeyConstraint("tenant_id", "id"),
        UniqueConstraint("tenant_id", "code"),
        CheckConstraint("state in ('draft', 'published')", name="state"),
        CheckConstraint(
            "state = 'draft' or case_lesson_id is not null or char_length(coalesce(no_case_reason, '')) >= 10",
            name="risk_case",
        ),
        CheckConstraint("(state = 'published') = (published_at is not null)", name="published_at"),
        Index("ix_courses_course_id", "id", unique=True),
        # Programmes name a course by its code, so one published course may bear it.
        Index("ix_courses_course_published_code", "code", unique=True, postgresql_where=text("state = 'published'")),
    )

    tenant_id: Mapped[uuid.UUID]
    id: Mapped[uuid.UUID]
    code: Mapped[str] = mapped_column(String(60))
    title_zh: Mapped[str] = mapped_column(String(120))
    title_en: Mapped[str] = mapped_column(String(200))
    summary_zh: Mapped[str] = mapped_column(Text)
    summary_en: Mapped[str] = mapped_column(Text)
    industry_tag: Mapped[str] = mapped_column(String(2))
    post_tag: Mapped[str] = mapped_column(String(60))
    risk_tag: Mapped[str] = mapped_column(String(60))
    state: Mapped[str] = mapped_column(String(12))
    case_lesson_id: Mapped[uuid.UUID | None]
    no_case_reason: Mapped[str | None] = mapped_column(String(500))
    created_by: Mapped[uuid.UUID]
    created_at: Mapped[datetime]
    published_at: Mapped[datetime | None]

    @property
    def has_risk_case(self) -> bool:
        return self.case_lesson_id is not None


class Lesson(Base):
    """A micro-lesson: one video of at most 900 s (requirement C1), with a quiz or without."""

    __tablename__ = "courses_lesson"
    __table_args__ = (
        PrimaryKeyConstraint("tenant_id", "id"),
        ForeignKeyConstraint(["tenant_id", "course_id"], ["courses_course.tenant_id", "courses_course.id"]),
        UniqueConstraint("tenant_id", "course_id", "position"),
        CheckConstraint("duration_s between 1 and 900", name="duration_s"),
        CheckConstraint("pass_score between 0 and 100", name="pass_score"),
        CheckConstraint("kind in ('video')", name="kind"),
        Index("ix_courses_lesson_id", "id", unique=True),
    )

    tenant_id: Mapped[uuid.UUID]
    id: Mapped[uuid.UUID]
    course_id: Mapped[uuid.UUID]
    position: Mapped[int]
    kind: Mapped[str] = mapped_column(String(12))
    title_zh: Mapped[str] = mapped_column(String(120))
    title_en: Mapped[str] = mapped_column(String(200))
    media_asset_id: Mapped[uuid.UUID]
    duration_s: Mapped[int]
    quiz_required: Mapped[bool]
    pass_score: Mapped[int]
    created_at: Mapped[datetime]


class LessonQuestion(Base):
    """What a quiz may ask. The right options stand apart, in LessonKey."""

    __tablename__ = "courses_lesson_question"
    __table_args__ = (
        PrimaryKeyConstraint("tenant_id", "id"),
        ForeignKeyConstraint(["tenant_id", "lesson_id"], ["courses_lesson.tenant_id", "courses_lesson.id"]),
        UniqueConstraint("tenant_id", "lesson_id", "code"),
        CheckConstraint("kind in ('single', 'multiple', 'true_false')", name="kind"),
        Index("ix_courses_lesson_question_id", "id", unique=True),
    )

    tenant_id: Mapped[uuid.UUID]
    id: Mapped[uuid.UUID]
    lesson_id: Mapped[uuid.UUID]
    code: Mapped[str] = mapped_column(String(60))
    kind: Mapped[str] = mapped_column(String(12))
    stem_zh: Mapped[str] = mapped_column(Text)
    stem_en: Mapped[str] = mapped_column(Text)
    # [{"key": "A", "zh": "…", "en": "…"}, …]
    options: Mapped[list[Any]]


class LessonKey(Base):
    """The right options of a question, sorted, and why. No learner's scope can read it."""

    __tablename__ = "courses_lesson_key"
    __table_args__ = (
        PrimaryKeyConstraint("tenant_id", "question_id"),
        ForeignKeyConstraint(
            ["tenant_id", "question_id"], ["courses_lesson_question.tenant_id", "courses_lesson_question.id"]
        ),
        Index("ix_courses_lesson_key_question_id", "question_id", unique=True),
    )

    tenant_id: Mapped[uuid.UUID]
    question_id: Mapped[uuid.UUID]
    answer: Mapped[list[Any]]
    explanation_zh: Mapped[str] = mapped_column(Text)
    explanation_en: Mapped[str] = mapped_column(Text)
    basis_zh: Mapped[str] = mapped_column(Text)


class Programme(Base):
    """One version of a training programme: courses, then an exam, then a certificate (reference data)."""

    __tablename__ = "courses_programme"
    __table_args__ = (
        PrimaryKeyConstraint("code", "version"),
        CheckConstraint("pass_score between 0 and 100", name="pass_score"),
    )

    code: Mapped[str] = mapped_column(String(60))
    version: Mapped[int]
    name_zh: Mapped[str] = mapped_column(String(120))
    name_en: Mapped[str] = mapped_column(String(200))
    effective_from: Mapped[date]
    effective_to: Mapped[date | None]
    legal_basis_zh: Mapped[str] = mapped_column(Text)
    legal_basis_en: Mapped[str] = mapped_column(Text)
    post_code: Mapped[str] = mapped_column(String(60))
    blueprint_code: Mapped[str] = mapped_column(String(60))
    scheme_code: Mapped[str] = mapped_column(String(60))
    pass_score: Mapped[int]
    class_hours: Mapped[float]


class ProgrammeCourse(Base):
    """A course of a programme, by the code that the published course bears."""

    __tablename__ = "courses_programme_course"
    __table_args__ = (
        PrimaryKeyConstraint("programme_code", "programme_version", "position"),
        ForeignKeyConstraint(
            ["programme_code", "programme_version"], ["courses_programme.code", "courses_programme.version"]
        ),
        UniqueConstraint("programme_code", "programme_version", "course_code", name="uq_courses_programme_course_code"),
    )

    programme_code: Mapped[str] = mapped_column(String(60))
    programme_version: Mapped[int]
    position: Mapped[int]
    course_code: Mapped[str] = mapped_column(String(60))
