"""Tables of what is done to many certificates at once: the order, and what became of each certificate."""

from __future__ import annotations

import uuid
from datetime import datetime
from typing import Any

from sqlalchemy import BigInteger, CheckConstraint, ForeignKeyConstraint, Index, PrimaryKeyConstraint, Text
from sqlalchemy.orm import Mapped, mapped_column

from lms.core.db import Base


class Action(Base):
    """One order of a department: what is done to how many certificates, by whom and why.

    ``scope`` and ``role`` are the official's at the time of the order; ``certificates`` says how many were chosen.
    """

    __tablename__ = "certs_action"
    __table_args__ = (
        PrimaryKeyConstraint("tenant_id", "id"),
        CheckConstraint("kind in ('files', 'suspend', 'revoke')", name="kind"),
        CheckConstraint("state in ('running', 'done', 'stopped')", name="state"),
        CheckConstraint("(state = 'running') = (ended_at is null)", name="ended"),
        CheckConstraint("(kind = 'files') = (reason_code = '')", name="reason"),
        Index("ix_certs_action_id", "id", unique=True),
    )

    tenant_id: Mapped[uuid.UUID]
    id: Mapped[uuid.UUID]
    kind: Mapped[str] = mapped_column(Text)
    scope: Mapped[dict[str, Any]]
    role: Mapped[str] = mapped_column(Text)
    reason_code: Mapped[str] = mapped_column(Text)
    reason: Mapped[str] = mapped_column(Text)
    state: Mapped[str] = mapped_column(Text)
    certificates: Mapped[int] = mapped_column(BigInteger)
    job_id: Mapped[uuid.UUID]
    ordered_by: Mapped[uuid.UUID]
    ordered_by_name: Mapped[str] = mapped_column(Text)
    department_name: Mapped[str] = mapped_column(Text)
    ordered_at: Mapped[datetime]
    ended_at: Mapped[datetime | None]


class ActionItem(Base):
    """One chosen certificate: the checkpoint. ``refusal`` is the code of what refused it, empty otherwise."""

    __tablename__ = "certs_action_item"
    __table_args__ = (
        PrimaryKeyConstraint("tenant_id", "action_id", "certificate_id"),
        ForeignKeyConstraint(["tenant_id", "action_id"], ["certs_action.tenant_id", "certs_action.id"]),
        CheckConstraint("state in ('open', 'done', 'refused')", name="state"),
        CheckConstraint("(state = 'refused') = (refusal <> '')", name="refusal"),
    )

    tenant_id: Mapped[uuid.UUID]
    action_id: Mapped[uuid.UUID]
    certificate_id: Mapped[uuid.UUID]
    state: Mapped[str] = mapped_column(Text)
    refusal: Mapped[str] = mapped_column(Text)
