"""Pages of warnings for regulators."""

from __future__ import annotations

import uuid

from flask import flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue

import lms.accounts.api as accounts
from lms.core import clock, web
from lms.core.i18n import gettext as _
from lms.core.web import note_personal_read
from supervision.access import P, access_enterprise, access_warning
from supervision.pages import KINDS, LEVEL_NAMES, blueprint, chosen
from supervision.warnings import operations, queries
from supervision.warnings.forms import CheckForm, CommentForm

STATES = ("open", "closed", "all")


@blueprint.get("/warnings")
@web.requires(P.WARNING_READ)
def warning_list() -> ResponseReturnValue:
    """List the cases within the scope; the open ones unless asked otherwise."""
    state = chosen("state", STATES, "open")
    level = chosen("level", queries.LEVELS)
    q = request.args.get("q", "").strip()[:60]
    page = queries.case_page(
        web.db(), state="" if state == "all" else state, level=level, q=q, cursor=request.args.get("cursor")
    )
    return render_template(
        "supervision/warnings.html", page=page, state=state, level=level, q=q, kinds=KINDS, level_names=LEVEL_NAMES
    )


def _case_page(warning_id: uuid.UUID, comment: CommentForm, check: CheckForm, status: int = 200) -> ResponseReturnValue:
    session, actor = web.db(), web.actor()
    row = access_warning(session, warning_id)
    total = access_enterprise(session, row.tenant_id)
    case = queries.case_view(row, total.name)
    notes = queries.notes_of(session, case)
    person = None
    if case.kind == "failed_twice":
        person = accounts.employments_by_person(session, case.tenant_id, [case.subject_id]).get(case.subject_id)
        note_personal_read("person", case.subject_id, fields=["name", "id_number_masked"])
    page = render_template(
        "supervision/warning.html",
        case=case,
        rule=queries.rule_of(session, case),
        notes=notes,
        person=person,
        region=accounts.region(session, case.region_code),
        has_acknowledged=any(note.kind == "acknowledged" and note.author_id == actor.person_id for note in notes),
        comment=comment,
        check=check,
        kinds=KINDS,
        level_names=LEVEL_NAMES,
    )
    return page, status


@blueprint.get("/warnings/<uuid:warning_id>")
@web.requires(P.WARNING_READ)
def warning(warning_id: uuid.UUID) -> ResponseReturnValue:
    """Show a case: what raised it, when, who was told, what was said, how it ended."""
    return _case_page(warning_id, CommentForm(), CheckForm())


@blueprint.post("/warnings/<uuid:warning_id>/acknowledge")
@web.requires(P.WARNING_HANDLE)
def acknowledge_warning(warning_id: uuid.UUID) -> ResponseReturnValue:
    """Put on record that the official has seen the case."""
    operations.add_note(web.db(), web.actor(), warning_id, "acknowledged", "")
    flash(_("已签收"), "ok")
    return redirect(url_for(".warning", warning_id=warning_id))


@blueprint.post("/warnings/<uuid:warning_id>/comment")
@web.requires(P.WARNING_HANDLE)
def comment_warning(warning_id: uuid.UUID) -> ResponseReturnValue:
    """Add a comment."""
    form = CommentForm()
    if not form.validate_on_submit():
        return _case_page(warning_id, form, CheckForm(formdata=None), 422)
    operations.add_note(web.db(), web.actor(), warning_id, "comment", (form.text.data or "").strip())
    flash(_("意见已记录"), "ok")
    return redirect(url_for(".warning", warning_id=warning_id))


@blueprint.post("/warnings/<uuid:warning_id>/close")
@web.requires(P.WARNING_HANDLE)
def close_warning(warning_id: uuid.UUID) -> ResponseReturnValue:
    """End a red case with the result of its check on site."""
    form = CheckForm()
    checked_on = form.checked_on.data if form.validate_on_submit() else None
    if checked_on and checked_on > clock.today():
        form.checked_on.errors = [*form.checked_on.errors, _("核查日期不能晚于今天")]
        checked_on = None
    if checked_on is None:
        return _case_page(warning_id, CommentForm(formdata=None), form, 422)
    operations.close_red(web.db(), web.actor(), warning_id, (form.result.data or "").strip(), checked_on)
    flash(_("核查结果已登记，预警已关闭"), "ok")
    return redirect(url_for(".warning", warning_id=warning_id))
