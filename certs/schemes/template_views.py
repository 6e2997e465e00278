"""Pages of certificate pages: versions, editor, specimen, publishing."""

from __future__ import annotations

import uuid

from flask import Blueprint, flash, redirect, render_template, url_for
from flask.typing import ResponseReturnValue

from certs.access import P
from certs.adapters.trial import specimen_pdf
from certs.schemes import drafts, queries, templates
from certs.schemes.models import Draft, Template
from certs.schemes.template_forms import PALETTES, ROWS, TemplateForm
from lms.core import web
from lms.core.errors import NotFound
from lms.core.i18n import gettext as _
from lms.core.pages import download

blueprint = Blueprint("certs_templates", __name__, template_folder="../templates", url_prefix="/regulator/templates")
PDF = "application/pdf"


@blueprint.get("")
@web.requires(P.READ_SCHEMES)
def template_list() -> ResponseReturnValue:
    """List all versions of certificate pages."""
    rows = queries.template_versions(web.db())
    newest = {row.code: row.version for row in reversed(rows)}
    open_drafts = {code: drafts.open_draft(web.db(), "template", code) for code in newest}
    return render_template(
        "certs/templates/list.html",
        rows=[(row, templates.spec_of(row.spec), row.version == newest[row.code]) for row in rows],
        drafts=[one for one in open_drafts.values() if one],
        palettes=PALETTES,
        row_names=ROWS,
    )


@blueprint.get("/<code>/<int:version>/specimen.pdf")
@web.requires(P.READ_SCHEMES)
def specimen(code: str, version: int) -> ResponseReturnValue:
    """Hand out a specimen on a published page."""
    row = templates.access_template(web.db(), code, version)
    return download(specimen_pdf(templates.spec_of(row.spec)), f"specimen-{code}-{version}.pdf", PDF)


def _newest(code: str) -> Template:
    found = [row for row in queries.template_versions(web.db()) if row.code == code]
    if not found:
        raise NotFound
    return found[0]


@blueprint.get("/<code>/edit")
@web.requires(P.EDIT_SCHEMES)
def edit(code: str) -> ResponseReturnValue:
    """Show the editor: the department's open draft, else the newest version."""
    row = _newest(code)
    draft = drafts.open_draft(web.db(), "template", code)
    form = TemplateForm(formdata=None)
    form.fill(draft.content if draft else {"name_zh": row.name_zh, "name_en": row.name_en, "spec": row.spec})
    return render_template("certs/templates/edit.html", row=row, form=form, row_names=ROWS)


@blueprint.post("/<code>/edit")
@web.requires(P.EDIT_SCHEMES)
def save(code: str) -> ResponseReturnValue:
    """Keep a draft."""
    row, form = _newest(code), TemplateForm()
    if not (form.validate_on_submit() and form.fits()):
        return render_template("certs/templates/edit.html", row=row, form=form, row_names=ROWS), 422
    draft_id = drafts.save_draft(web.db(), web.actor(), "template", code, form.content())
    flash(_("草稿已保存，请预览后发布"), "ok")
    return redirect(url_for(".draft", draft_id=draft_id))


def _access_draft(draft_id: uuid.UUID) -> Draft:
    row = drafts.access_draft(web.db(), draft_id)
    if row.kind != "template":
        raise NotFound
    return row


@blueprint.get("/drafts/<uuid:draft_id>")
@web.requires(P.EDIT_SCHEMES)
def draft(draft_id: uuid.UUID) -> ResponseReturnValue:
    """Show a draft before it is published."""
    row = _access_draft(draft_id)
    spec = templates.spec_of(row.content["spec"])
    return render_template("certs/templates/draft.html", row=row, spec=spec, palettes=PALETTES, row_names=ROWS)


@blueprint.get("/drafts/<uuid:draft_id>/specimen.pdf")
@web.requires(P.EDIT_SCHEMES)
def draft_specimen(draft_id: uuid.UUID) -> ResponseReturnValue:
    """Hand out a specimen on a drafted page."""
    row = _access_draft(draft_id)
    return download(specimen_pdf(templates.spec_of(row.content["spec"])), f"specimen-{row.code}-draft.pdf", PDF)


@blueprint.post("/drafts/<uuid:draft_id>/publish")
@web.requires(P.PUBLISH_SCHEMES)
def publish(draft_id: uuid.UUID) -> ResponseReturnValue:
    """Make a draft the next version; certificate types choose it in a version of their own."""
    _access_draft(draft_id)
    version = drafts.publish_draft(web.db(), web.actor(), draft_id)
    flash(_("已发布第 %(version)s 版", version=version), "ok")
    return redirect(url_for(".template_list"))


@blueprint.post("/drafts/<uuid:draft_id>/discard")
@web.requires(P.EDIT_SCHEMES)
def discard(draft_id: uuid.UUID) -> ResponseReturnValue:
    """Give a draft up."""
    _access_draft(draft_id)
    drafts.discard_draft(web.db(), web.actor(), draft_id)
    flash(_("草稿已放弃"), "ok")
    return redirect(url_for(".template_list"))
