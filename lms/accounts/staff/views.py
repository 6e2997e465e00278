"""Pages of an organisation's staff."""

from __future__ import annotations

import uuid
from typing import Any

from flask import flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue

from lms.accounts import operations as accounts
from lms.accounts import queries as register
from lms.accounts.errors import BadDates, BadIdNumber, BadName, BadPhone, NameDiffers
from lms.accounts.faces import queries as faces
from lms.accounts.faces.operations import confirm_identity
from lms.accounts.labels import IDENTITY_PATHS
from lms.accounts.staff import operations, queries
from lms.accounts.staff.access import P, access_employment, tenant_of
from lms.accounts.staff.blueprint import bp
from lms.accounts.staff.forms import EmployForm, EmploymentForm, LeavingForm
from lms.core import clock, jobs, queue, web
from lms.core.errors import DomainError, NotFound
from lms.core.i18n import gettext as _
from lms.core.i18n import in_language
from lms.core.pages import download
from lms.core.spreadsheets import files

# Which field of the form a refusal belongs to.
FIELD_OF: dict[type[DomainError], str] = {
    BadName: "name",
    NameDiffers: "name",
    BadIdNumber: "id_number",
    BadPhone: "phone",
    BadDates: "hired_on",
}


def _post_choices() -> list[tuple[str, str]]:
    posts = [(post.code, in_language(post.name_zh, post.name_en)) for post in register.posts(web.db())]
    return [("", _("请选择岗位")), *posts]


@bp.get("")
@web.requires(P.READ)
def staff_list() -> ResponseReturnValue:
    """List, search and filter the staff."""
    session, tenant_id = web.db(), tenant_of(web.actor())
    wanted = queries.Filter.of(request.args)
    page = queries.staff_page(session, tenant_id, wanted, request.args.get("cursor"))
    for row in page.items:
        web.note_personal_read("employment", row.employment_id, fields=["name", "id_number_masked"])
    running = queries.running_import(session, tenant_id)
    return render_template(
        "accounts_staff/list.html",
        page=page,
        wanted=wanted,
        figures=queries.figures(session, tenant_id, clock.today()),
        departments=queries.departments(session, tenant_id),
        posts=queries.posts_used(session, tenant_id),
        running=running,
        job=jobs.access_job(session, running.job_id) if running else None,
    )


@bp.post("/export")
@web.requires(P.READ)
def export() -> ResponseReturnValue:
    """Write the list, as filtered, to a file by a job."""
    session, actor = web.db(), web.actor()
    wanted = queries.Filter.of(request.form).as_query()
    job_id = jobs.start(session, actor, operations.EXPORT, _("导出员工名单"))
    tenant_id = str(tenant_of(actor))
    queue.enqueue(session, operations.EXPORT, job_id=str(job_id), tenant_id=tenant_id, query=wanted)
    return redirect(url_for("core.job", job_id=job_id))


@bp.get("/new")
@web.requires(P.EDIT)
def new() -> ResponseReturnValue:
    """Show the form for one new member of staff."""
    form = EmployForm()
    form.post_code.choices = _post_choices()
    return render_template("accounts_staff/new.html", form=form)


@bp.post("/new")
@web.requires(P.EDIT)
def employ() -> ResponseReturnValue:
    """Hire one person."""
    form = EmployForm()
    form.post_code.choices = _post_choices()
    if not form.validate_on_submit():
        return render_template("accounts_staff/new.html", form=form), 422
    given = accounts.NewEmployment(
        name=form.name.data or "",
        id_number=form.id_number.data or "",
        post_code=form.post_code.data,
        department_name=form.department.data or "",
        phone=form.phone.data or "",
        hired_on=form.hired_on.data,
    )
    try:
        employment_id = accounts.employ(web.db(), web.actor(), tenant_of(web.actor()), given)
    except DomainError as refusal:
        field = form[FIELD_OF.get(type(refusal), "id_number")]
        field.errors = [*field.errors, refusal.text()]
        return render_template("accounts_staff/new.html", form=form), 422
    flash(_("已添加员工"), "ok")
    return redirect(url_for(".person", employment_id=employment_id))


def _person_page(employment_id: uuid.UUID, status: int = 200, **shown: Any) -> ResponseReturnValue:
    session, tenant_id = web.db(), tenant_of(web.actor())
    row = queries.staff_row(session, tenant_id, employment_id)
    if row is None:
        raise NotFound
    web.note_personal_read("employment", employment_id, fields=["name", "id_number_masked", "phone_masked"])
    form = shown.pop("form", None) or EmploymentForm(None, post_code=row.post_code, department=row.department_name)
    form.post_code.choices = _post_choices()
    path = faces.identity_path(session, row.person_id)
    page = render_template(
        "accounts_staff/person.html",
        row=row,
        form=form,
        leaving=shown.pop("leaving", None) or LeavingForm(None),
        identity_path=path,
        identity_text=IDENTITY_PATHS.get(path, path),
        **shown,
    )
    return page, status


@bp.get("/<uuid:employment_id>")
@web.requires(P.READ)
def person(employment_id: uuid.UUID) -> ResponseReturnValue:
    """Show one employment and what can be done with it."""
    return _person_page(employment_id)


@bp.post("/<uuid:employment_id>")
@web.requires(P.EDIT)
def change(employment_id: uuid.UUID) -> ResponseReturnValue:
    """Change post, department or phone."""
    form = EmploymentForm()
    form.post_code.choices = _post_choices()
    if not form.validate_on_submit():
        return _person_page(employment_id, 422, form=form)
    try:
        operations.change_employment(
            web.db(),
            web.actor(),
            employment_id,
            post_code=form.post_code.data,
            department=form.department.data or "",
            phone=form.phone.data or None,
        )
    except BadPhone as refusal:
        form.phone.errors = [*form.phone.errors, refusal.text()]
        return _person_page(employment_id, 422, form=form)
    flash(_("任职信息已保存"), "ok")
    return redirect(url_for(".person", employment_id=employment_id))


@bp.post("/<uuid:employment_id>/leave")
@web.requires(P.EDIT)
def leave(employment_id: uuid.UUID) -> ResponseReturnValue:
    """Record that somebody has left."""
    form = LeavingForm()
    if not form.validate_on_submit() or form.left_on.data is None:
        return _person_page(employment_id, 422, leaving=form)
    operations.end_employment(web.db(), web.actor(), employment_id, form.left_on.data)
    flash(_("已登记离职，学习记录和证书随本人保留"), "ok")
    return redirect(url_for(".staff_list"))


@bp.post("/<uuid:employment_id>/reveal")
@web.requires(P.REVEAL)
def reveal(employment_id: uuid.UUID) -> ResponseReturnValue:
    """Show the full id number once, for a stated reason."""
    reason = request.form.get("reason", "")
    number = operations.reveal_id_number(web.db(), web.actor(), employment_id, reason)
    return _person_page(employment_id, id_number=number)


@bp.post("/<uuid:employment_id>/confirm-identity")
@web.requires(P.CONFIRM)
def confirm(employment_id: uuid.UUID) -> ResponseReturnValue:
    """Record that the administrator has seen the person and the identity card."""
    row = access_employment(web.db(), web.actor(), employment_id)
    confirm_identity(web.db(), web.actor(), row.tenant_id, row.person_id)
    flash(_("已记录现场核对身份"), "ok")
    return redirect(url_for(".person", employment_id=employment_id))


@bp.post("/<uuid:employment_id>/code")
@web.requires(P.EDIT)
def one_code(employment_id: uuid.UUID) -> ResponseReturnValue:
    """Make a new activation code for one person and show it once."""
    access_employment(web.db(), web.actor(), employment_id)
    handouts = operations.reissue_codes(web.db(), web.actor(), employment_ids=[employment_id])
    return _person_page(employment_id, code=handouts[0].code)


@bp.get("/codes")
@web.requires(P.EDIT)
def codes() -> ResponseReturnValue:
    """Say how many still wait for their activation, and offer new codes."""
    return render_template(
        "accounts_staff/codes.html", waiting=queries.waiting_for_account(web.db(), tenant_of(web.actor()))
    )


@bp.post("/codes")
@web.requires(P.EDIT)
def all_codes() -> ResponseReturnValue:
    """Hand out new codes of all who wait; their older ones are void."""
    return handout_file(operations.reissue_codes(web.db(), web.actor()))


def handout_file(handouts: list[operations.Handout]) -> ResponseReturnValue:
    """Answer with the codes as a spreadsheet; the server keeps no copy."""
    heads = [_("姓名"), _("身份证号"), _("部门"), _("激活码")]
    rows = [(one.name, one.id_number_masked, one.department, one.code) for one in handouts]
    notes = [
        _("激活码只能使用一次，请当面交给本人，不要群发。"),
        _("本人打开激活页面，输入身份证号和激活码，自行设置密码。"),
        _("系统不保存激活码明文；遗失后可重新签发，原激活码随即作废。"),
    ]
    data = files.table_bytes(_("激活码"), heads, rows, notes)
    return download(data, f"activation-codes-{clock.today()}.xlsx", files.XLSX_MIMETYPE)
