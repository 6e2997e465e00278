"""Tables of the figures: what has happened, and what it adds up to."""

from __future__ import annotations

import uuid
from datetime import date, datetime

from sqlalchemy import CheckConstraint, Index, PrimaryKeyConstraint, String, Text
from sqlalchemy.orm import Mapped, mapped_column

from lms.core.db import Base


class Delta(Base):
    """One deed that moves figures, written with the deed itself. Log family: gone once folded."""

    __tablename__ = "supervision_delta"
    __table_args__ = (
        CheckConstraint("d_completed = 0 or enrolment_id is not null", name="completed"),
        CheckConstraint("d_covered = 0 or person_id is not null", name="covered"),
        CheckConstraint("extract(day from month) = 1", name="month"),
        Index("ix_supervision_delta_tenant_id", "tenant_id"),
    )

    id: Mapped[uuid.UUID] = mapped_column(primary_key=True)
    tenant_id: Mapped[uuid.UUID]
    person_id: Mapped[uuid.UUID | None]
    enrolment_id: Mapped[uuid.UUID | None]
    region_code: Mapped[int]
    industry_code: Mapped[str | None] = mapped_column(String(2))
    month: Mapped[date]
    d_due: Mapped[int]
    d_completed: Mapped[int]
    d_attempts: Mapped[int]
    d_passed: Mapped[int]
    d_certificates: Mapped[int]
    d_staff: Mapped[int]
    d_covered: Mapped[int]
    at: Mapped[datetime]


class Completed(Base):
    """An enrolment that has been counted as completed."""

    __tablename__ = "supervision_completed"

    enrolment_id: Mapped[uuid.UUID] = mapped_column(primary_key=True)
    tenant_id: Mapped[uuid.UUID]
    month: Mapped[date]


class Covered(Base):
    """A person who has been credited a lesson at an enterprise."""

    __tablename__ = "supervision_covered"

    tenant_id: Mapped[uuid.UUID] = mapped_column(primary_key=True)
    person_id: Mapped[uuid.UUID] = mapped_column(primary_key=True)


class EnterpriseMonth(Base):
    """Figures of one enterprise in one month, with the groups that it is counted in. Tenant family."""

    __tablename__ = "supervision_enterprise_month"
    __table_args__ = (
        Index(
            "ix_supervision_enterprise_month_region_code_month_industry_code", "region_code", "month", "industry_code"
        ),
    )

    tenant_id: Mapped[uuid.UUID] = mapped_column(primary_key=True)
    month: Mapped[date] = mapped_column(primary_key=True)
    region_code: Mapped[int]
    industry_code: Mapped[str] = mapped_column(String(2))
    risk_class: Mapped[str] = mapped_column(String(10))
    size_class: Mapped[str] = mapped_column(String(10))
    due: Mapped[int]
    completed: Mapped[int]
    attempts: Mapped[int]
    passed: Mapped[int]
    certificates: Mapped[int]


class EnterpriseTotal(Base):
    """How an enterprise stands: the year's months so far (``period_to`` included) and its staff now."""

    __tablename__ = "supervision_enterprise_total"
    __table_args__ = (
        CheckConstraint("covered between 0 and staff", name="covered"),
        Index("ix_supervision_enterprise_total_region_code_industry_code", "region_code", "industry_code"),
        Index("ix_supervision_enterprise_total_period_to", "period_to"),
    )

    tenant_id: Mapped[uuid.UUID] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(String(120))
    region_code: Mapped[int]
    industry_code: Mapped[str] = mapped_column(String(2))
    risk_class: Mapped[str] = mapped_column(String(10))
    size_class: Mapped[str] = mapped_column(String(10))
    period_from: Mapped[date]
    period_to: Mapped[date]
    due: Mapped[int]
    completed: Mapped[int]
    attempts: Mapped[int]
    passed: Mapped[int]
    certificates: Mapped[int]
    staff: Mapped[int]
    covered: Mapped[int]
    counted_at: Mapped[datetime]


class RegionMonth(Base):
    """Sums of ``EnterpriseMonth`` over the enterprises of one group in one county."""

    __tablename__ = "supervision_region_month"
    __table_args__ = (PrimaryKeyConstraint("region_code", "industry_code", "risk_class", "size_class", "month"),)

    region_code: Mapped[int]
    industry_code: Mapped[str] = mapped_column(String(2))
    risk_class: Mapped[str] = mapped_column(String(10))
    size_class: Mapped[str] = mapped_column(String(10))
    month: Mapped[date]
    due: Mapped[int]
    completed: Mapped[int]
    attempts: Mapped[int]
    passed: Mapped[int]
    certificates: Mapped[int]


class RegionTotal(Base):
    """Enterprises and staff of one group in one county at present."""

    __tablename__ = "supervision_region_total"
    __table_args__ = (PrimaryKeyConstraint("region_code", "industry_code", "risk_class", "size_class"),)

    region_code: Mapped[int]
    industry_code: Mapped[str] = mapped_column(String(2))
    risk_class: Mapped[str] = mapped_column(String(10))
    size_class: Mapped[str] = mapped_column(String(10))
    enterprises: Mapped[int]
    staff: Mapped[int]
    covered: Mapped[int]


class Rebuild(Base):
    """What a rebuild has counted from the source rows, before it is compared."""

    __tablename__ = "supervision_rebuild"

    tenant_id: Mapped[uuid.UUID] = mapped_column(primary_key=True)
    month: Mapped[date] = mapped_column(primary_key=True)
    due: Mapped[int]
    completed: Mapped[int]
    attempts: Mapped[int]
    passed: Mapped[int]
    certificates: Mapped[int]


class Definition(Base):
    """What a figure means, versioned. Reference family."""

    __tablename__ = "supervision_definition"

    figure: Mapped[str] = mapped_column(String(20), primary_key=True)
    version: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    effective_from: Mapped[date]
    name_zh: Mapped[str] = mapped_column(String(60))
    name_en: Mapped[str] = mapped_column(String(80))
    text_zh: Mapped[str] = mapped_column(Text)
    text_en: Mapped[str] = mapped_column(Text)
