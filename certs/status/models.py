"""Tables of reasons, proposals, bans, corrections and objections."""

from __future__ import annotations

import uuid
from datetime import date, datetime

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    ForeignKeyConstraint,
    Index,
    PrimaryKeyConstraint,
    Text,
    UniqueConstraint,
)
from sqlalchemy.orm import Mapped, mapped_column

from lms.core.db import Base

_CERTIFICATE = (["person_id", "certificate_id"], ["certs_certificate.person_id", "certs_certificate.id"])
_REASON = (["reason_code", "reason_version"], ["certs_reason.code", "certs_reason.version"])


class Reason(Base):
    """One version of a coded reason for a decision, with the law that it rests on."""

    __tablename__ = "certs_reason"
    __table_args__ = (
        PrimaryKeyConstraint("code", "version"),
        CheckConstraint(
            "decision in ('suspend', 'reinstate', 'revoke', 'cancel', 'supersede', 'ban')", name="decision"
        ),
    )

    code: Mapped[str] = mapped_column(Text)
    version: Mapped[int] = mapped_column(BigInteger, autoincrement=False)
    decision: Mapped[str] = mapped_column(Text)
    effective_from: Mapped[date]
    name_zh: Mapped[str] = mapped_column(Text)
    name_en: Mapped[str] = mapped_column(Text)
    legal_basis_zh: Mapped[str] = mapped_column(Text)
    legal_basis_en: Mapped[str] = mapped_column(Text)


class _Case:
    """Whose case it is; region, industry and scheme are frozen from the certificate, for the walls."""

    person_id: Mapped[uuid.UUID]
    id: Mapped[uuid.UUID]
    certificate_id: Mapped[uuid.UUID]
    tenant_id: Mapped[uuid.UUID]
    region_code: Mapped[int] = mapped_column(BigInteger)
    industry_code: Mapped[str] = mapped_column(Text)
    scheme_code: Mapped[str] = mapped_column(Text)


class _Decided:
    """Who ended the case, when and why; empty while it is open."""

    decided_by: Mapped[uuid.UUID | None]
    decider_name: Mapped[str | None] = mapped_column(Text)
    decision_reason: Mapped[str | None] = mapped_column(Text)
    decided_at: Mapped[datetime | None]


class Proposal(_Case, _Decided, Base):
    """A revocation or ban that one official proposes and another decides; ``ban_until`` None is for good."""

    __tablename__ = "certs_proposal"
    __table_args__ = (
        PrimaryKeyConstraint("person_id", "id"),
        ForeignKeyConstraint(*_CERTIFICATE),
        ForeignKeyConstraint(*_REASON, name="fk_certs_proposal_reason_code_reason_version"),
        CheckConstraint("kind in ('revoke', 'ban')", name="kind"),
        CheckConstraint("kind = 'ban' or ban_until is null", name="until"),
        CheckConstraint("state in ('open', 'approved', 'refused', 'withdrawn')", name="state"),
        CheckConstraint("(state = 'open') = (decided_at is null)", name="decided"),
        CheckConstraint(
            "state in ('open', 'withdrawn') or (decided_by is not null and decided_by <> proposed_by)", name="four_eyes"
        ),
        Index("ix_certs_proposal_id", "id", unique=True),
        Index("ix_certs_proposal_region_code", "region_code", "id"),
        Index("uq_certs_proposal_open", "certificate_id", "kind", unique=True, postgresql_where="state = 'open'"),
    )

    kind: Mapped[str] = mapped_column(Text)
    reason_code: Mapped[str] = mapped_column(Text)
    reason_version: Mapped[int] = mapped_column(BigInteger)
    reason: Mapped[str] = mapped_column(Text)
    ban_until: Mapped[date | None]
    state: Mapped[str] = mapped_column(Text)
    proposed_by: Mapped[uuid.UUID]
    proposer_name: Mapped[str] = mapped_column(Text)
    department_id: Mapped[uuid.UUID]
    department_name: Mapped[str] = mapped_column(Text)
    department_lo: Mapped[int] = mapped_column(BigInteger)
    department_hi: Mapped[int] = mapped_column(BigInteger)
    proposed_at: Mapped[datetime]


class Ban(_Case, Base):
    """A person gets no certificate of a scheme until a day, both ends included, or for good (None)."""

    __tablename__ = "certs_ban"
    __table_args__ = (
        PrimaryKeyConstraint("person_id", "id"),
        UniqueConstraint("proposal_id"),
        ForeignKeyConstraint(*_CERTIFICATE),
        ForeignKeyConstraint(*_REASON, name="fk_certs_ban_reason_code_reason_version"),
        CheckConstraint("until_on >= from_on", name="dates"),
        Index("ix_certs_ban_person_id", "person_id", "scheme_code"),
        Index("ix_certs_ban_region_code", "region_code", "id"),
    )

    proposal_id: Mapped[uuid.UUID]
    from_on: Mapped[date]
    until_on: Mapped[date | None]
    reason_code: Mapped[str] = mapped_column(Text)
    reason_version: Mapped[int] = mapped_column(BigInteger)
    reason: Mapped[str] = mapped_column(Text)
    actor_id: Mapped[uuid.UUID]
    actor_name: Mapped[str] = mapped_column(Text)
    at: Mapped[datetime]


class Correction(_Case, _Decided, Base):
    """A new name, photo or employer on a certificate: asked for, decided, then carried out by a successor."""

    __tablename__ = "certs_correction"
    __table_args__ = (
        PrimaryKeyConstraint("person_id", "id"),
        ForeignKeyConstraint(*_CERTIFICATE),
        CheckConstraint("kind in ('name', 'photo', 'employer')", name="kind"),
        CheckConstraint("(kind = 'name') = (new_name <> '')", name="name"),
        CheckConstraint("(kind = 'employer') = (employer_id is not null)", name="employer"),
        CheckConstraint("state in ('open', 'approved', 'refused', 'done')", name="state"),
        CheckConstraint("(state = 'open') = (decided_at is null)", name="decided"),
        CheckConstraint("(state = 'done') = (finished_at is not null)", name="finished"),
        Index("ix_certs_correction_id", "id", unique=True),
        Index("ix_certs_correction_region_code", "region_code", "id"),
        Index("ix_certs_correction_certificate_id", "certificate_id"),
        Index(
            "uq_certs_correction_open",
            "certificate_id",
            unique=True,
            postgresql_where="state in ('open', 'approved')",
        ),
    )

    kind: Mapped[str] = mapped_column(Text)
    new_name: Mapped[str] = mapped_column(Text)
    employer_id: Mapped[uuid.UUID | None]
    note: Mapped[str] = mapped_column(Text)
    state: Mapped[str] = mapped_column(Text)
    requested_by: Mapped[uuid.UUID]
    requester_name: Mapped[str] = mapped_column(Text)
    requester_tenant_id: Mapped[uuid.UUID | None]
    requested_at: Mapped[datetime]
    successor_id: Mapped[uuid.UUID | None]
    finished_at: Mapped[datetime | None]


class Objection(_Case, _Decided, Base):
    """What the holder says against a decision, and the department's answer. ``subject_id`` is a step or a ban."""

    __tablename__ = "certs_objection"
    __table_args__ = (
        PrimaryKeyConstraint("person_id", "id"),
        UniqueConstraint("person_id", "subject_id", name="uq_certs_objection_person_id_subject_id"),
        ForeignKeyConstraint(*_CERTIFICATE),
        CheckConstraint("subject in ('status', 'ban')", name="subject"),
        CheckConstraint("state in ('open', 'answered')", name="state"),
        CheckConstraint("outcome in ('upheld', 'rejected')", name="outcome"),
        CheckConstraint(
            "(state = 'open') = (decided_at is null) and (state = 'open') = (outcome is null)", name="answered"
        ),
        Index("ix_certs_objection_id", "id", unique=True),
        Index("ix_certs_objection_region_code", "region_code", "id"),
    )

    subject: Mapped[str] = mapped_column(Text)
    subject_id: Mapped[uuid.UUID]
    text: Mapped[str] = mapped_column(Text)
    state: Mapped[str] = mapped_column(Text)
    filed_at: Mapped[datetime]
    answer_due_on: Mapped[date]
    outcome: Mapped[str | None] = mapped_column(Text)
