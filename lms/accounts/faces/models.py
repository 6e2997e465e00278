"""Tables of consent, face templates, portraits, verifications and confirmations by hand."""

from __future__ import annotations

import uuid
from datetime import datetime
from typing import Any

from sqlalchemy import CheckConstraint, ForeignKey, Index, LargeBinary, PrimaryKeyConstraint, String, text
from sqlalchemy.orm import Mapped, mapped_column

from lms.core.db import Base


class Consent(Base):
    """One answer of a person to one consent text; the newest of a kind counts."""

    __tablename__ = "accounts_consent"
    __table_args__ = (
        PrimaryKeyConstraint("person_id", "id"),
        CheckConstraint("kind in ('biometric', 'portrait')", name="kind"),
        Index("ix_accounts_consent_person_id_kind_at", "person_id", "kind", "at"),
    )

    id: Mapped[uuid.UUID] = mapped_column(unique=True)
    person_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("accounts_person.id"))
    kind: Mapped[str] = mapped_column(String(20))
    version: Mapped[int]
    given: Mapped[bool]
    text_sha256: Mapped[str] = mapped_column(String(64))
    at: Mapped[datetime]


class IdentityConfirmation(Base):
    """An administrator has seen the person and the identity card."""

    __tablename__ = "accounts_identity_confirmation"
    __table_args__ = (PrimaryKeyConstraint("person_id", "id"),)

    id: Mapped[uuid.UUID] = mapped_column(unique=True)
    person_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("accounts_person.id"))
    tenant_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("accounts_tenant.id"))
    confirmed_by: Mapped[uuid.UUID]
    at: Mapped[datetime]
    expires_at: Mapped[datetime]


class FaceTemplate(Base):
    """An enrolled face, encrypted. Revoking it destroys the bytes; the row stays as the record."""

    __tablename__ = "accounts_face_template"
    __table_args__ = (
        PrimaryKeyConstraint("person_id", "id"),
        CheckConstraint("(revoked_at is null) = (sealed is not null)", name="revoked_is_destroyed"),
        Index(
            "uq_accounts_face_template_active", "person_id", unique=True, postgresql_where=text("revoked_at is null")
        ),
    )

    id: Mapped[uuid.UUID] = mapped_column(unique=True)
    person_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("accounts_person.id"))
    sealed: Mapped[bytes | None] = mapped_column(LargeBinary)
    engine_id: Mapped[str] = mapped_column(String(20))
    engine_version: Mapped[str] = mapped_column(String(80))
    model_sha256: Mapped[str] = mapped_column(String(64))
    created_at: Mapped[datetime]
    revoked_at: Mapped[datetime | None]


class Portrait(Base):
    """The picture that the person agreed to have on certificates; its bytes lie encrypted in storage."""

    __tablename__ = "accounts_portrait"

    person_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("accounts_person.id"), primary_key=True)
    object_key: Mapped[str] = mapped_column(String(200))
    agreed_at: Mapped[datetime]


class FaceVerification(Base):
    """One decision on who sits there. The similarity is deliberately not kept."""

    __tablename__ = "accounts_face_verification"
    __table_args__ = (
        PrimaryKeyConstraint("person_id", "id"),
        CheckConstraint("outcome in ('match', 'no_match', 'undetermined', 'confirmed_by_admin')", name="outcome"),
        Index("ix_accounts_face_verification_person_id_at", "person_id", "at"),
        Index("ix_accounts_face_verification_tenant_id_at", "tenant_id", "at"),
        Index("ix_accounts_face_verification_region_code", "region_code", "industry_code"),
        Index(
            "ix_accounts_face_verification_evidence",
            "evidence_expires_at",
            postgresql_where=text("evidence_key is not null"),
        ),
    )

    id: Mapped[uuid.UUID] = mapped_column(unique=True)
    person_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("accounts_person.id"))
    tenant_id: Mapped[uuid.UUID]
    region_code: Mapped[int]
    industry_code: Mapped[str | None] = mapped_column(String(2))
    purpose: Mapped[str] = mapped_column(String(20))
    subject_id: Mapped[uuid.UUID]
    outcome: Mapped[str] = mapped_column(String(20))
    engine_id: Mapped[str] = mapped_column(String(20))
    engine_version: Mapped[str] = mapped_column(String(80))
    model_sha256: Mapped[str] = mapped_column(String(64))
    liveness: Mapped[str] = mapped_column(String(20))
    advice: Mapped[list[Any]]
    evidence_key: Mapped[str | None] = mapped_column(String(200))
    evidence_expires_at: Mapped[datetime | None]
    at: Mapped[datetime]
