"""What a person does with an import of any kind, one function per intention."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from dataclasses import dataclass

from sqlalchemy import insert
from sqlalchemy.orm import Session

from lms.core import audit, clock, jobs, queue
from lms.core.access import Actor
from lms.core.errors import Forbidden
from lms.core.i18n import gettext as _
from lms.core.imports.access import access_import
from lms.core.imports.errors import ImportNotReady, NothingToImport
from lms.core.imports.kinds import C, I, ImportKind

CREATED_BY_NAME_CHARS = 60
COUNTS = ("rows_total", "rows_new", "rows_unchanged", "rows_bad", "chunks_total")
"""What a check counts, of every kind."""


@dataclass(frozen=True, slots=True)
class Upload:
    """A list that passed the guard and stands sealed in storage under ``import_id``; ``kind`` is xlsx or csv."""

    import_id: uuid.UUID
    file_name: str
    kind: str
    sha256: str


def add(
    session: Session,
    actor: Actor,
    kind: ImportKind[I, C],
    upload: Upload,
    own: Mapping[str, object] | None = None,
    told: Mapping[str, object] | None = None,
) -> None:
    """Record an upload and queue its check. Raises Forbidden.

    ``own`` are columns of the kind's, ``told`` is audited beside the file.
    """
    if actor.tenant_id is None:
        raise Forbidden
    title = str(kind.words.check_title) % {"name": upload.file_name}
    counts = (*COUNTS, "chunks_done", *kind.names.brought.values(), *kind.count(()))
    session.execute(
        insert(kind.imports).values(
            tenant_id=actor.tenant_id,
            id=upload.import_id,
            file_name=upload.file_name,
            kind=upload.kind,
            sha256=upload.sha256,
            state="checking",
            refusal_data={},
            **dict.fromkeys(counts, 0),
            job_id=jobs.start(session, actor, kind.names.check_task, title),
            created_by=actor.person_id,
            created_by_name=actor.display_name[:CREATED_BY_NAME_CHARS],
            created_at=clock.now(),
            **(own or {}),
        )
    )
    audit.record(
        session,
        actor,
        f"{kind.names.room}.import.uploaded",
        subject_type="import",
        subject_id=upload.import_id,
        data={"file_name": upload.file_name, "sha256": upload.sha256, **(told or {})},
    )
    enqueue(session, kind, kind.names.check_task, upload.import_id)


def confirm(session: Session, actor: Actor, kind: ImportKind[I, C], import_id: uuid.UUID) -> None:
    """Let the good rows be taken over by a job. Raises NotFound, ImportNotReady, NothingToImport."""
    row = access_import(session, actor, kind, import_id, lock=True)
    if row.state != "ready":
        raise ImportNotReady
    if not row.rows_good:
        raise NothingToImport
    title = str(kind.words.take_title) % {"name": row.file_name}
    row.job_id = jobs.start(session, actor, kind.names.take_task, title, total=row.rows_good)
    row.state = "importing"
    record(session, actor, kind, "confirmed", row)
    enqueue(session, kind, kind.names.take_task, import_id)


def cancel(session: Session, actor: Actor, kind: ImportKind[I, C], import_id: uuid.UUID) -> None:
    """Stop an import; what it has brought stays, the chunks that it is at are undone.

    Raises NotFound, ImportNotReady when there is nothing to stop.
    """
    row = access_import(session, actor, kind, import_id, lock=True)
    if row.state not in {"checking", "ready", "importing"}:
        raise ImportNotReady
    row.state, row.finished_at = "cancelled", clock.now()
    jobs.report(session, row.job_id, state=jobs.JobState.FAILED, message=_("已取消"))
    record(session, actor, kind, "cancelled", row)


def ask_for_bad_rows(session: Session, actor: Actor, kind: ImportKind[I, C], import_id: uuid.UUID) -> uuid.UUID:
    """Queue the writing of the bad rows with their reasons; return the job to watch.

    Raises NotFound, ImportNotReady.
    """
    row = access_import(session, actor, kind, import_id)
    if not row.rows_bad or row.files_forgotten_at or row.state in {"checking", "refused"}:
        raise ImportNotReady
    task = kind.names.bad_rows_task
    job_id = jobs.start(session, actor, task, _("错误行：%(name)s", name=row.file_name))
    queue.enqueue(session, task, job_id=str(job_id), import_id=str(import_id))
    return job_id


def enqueue(session: Session, kind: ImportKind[I, C], task: str, import_id: uuid.UUID) -> None:
    """Queue a job of an import; no two of one import run at a time."""
    queue.enqueue(session, task, import_id=str(import_id), lock=f"{kind.names.lock}:{import_id}")


def record(session: Session, actor: Actor, kind: ImportKind[I, C], deed: str, row: I, **more: object) -> None:
    """Audit what was done with an import."""
    audit.record(
        session,
        actor,
        f"{kind.names.room}.import.{deed}",
        subject_type="import",
        subject_id=row.id,
        tenant_id=row.tenant_id,
        data={"state": row.state, "rows_total": row.rows_total, "rows_bad": row.rows_bad, **more},
    )
