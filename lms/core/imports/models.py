"""What the tables of every kind of import have: the list's fate, and what was wrong with it."""

from __future__ import annotations

import uuid
from datetime import datetime
from typing import Any

from sqlalchemy import BigInteger, Text
from sqlalchemy.orm import Mapped, mapped_column


class ImportColumns:
    """One uploaded list. ``chunks_done`` moves in the transaction that took the chunk over.

    A table adds its keys, its checks and what it counts besides; where its types are narrower it says so again.
    """

    tenant_id: Mapped[uuid.UUID]
    id: Mapped[uuid.UUID]
    file_name: Mapped[str] = mapped_column(Text)
    kind: Mapped[str] = mapped_column(Text)
    sha256: Mapped[str] = mapped_column(Text)
    state: Mapped[str] = mapped_column(Text)
    refusal_code: Mapped[str | None] = mapped_column(Text)
    refusal_data: Mapped[dict[str, Any]]
    rows_total: Mapped[int] = mapped_column(BigInteger)
    rows_new: Mapped[int] = mapped_column(BigInteger)
    rows_unchanged: Mapped[int] = mapped_column(BigInteger)
    rows_bad: Mapped[int] = mapped_column(BigInteger)
    chunks_total: Mapped[int] = mapped_column(BigInteger)
    chunks_done: Mapped[int] = mapped_column(BigInteger)
    job_id: Mapped[uuid.UUID]
    created_by: Mapped[uuid.UUID | None]
    created_by_name: Mapped[str] = mapped_column(Text)
    created_at: Mapped[datetime]
    finished_at: Mapped[datetime | None]
    files_forgotten_at: Mapped[datetime | None]

    @property
    def rows_good(self) -> int:
        return self.rows_total - self.rows_bad


class FaultColumns:
    """One thing wrong in one cell. Holds no id number and no name of a person."""

    tenant_id: Mapped[uuid.UUID]
    import_id: Mapped[uuid.UUID]
    row_number: Mapped[int] = mapped_column(BigInteger, autoincrement=False)
    column_name: Mapped[str] = mapped_column(Text)
    code: Mapped[str] = mapped_column(Text)
    shown: Mapped[str] = mapped_column(Text)
    hint: Mapped[str] = mapped_column(Text)
