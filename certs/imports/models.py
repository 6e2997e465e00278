"""Tables of imports: the list's fate and what was wrong with it. What it brought are ``Certificate`` rows."""

from __future__ import annotations

import uuid
from datetime import datetime
from typing import Any

from sqlalchemy import BigInteger, CheckConstraint, ForeignKeyConstraint, Index, PrimaryKeyConstraint, Text
from sqlalchemy.orm import Mapped, mapped_column

from lms.core.db import Base
from lms.core.imports.models import FaultColumns, ImportColumns


class CertificateImport(ImportColumns, Base):
    """One uploaded list of certificates that earlier systems issued.

    ``region_code``, ``industry_code`` and ``schemes`` are the department's at the time of the upload: what is
    brought stands under them.
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

    department_name: Mapped[str] = mapped_column(Text)
    source_system: Mapped[str] = mapped_column(Text)
    photos_name: Mapped[str] = mapped_column(Text)
    region_code: Mapped[int] = mapped_column(BigInteger)
    industry_code: Mapped[str] = mapped_column(Text)
    schemes: Mapped[list[Any]]
    rows_expired: Mapped[int] = mapped_column(BigInteger)
    rows_photo: Mapped[int] = mapped_column(BigInteger)
    certificates_added: Mapped[int] = mapped_column(BigInteger)
    certificates_withdrawn: Mapped[int] = mapped_column(BigInteger)
    withdraw_reason: Mapped[str] = mapped_column(Text)
    withdrawn_by: Mapped[uuid.UUID | None]
    withdrawn_by_name: Mapped[str] = mapped_column(Text)
    withdrawn_at: Mapped[datetime | None]


class CertificateImportFault(FaultColumns, Base):
    """One thing wrong in one cell of such a list."""

    __tablename__ = "certs_import_fault"
    __table_args__ = (
        PrimaryKeyConstraint("tenant_id", "import_id", "row_number", "column_name", "code"),
        ForeignKeyConstraint(["tenant_id", "import_id"], ["certs_import.tenant_id", "certs_import.id"]),
    )
