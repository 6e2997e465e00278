"""Tables of regions, organisations, people and who works where."""

from __future__ import annotations

import uuid
from datetime import date, datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import (
    CheckConstraint,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    PrimaryKeyConstraint,
    String,
    Text,
    text,
)
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.orm import Mapped, mapped_column

from lms.core.db import Base


class TenantKind(StrEnum):
    """What an organisation is."""

    ENTERPRISE = "enterprise"
    INSTITUTION = "institution"
    DEPARTMENT = "department"
    ASSOCIATION = "association"


class Region(Base):
    """One administrative division of GB/T 2260."""

    __tablename__ = "accounts_region"

    code: Mapped[int] = mapped_column(Integer, primary_key=True, autoincrement=False)
    name: Mapped[str] = mapped_column(String(60))
    level: Mapped[str] = mapped_column(String(10))
    parent_code: Mapped[int | None] = mapped_column(ForeignKey("accounts_region.code"), index=True)


class Industry(Base):
    """One section or division of GB/T 4754."""

    __tablename__ = "accounts_industry"

    code: Mapped[str] = mapped_column(String(2), primary_key=True)
    name_zh: Mapped[str] = mapped_column(String(120))
    name_en: Mapped[str] = mapped_column(String(160))
    parent_code: Mapped[str | None] = mapped_column(String(2))


class Post(Base):
    """One post (岗位) that people hold."""

    __tablename__ = "accounts_post"

    code: Mapped[str] = mapped_column(String(40), primary_key=True)
    name_zh: Mapped[str] = mapped_column(String(60))
    name_en: Mapped[str] = mapped_column(String(120))
    high_risk: Mapped[bool]


class Rule(Base):
    """One version of one figure that a province may set, with its legal basis.

    ``region_code`` 0 is the whole country; a province's own row goes before it.
    """

    __tablename__ = "accounts_rule"
    __table_args__ = (PrimaryKeyConstraint("code", "region_code", "version"),)

    code: Mapped[str] = mapped_column(String(60))
    region_code: Mapped[int]
    version: Mapped[int]
    effective_from: Mapped[date]
    legal_basis: Mapped[str] = mapped_column(Text)
    value: Mapped[dict[str, Any]]


class Tenant(Base):
    """An organisation with its own walls."""

    __tablename__ = "accounts_tenant"
    __table_args__ = (
        CheckConstraint("kind in ('enterprise', 'institution', 'department', 'association')", name="kind"),
        CheckConstraint("credit_code ~ '^[0-9A-HJ-NPQRTUWXY]{18}$'", name="credit_code"),
        CheckConstraint(
            "kind <> 'enterprise' or (industry_code is not null and risk_class is not null and size_class is not null)",
            name="enterprise_is_classed",
        ),
        CheckConstraint("risk_class in ('high', 'ordinary')", name="risk_class"),
        CheckConstraint("size_class in ('large', 'medium', 'small', 'micro')", name="size_class"),
        CheckConstraint("licence_valid_from <= licence_valid_until", name="licence_dates"),
        Index("ix_accounts_tenant_region_code_id", "region_code", "id"),
    )

    id: Mapped[uuid.UUID] = mapped_column(primary_key=True)
    kind: Mapped[str] = mapped_column(String(20))
    name: Mapped[str] = mapped_column(String(200))
    credit_code: Mapped[str] = mapped_column(String(18), unique=True)
    region_code: Mapped[int] = mapped_column(ForeignKey("accounts_region.code"))
    industry_code: Mapped[str | None] = mapped_column(String(2), ForeignKey("accounts_industry.code"))
    risk_class: Mapped[str | None] = mapped_column(String(20))
    size_class: Mapped[str | None] = mapped_column(String(20))
    licence_number: Mapped[str | None] = mapped_column(String(60))
    licence_valid_from: Mapped[date | None]
    licence_valid_until: Mapped[date | None]
    created_at: Mapped[datetime]


class DepartmentScope(Base):
    """What one department supervises: a region range × industries × certificate types."""

    __tablename__ = "accounts_department_scope"
    __table_args__ = (CheckConstraint("region_lo < region_hi", name="range"),)

    tenant_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("accounts_tenant.id"), primary_key=True)
    region_lo: Mapped[int]
    region_hi: Mapped[int]
    industries: Mapped[list[str]] = mapped_column(ARRAY(Text))
    schemes: Mapped[list[str]] = mapped_column(ARRAY(Text))


class Person(Base):
    """One human in the province's register. Employers never read this table."""

    __tablename__ = "accounts_person"
    __table_args__ = (CheckConstraint("sex in ('M', 'F')", name="sex"),)

    id: Mapped[uuid.UUID] = mapped_column(primary_key=True)
    id_number_sealed: Mapped[bytes] = mapped_column(LargeBinary)
    id_number_digest: Mapped[bytes] = mapped_column(LargeBinary, unique=True)
    id_number_masked: Mapped[str] = mapped_column(String(18))
    name: Mapped[str] = mapped_column(String(60))
    name_pinyin: Mapped[str] = mapped_column(String(240))
    sex: Mapped[str] = mapped_column(String(1))
    birth_date: Mapped[date]
    created_at: Mapped[datetime]


class Employment(Base):
    """A person's time with one organisation, under the name that it gave."""

    __tablename__ = "accounts_employment"
    __table_args__ = (
        PrimaryKeyConstraint("tenant_id", "id"),
        CheckConstraint("left_on >= hired_on", name="dates"),
        CheckConstraint("(phone_sealed is null) = (phone_masked = '')", name="phone"),
        Index(
            "uq_accounts_employment_active",
            "tenant_id",
            "person_id",
            unique=True,
            postgresql_where=text("left_on is null"),
        ),
        Index("ix_accounts_employment_person_id", "person_id"),
        Index("ix_accounts_employment_tenant_id_name_pinyin_id", "tenant_id", "name_pinyin", "id"),
        Index("ix_accounts_employment_tenant_id_name", "tenant_id", "name"),
        Index("ix_accounts_employment_tenant_id_id_number_last4", "tenant_id", "id_number_last4"),
        Index("ix_accounts_employment_tenant_id_post_code", "tenant_id", "post_code"),
        Index("ix_accounts_employment_region_code", "region_code", "industry_code"),
    )

    id: Mapped[uuid.UUID] = mapped_column(unique=True)
    tenant_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("accounts_tenant.id"))
    person_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("accounts_person.id"))
    name: Mapped[str] = mapped_column(String(60))
    name_pinyin: Mapped[str] = mapped_column(String(240))
    id_number_masked: Mapped[str] = mapped_column(String(18))
    id_number_last4: Mapped[str] = mapped_column(String(4))
    post_code: Mapped[str] = mapped_column(String(40), ForeignKey("accounts_post.code"))
    department_name: Mapped[str] = mapped_column(String(80))
    phone_sealed: Mapped[bytes | None] = mapped_column(LargeBinary)
    phone_masked: Mapped[str] = mapped_column(String(20))
    hired_on: Mapped[date]
    left_on: Mapped[date | None]
    region_code: Mapped[int]
    industry_code: Mapped[str | None] = mapped_column(String(2))
    created_at: Mapped[datetime]
