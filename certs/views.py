"""Pages of holders, of their enterprises and of regulators."""

from __future__ import annotations

import hashlib
import hmac
import uuid
from collections.abc import Mapping, Sequence

import structlog
from flask import Blueprint, Response, flash, redirect, render_template, url_for
from flask.typing import ResponseReturnValue
from sqlalchemy.orm import Session

import exams.api as exams
from certs import queries, rules, tasks
from certs.access import P, access_certificate
from certs.adapters.qr import certificate_url
from certs.adapters.symbol import address_symbol
from certs.errors import FileAltered, NotIssuedYet, NotSignedHere
from certs.forms import DecisionForm
from certs.imports.staging import photo_of
from certs.labels import DECISIONS, ENTERED, LABELS, STEPS, TONES
from certs.listing import list_page, wanted_of_regulator, wanted_of_staff
from certs.models import Certificate
from certs.rules import Decision, Origin, Status
from certs.schemes import wording
from certs.schemes.queries import scheme_version
from certs.schemes.refusals import refused_with_scheme
from certs.status.bans import ban_from_programme
from certs.status.operations import decide
from certs.status.standing import concerns_of_staff
from certs.status.views import sections_of
from lms.core import audit, clock, web
from lms.core.access import Actor
from lms.core.addresses import back_to
from lms.core.errors import NotFound
from lms.core.i18n import gettext as _
from lms.core.pages import download
from lms.core.storage import ObjectMissing

blueprint = Blueprint("certs", __name__, template_folder="templates")
log = structlog.get_logger()
PDF = "application/pdf"


def _person_id() -> uuid.UUID:
    found = web.actor().person_id
    if found is None:
        raise RuntimeError("a page of holders was reached by nobody")
    return found


@blueprint.get("/certificates")
@web.requires(P.HOLD)
def my_certificates() -> ResponseReturnValue:
    """Show one's own certificates as cards."""
    person_id = _person_id()
    return render_template(
        "certs/mine.html",
        certificates=queries.certificates_of(web.db(), person_id, clock.today()),
        waiting=queries.requested_of(web.db(), person_id, clock.today()),
        refused=[(scheme, wording.shown(data, scheme)) for scheme, data in refused_with_scheme(web.db(), person_id)],
        labels=LABELS,
        tones=TONES,
    )


def home_strip(session: Session, actor: Actor, _subject: uuid.UUID | None) -> str:
    """Return the strip of certificates on the learner's home page."""
    if actor.person_id is None or not actor.can(P.HOLD):
        return ""
    found = queries.certificates_of(session, actor.person_id, clock.today())
    return render_template("certs/_strip.html", certificates=found, labels=LABELS, tones=TONES)


def earned_notice(session: Session, actor: Actor, attempt_id: uuid.UUID | None) -> str:
    """Return what became of the certificate that a passed attempt earned, for the page of its result."""
    if actor.person_id is None or attempt_id is None or not actor.can(P.HOLD):
        return ""
    row = queries.earned_by(session, actor.person_id, attempt_id)
    ban, decision = None, None
    if row is None:
        programme = exams.attempt(session, actor.person_id, attempt_id).programme_code
        ban = ban_from_programme(session, actor.person_id, programme, clock.today())
        refused = refused_with_scheme(session, actor.person_id, attempt_id)
        decision = wording.shown(refused[0][1], refused[0][0]) if refused else None
    return render_template("certs/_earned.html", certificate=row, ban=ban, decision=decision)


def staff_strip(session: Session, actor: Actor, person_id: uuid.UUID | None) -> str:
    """Return the certificates of one of the enterprise's staff, for the page of that person."""
    if person_id is None or not actor.can(P.READ_STAFF):
        return ""
    found = queries.certificates_of(session, person_id, clock.today())
    for one in found:
        web.note_personal_read("certificate", one.certificate_id)
    concerns = concerns_of_staff(session, found)
    return render_template("certs/_of_staff.html", certificates=found, concerns_of=concerns, labels=LABELS, tones=TONES)


def staff_column(session: Session, actor: Actor, people: Sequence[uuid.UUID]) -> Mapping[uuid.UUID, str] | None:
    """Return what each of the enterprise's staff holds, for the list of staff: of each type the longest lasting."""
    if actor.tenant_id is None or not actor.can(P.READ_STAFF):
        return None
    held = queries.certificates_of_staff(session, actor.tenant_id, people, clock.today())
    cells = {}
    for person_id in people:
        latest = {one.scheme_code: one for one in reversed(held.get(person_id, []))}
        for one in latest.values():
            web.note_personal_read("certificate", one.certificate_id)
        shown = {"certificates": latest.values(), "labels": LABELS, "tones": TONES, "today": clock.today()}
        cells[person_id] = render_template("certs/_staff_cell.html", **shown)
    return cells


def _step_name(view: queries.CertificateView, old_status: str, new_status: str) -> object:
    if not old_status and view.is_imported:
        return ENTERED
    return STEPS.get(new_status if old_status else "", "")


def _page(row: Certificate, *, layout: str, back: str, form: DecisionForm | None = None) -> str:
    view = queries.certificate_view(web.db(), row, clock.today())
    history = queries.history_of(web.db(), row)
    address = certificate_url(web.services().settings.base_url, row.public_id)
    return render_template(
        "certs/certificate.html",
        layout=layout,
        back=back,
        row=row,
        view=view,
        label=LABELS[view.status],
        tone=TONES[view.status],
        history=[(_step_name(view, e.old_status, e.new_status), e) for e in history],
        cases=sections_of(web.db(), row, history),
        decision=_decision(row),
        concerns=concerns_of_staff(web.db(), [view]).get(row.id, ()) if web.actor().can(P.READ_STAFF) else (),
        symbol=address_symbol(address),
        decisions=[(d, *DECISIONS[d]) for d in rules.allowed_decisions(Status(row.status))]
        if form is not None and row.state == "issued"
        else [],
        form=form,
    )


def _decision(row: Certificate) -> wording.Shown | None:
    """Return the kept decision for the holder and for officials; an employer need not know ages and schooling."""
    if not (web.actor().can(P.HOLD) or web.actor().can(P.SUPERVISE)):
        return None
    return wording.shown(row.decision, scheme_version(web.db(), row.scheme_code, row.scheme_version))


@blueprint.get("/certificates/<uuid:certificate_id>")
@web.requires(P.HOLD)
def my_certificate(certificate_id: uuid.UUID) -> ResponseReturnValue:
    """Show one of one's own certificates."""
    row = access_certificate(web.db(), certificate_id)
    return _page(row, layout="layouts/phone.html", back=back_to(url_for(".my_certificates")))


@blueprint.get("/certificates/<uuid:certificate_id>/pdf")
@web.requires(P.HOLD)
def my_pdf(certificate_id: uuid.UUID) -> ResponseReturnValue:
    """Hand out the signed file."""
    return _file(access_certificate(web.db(), certificate_id))


@blueprint.get("/certificates/<uuid:certificate_id>/photo")
@web.requires(P.HOLD)
def my_photo(certificate_id: uuid.UUID) -> ResponseReturnValue:
    """Show the photo that one's own imported certificate came with."""
    return _photo(access_certificate(web.db(), certificate_id))


def _photo(row: Certificate) -> ResponseReturnValue:
    data = photo_of(web.services(), row)
    if data is None:
        raise NotFound
    response = Response(data, mimetype="image/jpeg")
    response.headers["Cache-Control"] = "private, no-store"
    return response


def _file(row: Certificate) -> ResponseReturnValue:
    """Hand out the stored bytes, never drawn again; bytes that were altered are refused and audited."""
    if row.origin == Origin.IMPORTED:
        raise NotSignedHere
    if row.pdf_key is None or row.pdf_sha256 is None:
        raise NotIssuedYet
    try:
        data = web.services().storage.get(row.pdf_key)
    except ObjectMissing:
        data = b""
    if not hmac.compare_digest(hashlib.sha256(data).digest(), row.pdf_sha256):
        log.error("certificate_file_altered", certificate=str(row.id), incident=web.incident_id())
        actor, certificate_id, tenant_id = web.actor(), row.id, row.tenant_id
        web.after_rollback(
            lambda session: audit.record(
                session,
                actor,
                "certs.certificate.file_refused",
                subject_type="certificate",
                subject_id=certificate_id,
                tenant_id=tenant_id,
            )
        )
        raise FileAltered
    return download(data, f"{row.number}.pdf", PDF)


def _read(certificate_id: uuid.UUID, **data: object) -> Certificate:
    """Return somebody else's certificate; that it was read is audited."""
    row = access_certificate(web.db(), certificate_id)
    web.note_personal_read("certificate", row.id, **data)
    return row


@blueprint.get("/tenant/certificates")
@web.requires(P.READ_STAFF)
def staff_list() -> ResponseReturnValue:
    """List the certificates of the enterprise's present staff."""
    return list_page(wanted_of_staff(), "certs/staff_list.html")


@blueprint.post("/tenant/certificates/export")
@web.requires(P.READ_STAFF)
def export_staff() -> ResponseReturnValue:
    """Export the list by a job."""
    return redirect(url_for("core.job", job_id=tasks.start_export(web.db(), web.actor(), wanted_of_staff())))


@blueprint.get("/tenant/certificates/<uuid:certificate_id>")
@web.requires(P.READ_STAFF)
def staff_certificate(certificate_id: uuid.UUID) -> ResponseReturnValue:
    """Show a certificate of one's staff."""
    row = _read(certificate_id)
    return _page(row, layout="layouts/desk.html", back=back_to(url_for(".staff_list")))


@blueprint.get("/tenant/certificates/<uuid:certificate_id>/pdf")
@web.requires(P.READ_STAFF)
def staff_pdf(certificate_id: uuid.UUID) -> ResponseReturnValue:
    """Hand out the signed file of a certificate of one's staff."""
    return _file(_read(certificate_id, file=True))


@blueprint.get("/tenant/certificates/<uuid:certificate_id>/photo")
@web.requires(P.READ_STAFF)
def staff_photo(certificate_id: uuid.UUID) -> ResponseReturnValue:
    """Show the photo of an imported certificate of one's staff."""
    return _photo(_read(certificate_id, file=True))


@blueprint.get("/regulator/certificates")
@web.requires(P.SUPERVISE)
def regulator_list() -> ResponseReturnValue:
    """List the certificates in the regulator's scope."""
    return list_page(wanted_of_regulator(), "certs/regulator_list.html")


@blueprint.post("/regulator/certificates/export")
@web.requires(P.SUPERVISE)
def export_regulator() -> ResponseReturnValue:
    """Export the list by a job."""
    return redirect(url_for("core.job", job_id=tasks.start_export(web.db(), web.actor(), wanted_of_regulator())))


@blueprint.get("/regulator/certificates/<uuid:certificate_id>")
@web.requires(P.SUPERVISE)
def regulator_certificate(certificate_id: uuid.UUID) -> ResponseReturnValue:
    """Show a certificate in scope, with the decisions that are open."""
    row = _read(certificate_id)
    form = DecisionForm(formdata=None) if web.actor().can(P.DECIDE) else None
    return _page(row, layout="layouts/desk.html", back=back_to(url_for(".regulator_list")), form=form)


@blueprint.get("/regulator/certificates/<uuid:certificate_id>/pdf")
@web.requires(P.SUPERVISE)
def regulator_pdf(certificate_id: uuid.UUID) -> ResponseReturnValue:
    """Hand out the signed file of a certificate in scope."""
    return _file(_read(certificate_id, file=True))


@blueprint.get("/regulator/certificates/<uuid:certificate_id>/photo")
@web.requires(P.SUPERVISE)
def regulator_photo(certificate_id: uuid.UUID) -> ResponseReturnValue:
    """Show the photo of an imported certificate in scope."""
    return _photo(_read(certificate_id, file=True))


@blueprint.post("/regulator/certificates/<uuid:certificate_id>/status")
@web.requires(P.DECIDE)
def decide_status(certificate_id: uuid.UUID) -> ResponseReturnValue:
    """Suspend, reinstate or cancel, with a reason."""
    form = DecisionForm()
    if not form.validate_on_submit():
        row = access_certificate(web.db(), certificate_id)
        page = _page(row, layout="layouts/desk.html", back=back_to(url_for(".regulator_list")), form=form)
        return page, 422
    decision = Decision(str(form.decision.data))
    decide(web.db(), web.actor(), certificate_id, decision, form.reason.data or "", code=form.code.data or "")
    flash(_("已执行：%(decision)s", decision=DECISIONS[decision][0]), "ok")
    return redirect(url_for(".regulator_certificate", certificate_id=certificate_id))
