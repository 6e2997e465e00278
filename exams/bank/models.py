"""Tables of the question bank. Versions of a question are immutable; answers lie apart from texts."""

from __future__ import annotations

import uuid
from datetime import date, datetime
from typing import Any

from sqlalchemy import CheckConstraint, ForeignKey, Index, SmallInteger, String, Text, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from lms.core.db import Base


class Bank(Base):
    """A bank of questions. ``owner_tenant_id`` None: the province's own. Reference family."""

    __tablename__ = "exams_bank"

    code: Mapped[str] = mapped_column(String(60), primary_key=True)
    owner_tenant_id: Mapped[uuid.UUID | None]
    name_zh: Mapped[str] = mapped_column(String(200))
    name_en: Mapped[str] = mapped_column(String(200))
    knowledge_points: Mapped[list[Any]]
    updated_at: Mapped[datetime]


class Question(Base):
    """One version of a question, without its answer. Live while ``ended_at`` is null."""

    __tablename__ = "exams_question"
    __table_args__ = (
        UniqueConstraint("bank_code", "code", "version"),
        Index("uq_exams_question_live", "bank_code", "code", unique=True, postgresql_where="ended_at is null"),
        Index("uq_exams_question_text", "bank_code", "fingerprint", unique=True, postgresql_where="ended_at is null"),
        CheckConstraint("kind in ('single', 'multiple', 'true_false')", name="kind"),
        CheckConstraint("difficulty between 1 and 3", name="difficulty"),
        CheckConstraint("state in ('live', 'superseded', 'retired')", name="state"),
        CheckConstraint("(state = 'live') = (ended_at is null)", name="ended"),
    )

    id: Mapped[uuid.UUID] = mapped_column(primary_key=True)
    bank_code: Mapped[str] = mapped_column(String(60), ForeignKey("exams_bank.code"))
    code: Mapped[str] = mapped_column(String(60))
    version: Mapped[int]
    kind: Mapped[str] = mapped_column(String(12))
    knowledge_point: Mapped[str] = mapped_column(String(40))
    difficulty: Mapped[int] = mapped_column(SmallInteger)
    stem_zh: Mapped[str] = mapped_column(Text)
    stem_en: Mapped[str] = mapped_column(Text)
    options: Mapped[list[Any]]
    basis_zh: Mapped[str] = mapped_column(Text)
    fingerprint: Mapped[str] = mapped_column(String(64))
    state: Mapped[str] = mapped_column(String(12))
    created_at: Mapped[datetime]
    created_by: Mapped[uuid.UUID | None]
    ended_at: Mapped[datetime | None]


class QuestionKey(Base):
    """The answer of one version. Keys family: the person's role cannot read it."""

    __tablename__ = "exams_question_key"

    question_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("exams_question.id"), primary_key=True)
    answer: Mapped[list[Any]]
    explanation_zh: Mapped[str] = mapped_column(Text)
    explanation_en: Mapped[str] = mapped_column(Text)


class Blueprint(Base):
    """How a paper is put together and sat, as versioned rule data with its legal basis."""

    __tablename__ = "exams_blueprint"
    __table_args__ = (
        CheckConstraint("duration_min > 0 and grace_s >= 0 and max_attempts > 0", name="limits"),
        CheckConstraint("pass_score between 1 and 100", name="pass_score"),
    )

    code: Mapped[str] = mapped_column(String(60), primary_key=True)
    version: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    bank_code: Mapped[str] = mapped_column(String(60), ForeignKey("exams_bank.code"))
    name_zh: Mapped[str] = mapped_column(String(200))
    name_en: Mapped[str] = mapped_column(String(200))
    effective_from: Mapped[date]
    legal_basis: Mapped[str] = mapped_column(Text)
    duration_min: Mapped[int]
    grace_s: Mapped[int]
    pass_score: Mapped[int]
    max_attempts: Mapped[int]
    identity_max_age_min: Mapped[int]
    items: Mapped[list[Any]]
