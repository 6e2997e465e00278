"""Pages of the dry run, of one person's standing, and of records about a person."""

from __future__ import annotations

import uuid
from typing import Any

from flask import Blueprint, flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue

import lms.courses.api as courses
from certs.access import P
from certs.errors import CredentialInvalid
from certs.schemes import credentials, drafts, dryrun, queries, tasks, wording
from certs.schemes.forms import CredentialForm
from lms.core import clock, web
from lms.core.errors import NotFound
from lms.core.i18n import gettext as _
from lms.core.paging import BadCursor, Page

blueprint = Blueprint("certs_eligibility", __name__, template_folder="../templates", url_prefix="/regulator/schemes")


def _asked(code: str) -> dict[str, Any]:
    """Return by what a dry run judges, from the address: a draft of the department's, else the present version."""
    outcome, named = request.args.get("outcome", ""), request.args.get("draft")
    draft_id = web.uuid_or_none(named)
    if named and draft_id is None:
        raise NotFound
    if draft_id is not None:
        draft = drafts.access_draft(web.db(), draft_id)
        if (draft.kind, draft.code) != ("scheme", code):
            raise NotFound
    else:
        queries.access_versions(web.db(), web.actor().scope, code)
    return {
        "code": code,
        "draft_id": str(draft_id) if draft_id else "",
        "outcome": outcome if outcome in dryrun.OUTCOMES else "",
    }


def _after() -> uuid.UUID:
    cursor = request.args.get("cursor")
    found = web.uuid_or_none(cursor)
    if cursor and found is None:
        raise BadCursor
    return found or uuid.UUID(int=0)


@blueprint.get("/<code>/eligible")
@web.requires(P.READ_SCHEMES)
def eligible(code: str) -> ResponseReturnValue:
    """Show who would be eligible now; nothing is written."""
    asked = _asked(code)
    judged_by = tasks.judged_by(web.db(), asked, clock.today())
    target = tasks.target_of(web.db(), asked, clock.today())
    run = dryrun.dry_run(web.db(), target, clock.today(), outcome=asked["outcome"], after=_after())
    following = str(run.next_after) if run.next_after else None
    page: Page[Any] = Page([(one, wording.because(one.decision)) for one in run.people], following, None)
    for one in run.people:
        web.note_personal_read("person", one.enrolment.person_id)
    return render_template(
        "certs/schemes/eligible.html",
        page=page,
        run=run,
        asked=asked,
        target=target,
        limit=dryrun.SHOWN_PEOPLE_MAX,
        scheme=judged_by,
        is_to_come=judged_by.effective_from > clock.today(),
        names=wording.OUTCOMES,
        outcomes=_outcomes(run),
        outcome_filters=[
            ("", _("全部")),
            *((key, wording.OUTCOMES[key]) for key in dryrun.OUTCOMES if run.counts[key]),
        ],
    )


def _outcomes(run: dryrun.DryRun) -> list[tuple[str, object, int]]:
    return [(key, wording.OUTCOMES[key], run.counts[key]) for key in dryrun.OUTCOMES if run.counts[key]]


@blueprint.post("/<code>/eligible/export")
@web.requires(P.READ_SCHEMES)
def export_eligible(code: str) -> ResponseReturnValue:
    """Export everybody's standing by a job."""
    return redirect(url_for("core.job", job_id=tasks.start_export(web.db(), web.actor(), _asked(code))))


def _judged(code: str, person_id: uuid.UUID) -> dryrun.Judged:
    target = tasks.target_of(web.db(), _asked(code), clock.today())
    mine = [one for one in courses.enrolments_of(web.db(), person_id) if one.programme_code == target.programme_code]
    if not mine:
        raise NotFound
    found = dryrun.judge(web.db(), target, [max(mine, key=lambda one: one.enrolment_id)], clock.today())
    if not found:
        raise NotFound
    return found[0]


@blueprint.get("/<code>/people/<uuid:person_id>")
@web.requires(P.READ_SCHEMES)
def person(code: str, person_id: uuid.UUID) -> ResponseReturnValue:
    """Show how one person stands, and what was recorded of them."""
    return _person(code, person_id, CredentialForm(formdata=None))


def _person(code: str, person_id: uuid.UUID, form: CredentialForm) -> str:
    one, asked = _judged(code, person_id), _asked(code)
    web.note_personal_read("person", person_id)
    present = tasks.judged_by(web.db(), asked, clock.today())
    return render_template(
        "certs/schemes/person.html",
        one=one,
        scheme=present,
        draft_id=asked["draft_id"] or None,
        decision=wording.shown(one.decision.to_data(), present),
        records=credentials.credentials_of(web.db(), person_id),
        words=wording,
        form=form,
    )


@blueprint.post("/<code>/people/<uuid:person_id>/records")
@web.requires(P.RECORD)
def record(code: str, person_id: uuid.UUID) -> ResponseReturnValue:
    """Record what was seen of a person."""
    form = CredentialForm()
    one = _judged(code, person_id)
    if not form.validate_on_submit():
        return _person(code, person_id, form), 422
    kind, coded = str(form.what.data).split(":", 1)
    new = credentials.NewCredential(
        kind, coded, form.months.data or 0, form.detail.data or "", form.document.data or ""
    )
    try:
        credentials.record_credential(web.db(), web.actor(), one.enrolment, new)
    except CredentialInvalid as error:
        form.what.errors = [error.text()]
        return _person(code, person_id, form), 422
    flash(_("已登记；符合条件后系统会自动发证"), "ok")
    return redirect(url_for(".person", code=code, person_id=person_id, draft=request.args.get("draft")))


@blueprint.post("/<code>/records/<uuid:credential_id>/withdraw")
@web.requires(P.RECORD)
def withdraw(code: str, credential_id: uuid.UUID) -> ResponseReturnValue:
    """Take a wrong record back."""
    queries.access_versions(web.db(), web.actor().scope, code)
    person_id = credentials.withdraw_credential(web.db(), web.actor(), credential_id)
    flash(_("记录已撤回"), "ok")
    return redirect(url_for(".person", code=code, person_id=person_id))
