"""What this room adds to the product."""

from __future__ import annotations

from lms.accounts.events import EmploymentsStarted, EmploymentStarted
from lms.core.access import Role
from lms.core.i18n import lazy_gettext as _
from lms.core.services import Kernel, NavItem
from lms.courses import demo, handlers, reference_data, tasks
from lms.courses.access import P
from lms.courses.assignments import views as assignment_views
from lms.courses.assignments.operations import ENROL_TASK
from lms.courses.catalogue import views as catalogue_views
from lms.courses.learning import views as learning_views
from lms.courses.learning.checks import TELL_ADMINISTRATORS
from lms.courses.pages import bp

# The views hang themselves on the blueprint when they are imported.
VIEWS = (assignment_views, catalogue_views, learning_views)
REFERENCE_ORDER = 30


def register(kernel: Kernel) -> None:
    """Register pages, permissions, jobs, reactions, reference data and the demo."""
    kernel.blueprints.append(bp)
    kernel.grant(Role.TRAINEE, P.LEARN)
    kernel.grant(Role.ENTERPRISE_ADMIN, P.ASSIGNMENT_READ, P.ASSIGNMENT_CREATE, P.FACE_CHECK_DECIDE)
    for role in (Role.INSTRUCTOR, Role.INSTITUTION_ADMIN):
        kernel.grant(role, P.COURSE_READ, P.COURSE_EDIT, P.COURSE_PUBLISH)
    kernel.nav.append(NavItem("courses.home", _("首页"), "home", P.LEARN, 10))
    kernel.nav.append(NavItem("courses.my_trainings", _("学习"), "book-2", P.LEARN, 20))
    kernel.nav.append(NavItem("courses.assignment_list", _("培训任务"), "clipboard-list", P.ASSIGNMENT_READ, 30))
    kernel.nav.append(NavItem("courses.course_list", _("课程"), "book-2", P.COURSE_READ, 10))
    kernel.home(Role.TRAINEE, "courses.home")
    kernel.home(Role.INSTRUCTOR, "courses.course_list")
    kernel.home(Role.INSTITUTION_ADMIN, "courses.course_list")
    kernel.task(ENROL_TASK, tasks.enrol_post)
    kernel.task(TELL_ADMINISTRATORS, tasks.tell_of_referred_check)
    kernel.task(tasks.EXPORT_ASSIGNMENTS, tasks.export_assignments)
    kernel.task(tasks.EXPORT_PEOPLE, tasks.export_people)
    kernel.subscribe(EmploymentStarted, handlers.on_employment_started, name="courses.on_employment_started")
    kernel.subscribe(EmploymentsStarted, handlers.on_employments_started, name="courses.on_employments_started")
    kernel.reference_steps.append((REFERENCE_ORDER, reference_data.load_reference))
    kernel.demo_steps.append((30, demo.make))
