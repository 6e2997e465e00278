"""Pages of certificate types: list, versions, editor, preview, publishing."""

from __future__ import annotations

import itertools

from flask import Blueprint, flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue

import lms.courses.api as courses
from certs.access import P
from certs.errors import DraftAsked
from certs.models import Scheme
from certs.schemes import drafts, queries, tasks
from certs.schemes.describing import described, differences
from certs.schemes.forms import BASED, NewSchemeForm, SchemeForm, choices
from certs.schemes.models import Draft
from certs.schemes.rules import Requirements, is_ended
from certs.schemes.showing import named, programmes_to
from certs.schemes.wording import CLASSES, conditions
from lms.core import clock, web
from lms.core.errors import Forbidden, NotFound
from lms.core.i18n import gettext as _
from lms.core.i18n import in_language
from lms.core.tenancy import ALL

blueprint = Blueprint("certs_schemes", __name__, template_folder="../templates", url_prefix="/regulator/schemes")
SHOWN_VERSIONS = 20


def _filter() -> queries.SchemeFilter:
    class_, state = request.args.get("class", ""), request.args.get("state", "")
    return queries.SchemeFilter.within(
        web.actor().scope,
        request.args.get("q", "").strip()[:60],
        class_ if class_ in CLASSES else "",
        state if state in queries.STATES else "",
        clock.today(),
    )


@blueprint.get("")
@web.requires(P.READ_SCHEMES)
def scheme_list() -> ResponseReturnValue:
    """List the certificate types of the scope, each in its newest version."""
    wanted = _filter()
    page = queries.scheme_page(web.db(), wanted, request.args.get("cursor"))
    return render_template(
        "certs/schemes/list.html",
        page=page,
        wanted=wanted,
        today=clock.today(),
        classes=CLASSES,
        class_filters=[("", _("全部等级")), *CLASSES.items()],
        state_filters=[
            ("", _("全部状态")),
            ("issuing", _("发证中")),
            ("coming", _("待施行")),
            ("ended", _("已停止发证")),
        ],
        waiting=queries.waiting_drafts(web.db(), web.actor().tenant_id),
        may_add=web.actor().scope.schemes == ALL,
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
    present = queries.in_force_of(versions, clock.today())
    contents, names = [drafts.content_of(row) for row in versions[: SHOWN_VERSIONS + 1]], named(web.db())
    changes = [differences(old, new, names) for new, old in itertools.pairwise(contents)]
    return render_template(
        "certs/schemes/scheme.html",
        present=present,
        is_ended=is_ended(Requirements.from_data(present.rules), clock.today()),
        is_to_come=present.effective_from > clock.today(),
        conditions=conditions(Requirements.from_data(present.rules)),
        described=described(drafts.content_of(present), names),
        programmes=programmes_to(web.db(), code),
        versions=[(row, changes[n] if n < len(changes) else []) for n, row in enumerate(versions[:SHOWN_VERSIONS])],
        today=clock.today(),
        draft=drafts.open_draft(web.db(), "scheme", code),
    )


def _form(form: SchemeForm) -> SchemeForm:
    form.today = clock.today()
    form.template.choices = choices(
        (
            f"{row.code}:{row.version}",
            _("%(name)s 第 %(version)s 版", name=in_language(row.name_zh, row.name_en), version=row.version),
        )
        for row in queries.template_versions(web.db())
    )
    if isinstance(form, NewSchemeForm):
        programmes = courses.programme_names(web.db()).items()
        form.programme.choices = choices((code, in_language(*names)) for code, names in programmes)
    return form


def _editor(form: SchemeForm, code: str = "", present: Scheme | None = None) -> str:
    back = url_for(".scheme", code=code) if present else url_for(".scheme_list")
    based = [one.value for one in BASED]
    return render_template("certs/schemes/edit.html", present=present, form=form, code=code, back=back, based=based)


def _is_good(form: SchemeForm, code: str) -> bool:
    """Judge what was filled in, with what only the other types can tell."""
    if not form.validate_on_submit():
        return False
    clash = drafts.number_clash(web.db(), code, form.number_pattern.data or "")
    if clash:
        text = _("会与证书类型 %(code)s 的编号重复，请换用其他字样", code=clash)
        form.number_pattern.errors = [*form.number_pattern.errors, text]
    return not clash


def _save(form: SchemeForm, code: str, programme_code: str) -> ResponseReturnValue:
    draft_id = drafts.save_draft(web.db(), web.actor(), "scheme", code, form.content(programme_code))
    flash(_("草稿已保存，请核对后提请发布"), "ok")
    return redirect(url_for("certs_drafts.draft", draft_id=draft_id))


def _access_all_types() -> None:
    if web.actor().scope.schemes != ALL:
        # A department of some types only could not see what it adds.
        raise Forbidden


@blueprint.get("/new")
@web.requires(P.EDIT_SCHEMES)
def new() -> ResponseReturnValue:
    """Show the editor of a new certificate type: empty, or like another one."""
    _access_all_types()
    form, like = _form(NewSchemeForm(formdata=None)), request.args.get("like", "")
    if like:
        present = queries.in_force_of(queries.access_versions(web.db(), web.actor().scope, like), clock.today())
        form.fill({**drafts.content_of(present), "effective_from": clock.today().isoformat()})
        form.last_issue_on.data = None
    else:
        form.begin()
    return _editor(form)


@blueprint.post("/new")
@web.requires(P.EDIT_SCHEMES)
def add() -> ResponseReturnValue:
    """Keep the first draft of a new certificate type."""
    _access_all_types()
    form = _form(NewSchemeForm())
    code = form.code.data or ""
    good = _is_good(form, code)
    if taken := drafts.code_taken(web.db(), "scheme", code):
        form.code.errors = [*form.code.errors, taken]
    if not good or taken:
        return _editor(form), 422
    return _save(form, code, form.programme.data)


def _edited(code: str) -> tuple[Scheme | None, Draft | None]:
    """Return the present version and the department's draft; one of them may not be there yet. Raises NotFound."""
    versions = queries.versions_in(web.db(), web.actor().scope, code)
    draft = drafts.open_draft(web.db(), "scheme", code)
    if not versions and draft is None:
        raise NotFound
    return (queries.in_force_of(versions, clock.today()) if versions else None), draft


def _edit_form(present: Scheme | None, **given: None) -> SchemeForm:
    if present:
        return _form(SchemeForm(**given))
    form = _form(NewSchemeForm(**given))
    # A code that is drafted already stays: another one is another type.
    del form.code
    return form


@blueprint.get("/<code>/edit")
@web.requires(P.EDIT_SCHEMES)
def edit(code: str) -> ResponseReturnValue:
    """Show the editor: the department's draft, else the present version with today's date."""
    present, draft = _edited(code)
    if draft and draft.state == "asked":
        raise DraftAsked
    form = _edit_form(present, formdata=None)
    if draft:
        form.fill(draft.content)
    elif present:
        form.fill({**drafts.content_of(present), "effective_from": clock.today().isoformat()})
    return _editor(form, code, present)


@blueprint.post("/<code>/edit")
@web.requires(P.EDIT_SCHEMES)
def save(code: str) -> ResponseReturnValue:
    """Keep a draft."""
    present, _draft = _edited(code)
    form = _edit_form(present)
    if not _is_good(form, code):
        return _editor(form, code, present), 422
    return _save(form, code, present.programme_code if present else form.programme.data)
