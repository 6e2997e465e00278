"""Tables of drafts, templates, refusals and recorded credentials."""

from __future__ import annotations

import uuid
from datetime import datetime
from typing import Any

from sqlalchemy import BigInteger, CheckConstraint, Index, PrimaryKeyConstraint, Text
from sqlalchemy.orm import Mapped, mapped_column

from lms.core.db import Base

ALIVE = "state in ('open', 'asked')"


class Template(Base):
    """One version of a certificate's page; ``spec`` holds what differs from the standard (``TemplateSpec``)."""

    __tablename__ = "certs_template"
    __table_args__ = (PrimaryKeyConstraint("code", "version"),)

    code: Mapped[str] = mapped_column(Text)
    version: Mapped[int] = mapped_column(BigInteger, autoincrement=False)
    name_zh: Mapped[str] = mapped_column(Text)
    name_en: Mapped[str] = mapped_column(Text)
    spec: Mapped[dict[str, Any]]
    published_by_name: Mapped[str | None] = mapped_column(Text)
    published_at: Mapped[datetime | None]


class Draft(Base):
    """A version in the making: one draft of a department for each scheme or template, until it ends.

    ``content`` holds the columns of ``certs_scheme`` or ``certs_template`` that an editor fills, ``base_version`` is
    the newest version when it was saved, 0 for a new code. One official asks, another publishes or returns it.
    """

    __tablename__ = "certs_draft"
    __table_args__ = (
        PrimaryKeyConstraint("tenant_id", "id"),
        CheckConstraint("kind in ('scheme', 'template')", name="kind"),
        CheckConstraint("state in ('open', 'asked', 'published', 'discarded')", name="states"),
        CheckConstraint("(state in ('open', 'asked')) = (ended_at is null)", name="over"),
        CheckConstraint("state <> 'asked' or asked_by is not null", name="asked"),
        # What was published before anybody had to ask names nobody who did.
        CheckConstraint(
            "state <> 'published' or asked_by is null or (decided_by is not null and decided_by <> asked_by)",
            name="four_eyes",
        ),
        CheckConstraint("(state = 'published') = (published_version is not null)", name="published"),
        Index("ix_certs_draft_id", "id", unique=True),
        Index("uq_certs_draft_alive", "tenant_id", "kind", "code", unique=True, postgresql_where=ALIVE),
    )

    tenant_id: Mapped[uuid.UUID]
    id: Mapped[uuid.UUID]
    kind: Mapped[str] = mapped_column(Text)
    code: Mapped[str] = mapped_column(Text)
    content: Mapped[dict[str, Any]]
    state: Mapped[str] = mapped_column(Text)
    made_by: Mapped[uuid.UUID]
    made_by_name: Mapped[str] = mapped_column(Text)
    made_at: Mapped[datetime]
    changed_at: Mapped[datetime]
    published_version: Mapped[int | None] = mapped_column(BigInteger)
    ended_at: Mapped[datetime | None]
    base_version: Mapped[int] = mapped_column(BigInteger, server_default="0")
    asked_by: Mapped[uuid.UUID | None]
    asked_by_name: Mapped[str | None] = mapped_column(Text)
    asked_at: Mapped[datetime | None]
    decided_by: Mapped[uuid.UUID | None]
    decided_by_name: Mapped[str | None] = mapped_column(Text)
    decision_reason: Mapped[str | None] = mapped_column(Text)
    decided_at: Mapped[datetime | None]


class Refusal(Base):
    """Why a person who passed has no certificate of a scheme: the latest decision, one for each scheme."""

    __tablename__ = "certs_refusal"
    __table_args__ = (PrimaryKeyConstraint("person_id", "scheme_code"),)

    person_id: Mapped[uuid.UUID]
    scheme_code: Mapped[str] = mapped_column(Text)
    tenant_id: Mapped[uuid.UUID]
    region_code: Mapped[int] = mapped_column(BigInteger)
    industry_code: Mapped[str] = mapped_column(Text)
    scheme_version: Mapped[int] = mapped_column(BigInteger)
    enrolment_id: Mapped[uuid.UUID]
    attempt_id: Mapped[uuid.UUID]
    decision: Mapped[dict[str, Any]]
    at: Mapped[datetime]


class Credential(Base):
    """What an official has seen of a person's education, practice or papers.

    ``code`` is the level or the paper, ``months`` the length of the practice, ``document`` where
    the paper is found or its digest. A wrong entry is withdrawn, never changed.
    """

    __tablename__ = "certs_credential"
    __table_args__ = (
        PrimaryKeyConstraint("person_id", "id"),
        CheckConstraint(
            "(kind = 'education' and code in ('secondary', 'college', 'bachelor', 'master'))"
            " or (kind = 'paper' and code in ('application', 'diploma', 'health', 'pledge'))"
            " or (kind = 'practice' and code = '')",
            name="kind",
        ),
        CheckConstraint("(kind = 'practice') = (months > 0) and months >= 0", name="months"),
        CheckConstraint("(withdrawn_at is null) = (withdrawn_by is null)", name="withdrawn"),
        Index("ix_certs_credential_id", "id", unique=True),
    )

    person_id: Mapped[uuid.UUID]
    id: Mapped[uuid.UUID]
    region_code: Mapped[int] = mapped_column(BigInteger)
    industry_code: Mapped[str] = mapped_column(Text)
    kind: Mapped[str] = mapped_column(Text)
    code: Mapped[str] = mapped_column(Text)
    months: Mapped[int] = mapped_column(BigInteger)
    detail: Mapped[str] = mapped_column(Text)
    document: Mapped[str] = mapped_column(Text)
    recorded_by: Mapped[uuid.UUID]
    recorder_name: Mapped[str] = mapped_column(Text)
    recorded_at: Mapped[datetime]
    withdrawn_at: Mapped[datetime | None]
    withdrawn_by: Mapped[uuid.UUID | None]
