"""Queue entry points: checking a roster, taking it over, writing lists to files."""

from __future__ import annotations

import contextvars
import tempfile
import uuid
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path

from sqlalchemy import delete, select, update
from sqlalchemy.dialects.postgresql import insert as upsert
from sqlalchemy.orm import Session

from lms.accounts import queries as register
from lms.accounts.staff import importing, queries, reading, staging
from lms.accounts.staff.importing import Standing
from lms.accounts.staff.limits import limits
from lms.accounts.staff.models import Import, ImportFault
from lms.accounts.staff.rules import COLUMNS, Context
from lms.accounts.staff.texts import COLUMN_TEXTS
from lms.accounts.staff.turnstile import Stopped, Turnstile
from lms.core import audit, clock, jobs
from lms.core.access import SYSTEM
from lms.core.services import Services
from lms.core.spreadsheets import files
from lms.core.spreadsheets.cells import Fault
from lms.core.spreadsheets.errors import SheetRefused
from lms.core.spreadsheets.staging import SOURCE
from lms.core.spreadsheets.tables import NameBook
from lms.core.tenancy import WORKER_SCOPE

FORGET_EVERY_S = 3600.0
LANES = 3


def _import_row(session: Session, import_id: uuid.UUID, *, lock: bool = False) -> Import | None:
    query = select(Import).where(Import.id == import_id)
    # Without its key, which the rows that an unfinished chunk has brought refer to already.
    return session.scalars(query.with_for_update(key_share=True) if lock else query).first()


def check(services: Services, *, import_id: str) -> None:
    """Judge every row of an upload and prepare the preview. A second run starts over and ends the same."""
    found = uuid.UUID(import_id)
    with services.db.transaction(WORKER_SCOPE) as session:
        row = _import_row(session, found, lock=True)
        if row is None or row.state != "checking":
            return
        tenant_id, kind = row.tenant_id, row.kind
        session.execute(delete(ImportFault).where(ImportFault.tenant_id == tenant_id, ImportFault.import_id == found))
        row.rows_total = row.rows_new = row.rows_unchanged = row.rows_changed = row.rows_bad = row.chunks_total = 0
        book = NameBook.of((post.code, post.name_zh, post.name_en) for post in register.posts(session))
    context = Context(clock.today(services.settings.timezone), limits(), book)
    try:
        total, rows = files.rows_of(staging.parts(services, found).get(SOURCE), kind)
        for chunk in reading.chunks(rows, context):
            if not _keep_checked(services, found, chunk, total):
                return
        _finish_check(services, found)
    except SheetRefused as refusal:
        _refuse(services, found, refusal)


def _keep_checked(services: Services, import_id: uuid.UUID, chunk: reading.Chunk, total: int) -> bool:
    """Compare one chunk with the register and count it; tell whether the check goes on."""
    with services.db.transaction(WORKER_SCOPE) as session:
        row = _import_row(session, import_id, lock=True)
        if row is None or row.state != "checking":
            return False
        number = row.chunks_total
        verdicts = importing.compare(session, row.tenant_id, chunk.good)
        refused = [v.candidate for v in verdicts if v.standing is Standing.REFUSED]
        bad = [*chunk.bad, *(staging.as_bad(candidate) for candidate in refused)]
        good = [v.candidate for v in verdicts if v.standing is not Standing.REFUSED]
        standings = [v.standing for v in verdicts]
        staging.keep_good(services, import_id, number, good)
        staging.parts(services, import_id).keep_bad(number, sorted(bad, key=lambda one: one.row))
        _add_faults(session, row, [*chunk.faults, *map(importing.name_differs, refused)])
        row.chunks_total = number + 1
        row.rows_total += chunk.size
        row.rows_new += standings.count(Standing.NEW)
        row.rows_unchanged += standings.count(Standing.UNCHANGED)
        row.rows_changed += standings.count(Standing.CHANGED)
        row.rows_bad += len(bad)
        done = min(row.rows_total, total)
        jobs.report(session, row.job_id, state=jobs.JobState.RUNNING, done=done, total=total)
    return True


def _add_faults(session: Session, row: Import, faults: Sequence[Fault]) -> None:
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
    session.execute(upsert(ImportFault).on_conflict_do_nothing(), values)


def _finish_check(services: Services, import_id: uuid.UUID) -> None:
    with services.db.transaction(WORKER_SCOPE) as session:
        row = _import_row(session, import_id, lock=True)
        if row is None or row.state != "checking":
            return
        row.state = "ready"
        jobs.report(session, row.job_id, state=jobs.JobState.DONE, done=row.rows_total, total=row.rows_total)


def _refuse(services: Services, import_id: uuid.UUID, refusal: SheetRefused) -> None:
    with services.db.transaction(WORKER_SCOPE) as session:
        row = _import_row(session, import_id, lock=True)
        if row is None or row.state != "checking":
            return
        row.state, row.finished_at, row.refusal_code = "refused", clock.now(), refusal.code
        row.refusal_data = {name: str(value) for name, value in refusal.data.items()}
        chunks_total = row.chunks_total
        jobs.report(session, row.job_id, state=jobs.JobState.FAILED, message=refusal.text()[:500])
    staging.parts(services, import_id).forget_all(chunks_total)


def take_over(services: Services, *, import_id: str) -> None:
    """Take the good rows over, one transaction for each chunk; after a crash it goes on where it was.

    Three chunks are under way at a time, one computing while the database works for the others,
    which takes it twice as long; they commit in their order, so that ``chunks_done`` says all
    there is to know.
    """
    found = uuid.UUID(import_id)
    with services.db.transaction(WORKER_SCOPE) as session:
        row = _import_row(session, found)
        if row is None or row.state != "importing":
            return
        tenant_id, first, end = row.tenant_id, row.chunks_done, row.chunks_total
    turnstile = Turnstile(first)
    with ThreadPoolExecutor(LANES, "import") as pool:
        lanes = [
            # The clock of a travelling demo stands in the context, which threads do not inherit.
            pool.submit(contextvars.copy_context().run, _take_chunk, services, tenant_id, found, number, turnstile)
            for number in range(first, end)
        ]
    errors = [error for lane in lanes if (error := lane.exception()) and not isinstance(error, Stopped)]
    if errors:
        raise errors[0]
    _finish_import(services, found)


def _take_chunk(
    services: Services, tenant_id: uuid.UUID, import_id: uuid.UUID, number: int, turnstile: Turnstile
) -> None:
    """Take one chunk over and commit it in its turn; raises Stopped when the import does not go on."""
    turnstile.raise_if_stopped()
    try:
        candidates = staging.good(services, import_id, number)
        with services.db.transaction(WORKER_SCOPE) as session:
            taken = importing.take_over(session, tenant_id, import_id, candidates)
            turnstile.wait(number)
            row = _row_in_turn(session, import_id, number)
            _count_chunk(services, session, row, taken)
        turnstile.pass_on()
    except BaseException:
        turnstile.stop()
        raise


def _row_in_turn(session: Session, import_id: uuid.UUID, number: int) -> Import:
    row = _import_row(session, import_id, lock=True)
    if row is None or row.state != "importing" or row.chunks_done != number:
        raise Stopped
    return row


def _count_chunk(services: Services, session: Session, row: Import, taken: importing.Taken) -> None:
    if taken.refused:
        _keep_late(services, session, row, taken.refused)
    row.people_added += taken.added
    row.people_changed += taken.changed
    row.chunks_done += 1
    good = row.rows_total - row.rows_bad
    done = good if row.chunks_done == row.chunks_total else min(row.chunks_done * limits().chunk_rows, good)
    jobs.report(session, row.job_id, state=jobs.JobState.RUNNING, done=done, total=good)
    audit.record(
        session,
        SYSTEM,
        "accounts.employments.imported",
        subject_type="import",
        subject_id=row.id,
        tenant_id=row.tenant_id,
        data={"chunk": row.chunks_done, "added": taken.added, "changed": taken.changed, "by": str(row.created_by)},
    )


def _keep_late(services: Services, session: Session, row: Import, faults: Sequence[Fault]) -> None:
    """Name the rows that stopped fitting between preview and import."""
    _add_faults(session, row, faults)
    row.rows_bad += len(faults)
    late = {fault.row for fault in faults}
    rows = {candidate.row: candidate for candidate in staging.good(services, row.id, row.chunks_done)}
    merged = {one.row: one for one in staging.parts(services, row.id).bad(row.chunks_done)}
    merged |= {number: staging.as_bad(rows[number]) for number in late}
    staging.parts(services, row.id).keep_bad(row.chunks_done, [merged[number] for number in sorted(merged)])


def _finish_import(services: Services, import_id: uuid.UUID) -> None:
    with services.db.transaction(WORKER_SCOPE) as session:
        row = _import_row(session, import_id, lock=True)
        if row is None or row.state != "importing" or row.chunks_done != row.chunks_total:
            return
        row.state, row.finished_at = "done", clock.now()
        chunks_total, good = row.chunks_total, row.rows_total - row.rows_bad
        jobs.report(session, row.job_id, state=jobs.JobState.DONE, done=good, total=good)
        audit.record(
            session,
            SYSTEM,
            "accounts.import.finished",
            subject_type="import",
            subject_id=row.id,
            tenant_id=row.tenant_id,
            data={"added": row.people_added, "changed": row.people_changed, "bad": row.rows_bad},
        )
    staging.parts(services, import_id).forget_good(chunks_total)


def write_bad_rows(services: Services, *, job_id: str, import_id: str) -> None:
    """Write the bad rows as they stood in the file, with what is wrong, for download."""
    found = uuid.UUID(import_id)
    with services.db.transaction(WORKER_SCOPE, read_only=True) as session:
        row = _import_row(session, found)
        if row is None:
            return
        name, chunks_total, tenant_id = row.file_name, row.chunks_total, row.tenant_id
        reasons = queries.reasons_by_row(session, tenant_id, found)
        names = {post.code: post.name_zh for post in register.posts(session)}
    heads = [str(COLUMN_TEXTS[column]) for column in COLUMNS] + ["行号", "错误原因"]

    parts = staging.parts(services, found)

    def rows() -> Iterator[Sequence[object]]:
        for chunk in range(chunks_total):
            for bad in parts.bad(chunk):
                yield (*(names.get(cell, cell) for cell in bad.cells), str(bad.row), reasons.get(bad.row, ""))

    stem = name.rsplit(".", 1)[0]
    _publish_file(services, uuid.UUID(job_id), "错误行", heads, rows(), f"{stem}-错误行.xlsx")


def export_staff(services: Services, *, job_id: str, tenant_id: str, query: dict[str, str]) -> None:
    """Write the staff list as filtered on the page, numbers masked, for download."""
    wanted = queries.Filter.of(query)
    with services.db.transaction(WORKER_SCOPE, read_only=True) as session:
        rows = [
            (one.name, one.id_number_masked, one.post_zh, one.department_name, one.phone_masked, one.hired_on,
             one.left_on or "", "是" if one.is_activated else "否")
            for one in queries.all_staff(session, uuid.UUID(tenant_id), wanted)
        ]  # fmt: skip
    heads = [str(COLUMN_TEXTS[column]) for column in COLUMNS] + ["离职日期", "已激活"]
    _publish_file(services, uuid.UUID(job_id), "员工", heads, rows, f"staff-{clock.today()}.xlsx")


def _publish_file(
    services: Services,
    job_id: uuid.UUID,
    sheet: str,
    heads: Sequence[str],
    rows: Iterable[Sequence[object]],
    file_name: str,
) -> None:
    key = f"exports/{uuid.uuid4()}.xlsx"
    with tempfile.TemporaryDirectory() as folder:
        target = Path(folder) / "table.xlsx"
        count = files.write_table(target, sheet, heads, rows)
        services.storage.put(key, target)
    with services.db.transaction(WORKER_SCOPE) as session:
        done = {"state": jobs.JobState.DONE, "done": count, "total": count}
        jobs.report(session, job_id, **done, object_key=key, file_name=file_name)


def forget_old_files(services: Services) -> None:
    """Delete the files of imports that are over and older than the retention period."""
    before = clock.now() - timedelta(days=limits().keep_files_days)
    with services.db.transaction(WORKER_SCOPE) as session:
        old = session.scalars(
            select(Import).where(
                Import.created_at < before,
                Import.files_forgotten_at.is_(None),
                Import.state != "importing",
            )
        ).all()
        for row in old:
            staging.parts(services, row.id).forget_all(row.chunks_total)
            # A check or preview that nobody ever confirmed has lost its file with this.
            state = row.state if row.state in {"done", "refused"} else "cancelled"
            session.execute(
                update(Import)
                .where(Import.tenant_id == row.tenant_id, Import.id == row.id)
                .values(files_forgotten_at=clock.now(), state=state)
            )
