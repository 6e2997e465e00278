"""Queue entry point: the staff list as a file. Those of rosters are the kernel's."""

from __future__ import annotations

import uuid

from lms.accounts.staff import queries
from lms.accounts.staff.rules import COLUMNS
from lms.accounts.staff.texts import COLUMN_TEXTS
from lms.core import clock, exports
from lms.core.services import Services
from lms.core.tenancy import WORKER_SCOPE


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
    exports.publish_table(services, uuid.UUID(job_id), "员工", heads, rows, f"staff-{clock.today()}.xlsx")
