"""What players fetch: playlists and captions for who may see the video, segments by ticket."""

from __future__ import annotations

import uuid

from flask import Blueprint, Response, current_app, request
from flask.typing import ResponseReturnValue

from lms.core import web
from lms.core.errors import NotFound
from lms.core.storage import ObjectMissing
from media import keys, playlists, tickets
from media.access import access_ready_asset
from media.models import Asset

blueprint = Blueprint("media_play", __name__, url_prefix="/media/play/<uuid:asset_id>")
PLAYLIST_TYPE = "application/vnd.apple.mpegurl"
# Segments never change under their address; a ticket is the same for an hour and dies after six.
SEGMENT_CACHE = f"private, max-age={tickets.LIFETIME_S}, immutable"
STILL_CACHE = "private, max-age=3600"
RENDITION = f"<any({', '.join(repr(name) for name in playlists.RENDITIONS)}):rendition>"
LANGUAGE = f"<any({', '.join(repr(name) for name in keys.LANGUAGES)}):language>"


def _answer(key: str, mimetype: str, cache: str) -> Response:
    try:
        data = web.services().storage.get(key)
    except ObjectMissing:
        raise NotFound from None
    return Response(data, mimetype=mimetype, headers={"Cache-Control": cache})


def _ready(asset_id: uuid.UUID) -> tuple[Asset, uuid.UUID]:
    asset = access_ready_asset(web.db(), web.actor(), asset_id)
    if asset.run_id is None:
        raise NotFound
    return asset, asset.run_id


@blueprint.get(f"/{keys.MASTER}")
@web.signed_in
def master(asset_id: uuid.UUID) -> ResponseReturnValue:
    """Return the playlist of playlists."""
    _asset, run_id = _ready(asset_id)
    return _answer(keys.run_key(asset_id, run_id, keys.MASTER), PLAYLIST_TYPE, "no-store")


@blueprint.get(f"/{RENDITION}/index.m3u8")
@web.signed_in
def playlist(asset_id: uuid.UUID, rendition: str) -> ResponseReturnValue:
    """Return the playlist of one quality, its segments bearing the reader's ticket."""
    _asset, run_id = _ready(asset_id)
    person_id = web.actor().person_id
    if person_id is None:
        raise NotFound
    answer = _answer(keys.run_key(asset_id, run_id, f"{rendition}/index.m3u8"), PLAYLIST_TYPE, "no-store")
    ticket = tickets.write_ticket(_key(), tickets.Ticket(asset_id, run_id, person_id))
    answer.set_data(playlists.with_ticket(answer.get_data(as_text=True), ticket))
    return answer


@blueprint.get(f"/{RENDITION}/<string:name>")
@web.ticketed
def segment(asset_id: uuid.UUID, rendition: str, name: str) -> ResponseReturnValue:
    """Return four seconds of video to whoever bears a ticket; touches no database."""
    if not playlists.SEGMENT_NAME.match(name):
        raise NotFound
    ticket = tickets.read_ticket(_key(), request.args.get("t", ""), asset_id)
    return _answer(keys.run_key(asset_id, ticket.run_id, f"{rendition}/{name}"), "video/mp2t", SEGMENT_CACHE)


@blueprint.get(f"/{keys.POSTER}")
@web.signed_in
def poster(asset_id: uuid.UUID) -> ResponseReturnValue:
    """Return the still of a video."""
    _asset, run_id = _ready(asset_id)
    return _answer(keys.run_key(asset_id, run_id, keys.POSTER), "image/jpeg", STILL_CACHE)


@blueprint.get(f"/captions.{LANGUAGE}.vtt")
@web.signed_in
def captions(asset_id: uuid.UUID, language: str) -> ResponseReturnValue:
    """Return the captions in one language."""
    _ready(asset_id)
    return _answer(keys.caption_key(asset_id, language), "text/vtt", STILL_CACHE)


def _key() -> bytes:
    key = current_app.secret_key
    if not isinstance(key, bytes):
        raise TypeError("the session key is made of bytes")
    return key
