"""Pages of certificate types: list, versions, editor, preview, publishing."""

from __future__ import annotations

import itertools
import uuid
from dataclasses import replace
from datetime import date
from urllib.parse import urlencode

from flask import Blueprint, flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue

from certs.access import P
from certs.models import Scheme
from certs.schemes import drafts, queries, tasks
from certs.schemes.describing import described, differences
from certs.schemes.forms import BASED, SchemeForm, choices
from certs.schemes.models import Draft
from certs.schemes.rules import Requirements
from certs.schemes.wording import CLASSES, conditions
from lms.core import clock, web
from lms.core.errors import NotFound
from lms.core.i18n import gettext as _
from lms.core.i18n import in_language

blueprint = Blueprint("certs_schemes", __name__, template_folder="../templates", url_prefix="/regulator/schemes")
SHOWN_VERSIONS = 20


def _today() -> date:
    return clock.today(web.services().settings.timezone)


def _filter() -> queries.SchemeFilter:
    class_ = request.args.get("class", "")
    return queries.SchemeFilter.within(
        web.actor().scope, request.args.get("q", "").strip()[:60], class_ if class_ in CLASSES else ""
    )


@blueprint.get("")
@web.requires(P.READ_SCHEMES)
def scheme_list() -> ResponseReturnValue:
    """List the certificate types of the scope, each in its newest version."""
    wanted = _filter()
    page = queries.scheme_page(web.db(), wanted, request.args.get("cursor"))
    kept = {key: value for key, value in request.args.items() if key != "cursor"}
    page = replace(page, url=lambda cursor: f"{url_for('.scheme_list')}?{urlencode({**kept, 'cursor': cursor or ''})}")
    return render_template(
        "certs/schemes/list.html",
        page=page,
        wanted=wanted,
        kept=urlencode(kept),
        today=_today(),
        classes=CLASSES,
        class_filters=[("", _("全部等级")), *CLASSES.items()],
    )


@blueprint.post("/list/export")
@web.requires(P.READ_SCHEMES)
def export() -> ResponseReturnValue:
    """Export the list by a job."""
    return redirect(url_for("core.job", job_id=tasks.start_list_export(web.db(), web.actor(), _filter())))


@blueprint.get("/<code>")
@web.requires(P.READ_SCHEMES)
def scheme(code: str) -> ResponseReturnValue:
    """Show one certificate type with its versions and what each changed."""
    versions = queries.access_versions(web.db(), web.actor().scope, code)
    present = queries.in_force_of(versions, _today())
    contents = [drafts.content_of(row) for row in versions[: SHOWN_VERSIONS + 1]]
    changes = [differences(old, new) for new, old in itertools.pairwise(contents)]
    return render_template(
        "certs/schemes/scheme.html",
        present=present,
        is_to_come=present.effective_from > _today(),
        conditions=conditions(Requirements.from_data(present.rules)),
        described=described(drafts.content_of(present)),
        versions=[(row, changes[n] if n < len(changes) else []) for n, row in enumerate(versions[:SHOWN_VERSIONS])],
        today=_today(),
        draft=drafts.open_draft(web.db(), "scheme", code),
    )


def _form(form: SchemeForm) -> SchemeForm:
    form.today = _today()
    form.template.choices = choices(
        (
            f"{row.code}:{row.version}",
            _("%(name)s 第 %(version)s 版", name=in_language(row.name_zh, row.name_en), version=row.version),
        )
        for row in queries.template_versions(web.db())
    )
    return form


def _editor(present: Scheme, form: SchemeForm) -> str:
    return render_template("certs/schemes/edit.html", present=present, form=form, based=[one.value for one in BASED])


@blueprint.get("/<code>/edit")
@web.requires(P.EDIT_SCHEMES)
def edit(code: str) -> ResponseReturnValue:
    """Show the editor: the department's open draft, else the present version with today's date."""
    versions = queries.access_versions(web.db(), web.actor().scope, code)
    present = queries.in_force_of(versions, _today())
    draft = drafts.open_draft(web.db(), "scheme", code)
    form = _form(SchemeForm(formdata=None))
    form.fill(draft.content if draft else {**drafts.content_of(present), "effective_from": _today().isoformat()})
    return _editor(present, form)


@blueprint.post("/<code>/edit")
@web.requires(P.EDIT_SCHEMES)
def save(code: str) -> ResponseReturnValue:
    """Keep a draft."""
    versions = queries.access_versions(web.db(), web.actor().scope, code)
    present = queries.in_force_of(versions, _today())
    form = _form(SchemeForm())
    if not form.validate_on_submit():
        return _editor(present, form), 422
    draft_id = drafts.save_draft(web.db(), web.actor(), "scheme", code, form.content(present.programme_code))
    flash(_("草稿已保存，请预览后发布"), "ok")
    return redirect(url_for(".draft", draft_id=draft_id))


def _access_draft(draft_id: uuid.UUID) -> Draft:
    row = drafts.access_draft(web.db(), draft_id)
    if row.kind != "scheme":
        raise NotFound
    return row


@blueprint.get("/drafts/<uuid:draft_id>")
@web.requires(P.EDIT_SCHEMES)
def draft(draft_id: uuid.UUID) -> ResponseReturnValue:
    """Show what a draft asks, in words, and what it changes."""
    row = _access_draft(draft_id)
    versions = queries.access_versions(web.db(), web.actor().scope, row.code)
    content = row.content
    return render_template(
        "certs/schemes/draft.html",
        row=row,
        content=content,
        base=versions[0],
        conditions=conditions(Requirements.from_data(content["rules"])),
        described=described(content),
        changes=differences(drafts.content_of(versions[0]), content),
    )


@blueprint.post("/drafts/<uuid:draft_id>/publish")
@web.requires(P.PUBLISH_SCHEMES)
def publish(draft_id: uuid.UUID) -> ResponseReturnValue:
    """Make a draft the next version."""
    row = _access_draft(draft_id)
    version = drafts.publish_draft(web.db(), web.actor(), draft_id)
    flash(_("已发布第 %(version)s 版", version=version), "ok")
    return redirect(url_for(".scheme", code=row.code))


@blueprint.post("/drafts/<uuid:draft_id>/discard")
@web.requires(P.EDIT_SCHEMES)
def discard(draft_id: uuid.UUID) -> ResponseReturnValue:
    """Give a draft up."""
    row = _access_draft(draft_id)
    drafts.discard_draft(web.db(), web.actor(), draft_id)
    flash(_("草稿已放弃"), "ok")
    return redirect(url_for(".scheme", code=row.code))
