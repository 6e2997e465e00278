"""The enterprise's pages: assigning programmes and following them."""

from __future__ import annotations

import uuid

from flask import flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue

from lms.accounts import api as accounts
from lms.core import clock, jobs, queue, web
from lms.core.errors import DomainError, Forbidden, NotFound
from lms.core.i18n import gettext as _
from lms.core.i18n import in_language
from lms.courses.access import P
from lms.courses.assignments import operations, queries, rules
from lms.courses.assignments.forms import AssignmentForm, DecisionForm, parse_ids
from lms.courses.catalogue.queries import programmes
from lms.courses.choices import choices
from lms.courses.learning import checks
from lms.courses.pages import bp
from lms.courses.tasks import EXPORT_ASSIGNMENTS, EXPORT_PEOPLE

NO_ID = uuid.UUID(int=0)


def _tenant() -> uuid.UUID:
    tenant_id = web.actor().tenant_id
    if tenant_id is None:
        raise Forbidden
    return tenant_id


@bp.get("/assignments")
@web.requires(P.ASSIGNMENT_READ)
def assignment_list() -> ResponseReturnValue:
    """List the enterprise's assignments."""
    words, state = request.args.get("q", "").strip(), request.args.get("state", "")
    page = queries.list_assignments(
        web.db(), _tenant(), words=words, state=state, cursor=request.args.get("cursor") or None
    )
    return render_template(
        "courses/assignments.html",
        page=page,
        figures=queries.figures(web.db(), _tenant()),
        q=words,
        state=state,
    )


@bp.post("/assignments/export")
@web.requires(P.ASSIGNMENT_READ)
def export_assignments() -> ResponseReturnValue:
    """Start a job that writes the list as a spreadsheet."""
    job_id = jobs.start(web.db(), web.actor(), EXPORT_ASSIGNMENTS, _("导出培训任务"))
    queue.enqueue(
        web.db(),
        EXPORT_ASSIGNMENTS,
        job_id=str(job_id),
        tenant_id=str(_tenant()),
        words=request.form.get("q", "").strip(),
        state=request.form.get("state", ""),
    )
    return redirect(url_for("core.job", job_id=job_id), 303)


def _offer(form: AssignmentForm) -> AssignmentForm:
    session = web.db()
    form.programme_code.choices = choices((p.code, in_language(p.name_zh, p.name_en)) for p in programmes(session))
    listed = [(p.code, in_language(p.name_zh, p.name_en)) for p in accounts.posts(session)]
    form.post_code.choices = choices([("", _("请选择岗位")), *listed])
    return form


def _chosen(employment_ids: list[uuid.UUID]) -> list[accounts.EmploymentView]:
    """Return the ticked employees of this enterprise; ids of others fall away."""
    found = []
    for employment_id in employment_ids[: rules.SELECTED_PEOPLE_MAX]:
        try:
            found.append(accounts.employment(web.db(), _tenant(), employment_id))
        except NotFound:
            continue
    return found


@bp.get("/assignments/new")
@web.requires(P.ASSIGNMENT_CREATE)
def new_assignment() -> ResponseReturnValue:
    """Show the form; ``employment`` names the people ticked on the staff list."""
    people = _chosen(parse_ids(request.args.getlist("employment")))
    form = _offer(AssignmentForm(target="people" if people else "post"))
    return _form_page(form, people)


def _form_page(form: AssignmentForm, people: list[accounts.EmploymentView], error: str | None = None) -> str:
    for person in people:
        web.note_personal_read("employment", person.employment_id, fields=["name"])
    return render_template(
        "courses/assignment_new.html", form=form, people=people, error=error, programmes=programmes(web.db())
    )


@bp.post("/assignments/new")
@web.requires(P.ASSIGNMENT_CREATE)
def create_assignment() -> ResponseReturnValue:
    """Give the programme."""
    form = _offer(AssignmentForm())
    employment_ids = parse_ids(request.form.getlist("employment"))
    due_on = form.due_on.data
    if not form.validate_on_submit() or due_on is None:
        return _form_page(form, _chosen(employment_ids)), 422
    for_post = form.target.data == "post"
    try:
        made = operations.assign_programme(
            web.db(),
            web.actor(),
            programme_code=form.programme_code.data,
            due_on=due_on,
            post_code=form.post_code.data if for_post else None,
            employment_ids=() if for_post else employment_ids,
        )
    except DomainError as error:
        return _form_page(form, _chosen(employment_ids), error.text()), error.status
    if made.enrolled is None:
        flash(_("任务已建立，正在后台安排人员"), "success")
    else:
        flash(_("已安排 %(n)s 人，跳过 %(skipped)s 人", n=made.enrolled, skipped=made.skipped), "success")
    return redirect(url_for("courses.assignment_page", assignment_id=made.assignment_id), 303)


@bp.get("/assignments/<uuid:assignment_id>")
@web.requires(P.ASSIGNMENT_READ)
def assignment_page(assignment_id: uuid.UUID) -> ResponseReturnValue:
    """Show an assignment with its people and their progress."""
    session, tenant_id = web.db(), _tenant()
    row = queries.one_assignment(session, tenant_id, assignment_id)
    state = request.args.get("state", "")
    page = queries.people_of(session, tenant_id, assignment_id, state=state, cursor=request.args.get("cursor") or None)
    for person in page.items:
        web.note_personal_read("employment", person.person_id, fields=["name", "id_number_masked", "progress"])
    return render_template(
        "courses/assignment.html",
        row=row,
        page=page,
        state=state,
        referred=queries.referred_checks(session, tenant_id, assignment_id),
        today=clock.today(),
    )


@bp.post("/assignments/<uuid:assignment_id>/cancel")
@web.requires(P.ASSIGNMENT_CREATE)
def cancel_assignment(assignment_id: uuid.UUID) -> ResponseReturnValue:
    """Withdraw an assignment."""
    ended = operations.cancel_assignment(web.db(), web.actor(), assignment_id)
    flash(_("任务已撤销，%(n)s 人不再需要完成", n=ended), "success")
    return redirect(url_for("courses.assignment_page", assignment_id=assignment_id), 303)


@bp.post("/assignments/<uuid:assignment_id>/export")
@web.requires(P.ASSIGNMENT_READ)
def export_people(assignment_id: uuid.UUID) -> ResponseReturnValue:
    """Start a job that writes the people and their progress as a spreadsheet."""
    queries.one_assignment(web.db(), _tenant(), assignment_id)
    job_id = jobs.start(web.db(), web.actor(), EXPORT_PEOPLE, _("导出培训进度"))
    queue.enqueue(
        web.db(),
        EXPORT_PEOPLE,
        job_id=str(job_id),
        tenant_id=str(_tenant()),
        assignment_id=str(assignment_id),
        state=request.form.get("state", ""),
    )
    return redirect(url_for("core.job", job_id=job_id), 303)


@bp.post("/assignments/<uuid:assignment_id>/checks/<uuid:check_id>")
@web.requires(P.FACE_CHECK_DECIDE)
def decide_check(assignment_id: uuid.UUID, check_id: uuid.UUID) -> ResponseReturnValue:
    """Settle a referred face check."""
    form = DecisionForm()
    if not form.validate_on_submit():
        flash(_("请选择结论并填写原因"), "error")
        return redirect(url_for("courses.assignment_page", assignment_id=assignment_id), 303)
    checks.decide_face_check(
        web.db(), web.actor(), check_id, same_person=form.same_person.data == "yes", reason=form.reason.data or ""
    )
    flash(_("已记录您的结论"), "success")
    return redirect(url_for("courses.assignment_page", assignment_id=assignment_id), 303)
