"""Tables of imports: the list's fate and what was wrong with it. What it brought are ``Certificate`` rows."""

from __future__ import annotations

import uuid
from datetime import datetime
from typing import Any

from sqlalchemy import BigInteger, CheckConstraint, ForeignKeyConstraint, Index, PrimaryKeyConstraint, Text
from sqlalchemy.orm import Mapped, mapped_column

from lms.core.db import Base


class CertificateImport(Base):
    """One uploaded list of certificates that earlier systems issued.

    ``region_code``, ``industry_code`` and ``schemes`` are the department's at the time of the upload: what is
    brought stands under them. ``chunks_done`` moves in the transaction that took the chunk over.
    """

    __tablename__ = "certs_import"
    __table_args__ = (
        PrimaryKeyConstraint("tenant_id", "id"),
        CheckConstraint(
            "state in ('checking', 'refused', 'ready', 'importing', 'done', 'cancelled', 'withdrawing', 'withdrawn')",
            name="state",
        ),
        CheckConstraint("kind in ('xlsx', 'csv')", name="kind"),
        CheckConstraint("chunks_done between 0 and chunks_total", name="chunks"),
        CheckConstraint("(state in ('withdrawing', 'withdrawn')) = (withdraw_reason <> '')", name="withdrawn"),
        Index("ix_certs_import_id", "id", unique=True),
    )

    tenant_id: Mapped[uuid.UUID]
    id: Mapped[uuid.UUID]
    department_name: Mapped[str] = mapped_column(Text)
    source_system: Mapped[str] = mapped_column(Text)
    file_name: Mapped[str] = mapped_column(Text)
    kind: Mapped[str] = mapped_column(Text)
    sha256: Mapped[str] = mapped_column(Text)
    photos_name: Mapped[str] = mapped_column(Text)
    state: Mapped[str] = mapped_column(Text)
    region_code: Mapped[int] = mapped_column(BigInteger)
    industry_code: Mapped[str] = mapped_column(Text)
    schemes: Mapped[list[Any]]
    refusal_code: Mapped[str | None] = mapped_column(Text)
    refusal_data: Mapped[dict[str, Any]]
    rows_total: Mapped[int] = mapped_column(BigInteger)
    rows_new: Mapped[int] = mapped_column(BigInteger)
    rows_unchanged: Mapped[int] = mapped_column(BigInteger)
    rows_bad: Mapped[int] = mapped_column(BigInteger)
    rows_expired: Mapped[int] = mapped_column(BigInteger)
    rows_photo: Mapped[int] = mapped_column(BigInteger)
    chunks_total: Mapped[int] = mapped_column(BigInteger)
    chunks_done: Mapped[int] = mapped_column(BigInteger)
    certificates_added: Mapped[int] = mapped_column(BigInteger)
    certificates_withdrawn: Mapped[int] = mapped_column(BigInteger)
    job_id: Mapped[uuid.UUID]
    created_by: Mapped[uuid.UUID | None]
    created_by_name: Mapped[str] = mapped_column(Text)
    created_at: Mapped[datetime]
    finished_at: Mapped[datetime | None]
    withdraw_reason: Mapped[str] = mapped_column(Text)
    withdrawn_by: Mapped[uuid.UUID | None]
    withdrawn_by_name: Mapped[str] = mapped_column(Text)
    withdrawn_at: Mapped[datetime | None]
    files_forgotten_at: Mapped[datetime | None]


class CertificateImportFault(Base):
    """One thing wrong in one cell. Holds no id number and no name of a person."""

    __tablename__ = "certs_import_fault"
    __table_args__ = (
        PrimaryKeyConstraint("tenant_id", "import_id", "row_number", "column_name", "code"),
        ForeignKeyConstraint(["tenant_id", "import_id"], ["certs_import.tenant_id", "certs_import.id"]),
    )

    tenant_id: Mapped[uuid.UUID]
    import_id: Mapped[uuid.UUID]
    row_number: Mapped[int] = mapped_column(BigInteger, autoincrement=False)
    column_name: Mapped[str] = mapped_column(Text)
    code: Mapped[str] = mapped_column(Text)
    shown: Mapped[str] = mapped_column(Text)
    hint: Mapped[str] = mapped_column(Text)
