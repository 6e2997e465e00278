"""Tables of warnings: the rules, the cases and what was said about them."""

from __future__ import annotations

import uuid
from datetime import date, datetime
from typing import Any

from sqlalchemy import (
    ARRAY,
    CheckConstraint,
    ForeignKeyConstraint,
    Index,
    PrimaryKeyConstraint,
    String,
    Text,
)
from sqlalchemy.orm import Mapped, mapped_column

from lms.core.db import Base


class Rule(Base):
    """A threshold or a target as data: per region, versioned, with its basis. Region 0 is everywhere."""

    __tablename__ = "supervision_rule"
    __table_args__ = (
        CheckConstraint("purpose in ('warning', 'target')", name="purpose"),
        CheckConstraint("(purpose = 'warning') = (level is not null)", name="level"),
    )

    code: Mapped[str] = mapped_column(String(60), primary_key=True)
    region_code: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    version: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    effective_from: Mapped[date]
    purpose: Mapped[str] = mapped_column(String(10))
    figure: Mapped[str] = mapped_column(String(20))
    level: Mapped[str | None] = mapped_column(String(10))
    threshold_pct: Mapped[int]
    size_classes: Mapped[list[str]] = mapped_column(ARRAY(String(10)))
    industries: Mapped[list[str]] = mapped_column(ARRAY(String(2)))
    legal_basis_zh: Mapped[str] = mapped_column(Text)
    legal_basis_en: Mapped[str] = mapped_column(Text)


class WarningCase(Base):
    """A warning from the figures that raised it to how it ended. Tenant family.

    ``subject_id`` is whom it concerns: the enterprise itself, or for red a person.
    """

    __tablename__ = "supervision_warning"
    __table_args__ = (
        PrimaryKeyConstraint("tenant_id", "id"),
        Index("ix_supervision_warning_id", "id", unique=True),
        Index(
            "uq_supervision_warning_open",
            "tenant_id",
            "kind",
            "subject_id",
            unique=True,
            postgresql_where="state = 'open'",
        ),
        Index("ix_supervision_warning_open_region_code", "region_code", "level", postgresql_where="state = 'open'"),
        Index("ix_supervision_warning_region_code_id", "region_code", "id"),
        CheckConstraint("kind in ('completion', 'pass_rate', 'failed_twice')", name="kind"),
        CheckConstraint("level in ('yellow', 'orange', 'red')", name="level"),
        CheckConstraint("(state = 'open') = (closed_at is null) and state in ('open', 'closed')", name="state"),
    )

    tenant_id: Mapped[uuid.UUID]
    id: Mapped[uuid.UUID]
    kind: Mapped[str] = mapped_column(String(20))
    level: Mapped[str] = mapped_column(String(10))
    state: Mapped[str] = mapped_column(String(10))
    subject_id: Mapped[uuid.UUID]
    region_code: Mapped[int]
    industry_code: Mapped[str] = mapped_column(String(2))
    period_from: Mapped[date]
    period_to: Mapped[date]
    rule_code: Mapped[str] = mapped_column(String(60))
    rule_region_code: Mapped[int]
    rule_version: Mapped[int]
    figures: Mapped[dict[str, Any]]
    latest: Mapped[dict[str, Any]]
    told: Mapped[list[Any]]
    opened_at: Mapped[datetime]
    closed_at: Mapped[datetime | None]
    closed_by: Mapped[uuid.UUID | None]
    closing_figures: Mapped[dict[str, Any] | None]


class WarningNote(Base):
    """What an official said about a case: seen, a comment, or the result of the check on site."""

    __tablename__ = "supervision_warning_note"
    __table_args__ = (
        PrimaryKeyConstraint("tenant_id", "id"),
        ForeignKeyConstraint(["tenant_id", "warning_id"], ["supervision_warning.tenant_id", "supervision_warning.id"]),
        Index("ix_supervision_warning_note_id", "id", unique=True),
        Index("ix_supervision_warning_note_tenant_id_warning_id", "tenant_id", "warning_id"),
        Index(
            "uq_supervision_warning_note_acknowledged",
            "tenant_id",
            "warning_id",
            "author_id",
            unique=True,
            postgresql_where="kind = 'acknowledged'",
        ),
        CheckConstraint("kind in ('acknowledged', 'comment', 'check_result')", name="kind"),
    )

    tenant_id: Mapped[uuid.UUID]
    id: Mapped[uuid.UUID]
    warning_id: Mapped[uuid.UUID]
    region_code: Mapped[int]
    industry_code: Mapped[str] = mapped_column(String(2))
    kind: Mapped[str] = mapped_column(String(15))
    text: Mapped[str] = mapped_column(Text)
    author_id: Mapped[uuid.UUID]
    author_name: Mapped[str] = mapped_column(String(60))
    organisation: Mapped[str] = mapped_column(String(120))
    at: Mapped[datetime]
