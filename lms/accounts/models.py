"""Tables of regions, tenants, people, employment, accounts and identity."""

from __future__ import annotations

import uuid
from datetime import date, datetime
from typing import Any

from sqlalchemy import (
    CheckConstraint,
    ForeignKey,
    Index,
    LargeBinary,
    PrimaryKeyConstraint,
    String,
    Text,
    UniqueConstraint,
)
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.orm import Mapped, mapped_column

from lms.core.db import Base


class Region(Base):
    """Node of the GB/T 2260 tree; a subtree is an interval of codes."""

    __tablename__ = "accounts_region"

    code: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    name: Mapped[str] = mapped_column(String(60))
    level: Mapped[str] = mapped_column(String(10))
    parent_code: Mapped[int | None]


class Industry(Base):
    """Section (a letter) or division (two digits) of GB/T 4754."""

    __tablename__ = "accounts_industry"

    code: Mapped[str] = mapped_column(String(2), primary_key=True)
    name_zh: Mapped[str] = mapped_column(String(120))
    name_en: Mapped[str] = mapped_column(String(200))
    parent_code: Mapped[str | None] = mapped_column(String(2))


class Post(Base):
    """What people do: welder, chemical safety manager."""

    __tablename__ = "accounts_post"

    code: Mapped[str] = mapped_column(String(60), primary_key=True)
    name_zh: Mapped[str] = mapped_column(String(60))
    name_en: Mapped[str] = mapped_column(String(120))
    high_risk: Mapped[bool]


class Rule(Base):
    """A number that a province may decide: versioned, with its legal basis."""

    __tablename__ = "accounts_rule"

    code: Mapped[str] = mapped_column(String(60), primary_key=True)
    region_code: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    version: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    effective_from: Mapped[date]
    legal_basis: Mapped[str] = mapped_column(Text)
    value: Mapped[dict[str, Any]]


class Tenant(Base):
    """An organisation with its own walls."""

    __tablename__ = "accounts_tenant"
    __table_args__ = (
        CheckConstraint("kind in ('enterprise', 'institution', 'department', 'association')", name="kind"),
        Index("ix_accounts_tenant_region_code", "region_code", "industry_code"),
    )

    id: Mapped[uuid.UUID] = mapped_column(primary_key=True)
    kind: Mapped[str] = mapped_column(String(20))
    name: Mapped[str] = mapped_column(String(120))
    credit_code: Mapped[str] = mapped_column(String(18), unique=True)
    region_code: Mapped[int]
    industry_code: Mapped[str | None] = mapped_column(String(2))
    risk_class: Mapped[str | None] = mapped_column(String(10))
    size_class: Mapped[str | None] = mapped_column(String(10))
    licence_number: Mapped[str | None] = mapped_column(String(60))
    licence_valid_from: Mapped[date | None]
    licence_valid_until: Mapped[date | None]
    created_at: Mapped[datetime]


class DepartmentScope(Base):
    """What a regulating department sees: region interval × industries × certificate types."""

    __tablename__ = "accounts_department_scope"

    tenant_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("accounts_tenant.id"), primary_key=True)
    region_lo: Mapped[int]
    region_hi: Mapped[int]
    industries: Mapped[list[str]] = mapped_column(ARRAY(String(2)))
    schemes: Mapped[list[str]] = mapped_column(ARRAY(String(60)))


class Person(Base):
    """One human, once in the province. The id number is sealed and found by its digest."""

    __tablename__ = "accounts_person"

    id: Mapped[uuid.UUID] = mapped_column(primary_key=True)
    id_number_sealed: Mapped[bytes] = mapped_column(LargeBinary)
    id_number_digest: Mapped[bytes] = mapped_column(LargeBinary, unique=True)
    id_number_masked: Mapped[str] = mapped_column(String(18))
    name: Mapped[str] = mapped_column(String(60))
    name_pinyin: Mapped[str] = mapped_column(String(200))
    sex: Mapped[str] = mapped_column(String(1))
    birth_date: Mapped[date]
    created_at: Mapped[datetime]


class Employment(Base):
    """A period of a person with a tenant, under the name that this tenant gave."""

    __tablename__ = "accounts_employment"
    __table_args__ = (
        PrimaryKeyConstraint("tenant_id", "id"),
        UniqueConstraint("id"),
        Index(
            "uq_accounts_employment_active",
            "tenant_id",
            "person_id",
            unique=True,
            postgresql_where="left_on is null",
        ),
        Index("ix_accounts_employment_person_id", "person_id"),
        Index("ix_accounts_employment_tenant_id_post_code", "tenant_id", "post_code"),
        Index("ix_accounts_employment_tenant_id_name_pinyin", "tenant_id", "name_pinyin", "id"),
        CheckConstraint("left_on is null or left_on >= hired_on", name="dates"),
    )

    id: Mapped[uuid.UUID]
    tenant_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("accounts_tenant.id"))
    person_id: Mapped[uuid.UUID]
    name: Mapped[str] = mapped_column(String(60))
    name_pinyin: Mapped[str] = mapped_column(String(200))
    id_number_masked: Mapped[str] = mapped_column(String(18))
    post_code: Mapped[str] = mapped_column(String(60), ForeignKey("accounts_post.code"))
    department_name: Mapped[str] = mapped_column(String(60))
    phone_sealed: Mapped[bytes | None] = mapped_column(LargeBinary)
    phone_masked: Mapped[str] = mapped_column(String(20))
    hired_on: Mapped[date]
    left_on: Mapped[date | None]
    region_code: Mapped[int]
    industry_code: Mapped[str | None] = mapped_column(String(2))
    created_at: Mapped[datetime]


class Account(Base):
    """How a person signs in."""

    __tablename__ = "accounts_account"

    person_id: Mapped[uuid.UUID] = mapped_column(primary_key=True)
    login_name: Mapped[str | None] = mapped_column(String(60), unique=True)
    password_hash: Mapped[str] = mapped_column(String(200))
    state: Mapped[str] = mapped_column(String(20))
    activated_at: Mapped[datetime]


class RoleGrant(Base):
    """A part that a person plays for a tenant."""

    __tablename__ = "accounts_role_grant"

    person_id: Mapped[uuid.UUID] = mapped_column(primary_key=True)
    tenant_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("accounts_tenant.id"), primary_key=True)
    role: Mapped[str] = mapped_column(String(30), primary_key=True)
    granted_at: Mapped[datetime]


class SignInSession(Base):
    """One browser's session; only the digest of its token is kept."""

    __tablename__ = "accounts_session"
    __table_args__ = (Index("ix_accounts_session_person_id", "person_id"),)

    digest: Mapped[bytes] = mapped_column(LargeBinary, primary_key=True)
    person_id: Mapped[uuid.UUID]
    tenant_id: Mapped[uuid.UUID]
    role: Mapped[str] = mapped_column(String(30))
    device: Mapped[str] = mapped_column(String(200))
    created_at: Mapped[datetime]
    expires_at: Mapped[datetime]
    revoked_at: Mapped[datetime | None]


class ActivationCode(Base):
    """Initial secret of a new person: random, single use, expiring, kept as HMAC."""

    __tablename__ = "accounts_activation_code"
    __table_args__ = (Index("ix_accounts_activation_code_person_id", "person_id"),)

    digest: Mapped[bytes] = mapped_column(LargeBinary, primary_key=True)
    person_id: Mapped[uuid.UUID]
    tenant_id: Mapped[uuid.UUID]
    created_at: Mapped[datetime]
    expires_at: Mapped[datetime]
    used_at: Mapped[datetime | None]


class SignInFailure(Base):
    """A failed sign-in or activation, for throttling."""

    __tablename__ = "accounts_sign_in_failure"
    __table_args__ = (
        Index("ix_accounts_sign_in_failure_subject_digest", "subject_digest", "at"),
        Index("ix_accounts_sign_in_failure_address_digest", "address_digest", "at"),
    )

    id: Mapped[uuid.UUID] = mapped_column(primary_key=True)
    subject_digest: Mapped[bytes] = mapped_column(LargeBinary)
    address_digest: Mapped[bytes] = mapped_column(LargeBinary)
    at: Mapped[datetime]
