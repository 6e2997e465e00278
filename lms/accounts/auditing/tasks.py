"""Verifying the audit log in the background."""

from __future__ import annotations

import uuid

from lms.core import jobs, sealing
from lms.core.jobs import JobState
from lms.core.services import Services
from lms.core.tenancy import WORKER_SCOPE

VERIFY = "accounts.verify_audit"


def verify_audit(services: Services, *, job_id: str) -> None:
    """Check every row, the chain and its signatures; tell the job's owner what came out."""
    job = uuid.UUID(job_id)
    with services.db.transaction(WORKER_SCOPE) as session:
        jobs.report(session, job, state=JobState.RUNNING)
    verdict = sealing.verify(services)
    if verdict.holds:
        message = f"校验通过：{verdict.rows} 条记录完整，未被改动 / {verdict.rows} rows are whole and unaltered"
    else:
        message = f"校验未通过 / the log does not hold: {verdict.problem}"
    changes = {
        "state": JobState.DONE if verdict.holds else JobState.FAILED,
        "message": message[:500],
        "done": verdict.rows,
        "total": verdict.rows,
        "detail": {"holds": verdict.holds, "problem": verdict.problem},
    }
    with services.db.transaction(WORKER_SCOPE) as session:
        jobs.report(session, job, **changes)
