"""Queue entry points about schemes: judging again, exporting lists."""

from __future__ import annotations

import uuid
from dataclasses import asdict
from datetime import date
from typing import Any

from sqlalchemy.orm import Session

import lms.accounts.api as accounts
from certs.issue.operations import request_certificate
from certs.labels import SHEET
from certs.models import Scheme
from certs.schemes import drafts, dryrun, queries, templates, wording
from certs.schemes.credentials import refused_attempts
from certs.schemes.models import Draft, Template
from certs.schemes.rules import Requirements
from lms.core import audit, clock, exports, jobs, notify, queue
from lms.core.access import SYSTEM, Actor
from lms.core.errors import NotFound
from lms.core.i18n import gettext as _
from lms.core.services import Services
from lms.core.tenancy import WORKER_SCOPE, Scope

EXPORT = "certs.export_eligible"
EXPORT_LIST = "certs.export_schemes"
EXPORT_TEMPLATES = "certs.export_templates"
EXPORT_DRAFTS = "certs.export_drafts"
# An export is a file for colleagues, not a page for a reader: it keeps the province's language.
LIST_HEADS = ("代码", "名称", "等级", "版本", "施行日期", "发证机关", "有效期（月）", "继续教育学时/年", "法律依据")
TEMPLATE_HEADS = ("代码", "名称", "英文名称", "版本", "主色", "不显示的栏目", "发布人", "发布时间")
DRAFT_HEADS = (
    *("种类", "名称", "代码", "状态", "拟订人", "拟订时间", "提请人", "提请时间"),
    *("决定人", "决定时间", "退回理由", "发布版本"),
)
PEOPLE_HEADS = ("姓名", "身份证号", "单位", "结果", "说明")


def reconsider(services: Services, *, person_id: str) -> None:
    """Judge a person again who was refused, and ask for the certificate if nothing is missing any more."""
    found = uuid.UUID(person_id)
    with services.db.transaction(WORKER_SCOPE) as session:
        for attempt_id in refused_attempts(session, found):
            request_certificate(session, SYSTEM, person_id=found, attempt_id=attempt_id)


def judged_by(session: Session, asked: dict[str, Any], today: date) -> Scheme:
    """Return the version by which a dry run judges: a draft, as what it would become, else the one in force.

    Of a type that is still to come, its first version. Raises NotFound.
    """
    if asked["draft_id"]:
        return drafts.as_version(drafts.access_draft(session, uuid.UUID(asked["draft_id"])))
    versions = queries.versions_of(session, asked["code"])
    if not versions:
        raise NotFound
    return queries.in_force_of(versions, today)


def target_of(session: Session, asked: dict[str, Any], today: date) -> dryrun.Target:
    """Return by what a dry run judges (``judged_by``)."""
    present = judged_by(session, asked, today)
    return dryrun.Target(present.code, present.version, present.programme_code, Requirements.from_data(present.rules))


def start_export(session: Session, actor: Actor, asked: dict[str, Any]) -> uuid.UUID:
    """Queue the export of a dry run as it is filtered; return the job to watch. Audited as a bulk export."""
    job_id = jobs.start(session, actor, EXPORT, _("导出资格预览"))
    data = {"scheme": asked["code"], "draft": asked["draft_id"], "outcome": asked["outcome"]}
    audit.record(session, actor, "certs.eligible.exported", subject_type="job", subject_id=job_id, data=data)
    queue.enqueue(session, EXPORT, job_id=str(job_id), asked=asked, scope=actor.scope.to_data())
    return job_id


def export(services: Services, *, job_id: str, asked: dict[str, Any], scope: dict[str, Any]) -> None:
    """Judge everybody in the department's own scope and write them down; nothing else is written."""
    today = clock.today()
    with services.db.transaction(Scope.from_data(scope), read_only=True) as session:
        people = dryrun.judged_people(session, target_of(session, asked, today), today)
        rows = (_person_row(one) for one in people if asked["outcome"] in ("", one.outcome))
        exports.publish_table(services, uuid.UUID(job_id), SHEET, PEOPLE_HEADS, rows, f"eligible-{today:%Y%m%d}.xlsx")


def _person_row(one: dryrun.Judged) -> list[str]:
    outcome = str(wording.OUTCOMES[one.outcome])
    return [one.name, one.id_number_masked, one.enterprise_name, outcome, wording.because(one.decision)]


def start_list_export(session: Session, actor: Actor, wanted: queries.SchemeFilter) -> uuid.UUID:
    """Queue the export of the list of certificate types; return the job to watch."""
    job_id = jobs.start(session, actor, EXPORT_LIST, _("导出证书类型"))
    queue.enqueue(session, EXPORT_LIST, job_id=str(job_id), wanted=asdict(wanted))
    return job_id


def export_list(services: Services, *, job_id: str, wanted: dict[str, Any]) -> None:
    """Write the list to storage and name the file in the job."""
    asked = queries.SchemeFilter(**{**wanted, "schemes": tuple(wanted["schemes"])})
    with services.db.transaction(WORKER_SCOPE, read_only=True) as session:
        rows = map(_scheme_row, queries.all_schemes(session, asked))
        exports.publish_table(services, uuid.UUID(job_id), SHEET, LIST_HEADS, rows, "schemes.xlsx")


def _scheme_row(row: Scheme) -> list[str]:
    begins, names = row.effective_from.isoformat(), (row.code, row.name_zh, str(wording.CLASSES[row.class_]))
    figures = (str(row.validity_months), str(row.continuing_hours_per_year))
    return [*names, str(row.version), begins, row.issuer_name, *figures, row.legal_basis]


def tell_draft(services: Services, *, draft_id: str) -> None:
    """Tell the other officials of a department that a draft waits for one of them, each of them once."""
    with services.db.transaction(WORKER_SCOPE) as session:
        row = drafts.access_draft(session, uuid.UUID(draft_id))
        notice = notify.Notice(
            title_zh=f"“{row.content['name_zh']}”的草稿待您批准",
            title_en=f"A draft waits for approval: {row.content['name_en']}",
            url=f"/regulator/drafts/{row.id}",
        )
        for person_id in accounts.regulators_of(session, row.tenant_id):
            if person_id != row.asked_by:
                notify.send(session, person_id, notice, dedup_key=f"certs.draft_asked:{row.id}:{row.asked_at}")


def start_templates_export(session: Session, actor: Actor, wanted: queries.TemplateFilter) -> uuid.UUID:
    """Queue the export of the list of page templates; return the job to watch."""
    job_id = jobs.start(session, actor, EXPORT_TEMPLATES, _("导出证书版式"))
    queue.enqueue(session, EXPORT_TEMPLATES, job_id=str(job_id), wanted=asdict(wanted))
    return job_id


def export_templates(services: Services, *, job_id: str, wanted: dict[str, Any]) -> None:
    """Write the list of page templates to storage and name the file in the job."""
    with services.db.transaction(WORKER_SCOPE, read_only=True) as session:
        found = queries.all_templates(session, queries.TemplateFilter(**wanted))
        rows = map(_template_row, found)
        exports.publish_table(services, uuid.UUID(job_id), SHEET, TEMPLATE_HEADS, rows, "templates.xlsx")


def _template_row(row: Template) -> list[str]:
    spec = templates.spec_of(row.spec)
    hidden = "、".join(str(wording.ROWS[name]) for name in spec.hidden)
    names = (row.code, row.name_zh, row.name_en)
    published = (row.published_by_name or "", exports.moment(row.published_at))
    return [*names, str(row.version), str(wording.PALETTES[spec.palette]), hidden, *published]


def start_drafts_export(session: Session, actor: Actor, wanted: queries.DraftFilter) -> uuid.UUID:
    """Queue the export of a department's drafts; return the job to watch."""
    job_id = jobs.start(session, actor, EXPORT_DRAFTS, _("导出草稿清单"))
    queue.enqueue(session, EXPORT_DRAFTS, job_id=str(job_id), wanted=asdict(wanted))
    return job_id


def export_drafts(services: Services, *, job_id: str, wanted: dict[str, Any]) -> None:
    """Write the list of drafts to storage and name the file in the job."""
    with services.db.transaction(WORKER_SCOPE, read_only=True) as session:
        found = queries.all_drafts(session, queries.DraftFilter(**wanted))
        rows = map(_draft_row, found)
        exports.publish_table(services, uuid.UUID(job_id), SHEET, DRAFT_HEADS, rows, "drafts.xlsx")


def _draft_row(row: Draft) -> list[str]:
    made, asked, decided = (exports.moment(at) for at in (row.made_at, row.asked_at, row.decided_at))
    names = (str(wording.DRAFT_KINDS[row.kind]), row.content["name_zh"], row.code)
    proposed = (row.made_by_name, made, row.asked_by_name or "", asked)
    answered = (row.decided_by_name or "", decided, row.decision_reason or "")
    version = "" if row.published_version is None else str(row.published_version)
    return [*names, str(wording.draft_state(row)[0]), *proposed, *answered, version]
