"""Queue entry points: withdrawing what an import brought, and the list of imports as a file."""

from __future__ import annotations

import uuid
from dataclasses import replace

from sqlalchemy import select

from certs.imports import queries
from certs.imports.earlier import EARLIER_CERTIFICATES
from certs.imports.texts import STATE_TEXTS
from certs.models import Certificate
from certs.rules import Decision, Status
from certs.status.operations import Grounds, change
from certs.status.reasons import other_reason, reason_in_force
from lms.core import clock, exports, jobs
from lms.core.access import SYSTEM
from lms.core.imports.queries import import_row
from lms.core.services import Services
from lms.core.tenancy import WORKER_SCOPE

WITHDRAW_AT_ONCE = 100


def withdraw(services: Services, *, import_id: str) -> None:
    """Cancel what an import brought, some at a time; what somebody has ended meanwhile stays as it is."""
    found = uuid.UUID(import_id)
    while _withdraw_some(services, found):
        pass


def _withdraw_some(services: Services, import_id: uuid.UUID) -> bool:
    with services.db.transaction(WORKER_SCOPE) as session:
        batch = import_row(session, EARLIER_CERTIFICATES, import_id, lock=True)
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


def export_imports(services: Services, *, job_id: str, tenant_id: str, q: str, state: str) -> None:
    """Write the list of imports as filtered on the page, for download."""
    heads = ["文件", "原系统", "上传时间", "上传人", "行数", "有误", "已登记", "已注销", "状态"]
    with services.db.transaction(WORKER_SCOPE, read_only=True) as session:
        rows = [
            (one.file_name, one.source_system, exports.moment(one.created_at),
             one.created_by_name, one.rows_total, one.rows_bad, one.certificates_added, one.certificates_withdrawn,
             STATE_TEXTS[one.state][0])
            for one in queries.all_imports(session, uuid.UUID(tenant_id), q, state)
        ]  # fmt: skip
    exports.publish_table(services, uuid.UUID(job_id), "证书导入", heads, rows, f"imports-{clock.today()}.xlsx")
