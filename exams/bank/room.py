"""The bank's registrations."""

from __future__ import annotations

from exams.bank import commands, operations, tasks
from exams.bank.access import P
from exams.bank.views import blueprint
from lms.core.access import Role
from lms.core.i18n import lazy_gettext as _
from lms.core.services import Kernel, NavItem

EDITORS = (Role.INSTRUCTOR, Role.INSTITUTION_ADMIN)
REFERENCE_ORDER = 50


def register(kernel: Kernel) -> None:
    """Register the bank's pages, its command and its reference data."""
    kernel.blueprints.append(blueprint)
    kernel.task(operations.EXPORT, tasks.export_bank)
    for role in EDITORS:
        kernel.grant(role, P.READ, P.EDIT)
    kernel.grant(Role.EXPERT, P.READ)
    kernel.nav.append(NavItem("exams_bank.question_list", _("题库"), "database", P.READ, 30))
    kernel.commands.append(commands.bank_group)
    kernel.reference_steps.append((REFERENCE_ORDER, commands.load_reference))
