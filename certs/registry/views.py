"""The registry log for everyone: its pages, its files, its proofs."""

from __future__ import annotations

import base64
import gzip
from typing import Final

from flask import Blueprint, Response, current_app, jsonify, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue

from certs.errors import NoSuchTree, UnknownLeaf
from certs.labels import TONES, entry_name
from certs.registry import publishing, queries, tiles
from certs.registry.queries import RegistryProof
from certs.rules import clean_public_id
from lms.core import web
from lms.core.pages import YEAR_S, download
from lms.core.storage import ObjectMissing

blueprint = Blueprint("certs_registry", __name__, template_folder="../templates")
FOR_EVER: Final = f"public, max-age={YEAR_S}, immutable"
# The specification wants no more than a few seconds.
FOR_A_MOMENT: Final = "public, max-age=2"
MAX_DIGITS: Final = 18


@blueprint.get("/registry")
@web.public
def log() -> ResponseReturnValue:
    """Show the state of the log, its newest entries and how to check it."""
    asked = request.args.get("index", "").strip()
    if asked.isascii() and asked.isdecimal() and len(asked) <= MAX_DIGITS:
        return redirect(url_for(".leaf", place=int(asked)))
    if (public_id := clean_public_id(asked)) is not None:
        return redirect(url_for("certs_check.proof", public_id=public_id))
    session = web.db()
    page = render_template(
        "certs/registry.html",
        checkpoint=queries.latest_checkpoint(session),
        page=queries.entries(session, request.args.get("cursor")),
        log_keys=queries.log_keys(session),
        witnesses=queries.witnesses(session),
        asked=asked,
        entry_name=entry_name,
        tones=TONES,
        address=web.services().settings.base_url.rstrip("/") + url_for(".log"),
    )
    return (page, 422) if asked else page


@blueprint.get("/registry/leaves/<int:place>")
@web.public
def leaf(place: int) -> ResponseReturnValue:
    """Show one entry: what it says and how it is proven."""
    proof = queries.proof_at(web.db(), place)
    size = proof.checkpoint.size if proof.checkpoint else 0
    return render_template("certs/leaf.html", proof=proof, leaf=proof.leaves[0], size=size, entry_name=entry_name)


@blueprint.get("/registry/leaves/<int:place>/proof.json")
@web.public
def leaf_document(place: int) -> ResponseReturnValue:
    """Hand out an entry with its proof, for programs."""
    return _attached(queries.proof_document(_placed(place)), f"entry-{place}.json")


@blueprint.get("/registry/leaves/<int:place>/proof.tlog-proof")
@web.public
def leaf_proof(place: int) -> ResponseReturnValue:
    """Hand out an entry's proof in the form that tools for such logs read (C2SP tlog-proof)."""
    return download(queries.proof_text(_placed(place)).encode(), f"entry-{place}.tlog-proof", "text/plain")


def _placed(place: int) -> RegistryProof:
    return queries.proof_at(web.db(), place)


def _attached(document: dict[str, object], file_name: str) -> Response:
    response = current_app.make_response(jsonify(document))
    response.headers.set("Content-Disposition", "attachment", filename=file_name)
    return response


@blueprint.get("/registry/consistency")
@web.public
def consistency() -> ResponseReturnValue:
    """Prove that the log of ``second`` entries begins with that of ``first`` (RFC 9162, 2.1.4)."""
    session = web.db()
    sizes = [request.args.get(name, "") for name in ("first", "second")]
    if not all(size.isascii() and size.isdecimal() and len(size) <= MAX_DIGITS for size in sizes):
        raise NoSuchTree(size=queries.log_size(session))
    first, second = map(int, sizes)
    proof = queries.consistency_between(session, first, second)
    encoded = [base64.b64encode(digest).decode() for digest in proof]
    return jsonify(first=first, second=second, consistency=encoded)


@blueprint.get("/registry/checkpoint")
@web.public
@web.own_transactions
def checkpoint() -> ResponseReturnValue:
    """Hand out the newest published checkpoint (C2SP tlog-checkpoint)."""
    return _note(publishing.CHECKPOINT)


@blueprint.get("/registry/witnessed")
@web.public
@web.own_transactions
def witnessed() -> ResponseReturnValue:
    """Hand out the newest checkpoint that a witness has co-signed."""
    return _note(publishing.WITNESSED)


def _note(name: str) -> Response:
    note = publishing.published(web.services().storage, name)
    if note is None:
        raise UnknownLeaf
    response = Response(note, content_type="text/plain; charset=utf-8")
    response.headers["Cache-Control"] = FOR_A_MOMENT
    return response


@blueprint.get("/registry/tile/<path:tile_name>")
@web.public
@web.own_transactions
def tile(tile_name: str) -> ResponseReturnValue:
    """Hand out a tile of hashes or a bundle of entries (C2SP tlog-tiles); neither ever changes."""
    wanted = tiles.tile_at(f"tile/{tile_name}")
    if wanted is None:
        raise UnknownLeaf
    try:
        data = publishing.read_tile(web.services().storage, wanted)
    except ObjectMissing:
        raise UnknownLeaf from None
    response = Response(data, mimetype="application/octet-stream")
    response.headers["Cache-Control"] = FOR_EVER
    if wanted.level == tiles.ENTRIES:
        response.vary.add("Accept-Encoding")
        # Hashes do not shrink, entries do to a third.
        if request.accept_encodings["gzip"] > 0:
            response.set_data(gzip.compress(data, mtime=0))
            response.content_encoding = "gzip"
    return response
