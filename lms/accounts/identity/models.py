"""Tables of consent, face templates, portraits and verifications."""

from __future__ import annotations

import uuid
from datetime import datetime
from typing import Any

from sqlalchemy import CheckConstraint, Index, LargeBinary, PrimaryKeyConstraint, String
from sqlalchemy.orm import Mapped, mapped_column

from lms.core.db import Base


class Consent(Base):
    """One answer of a person to one consent text; the newest of a kind holds."""

    __tablename__ = "accounts_consent"
    __table_args__ = (PrimaryKeyConstraint("person_id", "id"),)

    id: Mapped[uuid.UUID]
    person_id: Mapped[uuid.UUID]
    kind: Mapped[str] = mapped_column(String(30))
    version: Mapped[int]
    given: Mapped[bool]
    text_sha256: Mapped[str] = mapped_column(String(64))
    at: Mapped[datetime]


class IdentityConfirmation(Base):
    """An administrator has seen the id of a person who declined biometrics."""

    __tablename__ = "accounts_identity_confirmation"
    __table_args__ = (PrimaryKeyConstraint("person_id", "id"),)

    id: Mapped[uuid.UUID]
    person_id: Mapped[uuid.UUID]
    tenant_id: Mapped[uuid.UUID]
    confirmed_by: Mapped[uuid.UUID]
    at: Mapped[datetime]
    expires_at: Mapped[datetime]


class FaceTemplate(Base):
    """Sealed template; at most one of a person is active."""

    __tablename__ = "accounts_face_template"
    __table_args__ = (
        PrimaryKeyConstraint("person_id", "id"),
        Index("uq_accounts_face_template_active", "person_id", unique=True, postgresql_where="revoked_at is null"),
    )

    id: Mapped[uuid.UUID]
    person_id: Mapped[uuid.UUID]
    sealed: Mapped[bytes] = mapped_column(LargeBinary)
    engine_id: Mapped[str] = mapped_column(String(30))
    engine_version: Mapped[str] = mapped_column(String(60))
    model_sha256: Mapped[str] = mapped_column(String(64))
    created_at: Mapped[datetime]
    revoked_at: Mapped[datetime | None]


class Portrait(Base):
    """The photograph that a person agreed to see on certificates; sealed in storage."""

    __tablename__ = "accounts_portrait"

    person_id: Mapped[uuid.UUID] = mapped_column(primary_key=True)
    object_key: Mapped[str] = mapped_column(String(300))
    agreed_at: Mapped[datetime]


class FaceVerification(Base):
    """One check of a person before their account. Similarities are not kept."""

    __tablename__ = "accounts_face_verification"
    __table_args__ = (
        PrimaryKeyConstraint("person_id", "id"),
        Index("ix_accounts_face_verification_subject_id", "person_id", "purpose", "subject_id"),
        CheckConstraint("outcome in ('match', 'no_match', 'undetermined', 'confirmed_by_admin')", name="outcome"),
    )

    id: Mapped[uuid.UUID]
    person_id: Mapped[uuid.UUID]
    tenant_id: Mapped[uuid.UUID]
    region_code: Mapped[int]
    industry_code: Mapped[str | None] = mapped_column(String(2))
    purpose: Mapped[str] = mapped_column(String(30))
    subject_id: Mapped[uuid.UUID]
    outcome: Mapped[str] = mapped_column(String(20))
    engine_id: Mapped[str] = mapped_column(String(30))
    engine_version: Mapped[str] = mapped_column(String(60))
    model_sha256: Mapped[str] = mapped_column(String(64))
    liveness: Mapped[str] = mapped_column(String(20))
    advice: Mapped[list[Any]]
    evidence_key: Mapped[str | None] = mapped_column(String(300))
    evidence_expires_at: Mapped[datetime | None]
    at: Mapped[datetime]
