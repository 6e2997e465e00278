"""The public check of a certificate, and the registry's public pages."""

from __future__ import annotations

from typing import Any

from flask import Blueprint, Flask, Response, current_app, jsonify, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from werkzeug.datastructures import MultiDict

from certs import rules
from certs.adapters.statuslist import MEDIA_TYPE
from certs.check import answers, page, queries
from certs.check.queries import MALFORMED, UNKNOWN, Visitor
from certs.check.visitors import present_visitor
from certs.errors import FindInvalid, GuessingTooOften
from certs.forms import FindForm
from certs.keys.operations import public_keys, root_pems
from certs.labels import entry_name
from certs.registry.queries import log_keys, proof_document, proof_of
from certs.status import lists
from lms.core import clock, web
from lms.core.errors import NotFound
from lms.core.i18n import LANGUAGE_COOKIE, LANGUAGES, select_locale
from lms.core.pages import YEAR_S, database_is_away, download, on_database_error
from lms.core.storage import ObjectMissing

blueprint = Blueprint("certs_check", __name__, template_folder="../templates")
THEMES = ("light", "dark")
PEM = "application/x-pem-file"


def install(app: Flask) -> None:
    """Take the look-up out of the application's check for tokens, which scripts do not have."""
    app.extensions["csrf"].exempt(find)


def _unknown(visitor: Visitor, asked: str, form: FindForm | None = None) -> ResponseReturnValue:
    """Answer 查无此证 in full, and remember that it was asked; slow down who guesses."""
    web.after_rollback(
        lambda session: queries.record_check(session, visitor, asked, certificate_id=None, outcome=UNKNOWN)
    )
    if queries.has_guessed_too_often(web.db(), visitor):
        raise GuessingTooOften
    return answers.unknown(asked, form)


def _malformed(visitor: Visitor, asked: str) -> ResponseReturnValue:
    """Say of what cannot be the code of any certificate that it cannot be checked, and write it down all the same."""
    with web.transaction() as session:
        queries.record_check(session, visitor, asked, certificate_id=None, outcome=MALFORMED)
        refused = queries.has_guessed_too_often(session, visitor)
    if refused:
        raise GuessingTooOften
    return answers.malformed(asked)


# Scanned symbols hold the address in capitals, people type small letters.
@blueprint.get("/c/<public_id>")
@blueprint.get("/C/<public_id>")
@blueprint.get("/c/<public_id>/<payload>")
@blueprint.get("/C/<public_id>/<payload>")
@web.public
@web.own_transactions
def check(public_id: str, payload: str = "") -> ResponseReturnValue:  # noqa: ARG001 - for phones without network
    """Tell anyone what the certificate is worth now, and write down that it was asked.

    Look-up and record share one short transaction: what was not recorded is not told.
    """
    visitor = present_visitor()
    wanted = rules.clean_public_id(public_id)
    if wanted is None:
        return _malformed(visitor, public_id[:32])
    checked = queries.check_now(web.services().db, visitor, wanted, clock.today())
    facts, shown = checked.facts, checked.shown
    if checked.is_guessing:
        raise GuessingTooOften
    if facts is None or shown is None:
        return answers.unknown(wanted)
    if web.wants_json():
        return jsonify(answers.checked_as_json(facts, shown, checked, wanted))
    language = _language()
    theme = request.cookies.get("theme", "")
    response = Response(
        page.draw(
            answers.facts_as_text(facts, checked, wanted, language),
            shown,
            imported=checked.imported is not None,
            language=language,
            theme=theme if theme in THEMES else "auto",
        )
    )
    if "lang" in request.args:
        response.set_cookie(LANGUAGE_COOKIE, language, max_age=YEAR_S, samesite="Lax", httponly=True)
    return response


def _language() -> str:
    """Return the reader's language; this page changes it by its address, for it holds no forms."""
    chosen = request.args.get("lang", "")
    return chosen if chosen in LANGUAGES else select_locale()


@blueprint.get("/c/<public_id>/proof")
@web.public
def proof(public_id: str) -> ResponseReturnValue:
    """Show the registry's proof for one certificate."""
    wanted = rules.clean_public_id(public_id)
    if wanted is None or queries.look_up(web.db(), wanted) is None:
        return _unknown(present_visitor(), (wanted or public_id)[:32])
    found = proof_of(web.db(), wanted)
    return render_template("certs/proof.html", proof=found, public_id=wanted, entry_name=entry_name)


@blueprint.get("/c/<public_id>/proof.json")
@web.public
def proof_file(public_id: str) -> ResponseReturnValue:
    """Hand out the registry's proof for one certificate, for anyone to check by themselves."""
    wanted = rules.clean_public_id(public_id)
    if wanted is None or queries.look_up(web.db(), wanted) is None:
        return _unknown(present_visitor(), (wanted or public_id)[:32])
    response = jsonify(proof_document(proof_of(web.db(), wanted)))
    response.headers.set("Content-Disposition", "attachment", filename=f"proof-{wanted}.json")
    return response


@blueprint.get("/find")
@web.public
def find_page() -> ResponseReturnValue:
    """Show the form for a look-up by number and name."""
    return render_template("certs/find.html", form=FindForm(formdata=None))


@blueprint.post("/find")
@web.public
@web.takes_json
def find() -> ResponseReturnValue:
    """Lead from number and name to the certificate's page, or tell a script where it is."""
    form = _find_form()
    if not form.validate_on_submit():
        if web.wants_json():
            raise FindInvalid
        return render_template("certs/find.html", form=form), 422
    number, name = (form.number.data or "").strip(), (form.name.data or "").strip()
    visitor = present_visitor()
    if queries.has_guessed_too_often(web.db(), visitor):
        raise GuessingTooOften
    found = queries.find_public_id(web.db(), number, name)
    if found is None:
        return _unknown(visitor, number[:32], form)
    address = url_for(".check", public_id=found)
    return jsonify(public_id=found, url=address) if web.wants_json() else redirect(address)


def _find_form() -> FindForm:
    """Read what is looked up: a page's form with its token, or a script's JSON, which rests on no sign-in."""
    if request.is_json:
        return FindForm(MultiDict(_texts(request.get_json())), meta={"csrf": False})
    if current_app.config["WTF_CSRF_ENABLED"]:
        current_app.extensions["csrf"].protect()
    return FindForm()


def _texts(given: dict[str, Any]) -> dict[str, str]:
    """Return the fields that are texts; a number, a list or half a character is as good as nothing."""
    texts = {key: value for key, value in given.items() if isinstance(value, str)}
    return {key: value for key, value in texts.items() if value == value.encode("utf-8", "ignore").decode()}


@blueprint.get("/status/list")
@web.public
@web.own_transactions
def status_list() -> ResponseReturnValue:
    """Hand out the signed status list for phones without network (Token Status List, CWT)."""
    try:
        data = web.services().storage.get(lists.KEY)
    except ObjectMissing:
        raise NotFound from None
    response = Response(data, mimetype=MEDIA_TYPE)
    response.headers["Cache-Control"] = f"public, max-age={lists.TTL_S}"
    response.add_etag()
    return response.make_conditional(request)


@blueprint.get("/api/openapi.json")
@web.public
@web.own_transactions
def openapi() -> ResponseReturnValue:
    """Hand out the description of the public interface (OpenAPI 3.1); it needs no database."""
    return jsonify(answers.openapi_document())


@blueprint.errorhandler(DBAPIError)
def _on_database_error(error: DBAPIError) -> ResponseReturnValue:
    """Say that nothing can be checked while the database is away: that is no verdict on the certificate."""
    return answers.unavailable() if database_is_away(error) else on_database_error(error)


@blueprint.errorhandler(PoolTimeout)
def _on_crowd(_error: PoolTimeout) -> ResponseReturnValue:
    """Say the same when no connection came free."""
    return answers.unavailable()


@blueprint.get("/pki/root.pem")
@web.public
def root_pem() -> ResponseReturnValue:
    """Hand out the root certificates that signed files are checked against."""
    return download("".join(root_pems(web.db())).encode(), "anzheng-root.pem", PEM)


@blueprint.get("/pki/keys.json")
@web.public
def keys_json() -> ResponseReturnValue:
    """Hand out the public keys of QR credentials and of the log."""
    qr = [{"name": key.name, "public_pem": key.public_pem} for key in public_keys(web.db(), "qr")]
    log = [
        {"name": key.name, "public_pem": key.public_pem, "verifier_key": known.text}
        for key, known in zip(public_keys(web.db(), "log"), log_keys(web.db()), strict=True)
    ]
    response = jsonify(qr=qr, log=log)
    return current_app.make_response(response)
