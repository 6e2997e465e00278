"""Pages of drafts: the department's list, one draft as it would become, and the steps to its publication."""

from __future__ import annotations

import uuid

from flask import Blueprint, Response, flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue

from certs.access import P
from certs.adapters.palettes import PALETTES as COLOURS
from certs.adapters.picture import specimen_webp
from certs.adapters.trial import specimen_pdf
from certs.schemes import drafts, queries, tasks, templates, wording
from certs.schemes.describing import described, differences
from certs.schemes.forms import ReturnForm
from certs.schemes.models import Draft
from certs.schemes.rules import Requirements
from certs.schemes.showing import named, programmes_to
from lms.core import web
from lms.core.errors import NotFound
from lms.core.i18n import gettext as _
from lms.core.pages import download

blueprint = Blueprint("certs_drafts", __name__, template_folder="../templates", url_prefix="/regulator/drafts")
STATES = ("alive", "asked", "published", "discarded")
PDF = "application/pdf"
WEBP = "image/webp"


def _filter() -> queries.DraftFilter:
    kind, state = request.args.get("kind", ""), request.args.get("state", "")
    return queries.DraftFilter(
        str(web.actor().tenant_id),
        request.args.get("q", "").strip()[:60],
        kind if kind in drafts.MODELS else "",
        state if state in STATES else "",
    )


@blueprint.get("")
@web.requires(P.EDIT_SCHEMES)
def draft_list() -> ResponseReturnValue:
    """List the department's drafts, the newest first."""
    wanted = _filter()
    page = queries.draft_page(web.db(), wanted, request.args.get("cursor"))
    states = {"alive": _("未办结"), **{key: wording.DRAFT_STATES[key][0] for key in STATES[1:]}}
    return render_template(
        "certs/drafts/list.html",
        page=page,
        wanted=wanted,
        words=wording,
        kind_filters=[("", _("全部种类")), *wording.DRAFT_KINDS.items()],
        state_filters=[("", _("全部状态")), *states.items()],
    )


@blueprint.post("/export")
@web.requires(P.EDIT_SCHEMES)
def export() -> ResponseReturnValue:
    """Export the list by a job."""
    return redirect(url_for("core.job", job_id=tasks.start_drafts_export(web.db(), web.actor(), _filter())))


@blueprint.get("/<uuid:draft_id>")
@web.requires(P.EDIT_SCHEMES)
def draft(draft_id: uuid.UUID) -> ResponseReturnValue:
    """Show what a draft asks or prints, what it changes, and what comes next."""
    return _page(draft_id, ReturnForm(formdata=None))


def _page(draft_id: uuid.UUID, form: ReturnForm) -> str:
    row = drafts.access_draft(web.db(), draft_id)
    lo, hi = web.actor().scope.region_lo, web.actor().scope.region_hi
    shared = {
        "row": row,
        "form": form,
        "words": wording,
        "is_asker": row.asked_by == web.actor().person_id,
        "is_province": lo is not None and hi is not None and hi - lo >= drafts.PROVINCE_SPAN,
        "is_outdated": row.ended_at is None and row.base_version != drafts.newest_version(web.db(), row.kind, row.code),
    }
    if row.kind == "template":
        spec = templates.spec_of(row.content["spec"])
        return render_template("certs/templates/draft.html", spec=spec, colours=COLOURS, **shared)
    versions = queries.versions_in(web.db(), web.actor().scope, row.code)
    base, names = next((one for one in versions if one.version == row.base_version), None), named(web.db())
    return render_template(
        "certs/schemes/draft.html",
        base=base,
        content=row.content,
        conditions=wording.conditions(Requirements.from_data(row.content["rules"])),
        described=described(row.content, names),
        changes=differences(drafts.content_of(base), row.content, names) if base else [],
        programmes=programmes_to(web.db(), row.code),
        **shared,
    )


@blueprint.get("/<uuid:draft_id>/specimen.pdf")
@web.requires(P.EDIT_SCHEMES)
def specimen(draft_id: uuid.UUID) -> ResponseReturnValue:
    """Hand out a specimen on a drafted page."""
    row = _access_template_draft(draft_id)
    return download(specimen_pdf(templates.spec_of(row.content["spec"])), f"specimen-{row.code}-draft.pdf", PDF)


@blueprint.get("/<uuid:draft_id>/specimen.webp")
@web.requires(P.EDIT_SCHEMES)
def picture(draft_id: uuid.UUID) -> ResponseReturnValue:
    """Show a specimen on a drafted page."""
    row = _access_template_draft(draft_id)
    return Response(specimen_webp(templates.spec_of(row.content["spec"])), mimetype=WEBP)


def _access_template_draft(draft_id: uuid.UUID) -> Draft:
    row = drafts.access_draft(web.db(), draft_id)
    if row.kind != "template":
        raise NotFound
    return row


@blueprint.post("/<uuid:draft_id>/ask")
@web.requires(P.EDIT_SCHEMES)
def ask(draft_id: uuid.UUID) -> ResponseReturnValue:
    """Put a draft before the department."""
    drafts.ask_draft(web.db(), web.actor(), draft_id)
    flash(_("已提请发布，等待本部门另一名人员批准"), "ok")
    return redirect(url_for(".draft", draft_id=draft_id))


@blueprint.post("/<uuid:draft_id>/recall")
@web.requires(P.EDIT_SCHEMES)
def recall(draft_id: uuid.UUID) -> ResponseReturnValue:
    """Take back what one asked for."""
    drafts.recall_draft(web.db(), web.actor(), draft_id)
    flash(_("已撤回，可以继续编辑"), "ok")
    return redirect(url_for(".draft", draft_id=draft_id))


@blueprint.post("/<uuid:draft_id>/return")
@web.requires(P.PUBLISH_SCHEMES)
def give_back(draft_id: uuid.UUID) -> ResponseReturnValue:
    """Give a draft back with the reason."""
    form = ReturnForm()
    if not form.validate_on_submit():
        return _page(draft_id, form), 422
    drafts.return_draft(web.db(), web.actor(), draft_id, (form.reason.data or "").strip())
    flash(_("已退回"), "ok")
    return redirect(url_for(".draft", draft_id=draft_id))


@blueprint.post("/<uuid:draft_id>/publish")
@web.requires(P.PUBLISH_SCHEMES)
def publish(draft_id: uuid.UUID) -> ResponseReturnValue:
    """Approve a draft, which makes it the next version."""
    row = drafts.access_draft(web.db(), draft_id)
    version = drafts.publish_draft(web.db(), web.actor(), draft_id)
    flash(_("已发布第 %(version)s 版", version=version), "ok")
    endpoint = "certs_schemes.scheme" if row.kind == "scheme" else "certs_templates.template"
    return redirect(url_for(endpoint, code=row.code))


@blueprint.post("/<uuid:draft_id>/discard")
@web.requires(P.EDIT_SCHEMES)
def discard(draft_id: uuid.UUID) -> ResponseReturnValue:
    """Give a draft up."""
    drafts.discard_draft(web.db(), web.actor(), draft_id)
    flash(_("草稿已放弃"), "ok")
    return redirect(url_for(".draft", draft_id=draft_id))
