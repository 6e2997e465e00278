"""Who must finish what by when."""

from __future__ import annotations

import uuid
from datetime import date, datetime
from enum import StrEnum

from sqlalchemy import CheckConstraint, Index, PrimaryKeyConstraint, String, text
from sqlalchemy.orm import Mapped, mapped_column

from lms.core.db import Base


class TargetKind(StrEnum):
    """Whom an assignment is for: everybody of a post, also later hires, or people by name."""

    POST = "post"
    PEOPLE = "people"


class AssignmentState(StrEnum):
    """Cancelled assignments stay on record."""

    OPEN = "open"
    CANCELLED = "cancelled"


class Assignment(Base):
    """A programme given by an enterprise to its people, to be completed on ``due_on`` at the latest."""

    __tablename__ = "courses_assignment"
    __table_args__ = (
        PrimaryKeyConstraint("tenant_id", "id"),
        CheckConstraint("(target = 'post') = (post_code is not null)", name="target"),
        CheckConstraint("state in ('open', 'cancelled')", name="state"),
        Index("ix_courses_assignment_id", "id", unique=True),
        Index(
            "ix_courses_assignment_open_post",
            "tenant_id",
            "programme_code",
            "post_code",
            "due_on",
            unique=True,
            postgresql_where=text("state = 'open' and target = 'post'"),
        ),
    )

    tenant_id: Mapped[uuid.UUID]
    id: Mapped[uuid.UUID]
    programme_code: Mapped[str] = mapped_column(String(60))
    programme_version: Mapped[int]
    target: Mapped[str] = mapped_column(String(12))
    post_code: Mapped[str | None] = mapped_column(String(60))
    due_on: Mapped[date]
    state: Mapped[str] = mapped_column(String(12))
    region_code: Mapped[int]
    industry_code: Mapped[str] = mapped_column(String(2))
    created_by: Mapped[uuid.UUID | None]
    created_at: Mapped[datetime]
    cancelled_at: Mapped[datetime | None]
