"""Tables of roster imports: the file's fate, what was wrong with it, whom it brought."""

from __future__ import annotations

import uuid
from datetime import datetime

from sqlalchemy import CheckConstraint, ForeignKeyConstraint, Integer, PrimaryKeyConstraint, String
from sqlalchemy.orm import Mapped, mapped_column

from lms.core.db import Base
from lms.core.imports.models import FaultColumns, ImportColumns


class Import(ImportColumns, Base):
    """One uploaded roster."""

    __tablename__ = "accounts_import"
    __table_args__ = (
        PrimaryKeyConstraint("tenant_id", "id"),
        CheckConstraint(
            "state in ('checking', 'refused', 'ready', 'importing', 'done', 'cancelled')",
            name="state",
        ),
        CheckConstraint("kind in ('xlsx', 'csv')", name="kind"),
        CheckConstraint("chunks_done between 0 and chunks_total", name="chunks"),
    )

    id: Mapped[uuid.UUID] = mapped_column(unique=True)
    file_name: Mapped[str] = mapped_column(String(200))
    kind: Mapped[str] = mapped_column(String(4))
    sha256: Mapped[str] = mapped_column(String(64))
    state: Mapped[str] = mapped_column(String(20))
    refusal_code: Mapped[str | None] = mapped_column(String(40))
    rows_total: Mapped[int] = mapped_column(Integer)
    rows_new: Mapped[int] = mapped_column(Integer)
    rows_unchanged: Mapped[int] = mapped_column(Integer)
    rows_changed: Mapped[int]
    rows_bad: Mapped[int] = mapped_column(Integer)
    chunks_total: Mapped[int] = mapped_column(Integer)
    chunks_done: Mapped[int] = mapped_column(Integer)
    people_added: Mapped[int]
    people_changed: Mapped[int]
    created_by_name: Mapped[str] = mapped_column(String(60))
    codes_taken_at: Mapped[datetime | None]
    codes_taken_by_name: Mapped[str | None] = mapped_column(String(60))


class ImportFault(FaultColumns, Base):
    """One thing wrong in one cell of a roster."""

    __tablename__ = "accounts_import_fault"
    __table_args__ = (
        PrimaryKeyConstraint("tenant_id", "import_id", "row_number", "column_name", "code"),
        ForeignKeyConstraint(["tenant_id", "import_id"], ["accounts_import.tenant_id", "accounts_import.id"]),
    )

    row_number: Mapped[int] = mapped_column(Integer)
    column_name: Mapped[str] = mapped_column(String(20))
    code: Mapped[str] = mapped_column(String(30))
    shown: Mapped[str] = mapped_column(String(80))
    hint: Mapped[str] = mapped_column(String(80))


class ImportedEmployment(Base):
    """An employment that an import started."""

    __tablename__ = "accounts_import_employment"
    __table_args__ = (
        PrimaryKeyConstraint("tenant_id", "import_id", "employment_id"),
        ForeignKeyConstraint(["tenant_id", "import_id"], ["accounts_import.tenant_id", "accounts_import.id"]),
    )

    tenant_id: Mapped[uuid.UUID]
    import_id: Mapped[uuid.UUID]
    employment_id: Mapped[uuid.UUID]
