"""The registrations of the staff pages."""

from __future__ import annotations

from lms.accounts.staff import operations, tasks
from lms.accounts.staff.access import P
from lms.core.access import Role
from lms.core.i18n import lazy_gettext as _
from lms.core.services import Kernel, NavItem


def register(kernel: Kernel) -> None:
    """Register the pages of staff and imports, their jobs and permissions."""
    kernel.task(operations.CHECK, tasks.check)
    kernel.task(operations.IMPORT, tasks.take_over)
    kernel.task(operations.EXPORT, tasks.export_staff)
    kernel.task(operations.BAD_ROWS, tasks.write_bad_rows)
    kernel.ticker("staff.forget_files", tasks.forget_old_files, every_s=tasks.FORGET_EVERY_S)
    kernel.grant(Role.ENTERPRISE_ADMIN, P.READ, P.EDIT, P.REVEAL, P.IMPORT, P.CONFIRM)
