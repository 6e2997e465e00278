"""Pages of certificate pages: list, versions, editor, specimen."""

from __future__ import annotations

import base64
from typing import Any

from flask import Blueprint, Response, flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue

from certs.access import P
from certs.adapters.palettes import PALETTES as COLOURS
from certs.adapters.picture import specimen_webp
from certs.adapters.trial import specimen_pdf
from certs.errors import DraftAsked, DraftInvalid
from certs.schemes import drafts, queries, tasks, templates
from certs.schemes.models import Draft, Template
from certs.schemes.template_forms import NewTemplateForm, TemplateForm
from certs.schemes.wording import PALETTES, ROWS
from lms.core import web
from lms.core.errors import NotFound
from lms.core.i18n import gettext as _
from lms.core.pages import download

blueprint = Blueprint("certs_templates", __name__, template_folder="../templates", url_prefix="/regulator/templates")
PDF = "application/pdf"
WEBP = "image/webp"


def _filter() -> queries.TemplateFilter:
    palette = request.args.get("palette", "")
    return queries.TemplateFilter(
        request.args.get("q", "").strip()[:60], palette if palette in PALETTES else ""
    )  # fmt: skip


@blueprint.get("")
@web.requires(P.READ_SCHEMES)
def template_list() -> ResponseReturnValue:
    """List the certificate pages, each in its newest version."""
    wanted = _filter()
    page = queries.template_page(web.db(), wanted, request.args.get("cursor"))
    return render_template(
        "certs/templates/list.html",
        page=page.map(lambda row: (row, templates.spec_of(row.spec))),
        wanted=wanted,
        palettes=PALETTES,
        colours=COLOURS,
        row_names=ROWS,
        palette_filters=[("", _("全部主色")), *PALETTES.items()],
        waiting=queries.waiting_drafts(web.db(), web.actor().tenant_id),
    )


@blueprint.post("/list/export")
@web.requires(P.READ_SCHEMES)
def export() -> ResponseReturnValue:
    """Export the list by a job."""
    return redirect(url_for("core.job", job_id=tasks.start_templates_export(web.db(), web.actor(), _filter())))


@blueprint.get("/<code>")
@web.requires(P.READ_SCHEMES)
def template(code: str) -> ResponseReturnValue:
    """Show one certificate page with its versions."""
    versions = queries.versions_of_template(web.db(), code)
    if not versions:
        raise NotFound
    return render_template(
        "certs/templates/template.html",
        row=versions[0],
        spec=templates.spec_of(versions[0].spec),
        versions=versions,
        palettes=PALETTES,
        colours=COLOURS,
        row_names=ROWS,
        draft=drafts.open_draft(web.db(), "template", code),
    )


@blueprint.get("/<code>/<int:version>/specimen.pdf")
@web.requires(P.READ_SCHEMES)
def specimen(code: str, version: int) -> ResponseReturnValue:
    """Hand out a specimen on a published page."""
    row = templates.access_template(web.db(), code, version)
    return download(specimen_pdf(templates.spec_of(row.spec)), f"specimen-{code}-{version}.pdf", PDF)


@blueprint.get("/<code>/<int:version>/specimen.webp")
@web.requires(P.READ_SCHEMES)
def picture(code: str, version: int) -> ResponseReturnValue:
    """Show a specimen on a published page."""
    row = templates.access_template(web.db(), code, version)
    return Response(specimen_webp(templates.spec_of(row.spec)), mimetype=WEBP)


@blueprint.post("/new/preview")
@web.requires(P.EDIT_SCHEMES)
def preview() -> ResponseReturnValue:
    """Show what is being edited as it would be printed; nothing is kept."""
    form = TemplateForm()
    if not (form.validate_on_submit() and form.fits()):
        if not request.headers.get("HX-Request"):
            # Nobody's page has a place for the fragment, so this is an error as any other.
            raise DraftInvalid(problem=", ".join(form.errors))
        return render_template("certs/templates/_preview.html", form=form), 422
    picture = base64.b64encode(specimen_webp(form.spec())).decode("ascii")
    return render_template("certs/templates/_preview.html", form=form, source=f"data:{WEBP};base64,{picture}")


def _editor(
    form: TemplateForm, code: str = "", row: Template | None = None, draft: Draft | None = None, like: str = ""
) -> str:
    """Show the form with what was kept last; a new page begins as another one looks."""
    shown = url_for(".picture", code=row.code, version=row.version) if row else like
    if draft:
        shown = url_for("certs_drafts.picture", draft_id=draft.id)
    back = url_for(".template", code=code) if row else url_for(".template_list")
    return render_template(
        "certs/templates/edit.html",
        row=row,
        form=form,
        code=code,
        shown=shown,
        back=back,
        row_names=ROWS,
        palettes=PALETTES,
        colours=COLOURS,
    )


def _save(form: TemplateForm, code: str) -> ResponseReturnValue:
    draft_id = drafts.save_draft(web.db(), web.actor(), "template", code, form.content())
    flash(_("草稿已保存，请核对后提请发布"), "ok")
    return redirect(url_for("certs_drafts.draft", draft_id=draft_id))


@blueprint.get("/new")
@web.requires(P.EDIT_SCHEMES)
def new() -> ResponseReturnValue:
    """Show the editor of a new certificate page: the standard one, or like another."""
    form, like, shown = NewTemplateForm(formdata=None), request.args.get("like", ""), ""
    content: dict[str, Any] = {"name_zh": "", "name_en": "", "spec": {}}
    if like:
        versions = queries.versions_of_template(web.db(), like)
        if not versions:
            raise NotFound
        content = _content(versions[0])
        shown = url_for(".picture", code=like, version=versions[0].version)
    form.fill(content)
    return _editor(form, like=shown)


@blueprint.post("/new")
@web.requires(P.EDIT_SCHEMES)
def add() -> ResponseReturnValue:
    """Keep the first draft of a new certificate page."""
    form = NewTemplateForm()
    code = form.code.data or ""
    good = form.validate_on_submit() and form.fits()
    if taken := drafts.code_taken(web.db(), "template", code):
        form.code.errors = [*form.code.errors, taken]
    if not good or taken:
        return _editor(form), 422
    return _save(form, code)


def _edited(code: str) -> tuple[Template | None, Draft | None]:
    """Return the newest version and the department's draft; one of them may not be there yet. Raises NotFound."""
    versions, draft = queries.versions_of_template(web.db(), code), drafts.open_draft(web.db(), "template", code)
    if not versions and draft is None:
        raise NotFound
    return (versions[0] if versions else None), draft


@blueprint.get("/<code>/edit")
@web.requires(P.EDIT_SCHEMES)
def edit(code: str) -> ResponseReturnValue:
    """Show the editor: the department's draft, else the newest version."""
    row, draft = _edited(code)
    if draft and draft.state == "asked":
        raise DraftAsked
    form = TemplateForm(formdata=None)
    if draft:
        form.fill(draft.content)
    elif row:
        form.fill(_content(row))
    return _editor(form, code, row, draft)


def _content(row: Template) -> dict[str, Any]:
    return {"name_zh": row.name_zh, "name_en": row.name_en, "spec": row.spec}


@blueprint.post("/<code>/edit")
@web.requires(P.EDIT_SCHEMES)
def save(code: str) -> ResponseReturnValue:
    """Keep a draft."""
    row, draft = _edited(code)
    form = TemplateForm()
    if not (form.validate_on_submit() and form.fits()):
        return _editor(form, code, row, draft), 422
    return _save(form, code)
