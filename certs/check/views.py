"""The public check of a certificate, and the registry's public pages."""

from __future__ import annotations

from typing import Any

from flask import Blueprint, Response, current_app, jsonify, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue

from certs import rules
from certs.check import queries
from certs.check.queries import GUESSING_WINDOW, UNKNOWN, PublicFacts, Visitor
from certs.errors import GuessingTooOften, UnknownCertificate
from certs.forms import FindForm
from certs.keys.operations import public_keys, root_pems
from certs.labels import LABELS, TONES, VERDICTS
from certs.registry.queries import latest_checkpoint, proof_document, proof_of, recent_checkpoints
from certs.rules import Shown, Status
from lms.core import clock, web
from lms.core.pages import download

blueprint = Blueprint("certs_check", __name__, template_folder="../templates")
PEM = "application/x-pem-file"


def _visitor() -> Visitor:
    address = web.services().vault.digest(request.remote_addr or "", kind="certs.check.address")
    return Visitor(address, rules.agent_family(request.user_agent.string))


def _unknown(visitor: Visitor, asked: str) -> ResponseReturnValue:
    """Answer 查无此证 in full, and remember that it was asked; slow down who guesses."""
    web.after_rollback(
        lambda session: queries.record_check(session, visitor, asked, certificate_id=None, outcome=UNKNOWN)
    )
    if queries.has_guessed_too_often(web.db(), visitor):
        raise GuessingTooOften(retry_after_s=int(GUESSING_WINDOW.total_seconds()))
    return render_template("certs/unknown.html", asked=asked, form=FindForm(formdata=None)), UnknownCertificate.status


def _today_status(facts: PublicFacts) -> Shown:
    today = clock.today(web.services().settings.timezone)
    return rules.shown_status(
        Status(facts.status), facts.valid_from, facts.valid_until, today, facts.renewal_window_days
    )


# Scanned symbols hold the address in capitals, people type small letters.
@blueprint.get("/c/<public_id>")
@blueprint.get("/C/<public_id>")
@blueprint.get("/c/<public_id>/<payload>")
@blueprint.get("/C/<public_id>/<payload>")
@web.public
def check(public_id: str, payload: str = "") -> ResponseReturnValue:  # noqa: ARG001 - for phones without network
    """Tell anyone what the certificate is worth now, and write down that it was asked."""
    visitor = _visitor()
    wanted = rules.clean_public_id(public_id)
    facts = queries.look_up(web.db(), wanted) if wanted else None
    if facts is None or wanted is None:
        return _unknown(visitor, (wanted or public_id)[:32])
    shown = _today_status(facts)
    web.after_commit(
        lambda session: queries.record_check(
            session, visitor, wanted, certificate_id=facts.certificate_id, outcome=shown.value
        )
    )
    if web.wants_json():
        return jsonify(_as_json(facts, shown))
    title, text = VERDICTS[shown]
    return render_template(
        "certs/check.html",
        facts=facts,
        public_id=wanted,
        title=title,
        text=text,
        tone=TONES[shown],
        label=LABELS[shown],
        checked_at=clock.now(),
    )


def _as_json(facts: PublicFacts, shown: Shown) -> dict[str, Any]:
    return {
        "status": shown.value,
        "number": facts.number,
        "holder": facts.holder_name_masked,
        "scheme": facts.scheme_name_zh,
        "valid_from": facts.valid_from.isoformat(),
        "valid_until": facts.valid_until.isoformat(),
        "issuer": facts.issuer_name,
        "enterprise": facts.enterprise_name,
        "licence": facts.licence_number,
        "registry_index": facts.leaf_seq,
        "checked_at": clock.now().isoformat(),
    }


@blueprint.get("/c/<public_id>/proof")
@web.public
def proof(public_id: str) -> ResponseReturnValue:
    """Show or hand out the registry's proof for one certificate."""
    wanted = rules.clean_public_id(public_id)
    if wanted is None or queries.look_up(web.db(), wanted) is None:
        return _unknown(_visitor(), (wanted or public_id)[:32])
    found = proof_of(web.db(), wanted)
    if request.headers.get("HX-Request"):
        return render_template("certs/_proof.html", proof=found, public_id=wanted)
    response = jsonify(proof_document(found))
    response.headers.set("Content-Disposition", "attachment", filename=f"proof-{wanted}.json")
    return response


@blueprint.get("/c")
@web.public
def find_page() -> ResponseReturnValue:
    """Show the form for a look-up by number and name."""
    return render_template("certs/find.html", form=FindForm(formdata=None))


@blueprint.post("/c")
@web.public
def find() -> ResponseReturnValue:
    """Lead from number and name to the certificate's page."""
    form = FindForm()
    if not form.validate_on_submit():
        return render_template("certs/find.html", form=form), 422
    number, name = (form.number.data or "").strip(), (form.name.data or "").strip()
    visitor = _visitor()
    if queries.has_guessed_too_often(web.db(), visitor):
        raise GuessingTooOften(retry_after_s=int(GUESSING_WINDOW.total_seconds()))
    found = queries.find_public_id(web.db(), number, name)
    return redirect(url_for(".check", public_id=found)) if found else _unknown(visitor, number[:32])


@blueprint.get("/registry")
@web.public
def registry() -> ResponseReturnValue:
    """Show the state of the registry log and how to check it."""
    return render_template(
        "certs/registry.html",
        checkpoints=recent_checkpoints(web.db()),
        log_keys=public_keys(web.db(), "log"),
    )


@blueprint.get("/registry/checkpoint")
@web.public
def checkpoint() -> ResponseReturnValue:
    """Hand out the newest signed checkpoint (C2SP tlog-checkpoint), for witnesses to keep."""
    found = latest_checkpoint(web.db())
    if found is None:
        raise UnknownCertificate
    return Response(found.note, mimetype="text/plain; charset=utf-8")


@blueprint.get("/pki/root.pem")
@web.public
def root_pem() -> ResponseReturnValue:
    """Hand out the root certificates that signed files are checked against."""
    return download("".join(root_pems(web.db())).encode(), "anzheng-root.pem", PEM)


@blueprint.get("/pki/keys.json")
@web.public
def keys_json() -> ResponseReturnValue:
    """Hand out the public keys of QR credentials and of the log."""
    kinds = {kind: public_keys(web.db(), kind) for kind in ("qr", "log")}
    response = jsonify(
        {kind: [{"name": key.name, "public_pem": key.public_pem} for key in keys] for kind, keys in kinds.items()}
    )
    return current_app.make_response(response)
