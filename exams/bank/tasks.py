"""Queue entry points of the bank."""

from __future__ import annotations

import uuid

from exams.bank import queries, rules
from exams.bank.adapters import sheets
from lms.core import exports
from lms.core.services import Services
from lms.core.tenancy import WORKER_SCOPE


def export_bank(services: Services, *, job_id: str, bank_code: str) -> None:
    """Write the live questions to storage and name the file in the job."""
    with services.db.transaction(WORKER_SCOPE, read_only=True) as session:
        live = queries.live_questions(session, bank_code).values()
    documents = [rules.to_document(one.draft) for one in live]
    exports.publish(services, uuid.UUID(job_id), sheets.write_xlsx(documents), len(documents), f"{bank_code}.xlsx")
