"""The registrations of attempts."""

from __future__ import annotations

from exams.attempts import tasks
from exams.attempts.access import P
from exams.attempts.views import blueprint, next_step
from lms.core.access import Role
from lms.core.i18n import lazy_gettext as _
from lms.core.services import Kernel, NavItem


def register(kernel: Kernel) -> None:
    """Register the exam pages and the end of time."""
    kernel.blueprints.append(blueprint)
    kernel.grant(Role.TRAINEE, P.TAKE)
    kernel.slot("courses.next_step", next_step)
    kernel.nav.append(NavItem("exams.my_exams", _("考试"), "clipboard-text", P.TAKE, 30))
    kernel.ticker(tasks.SUBMIT_OVERDUE, tasks.submit_overdue, every_s=tasks.SUBMIT_OVERDUE_EVERY_S)
