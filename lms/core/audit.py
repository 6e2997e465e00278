"""The audit log: inserted with the change it tells of, sealed in batches by ``sealing``."""

from __future__ import annotations

import uuid
from datetime import datetime
from typing import Any

from sqlalchemy import BigInteger, Index, LargeBinary, String
from sqlalchemy.orm import Mapped, Session, mapped_column

from lms.core import clock, ids
from lms.core.access import Actor
from lms.core.db import Base, add_row


class AuditRow(Base):
    """One deed or one reading of somebody else's personal data."""

    __tablename__ = "core_audit"
    __table_args__ = (
        Index("ix_core_audit_unsealed", "id", postgresql_where="seal_seq is null"),
        Index("ix_core_audit_tenant_id_at", "tenant_id", "at"),
        Index("ix_core_audit_subject_id", "subject_id"),
        Index("ix_core_audit_at", "at"),
    )

    id: Mapped[uuid.UUID] = mapped_column(primary_key=True)
    at: Mapped[datetime]
    actor_id: Mapped[uuid.UUID | None]
    actor_role: Mapped[str] = mapped_column(String(40))
    tenant_id: Mapped[uuid.UUID | None]
    action: Mapped[str] = mapped_column(String(80))
    subject_type: Mapped[str] = mapped_column(String(60))
    subject_id: Mapped[str] = mapped_column(String(80))
    data: Mapped[dict[str, Any]]
    seal_seq: Mapped[int | None] = mapped_column(BigInteger, unique=True)


class AuditSeal(Base):
    """The place of one audit row in the chain, with its own and the chain's hash."""

    __tablename__ = "core_audit_seal"

    seq: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False)
    audit_id: Mapped[uuid.UUID] = mapped_column(unique=True)
    row_hash: Mapped[bytes] = mapped_column(LargeBinary)
    chain_hash: Mapped[bytes] = mapped_column(LargeBinary)


class AuditCheckpoint(Base):
    """A signature over the chain's end at one moment."""

    __tablename__ = "core_audit_checkpoint"

    upto_seq: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False)
    chain_hash: Mapped[bytes] = mapped_column(LargeBinary)
    signed_at: Mapped[datetime]
    key_id: Mapped[str] = mapped_column(String(16))
    signature: Mapped[bytes] = mapped_column(LargeBinary)


def record(
    session: Session,
    actor: Actor,
    action: str,
    *,
    subject_type: str,
    subject_id: object,
    data: dict[str, Any] | None = None,
    tenant_id: uuid.UUID | None = None,
) -> None:
    """Write one audit row in the caller's transaction.

    ``action`` is ``<room>.<noun>.<past verb>``. ``data`` holds before and after, never an id
    number, phone number or template. ``tenant_id`` names the tenant concerned where the actor
    has none of its own.
    """
    add_row(
        session,
        AuditRow,
        id=ids.new_id(),
        at=clock.now(),
        actor_id=actor.person_id,
        actor_role=actor.role.value if actor.role else actor.scope.role.value,
        tenant_id=tenant_id or actor.tenant_id,
        action=action,
        subject_type=subject_type,
        subject_id=str(subject_id),
        data=data or {},
        seal_seq=None,
    )
