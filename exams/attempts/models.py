"""Tables of sitting an exam. All are of the person family."""

from __future__ import annotations

import uuid
from datetime import date, datetime
from typing import Any

from sqlalchemy import (
    ARRAY,
    BigInteger,
    CheckConstraint,
    ForeignKeyConstraint,
    Index,
    PrimaryKeyConstraint,
    SmallInteger,
    String,
    Text,
    UniqueConstraint,
)
from sqlalchemy.orm import Mapped, mapped_column

from lms.core.db import Base


class Attempt(Base):
    """One sitting. ``closes_at`` is the deadline plus the grace of the rule; times are the server's."""

    __tablename__ = "exams_attempt"
    __table_args__ = (
        PrimaryKeyConstraint("person_id", "id"),
        Index("ix_exams_attempt_id", "id", unique=True),
        UniqueConstraint("person_id", "enrolment_id", "attempt_no"),
        Index("uq_exams_attempt_open", "person_id", unique=True, postgresql_where="state = 'open'"),
        Index("ix_exams_attempt_closing", "closes_at", postgresql_where="state = 'open'"),
        Index("ix_exams_attempt_tenant_id", "tenant_id", "graded_at"),
        Index("ix_exams_attempt_region_code", "region_code", "graded_at"),
        Index("ix_exams_attempt_passed", "programme_code", "id", postgresql_where="passed is true"),
        ForeignKeyConstraint(
            ["blueprint_code", "blueprint_version"], ["exams_blueprint.code", "exams_blueprint.version"]
        ),
        CheckConstraint("state in ('open', 'submitted', 'graded')", name="state"),
        CheckConstraint("attempt_no > 0 and deadline_at > started_at and closes_at >= deadline_at", name="times"),
        CheckConstraint("(state = 'open') = (submitted_at is null)", name="submitted"),
        CheckConstraint("submit_reason in ('person', 'deadline')", name="submit_reason"),
        CheckConstraint(
            "(state = 'graded') = (graded_at is not null and score is not null and passed is not null)", name="graded"
        ),
        CheckConstraint("score between 0 and 100 and passed = (score >= pass_score)", name="score"),
    )

    person_id: Mapped[uuid.UUID]
    id: Mapped[uuid.UUID]
    enrolment_id: Mapped[uuid.UUID]
    tenant_id: Mapped[uuid.UUID]
    region_code: Mapped[int]
    industry_code: Mapped[str] = mapped_column(String(2))
    programme_code: Mapped[str] = mapped_column(String(60))
    blueprint_code: Mapped[str] = mapped_column(String(60))
    blueprint_version: Mapped[int]
    attempt_no: Mapped[int] = mapped_column(SmallInteger)
    seed: Mapped[int] = mapped_column(BigInteger)
    pass_score: Mapped[int] = mapped_column(SmallInteger)
    state: Mapped[str] = mapped_column(String(12))
    started_at: Mapped[datetime]
    deadline_at: Mapped[datetime]
    closes_at: Mapped[datetime]
    submitted_at: Mapped[datetime | None]
    submit_reason: Mapped[str | None] = mapped_column(String(12))
    graded_at: Mapped[datetime | None]
    score: Mapped[int | None] = mapped_column(SmallInteger)
    passed: Mapped[bool | None]
    due_on: Mapped[date | None]
    identity_verification_id: Mapped[uuid.UUID]


class AttemptItem(Base):
    """One question of one paper. ``option_order`` lists the question's keys as they are shown."""

    __tablename__ = "exams_attempt_item"
    __table_args__ = (
        PrimaryKeyConstraint("person_id", "attempt_id", "item_no"),
        ForeignKeyConstraint(["person_id", "attempt_id"], ["exams_attempt.person_id", "exams_attempt.id"]),
        CheckConstraint("points > 0 and score between 0 and points", name="score"),
    )

    person_id: Mapped[uuid.UUID]
    attempt_id: Mapped[uuid.UUID]
    item_no: Mapped[int] = mapped_column(SmallInteger)
    question_id: Mapped[uuid.UUID]
    kind: Mapped[str] = mapped_column(String(12))
    option_order: Mapped[list[Any]]
    points: Mapped[int] = mapped_column(SmallInteger)
    score: Mapped[int | None] = mapped_column(SmallInteger)


class Answer(Base):
    """What the person chose last, in the letters they were shown."""

    __tablename__ = "exams_answer"
    __table_args__ = (
        PrimaryKeyConstraint("person_id", "attempt_id", "item_no"),
        ForeignKeyConstraint(
            ["person_id", "attempt_id", "item_no"],
            ["exams_attempt_item.person_id", "exams_attempt_item.attempt_id", "exams_attempt_item.item_no"],
        ),
    )

    person_id: Mapped[uuid.UUID]
    attempt_id: Mapped[uuid.UUID]
    item_no: Mapped[int] = mapped_column(SmallInteger)
    keys: Mapped[list[str]] = mapped_column(ARRAY(Text))
    seq: Mapped[int] = mapped_column(BigInteger)
    saved_at: Mapped[datetime]
