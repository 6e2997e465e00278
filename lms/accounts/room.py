"""What the accounts room adds to the product."""

from __future__ import annotations

from lms.accounts import commands, demo, reference_data, views
from lms.accounts.access import P
from lms.accounts.auditing import tasks as audit_tasks
from lms.accounts.auditing import views as audit_views
from lms.accounts.blueprint import bp
from lms.accounts.faces import operations as faces
from lms.accounts.faces import views as face_views
from lms.accounts.sign_in import views as sign_in_views
from lms.accounts.sign_in.loading import StoredSessions
from lms.accounts.staff import room as staff
from lms.core.access import Role
from lms.core.i18n import lazy_gettext as _
from lms.core.recognition import Recognition
from lms.core.services import Kernel, NavItem

# The views hang themselves on the blueprint when they are imported.
VIEWS = (views, audit_views, face_views, sign_in_views)
FORGET_EVERY_S = 600.0


def register(kernel: Kernel) -> None:
    """Register pages, permissions, jobs, reference data and commands."""
    kernel.blueprints.append(bp)
    kernel.installers.append(views.install)
    kernel.recognition = Recognition(StoredSessions(kernel))
    kernel.reference_steps.append((10, reference_data.load_all))
    kernel.commands.append(commands.accounts_group)
    kernel.demo_steps.append((10, demo.make_bodies))
    kernel.demo_steps.append((25, demo.make_people))
    kernel.task(faces.FORGET_OBJECT, faces.forget_object)
    kernel.task(audit_tasks.VERIFY, audit_tasks.verify_audit, max_attempts=2)
    kernel.ticker("accounts.forget_expired", faces.forget_expired, every_s=FORGET_EVERY_S)
    _grant(kernel)
    staff.register(kernel)


def _grant(kernel: Kernel) -> None:
    for role in Role:
        kernel.grant(role, P.PROFILE_READ)
    kernel.grant(Role.AUDITOR, P.AUDIT_READ, P.AUDIT_VERIFY)
    kernel.home(Role.AUDITOR, "accounts.audit_log")
    kernel.nav.append(NavItem("accounts.audit_log", _("审计日志"), "file-search", P.AUDIT_READ, 10))
    kernel.nav.append(NavItem("accounts.profile", _("我的"), "user", P.PROFILE_READ, 90))
