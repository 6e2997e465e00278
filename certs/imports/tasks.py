"""Queue entry points: checking a list, taking it over, withdrawing it, writing lists to files."""

from __future__ import annotations

import tempfile
import uuid
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

from sqlalchemy import delete, select
from sqlalchemy.dialects.postgresql import insert as upsert
from sqlalchemy.orm import Session

from certs.errors import PhotosRefused
from certs.imports import importing, queries, reading, rules, staging
from certs.imports.adapters.photos import Album
from certs.imports.importing import Standing
from certs.imports.limits import limits
from certs.imports.models import CertificateImport, CertificateImportFault
from certs.imports.rules import COLUMNS, Context
from certs.imports.texts import COLUMN_TEXTS, STATE_TEXTS
from certs.models import Certificate, Scheme
from certs.rules import Decision, Status
from certs.schemes.queries import schemes_in_force
from certs.status.operations import Grounds, change
from certs.status.reasons import other_reason, reason_in_force
from lms.core import audit, clock, jobs
from lms.core.access import SYSTEM
from lms.core.services import Services
from lms.core.spreadsheets import files
from lms.core.spreadsheets.cells import Fault
from lms.core.spreadsheets.errors import SheetRefused
from lms.core.spreadsheets.staging import SOURCE
from lms.core.spreadsheets.tables import NameBook
from lms.core.tenancy import ALL, WORKER_SCOPE

FORGET_EVERY_S = 3600.0
WITHDRAW_AT_ONCE = 100


def _import_row(session: Session, import_id: uuid.UUID, *, lock: bool = False) -> CertificateImport | None:
    query = select(CertificateImport).where(CertificateImport.id == import_id)
    return session.scalars(query.with_for_update(key_share=True) if lock else query).first()


def check(services: Services, *, import_id: str) -> None:
    """Judge every row of an upload and prepare the preview. A second run starts over and ends the same."""
    found = uuid.UUID(import_id)
    with services.db.transaction(WORKER_SCOPE) as session:
        row = _import_row(session, found, lock=True)
        if row is None or row.state != "checking":
            return
        tenant_id, kind, has_photos = row.tenant_id, row.kind, bool(row.photos_name)
        mine = (CertificateImportFault.tenant_id == tenant_id, CertificateImportFault.import_id == found)
        session.execute(delete(CertificateImportFault).where(*mine))
        row.rows_total = row.rows_new = row.rows_unchanged = row.rows_bad = row.rows_expired = row.rows_photo = 0
        row.chunks_total = 0
        context = _context(services, session, row)
    parts = staging.parts(services, found)
    try:
        album = Album(parts.get(staging.PHOTOS), limits()) if has_photos else None
        total, rows = files.rows_of(parts.get(SOURCE), kind)
        for chunk in reading.chunks(rows, context, album):
            if not _keep_checked(services, found, chunk, total):
                return
        _finish_check(services, found)
    except (SheetRefused, PhotosRefused) as refusal:
        _refuse(services, found, refusal)


def _context(services: Services, session: Session, row: CertificateImport) -> Context:
    today = clock.today(services.settings.timezone)
    schemes = schemes_in_force(session, today).values()
    allowed = [one for one in schemes if tuple(row.schemes) == ALL or one.code in row.schemes]
    book = NameBook.of((one.code, one.name_zh, one.name_en) for one in allowed)
    # Of every version, those still to come among them: a number of ours must find its place free.
    patterns = session.scalars(select(Scheme.number_pattern).distinct())
    return Context(today, limits(), book, [rules.own_number(pattern) for pattern in sorted(patterns)])


def _keep_checked(services: Services, import_id: uuid.UUID, chunk: reading.Chunk, total: int) -> bool:
    """Compare one chunk with the register and count it; tell whether the check goes on."""
    today = clock.today(services.settings.timezone)
    with services.db.transaction(WORKER_SCOPE) as session:
        row = _import_row(session, import_id, lock=True)
        if row is None or row.state != "checking":
            return False
        number = row.chunks_total
        verdicts = importing.compare(session, chunk.good)
        refused = [v for v in verdicts if v.fault]
        good = [v.candidate for v in verdicts if not v.fault]
        bad = [*chunk.bad, *(staging.as_bad(v.candidate) for v in refused)]
        parts = staging.parts(services, import_id)
        staging.keep_good(parts, number, good, chunk.photos)
        parts.keep_bad(number, sorted(bad, key=lambda one: one.row))
        _add_faults(session, row, [*chunk.faults, *(v.fault for v in refused if v.fault)])
        fresh = [v.candidate for v in verdicts if v.standing is Standing.NEW]
        row.chunks_total = number + 1
        row.rows_total += chunk.size
        row.rows_new += len(fresh)
        row.rows_unchanged += len(good) - len(fresh)
        row.rows_bad += len(bad)
        row.rows_expired += sum(one.is_expired(today) for one in fresh)
        row.rows_photo += sum(bool(one.photo_sha256) for one in fresh)
        done = min(row.rows_total, total)
        jobs.report(session, row.job_id, state=jobs.JobState.RUNNING, done=done, total=total)
    return True


def _add_faults(session: Session, row: CertificateImport, faults: Sequence[Fault]) -> None:
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
    session.execute(upsert(CertificateImportFault).on_conflict_do_nothing(), values)


def _finish_check(services: Services, import_id: uuid.UUID) -> None:
    with services.db.transaction(WORKER_SCOPE) as session:
        row = _import_row(session, import_id, lock=True)
        if row is None or row.state != "checking":
            return
        row.state = "ready"
        jobs.report(session, row.job_id, state=jobs.JobState.DONE, done=row.rows_total, total=row.rows_total)


def _refuse(services: Services, import_id: uuid.UUID, refusal: SheetRefused | PhotosRefused) -> None:
    with services.db.transaction(WORKER_SCOPE) as session:
        row = _import_row(session, import_id, lock=True)
        if row is None or row.state != "checking":
            return
        row.state, row.finished_at, row.refusal_code = "refused", clock.now(), refusal.code
        row.refusal_data = {name: str(value) for name, value in refusal.data.items()}
        chunks_total = row.chunks_total
        jobs.report(session, row.job_id, state=jobs.JobState.FAILED, message=refusal.text()[:500])
    staging.forget(staging.parts(services, import_id), chunks_total, kept=(), bad_too=True)


def take_over(services: Services, *, import_id: str) -> None:
    """Take the good rows over, one transaction for each chunk; after a crash it goes on where it was."""
    found = uuid.UUID(import_id)
    while _take_chunk(services, found):
        pass
    _finish_import(services, found)


def _take_chunk(services: Services, import_id: uuid.UUID) -> bool:
    """Take the next chunk over; tell whether there was one. The row's lock lets nobody else take it."""
    parts = staging.parts(services, import_id)
    with services.db.transaction(WORKER_SCOPE) as session:
        row = _import_row(session, import_id, lock=True)
        if row is None or row.state != "importing" or row.chunks_done == row.chunks_total:
            return False
        candidates = staging.good(parts, row.chunks_done)
        taken = importing.take_over(session, row, candidates)
        if taken.refused:
            _keep_late(services, session, row, candidates, taken.refused)
        row.certificates_added += taken.added
        row.chunks_done += 1
        good = row.rows_total - row.rows_bad
        done = good if row.chunks_done == row.chunks_total else min(row.chunks_done * limits().chunk_rows, good)
        jobs.report(session, row.job_id, state=jobs.JobState.RUNNING, done=done, total=good)
        audit.record(
            session,
            SYSTEM,
            "certs.certificates.imported",
            subject_type="import",
            subject_id=row.id,
            tenant_id=row.tenant_id,
            data={"chunk": row.chunks_done, "added": taken.added, "by": str(row.created_by)},
        )
    return True


def _keep_late(
    services: Services,
    session: Session,
    row: CertificateImport,
    candidates: Sequence[rules.Candidate],
    faults: Sequence[Fault],
) -> None:
    """Name the rows that stopped fitting between preview and import."""
    _add_faults(session, row, faults)
    row.rows_bad += len(faults)
    parts, late = staging.parts(services, row.id), {fault.row for fault in faults}
    merged = {one.row: one for one in parts.bad(row.chunks_done)}
    merged |= {one.row: staging.as_bad(one) for one in candidates if one.row in late}
    parts.keep_bad(row.chunks_done, [merged[number] for number in sorted(merged)])


def _finish_import(services: Services, import_id: uuid.UUID) -> None:
    with services.db.transaction(WORKER_SCOPE) as session:
        row = _import_row(session, import_id, lock=True)
        if row is None or row.state != "importing" or row.chunks_done != row.chunks_total:
            return
        row.state, row.finished_at = "done", clock.now()
        chunks_total, good = row.chunks_total, row.rows_total - row.rows_bad
        kept = queries.photos_kept(session, import_id)
        jobs.report(session, row.job_id, state=jobs.JobState.DONE, done=good, total=good)
        data = {"added": row.certificates_added, "bad": row.rows_bad}
        audit.record(
            session, SYSTEM, "certs.import.finished",
            subject_type="import", subject_id=row.id, tenant_id=row.tenant_id, data=data,
        )  # fmt: skip
    staging.forget(staging.parts(services, import_id), chunks_total, kept=kept, bad_too=False)


def withdraw(services: Services, *, import_id: str) -> None:
    """Cancel what an import brought, some at a time; what somebody has ended meanwhile stays as it is."""
    found = uuid.UUID(import_id)
    while _withdraw_some(services, found):
        pass


def _withdraw_some(services: Services, import_id: uuid.UUID) -> bool:
    with services.db.transaction(WORKER_SCOPE) as session:
        batch = _import_row(session, import_id, lock=True)
        if batch is None or batch.state != "withdrawing":
            return False
        open_ones = session.scalars(
            select(Certificate)
            .where(Certificate.import_id == import_id, Certificate.status.in_((Status.VALID, Status.SUSPENDED)))
            .order_by(Certificate.id)
            .limit(WITHDRAW_AT_ONCE)
        ).all()
        actor = replace(
            SYSTEM,
            person_id=batch.withdrawn_by,
            display_name=batch.withdrawn_by_name,
            tenant_name=batch.department_name,
        )
        reason = reason_in_force(session, Decision.CANCEL, other_reason(Decision.CANCEL))
        for row in open_ones:
            change(session, actor, row, Decision.CANCEL, Grounds(reason, batch.withdraw_reason))
        batch.certificates_withdrawn += len(open_ones)
        done, total = batch.certificates_withdrawn, batch.certificates_added
        jobs.report(session, batch.job_id, state=jobs.JobState.RUNNING, done=done, total=total)
        if not open_ones:
            batch.state = "withdrawn"
            jobs.report(session, batch.job_id, state=jobs.JobState.DONE, done=total, total=total)
        return bool(open_ones)


def write_bad_rows(services: Services, *, job_id: str, import_id: str) -> None:
    """Write the bad rows as they stood in the file, with what is wrong, for download."""
    found = uuid.UUID(import_id)
    with services.db.transaction(WORKER_SCOPE, read_only=True) as session:
        row = _import_row(session, found)
        if row is None:
            return
        name, chunks_total, tenant_id = row.file_name, row.chunks_total, row.tenant_id
        reasons = queries.reasons_by_row(session, tenant_id, found)
        schemes = {code: one.name_zh for code, one in schemes_in_force(session, clock.today()).items()}
    heads = [str(COLUMN_TEXTS[column]) for column in COLUMNS] + [str(queries.ROW_HEAD), str(queries.REASON_HEAD)]
    parts = staging.parts(services, found)

    def bad_rows() -> Iterator[Sequence[object]]:
        for chunk in range(chunks_total):
            for bad in parts.bad(chunk):
                yield (*(schemes.get(cell, cell) for cell in bad.cells), str(bad.row), reasons.get(bad.row, ""))

    stem = name.rsplit(".", 1)[0]
    _publish_file(services, uuid.UUID(job_id), "错误行", heads, bad_rows(), f"{stem}-错误行.xlsx")


def export_imports(services: Services, *, job_id: str, tenant_id: str, q: str, state: str) -> None:
    """Write the list of imports as filtered on the page, for download."""
    zone = ZoneInfo(services.settings.timezone)
    heads = ["文件", "原系统", "上传时间", "上传人", "行数", "有误", "已登记", "已注销", "状态"]
    with services.db.transaction(WORKER_SCOPE, read_only=True) as session:
        rows = [
            (one.file_name, one.source_system, f"{one.created_at.astimezone(zone):%Y-%m-%d %H:%M}",
             one.created_by_name, one.rows_total, one.rows_bad, one.certificates_added, one.certificates_withdrawn,
             STATE_TEXTS[one.state][0])
            for one in queries.all_imports(session, uuid.UUID(tenant_id), q, state)
        ]  # fmt: skip
    _publish_file(services, uuid.UUID(job_id), "证书导入", heads, rows, f"imports-{clock.today()}.xlsx")


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
    """Delete the files of imports that are over and older than the retention period, photos of certificates apart."""
    before = clock.now() - timedelta(days=limits().keep_files_days)
    with services.db.transaction(WORKER_SCOPE) as session:
        old = session.scalars(
            select(CertificateImport).where(
                CertificateImport.created_at < before,
                CertificateImport.files_forgotten_at.is_(None),
                CertificateImport.state.not_in(("importing", "withdrawing")),
            )
        ).all()
        for row in old:
            kept = queries.photos_kept(session, row.id)
            staging.forget(staging.parts(services, row.id), row.chunks_total, kept=kept, bad_too=True)
            # A check or preview that nobody ever confirmed has lost its file with this.
            row.state = "cancelled" if row.state in {"checking", "ready"} else row.state
            row.files_forgotten_at = clock.now()
