"""The registrations of the staff pages."""

from __future__ import annotations

from lms.accounts.staff import import_views, operations, tasks, views
from lms.accounts.staff.access import P
from lms.accounts.staff.blueprint import bp
from lms.accounts.staff.rosters import ROSTERS
from lms.core.access import Role
from lms.core.i18n import lazy_gettext as _
from lms.core.imports import registration
from lms.core.services import Kernel, NavItem

# The views hang themselves on the blueprint when they are imported.
VIEWS = (views, import_views)


def register(kernel: Kernel) -> None:
    """Register the pages of staff and imports, their jobs and permissions."""
    kernel.blueprints.append(bp)
    kernel.task(operations.EXPORT, tasks.export_staff)
    registration.register(kernel, ROSTERS)
    kernel.nav.append(NavItem("accounts_staff.staff_list", _("员工管理"), "users", P.READ, 20))
    kernel.grant(Role.ENTERPRISE_ADMIN, P.READ, P.EDIT, P.REVEAL, P.IMPORT, P.CONFIRM)
