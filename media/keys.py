"""Where things stand in storage: names made by us, never by an uploader."""

from __future__ import annotations

import uuid

MASTER = "master.m3u8"
POSTER = "poster.jpg"
MANIFEST = "manifest.json"
LANGUAGES = ("zh", "en")


def source_key(asset_id: uuid.UUID) -> str:
    """Return the key of the upload as it came."""
    return f"media/{asset_id}/source"


def caption_key(asset_id: uuid.UUID, language: str) -> str:
    """Return the key of the captions in ``language``."""
    return f"media/{asset_id}/captions.{language}.vtt"


def run_key(asset_id: uuid.UUID, run_id: uuid.UUID, name: str) -> str:
    """Return the key of a file that the transcoding run ``run_id`` has made."""
    return f"media/{asset_id}/{run_id}/{name}"
