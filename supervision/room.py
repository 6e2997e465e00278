"""The room's registrations."""

from __future__ import annotations

from certs.events import CertificateIssued, CertificateStatusChanged
from exams.events import AttemptGraded
from lms.accounts.events import EmploymentEnded, EmploymentsStarted, EmploymentStarted, EnterpriseRegistered
from lms.core.access import Role
from lms.core.i18n import lazy_gettext as _
from lms.core.services import Kernel, NavItem
from lms.courses.events import EnrolmentCancelled, EnrolmentCreated, LessonCredited
from supervision import commands, demo, operations, tasks
from supervision.access import P
from supervision.boards import tasks as board_tasks
from supervision.boards import views as board_views
from supervision.figures import handlers
from supervision.pages import blueprint
from supervision.tenants import views as tenant_views
from supervision.warnings import views as warning_views

REFERENCE_ORDER = 50
# Importing them puts their routes on the blueprint.
PAGES = (board_views, warning_views, tenant_views)
HEARD = (
    (EnterpriseRegistered, handlers.count_enterprise),
    (EmploymentStarted, handlers.count_hiring),
    (EmploymentsStarted, handlers.count_hirings),
    (EmploymentEnded, handlers.count_leaving),
    (EnrolmentCreated, handlers.count_enrolment),
    (EnrolmentCancelled, handlers.count_cancellation),
    (LessonCredited, handlers.count_credit),
    (AttemptGraded, handlers.count_attempt),
    (CertificateIssued, handlers.count_certificate),
    (CertificateStatusChanged, handlers.count_status_change),
)


def register(kernel: Kernel) -> None:
    """Register pages, inline hearers, periodic work, commands and reference data."""
    kernel.blueprints.append(blueprint)
    for event_type, handler in HEARD:
        kernel.subscribe(event_type, handler, name=f"supervision.{handler.__name__}", inline=True)
    kernel.ticker("supervision.fold", tasks.fold, every_s=tasks.FOLD_EVERY_S)
    kernel.ticker("supervision.rebuild", tasks.rebuild, every_s=tasks.LOOK_EVERY_S)
    kernel.task(board_tasks.EXPORT, board_tasks.export_board)
    kernel.commands.append(commands.figures_group)
    kernel.reference_steps.append((REFERENCE_ORDER, operations.load_reference))
    kernel.demo_steps.append((60, demo.make))
    kernel.grant(Role.REGULATOR, P.BOARD_READ, P.BOARD_EXPORT, P.WARNING_READ, P.WARNING_HANDLE)
    kernel.grant(Role.INSPECTOR, P.BOARD_READ, P.WARNING_READ, P.WARNING_HANDLE)
    kernel.grant(Role.ENTERPRISE_ADMIN, P.TENANT_READ)
    kernel.nav.append(NavItem("supervision.board", _("监管看板"), "chart-bar", P.BOARD_READ, 10))
    kernel.nav.append(NavItem("supervision.warning_list", _("预警处置"), "alert-triangle", P.WARNING_READ, 20))
    kernel.nav.append(NavItem("supervision.tenant_home", _("工作台"), "layout-dashboard", P.TENANT_READ, 5))
    kernel.nav.append(NavItem("supervision.tenant_figures", _("培训数据"), "chart-bar", P.TENANT_READ, 60))
    kernel.home(Role.REGULATOR, "supervision.board")
    kernel.home(Role.INSPECTOR, "supervision.board")
    kernel.home(Role.ENTERPRISE_ADMIN, "supervision.tenant_home")
