"""Taking the good rows over, one transaction for each chunk; after a crash it goes on where it was."""

from __future__ import annotations

import contextvars
import uuid
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

from sqlalchemy.orm import Session

from lms.core import audit, clock, jobs
from lms.core.access import SYSTEM
from lms.core.imports import queries
from lms.core.imports.checking import add_faults
from lms.core.imports.forgetting import forget_files
from lms.core.imports.kinds import C, I, ImportKind, Taken
from lms.core.imports.parts import SealedParts
from lms.core.imports.turnstile import Stopped, Turnstile
from lms.core.services import Services
from lms.core.spreadsheets.cells import Fault
from lms.core.tenancy import WORKER_SCOPE


def take_over(kind: ImportKind[I, C], services: Services, *, import_id: str) -> None:
    """Take the good rows over. May run any number of times.

    As many chunks as the kind has lanes are under way at a time, one computing while the database
    works for the others; they commit in their order, so that ``chunks_done`` says all there is to know.
    """
    with services.db.transaction(WORKER_SCOPE) as session:
        row = queries.import_row(session, kind, uuid.UUID(import_id))
        if row is None or row.state != "importing":
            return
    turnstile = Turnstile(row.chunks_done)
    with ThreadPoolExecutor(kind.lanes, "import") as pool:
        lanes = [
            # The clock of a travelling demo stands in the context, which threads do not inherit.
            pool.submit(contextvars.copy_context().run, _take_chunk, kind, services, row, number, turnstile)
            for number in range(row.chunks_done, row.chunks_total)
        ]
    errors = [error for lane in lanes if (error := lane.exception()) and not isinstance(error, Stopped)]
    if errors:
        raise errors[0]
    _finish(kind, services, row.id)


def _take_chunk(kind: ImportKind[I, C], services: Services, facts: I, number: int, turnstile: Turnstile) -> None:
    """Take one chunk over and commit it in its turn; raises Stopped when the import does not go on.

    ``facts`` is the import as it was at the beginning: what it is does not change, how far it is does.
    """
    turnstile.raise_if_stopped()
    parts = kind.parts(services, facts.id)
    try:
        candidates = kind.good(parts, number)
        with services.db.transaction(WORKER_SCOPE) as session:
            taken = kind.take(session, facts, candidates)
            turnstile.wait(number)
            row = _row_in_turn(session, kind, facts.id, number)
            if taken.refused:
                _keep_late(session, kind, row, parts, candidates, taken.refused)
            _count(session, kind, row, taken)
        turnstile.pass_on()
    except BaseException:
        turnstile.stop()
        raise


def _row_in_turn(session: Session, kind: ImportKind[I, C], import_id: uuid.UUID, number: int) -> I:
    row = queries.import_row(session, kind, import_id, lock=True)
    if row is None or row.state != "importing" or row.chunks_done != number:
        raise Stopped
    return row


def _count(session: Session, kind: ImportKind[I, C], row: I, taken: Taken) -> None:
    for name, column in kind.names.brought.items():
        setattr(row, column, getattr(row, column) + taken.counts[name])
    row.chunks_done += 1
    good = row.rows_good
    done = good if row.chunks_done == row.chunks_total else min(row.chunks_done * kind.limits.chunk_rows, good)
    jobs.report(session, row.job_id, state=jobs.JobState.RUNNING, done=done, total=good)
    data = {"chunk": row.chunks_done, **taken.counts, "by": str(row.created_by)}
    _record(session, row, kind.names.taken_action, data)


def _keep_late(
    session: Session,
    kind: ImportKind[I, C],
    row: I,
    parts: SealedParts,
    candidates: Sequence[C],
    faults: Sequence[Fault],
) -> None:
    """Name the rows that stopped fitting between preview and import."""
    add_faults(session, kind, row, faults)
    row.rows_bad += len(faults)
    late = {fault.row for fault in faults}
    merged = {one.row: one for one in parts.bad(row.chunks_done)}
    merged |= {one.row: kind.as_bad(one) for one in candidates if one.row in late}
    parts.keep_bad(row.chunks_done, [merged[number] for number in sorted(merged)])


def _finish(kind: ImportKind[I, C], services: Services, import_id: uuid.UUID) -> None:
    with services.db.transaction(WORKER_SCOPE) as session:
        row = queries.import_row(session, kind, import_id, lock=True)
        if row is None or row.state != "importing" or row.chunks_done != row.chunks_total:
            return
        row.state, row.finished_at = "done", clock.now()
        jobs.report(session, row.job_id, state=jobs.JobState.DONE, done=row.rows_good, total=row.rows_good)
        brought = {name: getattr(row, column) for name, column in kind.names.brought.items()}
        _record(session, row, f"{kind.names.room}.import.finished", {**brought, "bad": row.rows_bad})
    forget_files(kind, services, row, bad_too=False)


def _record(session: Session, row: I, action: str, data: dict[str, object]) -> None:
    audit.record(session, SYSTEM, action, subject_type="import", subject_id=row.id, tenant_id=row.tenant_id, data=data)
