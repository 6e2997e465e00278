"""Consent, enrolment at the camera, the person's own portrait."""

from __future__ import annotations

from flask import Response, flash, jsonify, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue

from lms.accounts.blueprint import bp
from lms.accounts.errors import FaceNeedsConfirmation
from lms.accounts.faces import checking, operations, queries
from lms.accounts.faces.texts import consent_text
from lms.accounts.labels import advice_texts
from lms.core import web
from lms.core.errors import NotFound
from lms.core.faces import api as faces
from lms.core.i18n import gettext as _
from lms.core.i18n import in_language

ENROLMENT_FRAMES = 3


def _language() -> str:
    return in_language("zh", "en")


def read_frames() -> list[bytes]:
    """Return the pictures of a camera form, as many as an engine may be asked to judge."""
    files = request.files.getlist("frames")[: faces.FRAMES_MAX + 1]
    return [file.stream.read(faces.MAX_BYTES + 1) for file in files]


@bp.get("/me/consent")
@web.signed_in
def consent() -> ResponseReturnValue:
    """Show the consent texts."""
    actor = web.actor()
    web.rescope(checking.scope_of(actor))
    person_id = operations.person_of(actor)
    portrait = queries.newest_consent(web.db(), person_id, queries.PORTRAIT)
    return render_template(
        "accounts/consent.html",
        biometric=consent_text(queries.BIOMETRIC, _language()),
        portrait=consent_text(queries.PORTRAIT, _language()),
        answered=queries.newest_consent(web.db(), person_id, queries.BIOMETRIC),
        portrait_given=portrait is not None and portrait.given,
        error=None,
    )


@bp.post("/me/consent")
@web.signed_in
def answer_consent() -> ResponseReturnValue:
    """Record the answer and lead on: to the camera, or to what happens instead."""
    answer = request.form.get("answer")
    if answer not in {"agree", "decline"}:
        flash(_("请选择同意或不同意"), "warn")
        return redirect(url_for("accounts.consent"))
    web.rescope(checking.scope_of(web.actor()))
    operations.answer_consent(
        web.db(),
        web.actor(),
        biometric=answer == "agree",
        portrait=request.form.get("portrait") == "yes",
        language=_language(),
    )
    if answer == "agree":
        return redirect(url_for("accounts.face"))
    flash(_("已记录：您不使用人脸核验。请联系本单位管理员现场核对身份证件。"), "ok")
    return redirect(url_for("accounts.profile"))


@bp.get("/me/face")
@web.signed_in
def face() -> ResponseReturnValue:
    """Show the camera."""
    actor = web.actor()
    web.rescope(checking.scope_of(actor))
    person_id = operations.person_of(actor)
    if not queries.has_biometric_consent(web.db(), person_id):
        return redirect(url_for("accounts.consent"))
    return render_template(
        "accounts/face.html", is_enrolled=queries.is_enrolled(web.db(), person_id), frames=ENROLMENT_FRAMES
    )


@bp.post("/me/face")
@web.signed_in
@web.own_transactions
def enrol_face() -> ResponseReturnValue:
    """Make a template of the frames; the answer is what camera.js shows."""
    try:
        checking.enrol_face(web.services(), web.actor(), read_frames())
    except faces.FaceRejected as refused:
        advice = [str(text) for text in advice_texts(refused.advice)]
        return jsonify(outcome="rejected", message=_("照片不符合要求"), advice=advice, next_url=None), 422
    except FaceNeedsConfirmation as refused:
        return jsonify(outcome="rejected", message=refused.text(), advice=[], next_url=None), 409
    return jsonify(outcome="enrolled", message=_("采集完成"), advice=[], next_url=url_for("accounts.home"))


@bp.get("/me/portrait")
@web.signed_in
def portrait() -> ResponseReturnValue:
    """Show the person their own portrait as it stands on certificates."""
    actor = web.actor()
    web.rescope(checking.scope_of(actor))
    data = queries.portrait_bytes(web.services(), web.db(), operations.person_of(actor))
    if data is None:
        raise NotFound
    return Response(data, mimetype="image/jpeg")
