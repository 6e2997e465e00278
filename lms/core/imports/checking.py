"""The check: every row of a list judged, compared with what is stored, and kept for the preview, in chunks."""

from __future__ import annotations

import uuid
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Generic

from sqlalchemy import delete
from sqlalchemy.dialects.postgresql import insert as upsert
from sqlalchemy.orm import Session

from lms.core import clock, jobs
from lms.core.imports import queries
from lms.core.imports.forgetting import forget_files
from lms.core.imports.kinds import C, I, ImportKind, Judge, Standing
from lms.core.imports.operations import COUNTS
from lms.core.imports.parts import SOURCE, SealedParts
from lms.core.services import Services
from lms.core.spreadsheets import files
from lms.core.spreadsheets.cells import Cell, Fault, text_of
from lms.core.spreadsheets.errors import SheetRefused
from lms.core.spreadsheets.tables import BadRow
from lms.core.tenancy import WORKER_SCOPE


@dataclass(slots=True)
class Chunk(Generic[C]):
    """Some rows of a file, judged."""

    good: list[C] = field(default_factory=list)
    bad: list[BadRow] = field(default_factory=list)
    faults: list[Fault] = field(default_factory=list)

    @property
    def size(self) -> int:
        return len(self.good) + len(self.bad)


def check(kind: ImportKind[I, C], services: Services, *, import_id: str) -> None:
    """Judge every row of an upload and prepare the preview. A second run starts over and ends the same."""
    row = _start_over(kind, services, uuid.UUID(import_id))
    if row is None:
        return
    parts = kind.parts(services, row.id)
    try:
        judge = kind.judge(services, row)
        total, rows = files.rows_of(parts.get(SOURCE), row.kind)
        for chunk in chunks(kind, rows, judge):
            if not _keep(kind, parts, chunk, total):
                return
        _finish(kind, services, row.id)
    except SheetRefused as refusal:
        _refuse(kind, services, row.id, refusal)


def _start_over(kind: ImportKind[I, C], services: Services, import_id: uuid.UUID) -> I | None:
    with services.db.transaction(WORKER_SCOPE) as session:
        row = queries.import_row(session, kind, import_id, lock=True)
        if row is None or row.state != "checking":
            return None
        mine = (kind.faults.tenant_id == row.tenant_id, kind.faults.import_id == row.id)
        session.execute(delete(kind.faults).where(*mine))
        for column in (*COUNTS, *kind.count(())):
            setattr(row, column, 0)
    return row


def chunks(kind: ImportKind[I, C], rows: Iterator[Sequence[Cell]], judge: Judge[C]) -> Iterator[Chunk[C]]:
    """Judge the rows below the heading, skipping blank ones; yield them in chunks.

    Raises ColumnsMissing, ColumnTwice, EmptyFile, TooManyRows.
    """
    chunk: Chunk[C] = Chunk()
    for number, cells in kind.headings.rows(rows, kind.limits.max_rows):
        candidate, faults = judge(number, cells)
        if candidate is None:
            chunk.faults += faults
            chunk.bad.append(BadRow(number, tuple(text_of(cells.get(column)) for column in kind.columns)))
        else:
            chunk.good.append(candidate)
        if chunk.size == kind.limits.chunk_rows:
            yield chunk
            chunk = Chunk()
    if chunk.size:
        yield chunk


def _keep(kind: ImportKind[I, C], parts: SealedParts, chunk: Chunk[C], total: int) -> bool:
    """Compare one chunk with what is stored and count it; tell whether the check goes on."""
    with parts.services.db.transaction(WORKER_SCOPE) as session:
        row = queries.import_row(session, kind, parts.import_id, lock=True)
        if row is None or row.state != "checking":
            return False
        verdicts = kind.compare(session, row, chunk.good)
        good = [one.candidate for one in verdicts if one.fault is None]
        bad = [*chunk.bad, *(kind.as_bad(one.candidate) for one in verdicts if one.fault)]
        kind.keep_more(parts, good)
        parts.keep_good(row.chunks_total, [kind.to_plain(one) for one in good])
        parts.keep_bad(row.chunks_total, sorted(bad, key=lambda one: one.row))
        add_faults(session, kind, row, [*chunk.faults, *(one.fault for one in verdicts if one.fault)])
        standings = [one.standing for one in verdicts]
        row.chunks_total += 1
        row.rows_total += chunk.size
        row.rows_new += standings.count(Standing.NEW)
        row.rows_unchanged += standings.count(Standing.UNCHANGED)
        row.rows_bad += len(bad)
        for column, more in kind.count(verdicts).items():
            setattr(row, column, getattr(row, column) + more)
        done = min(row.rows_total, total)
        jobs.report(session, row.job_id, state=jobs.JobState.RUNNING, done=done, total=total)
    return True


def add_faults(session: Session, kind: ImportKind[I, C], row: I, faults: Sequence[Fault]) -> None:
    """Enter what is wrong with rows; what has been entered stays as it is."""
    if not faults:
        return
    values = [
        {
            "tenant_id": row.tenant_id,
            "import_id": row.id,
            "row_number": fault.row,
            "column_name": fault.column,
            "code": fault.code,
            "shown": fault.shown,
            "hint": fault.hint,
        }
        for fault in faults
    ]
    session.execute(upsert(kind.faults).on_conflict_do_nothing(), values)


def _finish(kind: ImportKind[I, C], services: Services, import_id: uuid.UUID) -> None:
    with services.db.transaction(WORKER_SCOPE) as session:
        row = queries.import_row(session, kind, import_id, lock=True)
        if row is None or row.state != "checking":
            return
        row.state = "ready"
        jobs.report(session, row.job_id, state=jobs.JobState.DONE, done=row.rows_total, total=row.rows_total)


def _refuse(kind: ImportKind[I, C], services: Services, import_id: uuid.UUID, refusal: SheetRefused) -> None:
    with services.db.transaction(WORKER_SCOPE) as session:
        row = queries.import_row(session, kind, import_id, lock=True)
        if row is None or row.state != "checking":
            return
        row.state, row.finished_at, row.refusal_code = "refused", clock.now(), refusal.code
        row.refusal_data = {name: str(value) for name, value in refusal.data.items()}
        jobs.report(session, row.job_id, state=jobs.JobState.FAILED, message=refusal.text()[:500])
    forget_files(kind, services, row, bad_too=True)
