"""Pages of proposals, corrections and objections, and the parts about status on a certificate's page."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from flask import Blueprint, flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_wtf import FlaskForm
from sqlalchemy.orm import Session

from certs.access import P, access_certificate
from certs.errors import CaseInvalid
from certs.labels import LABELS
from certs.models import Certificate
from certs.rules import CorrectionKind, Decision, Origin, Outcome, ProposalKind, Status, allowed_decisions, next_status
from certs.status import corrections, labels, objections, proposals, queries, tasks
from certs.status.access import access_case
from certs.status.forms import CorrectionForm, ObjectionForm, ProposalForm, VerdictForm
from certs.status.models import Correction, Objection, Proposal
from certs.status.reasons import reasons_by_decision
from lms.core import clock, web
from lms.core.i18n import gettext as _
from lms.core.i18n import in_language

blueprint = Blueprint("certs_status", __name__, template_folder="../templates")
CASES = "/regulator/<any(proposals, corrections, objections):what>"


def _wanted(what: str) -> queries.Wanted:
    state, q = request.args.get("state", ""), request.args.get("q", "").strip()[:60]
    known = state if state in queries.STATES[what] else ""
    return queries.Wanted(what, known, q).within(web.actor().scope)


@blueprint.get("/regulator/cases")
@web.requires(P.SUPERVISE)
def cases() -> ResponseReturnValue:
    """Lead to the cases that wait: proposals first."""
    return redirect(url_for(".case_list", what="proposals", state="open"))


@blueprint.get(CASES)
@web.requires(P.SUPERVISE)
def case_list(what: str) -> ResponseReturnValue:
    """List the cases of one kind in the scope."""
    wanted = _wanted(what)
    page = queries.case_page(web.db(), wanted, request.args.get("cursor"))
    for _case, certificate in page.items:
        web.note_personal_read("certificate", certificate.id)
    return render_template(
        "certs/cases.html",
        what=what,
        page=page,
        wanted=wanted,
        labels=labels,
        tabs=_tabs(what, wanted),
        today=clock.today(),
        state_filters=[("", _("全部状态")), *((s, labels.STATES[s][0]) for s in queries.STATES[what])],
    )


def _tabs(what: str, wanted: queries.Wanted) -> list[tuple[str, object, bool, str]]:
    """Return the lists with how many cases wait in each: an objection has its day by law."""
    waiting = queries.waiting(web.db(), wanted)
    most = queries.WAITING_MAX - 1
    shown = {key: f"{most}+" if n > most else str(n or "") for key, n in waiting.items()}
    return [(url_for(".case_list", what=key), name, key == what, shown[key]) for key, name in labels.LISTS.items()]


@blueprint.post(f"{CASES}/export")
@web.requires(P.SUPERVISE)
def export_cases(what: str) -> ResponseReturnValue:
    """Export the list by a job."""
    return redirect(url_for("core.job", job_id=tasks.start_export(web.db(), web.actor(), _wanted(what))))


@blueprint.get(f"{CASES}/<uuid:case_id>")
@web.requires(P.SUPERVISE)
def case_page(what: str, case_id: uuid.UUID) -> ResponseReturnValue:
    """Show one case with what it is about."""
    return _case_page(what, case_id, VerdictForm(formdata=None))


def _case_page(what: str, case_id: uuid.UUID, form: FlaskForm) -> str:
    case: Any = access_case(web.db(), queries.MODELS[what], case_id)  # type: ignore[type-var]  # one of three
    certificate = access_certificate(web.db(), case.certificate_id)
    web.note_personal_read("certificate", certificate.id)
    subject = queries.step_of(web.db(), case) if isinstance(case, Objection) else None
    grounds = subject or (case if isinstance(case, Proposal) else None)
    reasons = queries.reasons_by_key(web.db(), [grounds] if grounds else [])
    return render_template(
        "certs/case.html",
        what=what,
        case=case,
        certificate=certificate,
        subject=subject,
        reason=reasons.get((grounds.reason_code, grounds.reason_version)) if grounds else None,
        successor=queries.number_of(web.db(), getattr(case, "successor_id", None)),
        status_labels=LABELS,
        labels=labels,
        own=getattr(case, "proposed_by", None) == web.actor().person_id,
        form=form,
    )


@blueprint.post(f"{CASES}/<uuid:case_id>/decision")
@web.requires(P.DECIDE)
def decide_case(what: str, case_id: uuid.UUID) -> ResponseReturnValue:
    """Approve or refuse a proposal or correction, answer an objection, or take one's own proposal back."""
    form = VerdictForm()
    if not form.validate_on_submit():
        return _case_page(what, case_id, form), 422
    session, actor, verdict = web.db(), web.actor(), form.verdict.data
    reason, approve = (form.reason.data or "").strip(), verdict == "approve"
    if verdict == "withdraw":
        if what != "proposals":
            raise CaseInvalid
        proposals.withdraw_proposal(session, actor, case_id)
    elif what == "proposals":
        proposals.decide_proposal(session, actor, case_id, reason, approve=approve)
    elif what == "corrections":
        corrections.decide_correction(session, actor, case_id, reason, approve=approve)
    else:
        outcome = Outcome.UPHELD if approve else Outcome.REJECTED
        objections.answer_objection(session, actor, case_id, reason, outcome=outcome)
    flash(_("已办理"), "ok")
    return redirect(url_for(".case_page", what=what, case_id=case_id))


@blueprint.post("/regulator/certificates/<uuid:certificate_id>/proposals")
@web.requires(P.DECIDE)
def propose(certificate_id: uuid.UUID) -> ResponseReturnValue:
    """Propose a revocation or a ban; another official decides."""
    form = ProposalForm()
    _check(form, certificate_id)
    new = proposals.NewProposal(
        ProposalKind(str(form.kind.data)), str(form.code.data), (form.reason.data or "").strip(), form.until.data
    )
    if new.kind is ProposalKind.REVOKE:
        new = replace(new, ban_until=None)
    proposal_id = proposals.propose(web.db(), web.actor(), certificate_id, new)
    flash(_("已提出，待另一名人员决定"), "ok")
    return redirect(url_for(".case_page", what="proposals", case_id=proposal_id))


def _check(form: FlaskForm, certificate_id: uuid.UUID) -> None:
    """Refuse a body that is not of the form's shape, saying what is wrong; a foreign certificate is 404 first."""
    access_certificate(web.db(), certificate_id)
    if not form.validate_on_submit():
        raise CaseInvalid("；".join(str(text) for texts in form.errors.values() for text in texts))


@blueprint.post("/certificates/<uuid:certificate_id>/corrections")
@web.requires(P.HOLD)
def ask_correction(certificate_id: uuid.UUID) -> ResponseReturnValue:
    """Ask for a correction of one's own certificate."""
    return _ask(certificate_id, "certs.my_certificate")


@blueprint.post("/tenant/certificates/<uuid:certificate_id>/corrections")
@web.requires(P.READ_STAFF)
def ask_staff_correction(certificate_id: uuid.UUID) -> ResponseReturnValue:
    """Ask for a correction of a certificate of one's staff."""
    return _ask(certificate_id, "certs.staff_certificate")


def _ask(certificate_id: uuid.UUID, back: str) -> ResponseReturnValue:
    form = CorrectionForm()
    _check(form, certificate_id)
    new = corrections.NewCorrection(
        CorrectionKind(str(form.kind.data)), (form.note.data or "").strip(), (form.new_name.data or "").strip()
    )
    corrections.request_correction(web.db(), web.actor(), certificate_id, new)
    flash(_("申请已提交，办理结果会通知您"), "ok")
    return redirect(url_for(back, certificate_id=certificate_id))


@blueprint.post("/certificates/<uuid:certificate_id>/objections")
@web.requires(P.HOLD)
def file_objection(certificate_id: uuid.UUID) -> ResponseReturnValue:
    """Object to a decision about one's own certificate."""
    form = ObjectionForm()
    _check(form, certificate_id)
    subject_id = web.uuid_or_none(form.subject_id.data)
    if subject_id is None:
        raise CaseInvalid
    objections.object_to(web.db(), web.actor(), certificate_id, subject_id, (form.text.data or "").strip())
    flash(_("异议已提交，答复会通知您"), "ok")
    return redirect(url_for("certs.my_certificate", certificate_id=certificate_id))


def sections_of(session: Session, row: Certificate, history: Sequence[Any]) -> dict[str, Any]:
    """Return what a certificate's page shows of its status besides the steps themselves, for the present reader."""
    actor = web.actor()
    if row.state != "issued":
        return {}
    holder, officials = actor.can(P.HOLD), actor.can(P.SUPERVISE)
    bans = queries.bans_of(session, row) if holder or officials else ()
    answered = queries.cases_of(session, Objection, row) if holder or officials else ()
    asked = queries.cases_of(session, Correction, row)
    found: dict[str, Any] = {
        "bans": bans,
        "objections": {case.subject_id: case for case in answered},
        "corrections": [(case, queries.number_of(session, case.successor_id)) for case in asked],
        "reasons": queries.reasons_by_key(session, [*history, *bans]),
        "labels": labels,
        "status_labels": LABELS,
        "checks": queries.checks_of(session, row.id) if holder else (),
        "correctable": _is_correctable(row, asked) and not officials,
    }
    if actor.can(P.DECIDE):
        found |= _open_to_officials(session, row)
    return found


def _is_correctable(row: Certificate, asked: Sequence[Correction]) -> bool:
    # What others issued they correct themselves.
    if row.origin != Origin.ISSUED or any(case.state in {"open", "approved"} for case in asked):
        return False
    return corrections.is_correctable(row, clock.today())


def _open_to_officials(session: Session, row: Certificate) -> dict[str, Any]:
    """Return the coded reasons for what may be decided or proposed now, and the proposals so far."""
    status = Status(row.status)
    kinds = [kind for kind in ProposalKind if kind is ProposalKind.BAN or next_status(status, Decision.REVOKE)]
    reasons = reasons_by_decision(session, [str(one) for one in (*allowed_decisions(status), *kinds)])
    choices = {
        one: [(row.code, in_language(row.name_zh, row.name_en)) for row in rows] for one, rows in reasons.items()
    }
    return {"choices": choices, "kinds": kinds, "proposals": queries.cases_of(session, Proposal, row)}
