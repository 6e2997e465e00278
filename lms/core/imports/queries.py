"""Imports and their faults, read."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Select, func, select
from sqlalchemy.orm import Session

from lms.core.imports.kinds import C, I, ImportKind
from lms.core.imports.models import FaultColumns
from lms.core.paging import Page, paginate
from lms.core.services import services_of
from lms.core.storage import ObjectMissing

PREVIEW_ROWS = 8


@dataclass(frozen=True, slots=True)
class FaultView:
    """One thing wrong, in the reader's language."""

    row: int
    column: str
    code: str
    text: str


def import_row(session: Session, kind: ImportKind[I, C], import_id: uuid.UUID, *, lock: bool = False) -> I | None:
    """Return an import as the database has it now, for a worker."""
    return session.scalars(one_import(kind, import_id, lock=lock)).first()


def one_import(kind: ImportKind[I, C], import_id: uuid.UUID, *, lock: bool) -> Select[I]:
    """Return the query of an import as the database has it now, whoever it is of."""
    query = select(kind.imports).where(kind.imports.id == import_id).execution_options(populate_existing=True)
    # Locked without its key, which the rows that an unfinished chunk has brought refer to already.
    return query.with_for_update(key_share=True) if lock else query


def fault_page(
    session: Session, kind: ImportKind[I, C], one: I, *, column: str, code: str, cursor: str | None
) -> Page[FaultView]:
    """Return what was wrong by row, filtered by column and reason; unknown ones mean no filter. Raises BadCursor."""
    faults = kind.faults
    query = select(faults).where(faults.tenant_id == one.tenant_id, faults.import_id == one.id)
    if column in kind.columns:
        query = query.where(faults.column_name == column)
    if code in kind.words.faults:
        query = query.where(faults.code == code)
    page = paginate(
        session,
        query,
        keys=_keys(faults),
        key_of=lambda row: (row.row_number, row.column_name, row.code),
        cursor=cursor,
    )
    return page.map(lambda row: _view(kind, row))


def _keys(faults: type[FaultColumns]) -> Sequence[Any]:
    return (faults.row_number, faults.column_name, faults.code)


def _view(kind: ImportKind[I, C], row: FaultColumns) -> FaultView:
    column = str(kind.words.columns[row.column_name])
    return FaultView(row.row_number, column, row.code, kind.words.fault_text(row.code, row.shown, row.hint))


def fault_counts(session: Session, kind: ImportKind[I, C], one: I) -> list[tuple[str, str, int]]:
    """Return code, label and count of each reason, the most frequent first."""
    faults, count = kind.faults, func.count()
    rows = session.execute(
        select(faults.code, count)
        .where(faults.tenant_id == one.tenant_id, faults.import_id == one.id)
        .group_by(faults.code)
        .order_by(count.desc(), faults.code)
    )
    return [(code, str(kind.words.faults[code].label), number) for code, number in rows]


def reasons_by_row(session: Session, kind: ImportKind[I, C], one: I) -> dict[int, str]:
    """Return all that is wrong with each bad row, column by column, as one text."""
    faults = kind.faults
    rows = session.scalars(
        select(faults)
        .where(faults.tenant_id == one.tenant_id, faults.import_id == one.id)
        .order_by(faults.row_number, faults.column_name)
    )
    found: dict[int, list[str]] = {}
    for row in rows:
        view = _view(kind, row)
        found.setdefault(view.row, []).append(f"{view.column}：{view.text}")
    return {number: "；".join(texts) for number, texts in found.items()}


def first_good_rows(session: Session, kind: ImportKind[I, C], one: I) -> list[C]:
    """Return the first good rows for the preview; none once it is confirmed or the files are gone."""
    if one.state != "ready" or not one.chunks_total:
        return []
    try:
        return kind.good(kind.parts(services_of(session), one.id), 0)[:PREVIEW_ROWS]
    except ObjectMissing:
        return []
