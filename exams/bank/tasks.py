"""Queue entry points of the bank."""

from __future__ import annotations

import uuid

from sqlalchemy.orm import Session

from exams.bank import queries
from exams.bank.adapters import sheets
from lms.core import jobs, queue
from lms.core.access import Actor
from lms.core.i18n import gettext as _
from lms.core.services import Services
from lms.core.tenancy import WORKER_SCOPE

EXPORT = "exams.bank_export"


def start_export(session: Session, actor: Actor, bank: queries.BankView) -> uuid.UUID:
    """Queue the export of a bank's live questions with their answers; return the job to watch."""
    job_id = jobs.start(session, actor, EXPORT, _("导出题库：%(name)s", name=bank.name_zh))
    queue.enqueue(session, EXPORT, job_id=str(job_id), bank_code=bank.code)
    return job_id


def export_bank(services: Services, *, job_id: str, bank_code: str) -> None:
    """Write the live questions to storage and name the file in the job."""
    with services.db.transaction(WORKER_SCOPE, read_only=True) as session:
        drafts = [one.draft for one in queries.live_questions(session, bank_code).values()]
    key = f"exports/{uuid.uuid4()}.xlsx"
    services.storage.put(key, sheets.write_xlsx(drafts))
    with services.db.transaction(WORKER_SCOPE) as session:
        jobs.report(
            session,
            uuid.UUID(job_id),
            state=jobs.JobState.DONE,
            done=len(drafts),
            total=len(drafts),
            object_key=key,
            file_name=f"{bank_code}.xlsx",
        )
