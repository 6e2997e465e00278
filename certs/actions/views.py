"""Pages of what is done to many certificates at once: confirm, watch, stop, read the result."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from urllib.parse import urlencode

from flask import Blueprint, current_app, flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue

from certs.access import P
from certs.actions import operations, queries, tasks, texts
from certs.actions.access import access_action
from certs.actions.forms import ReasonForm, ids_of
from certs.actions.limits import limits
from certs.actions.models import Action
from certs.actions.operations import NewAction, limit_of
from certs.actions.rules import DECISIONS, Kind
from certs.errors import ChoiceUnreadable, NothingChosen, TooManyChosen
from certs.labels import LABELS, TONES
from certs.listing import kept_filters, wanted_of_regulator
from certs.status.reasons import reasons_for
from lms.core import access, ids, jobs, web
from lms.core.errors import DomainError, NotFound
from lms.core.i18n import gettext as _
from lms.core.i18n import in_language

blueprint = Blueprint("certs_actions", __name__, template_folder="../templates", url_prefix="/regulator/actions")


def _kind(given: str) -> Kind:
    """Return what is to be done; deciding takes more than looking. Raises NotFound, Forbidden."""
    try:
        kind = Kind(given)
    except ValueError:
        raise NotFound from None
    if kind in DECISIONS:
        access.check(web.actor(), P.DECIDE)
    return kind


def _chosen(kind: Kind, given: Sequence[str]) -> list[uuid.UUID]:
    """Return the ticked certificates, or all that the filter finds.

    Raises ChoiceUnreadable, TooManyChosen, NothingChosen.
    """
    limit = limit_of(kind)
    if not request.values.get("all"):
        found = list(dict.fromkeys(ids_of(given)))
    else:
        found = queries.found_by(web.db(), wanted_of_regulator(), limit + 1)
    if len(found) > limit:
        raise TooManyChosen(limit=limit)
    if not found:
        raise NothingChosen
    return found


@blueprint.get("/new")
@web.requires(P.SUPERVISE)
def new() -> ResponseReturnValue:
    """Show what would be done to how many certificates, and ask for the reason."""
    kind = _kind(request.args.get("kind", ""))
    try:
        chosen = _chosen(kind, request.args.getlist("certificate"))
    except (NothingChosen, TooManyChosen) as refusal:
        flash(refusal.text(), "error")
        return redirect(f"{url_for('certs.regulator_list')}?{urlencode(kept_filters())}")
    return _confirm_page(kind, chosen, ids.new_id(), ReasonForm(formdata=None))


def _confirm_page(
    kind: Kind, chosen: list[uuid.UUID], action_id: uuid.UUID, form: ReasonForm, refusal: str = ""
) -> str:
    session, is_all = web.db(), bool(request.values.get("all"))
    shown = limits().shown_rows
    found = queries.chosen_of(session, kind, chosen, shown)
    listed = dict.fromkeys(seen.certificate.id for seen in found.first)
    for certificate_id in listed:
        web.note_personal_read("certificate", certificate_id)
    reasons = reasons_for(session, DECISIONS[kind]) if kind in DECISIONS else []
    return render_template(
        "certs/action_new.html",
        kind=kind,
        texts=texts,
        action_id=action_id,
        found=found,
        unlisted=[one for one in chosen if one not in listed],
        is_all=is_all,
        kept=kept_filters(),
        form=form,
        refusal=refusal,
        choices=[(row.code, in_language(row.name_zh, row.name_en)) for row in reasons],
        labels=LABELS,
        tones=TONES,
    )


@blueprint.post("")
@web.requires(P.SUPERVISE)
def order() -> ResponseReturnValue:
    """Order what the page has confirmed; sent twice, it orders once."""
    kind = _kind(request.form.get("kind", ""))
    action_id = web.uuid_or_none(request.form.get("action_id"))
    if action_id is None:
        raise ChoiceUnreadable
    form = ReasonForm()
    given, is_all = request.form.getlist("certificate"), bool(request.form.get("all"))
    if kind in DECISIONS and not form.validate_on_submit():
        refusal = "；".join(str(text) for errors in form.errors.values() for text in errors)
        return _confirm_page(kind, _chosen(kind, given), action_id, form, refusal), 422
    confirmed = request.form.get("confirmed", "")
    wanted = NewAction(
        action_id,
        kind,
        certificate_ids=() if is_all else ids_of(given),
        wanted=wanted_of_regulator() if is_all else None,
        confirmed=int(confirmed) if confirmed.isdecimal() and len(confirmed) < 10 else 0,
        reason_code=form.code.data or "",
        reason=form.reason.data or "",
    )
    try:
        found = operations.order(web.db(), web.actor(), wanted)
    except DomainError as refused:
        if refused.status not in {409, 422} or isinstance(refused, (NothingChosen, TooManyChosen)):
            raise
        return _confirm_page(kind, _chosen(kind, given), action_id, form, refused.text()), refused.status
    return redirect(url_for(".one", action_id=found))


@blueprint.get("")
@web.requires(P.SUPERVISE)
def action_list() -> ResponseReturnValue:
    """List what the department has done to many certificates at once."""
    kind, state = _list_filter()
    page = queries.action_page(web.db(), kind, state, request.args.get("cursor"))
    return render_template(
        "certs/actions.html",
        page=page,
        kind=kind,
        state=state,
        texts=texts,
        kind_filters=[("", _("全部事项")), *((one.value, name) for one, name in texts.KINDS.items())],
        state_filters=[("", _("全部状态")), *((code, name) for code, (name, _tone) in texts.STATES.items())],
    )


def _list_filter() -> tuple[str, str]:
    kind, state = request.args.get("kind", ""), request.args.get("state", "")
    return kind if kind in set(Kind) else "", state if state in texts.STATES else ""


@blueprint.post("/export")
@web.requires(P.SUPERVISE)
def export() -> ResponseReturnValue:
    """Export the list by a job."""
    kind, state = _list_filter()
    job_id = tasks.start_export(web.db(), web.actor(), action_id=None, kind=kind, state=state)
    return redirect(url_for("core.job", job_id=job_id))


@blueprint.get("/<uuid:action_id>")
@web.requires(P.SUPERVISE)
def one(action_id: uuid.UUID) -> ResponseReturnValue:
    """Show how far an action is, and what became of each certificate."""
    session = web.db()
    row = access_action(session, action_id)
    state = _item_state()
    page = queries.item_page(session, row, state, request.args.get("cursor"))
    for _item, seen in page.items:
        if seen is not None:
            web.note_personal_read("certificate", seen.certificate.id)
    reasons = reasons_for(session, DECISIONS[Kind(row.kind)]) if row.reason_code else []
    return render_template(
        "certs/action.html",
        **_progress(row),
        page=page,
        state=state,
        reason=next((one for one in reasons if one.code == row.reason_code), None),
        item_filters=[("", _("全部")), *((code, name) for code, (name, _tone) in texts.ITEM_STATES.items())],
        labels=LABELS,
        tones=TONES,
    )


def _item_state() -> str:
    state = request.args.get("state", "")
    return state if state in texts.ITEM_STATES else ""


def _progress(row: Action) -> dict[str, object]:
    session = web.db()
    counts = queries.counts_of(session, row.tenant_id, row.id)
    return {"one": row, "job": jobs.access_job(session, row.job_id), "counts": counts, "texts": texts}


@blueprint.get("/<uuid:action_id>/progress")
@web.requires(P.SUPERVISE)
def progress(action_id: uuid.UUID) -> ResponseReturnValue:
    """Show how far an action is; once it is over the page loads itself again."""
    row = access_action(web.db(), action_id)
    response = current_app.make_response(render_template("certs/_action_progress.html", **_progress(row)))
    if row.state != "running":
        response.headers["HX-Refresh"] = "true"
    return response


@blueprint.post("/<uuid:action_id>/stop")
@web.requires(P.SUPERVISE)
def stop(action_id: uuid.UUID) -> ResponseReturnValue:
    """Do nothing more; what is done stays."""
    operations.stop(web.db(), web.actor(), action_id)
    flash(_("已停止；已办理的不受影响"), "info")
    return redirect(url_for(".one", action_id=action_id))


@blueprint.post("/<uuid:action_id>/export")
@web.requires(P.SUPERVISE)
def export_items(action_id: uuid.UUID) -> ResponseReturnValue:
    """Export an action's result by a job."""
    row = access_action(web.db(), action_id)
    job_id = tasks.start_export(web.db(), web.actor(), action_id=row.id, kind="", state=_item_state())
    return redirect(url_for("core.job", job_id=job_id))
