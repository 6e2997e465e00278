"""What a department does with lists of earlier certificates, one function per intention."""

from __future__ import annotations

import hashlib
import uuid
from dataclasses import dataclass
from typing import Any

from sqlalchemy import insert
from sqlalchemy.orm import Session

from certs.errors import ImportNotReady, NothingToImport, SourceMissing, WithdrawReasonMissing
from certs.imports.access import access_import
from certs.imports.models import CertificateImport
from lms.core import audit, clock, jobs, queue
from lms.core.access import Actor
from lms.core.errors import Forbidden
from lms.core.i18n import gettext as _
from lms.core.tenancy import ALL

CHECK = "certs.import_check"
IMPORT = "certs.import"
WITHDRAW = "certs.import_withdraw"
EXPORT = "certs.import_export"
BAD_ROWS = "certs.import_bad_rows"
MAX_FILE_NAME_CHARS = 120
SOURCE_CHARS = range(2, 61)
REASON_CHARS = range(4, 501)
_COUNTS = (
    *("rows_total", "rows_new", "rows_unchanged", "rows_bad", "rows_expired", "rows_photo"),
    *("chunks_total", "chunks_done", "certificates_added", "certificates_withdrawn"),
)


@dataclass(frozen=True, slots=True)
class Upload:
    """A list that passed the guard and stands sealed in storage under ``import_id``; ``photos_name`` empty for none."""

    import_id: uuid.UUID
    source_system: str
    file_name: str
    kind: str
    sha256: str
    photos_name: str = ""


def safe_file_name(name: str) -> str:
    """Return the last part of a file name, printable and bounded; paths are what the sender likes."""
    last = name.replace("\\", "/").rsplit("/", 1)[-1]
    shown = "".join(sign for sign in last if sign.isprintable()).strip(" .")
    return shown[-MAX_FILE_NAME_CHARS:] or "certificates"


def digest_of(data: bytes) -> str:
    """Return the SHA-256 of an upload, by which its file is told apart."""
    return hashlib.sha256(data).hexdigest()


def source_name(given: str) -> str:
    """Return the name of the source system, tidied. Raises SourceMissing."""
    name = " ".join(given.split())
    if len(name) not in SOURCE_CHARS or not name.isprintable():
        raise SourceMissing
    return name


def add_import(session: Session, actor: Actor, upload: Upload) -> None:
    """Record an upload and queue its check. Raises Forbidden for whoever oversees no region."""
    scope = actor.scope
    if actor.tenant_id is None or scope.region_lo is None:
        raise Forbidden
    job_id = jobs.start(session, actor, CHECK, _("校验证书清单：%(name)s", name=upload.file_name))
    session.execute(
        insert(CertificateImport).values(
            tenant_id=actor.tenant_id,
            id=upload.import_id,
            department_name=actor.tenant_name,
            source_system=upload.source_system,
            file_name=upload.file_name,
            kind=upload.kind,
            sha256=upload.sha256,
            photos_name=upload.photos_name,
            state="checking",
            region_code=scope.region_lo,
            # A department of some industries must see what it brings; one of all needs none.
            industry_code="" if scope.industries == ALL else scope.industries[0],
            schemes=list(scope.schemes),
            refusal_data={},
            **dict.fromkeys(_COUNTS, 0),
            job_id=job_id,
            created_by=actor.person_id,
            created_by_name=actor.display_name,
            created_at=clock.now(),
            withdraw_reason="",
            withdrawn_by_name="",
        )
    )
    data = {"file_name": upload.file_name, "sha256": upload.sha256, "source_system": upload.source_system}
    audit.record(session, actor, "certs.import.uploaded", subject_type="import", subject_id=upload.import_id, data=data)
    _queue(session, CHECK, upload.import_id)


def confirm_import(session: Session, actor: Actor, import_id: uuid.UUID) -> None:
    """Let the good rows be taken over by a job. Raises NotFound, ImportNotReady, NothingToImport."""
    row = access_import(session, actor, import_id, lock=True)
    if row.state != "ready":
        raise ImportNotReady
    good = row.rows_total - row.rows_bad
    if not good:
        raise NothingToImport
    row.job_id = jobs.start(session, actor, IMPORT, _("导入证书清单：%(name)s", name=row.file_name), total=good)
    row.state = "importing"
    _audit(session, actor, "confirmed", row)
    _queue(session, IMPORT, import_id)


def cancel_import(session: Session, actor: Actor, import_id: uuid.UUID) -> None:
    """Stop an import; a running one stops after its present chunk, and what it has entered stays.

    Raises NotFound, ImportNotReady when there is nothing to stop.
    """
    row = access_import(session, actor, import_id, lock=True)
    if row.state not in {"checking", "ready", "importing"}:
        raise ImportNotReady
    row.state, row.finished_at = "cancelled", clock.now()
    jobs.report(session, row.job_id, state=jobs.JobState.FAILED, message=_("已取消"))
    _audit(session, actor, "cancelled", row)


def withdraw_import(session: Session, actor: Actor, import_id: uuid.UUID, reason: str) -> None:
    """Let a job cancel every certificate that an import brought, by a decision each; nothing is deleted.

    Raises NotFound, WithdrawReasonMissing, ImportNotReady, NothingToImport.
    """
    row = access_import(session, actor, import_id, lock=True)
    reason = reason.strip()
    if len(reason) not in REASON_CHARS:
        raise WithdrawReasonMissing
    if row.state not in {"done", "cancelled"}:
        raise ImportNotReady
    if not row.certificates_added:
        raise NothingToImport(_("这次导入没有登记证书"))
    title = _("整批注销：%(name)s", name=row.file_name)
    row.job_id = jobs.start(session, actor, WITHDRAW, title, total=row.certificates_added)
    row.state, row.withdraw_reason, row.withdrawn_at = "withdrawing", reason, clock.now()
    row.withdrawn_by, row.withdrawn_by_name = actor.person_id, actor.display_name
    _audit(session, actor, "withdrawn", row, reason=reason)
    _queue(session, WITHDRAW, import_id)


def _queue(session: Session, task: str, import_id: uuid.UUID) -> None:
    queue.enqueue(session, task, import_id=str(import_id), lock=f"certs.import:{import_id}")


def _audit(session: Session, actor: Actor, deed: str, row: CertificateImport, **more: Any) -> None:
    data = {"state": row.state, "rows_total": row.rows_total, "rows_bad": row.rows_bad, **more}
    audit.record(
        session, actor, f"certs.import.{deed}",
        subject_type="import", subject_id=row.id, data=data, tenant_id=row.tenant_id,
    )  # fmt: skip
