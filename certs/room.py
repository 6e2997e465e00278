"""What the certificates' room brings to the product."""

from __future__ import annotations

from certs import demo, tasks
from certs.access import P
from certs.actions import operations as actions
from certs.actions import tasks as action_tasks
from certs.actions.views import blueprint as actions_blueprint
from certs.check.views import blueprint as check_blueprint
from certs.check.views import install as install_check
from certs.commands import certs_group, load_reference
from certs.events import CertificateIssued, CertificateStatusChanged
from certs.imports import operations as imports
from certs.imports import tasks as import_tasks
from certs.imports.earlier import EARLIER_CERTIFICATES
from certs.imports.views import blueprint as imports_blueprint
from certs.issue import bulk, bulk_tasks
from certs.issue.bulk_views import blueprint as bulk_blueprint
from certs.issue.handlers import on_attempt_graded
from certs.issue.tasks import ISSUE_TASK, issue, queue_stale
from certs.registry.commands import registry_group
from certs.registry.operations import sequence_all
from certs.registry.views import blueprint as registry_blueprint
from certs.schemes import credentials
from certs.schemes import tasks as scheme_tasks
from certs.schemes.draft_views import blueprint as drafts_blueprint
from certs.schemes.drafts import TELL_TASK as TELL_DRAFT_TASK
from certs.schemes.dryrun_views import blueprint as eligibility_blueprint
from certs.schemes.template_views import blueprint as templates_blueprint
from certs.schemes.views import blueprint as schemes_blueprint
from certs.status import lists
from certs.status import tasks as status_tasks
from certs.status.cases import TELL_TASK
from certs.status.corrections import CORRECT_TASK
from certs.status.views import blueprint as status_blueprint
from certs.verify import views as verify_views
from certs.verify.commands import verify_command
from certs.views import blueprint, earned_notice, home_strip, staff_column, staff_strip
from exams.events import AttemptGraded
from lms.core.access import Role
from lms.core.i18n import lazy_gettext as _
from lms.core.imports import registration
from lms.core.services import Kernel, NavItem

REFERENCE_ORDER = 40
SEQUENCE_EVERY_S = 1.0
QUEUE_STALE_EVERY_S = 60.0


def register(kernel: Kernel) -> None:
    """Register pages, rights, jobs and the sequencer."""
    kernel.blueprints.extend((blueprint, check_blueprint, bulk_blueprint, status_blueprint, registry_blueprint))
    kernel.blueprints.extend((verify_views.blueprint, imports_blueprint, actions_blueprint))
    kernel.blueprints.extend((schemes_blueprint, eligibility_blueprint, templates_blueprint, drafts_blueprint))
    kernel.installers.append(verify_views.install)
    kernel.installers.append(install_check)
    for event_type in (CertificateIssued, CertificateStatusChanged):
        kernel.events.setdefault(event_type.__name__, event_type)
    kernel.subscribe(AttemptGraded, on_attempt_graded, name="certs.on_attempt_graded")
    kernel.task(ISSUE_TASK, issue, queue="certs", max_attempts=8)
    kernel.task(tasks.EXPORT, tasks.export)
    kernel.task(TELL_TASK, status_tasks.tell_officials)
    kernel.task(CORRECT_TASK, status_tasks.correct, queue="certs", max_attempts=8)
    kernel.task(status_tasks.EXPORT, status_tasks.export)
    kernel.ticker("certs.corrections", status_tasks.queue_unfinished, every_s=QUEUE_STALE_EVERY_S)
    kernel.ticker("certs.status_list", lists.build_when_due, every_s=QUEUE_STALE_EVERY_S)
    kernel.ticker("certs.sequence", sequence_all, every_s=SEQUENCE_EVERY_S)
    kernel.task(credentials.RECONSIDER_TASK, scheme_tasks.reconsider, queue="certs", max_attempts=8)
    kernel.task(scheme_tasks.EXPORT, scheme_tasks.export)
    kernel.task(scheme_tasks.EXPORT_LIST, scheme_tasks.export_list)
    kernel.task(scheme_tasks.EXPORT_TEMPLATES, scheme_tasks.export_templates)
    kernel.task(scheme_tasks.EXPORT_DRAFTS, scheme_tasks.export_drafts)
    kernel.task(TELL_DRAFT_TASK, scheme_tasks.tell_draft)
    kernel.task(bulk.START_TASK, bulk_tasks.start, queue="certs", max_attempts=8)
    kernel.task(bulk.CHUNK_TASK, bulk_tasks.chunk, queue="certs", max_attempts=8)
    kernel.task(bulk_tasks.EXPORT, bulk_tasks.export)
    kernel.ticker("certs.requeue_stalled", bulk_tasks.requeue_stalled, every_s=QUEUE_STALE_EVERY_S)
    kernel.task(actions.RUN_TASK, action_tasks.run, queue="certs", max_attempts=8)
    kernel.task(action_tasks.EXPORT, action_tasks.export)
    _register_imports(kernel)
    kernel.ticker("certs.queue_stale", queue_stale, every_s=QUEUE_STALE_EVERY_S)
    kernel.reference_steps.append((REFERENCE_ORDER, load_reference))
    kernel.demo_steps.append((50, demo.make))
    kernel.commands.extend((certs_group, registry_group, verify_command))
    kernel.slot("courses.home", home_strip)
    kernel.slot("exams.passed", earned_notice)
    kernel.slot("accounts.staff.person", staff_strip)
    kernel.column("accounts.staff", _("证书"), staff_column)
    _register_roles(kernel)


def _register_imports(kernel: Kernel) -> None:
    registration.register(kernel, EARLIER_CERTIFICATES)
    kernel.task(imports.WITHDRAW, import_tasks.withdraw)
    kernel.task(imports.EXPORT, import_tasks.export_imports)


def _register_roles(kernel: Kernel) -> None:
    kernel.grant(Role.TRAINEE, P.HOLD)
    kernel.grant(Role.ENTERPRISE_ADMIN, P.READ_STAFF)
    kernel.grant(Role.INSTITUTION_ADMIN, P.READ_STAFF)
    kernel.grant(Role.REGULATOR, P.SUPERVISE, P.DECIDE, P.IMPORT)
    kernel.grant(Role.REGULATOR, P.READ_SCHEMES, P.EDIT_SCHEMES, P.PUBLISH_SCHEMES, P.RECORD)
    kernel.grant(Role.INSPECTOR, P.SUPERVISE, P.READ_SCHEMES)
    kernel.nav.append(
        NavItem("certs_imports.start", _("证书导入"), "file-spreadsheet", P.IMPORT, 42, ("certs_imports.one",))
    )
    types = (
        *("certs_schemes.scheme", "certs_schemes.new", "certs_schemes.edit", "certs_eligibility.eligible"),
        *("certs_eligibility.person", "certs_drafts.draft_list", "certs_drafts.draft", "certs_templates.template_list"),
        *("certs_templates.template", "certs_templates.new", "certs_templates.edit"),
    )
    kernel.nav.append(NavItem("certs_schemes.scheme_list", _("证书类型"), "adjustments", P.READ_SCHEMES, 42, types))
    kernel.nav.append(NavItem("certs.my_certificates", _("证书"), "certificate", P.HOLD, 40, ("certs.my_certificate",)))
    kernel.nav.append(
        NavItem("certs.staff_list", _("持证管理"), "certificate", P.READ_STAFF, 40, ("certs.staff_certificate",))
    )
    kernel.nav.append(NavItem("certs_bulk.bulk_list", _("批量制证"), "stack-2", P.DECIDE, 41, ("certs_bulk.bulk",)))
    ones = ("certs.regulator_certificate", "certs_actions.new", "certs_actions.action_list", "certs_actions.one")
    kernel.nav.append(NavItem("certs.regulator_list", _("证书监管"), "certificate", P.SUPERVISE, 40, ones))
    cases = ("certs_status.case_list", "certs_status.case_page")
    kernel.nav.append(NavItem("certs_status.cases", _("证书事项"), "gavel", P.SUPERVISE, 41, cases))
