"""The door of media for the rooms above."""

from __future__ import annotations

import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import select
from sqlalchemy.orm import Session

from lms.core.errors import NotFound
from media import queries
from media.access import MediaPermission
from media.models import Asset, AssetState, Caption
from media.operations import upload_asset
from media.queries import PlaybackUrls, playback_urls
from media.rules import ExclusionReason, Played
from media.watching import BeatResult, Watched, record_beat, reset_viewing, watched

__all__ = [
    "AssetState",
    "AssetView",
    "BeatResult",
    "DemoLesson",
    "ExclusionReason",
    "MediaPermission",
    "PlaybackUrls",
    "Played",
    "Watched",
    "asset",
    "assets",
    "demo_lesson",
    "playback_urls",
    "ready_assets",
    "record_beat",
    "reset_viewing",
    "upload_asset",
    "watched",
]


@dataclass(frozen=True, slots=True)
class AssetView:
    """A video as other rooms see it. ``state`` is ready, processing or rejected.

    ``duration_s`` is the playable length in seconds, 0 until it is ready.
    """

    asset_id: uuid.UUID
    owner_tenant_id: uuid.UUID
    title: str
    state: str
    duration_s: float
    has_captions: bool
    poster_url: str | None
    caption_languages: tuple[str, ...]
    has_audio: bool


@dataclass(frozen=True, slots=True)
class DemoLesson:
    """The micro-lesson that comes with the product."""

    file: Path
    title_zh: str
    title_en: str
    captions: Mapping[str, bytes]


def asset(session: Session, asset_id: uuid.UUID) -> AssetView:
    """Return one video; raises NotFound when it is absent or behind a wall.

    People see ready ones only, a tenant all of its own.
    """
    found = assets(session, [asset_id])
    if not found:
        raise NotFound
    return found[asset_id]


def assets(session: Session, asset_ids: Sequence[uuid.UUID]) -> dict[uuid.UUID, AssetView]:
    """Return the videos among ``asset_ids`` that the scope shows, by id, in two statements."""
    rows = session.scalars(select(Asset).where(Asset.id.in_(asset_ids))).all()
    return _views(session, rows)


def ready_assets(session: Session, tenant_id: uuid.UUID) -> list[AssetView]:
    """Return the tenant's playable videos, newest first, for choosing one in a lesson."""
    query = select(Asset).where(Asset.tenant_id == tenant_id, Asset.state == AssetState.READY)
    return list(_views(session, session.scalars(query.order_by(Asset.id.desc())).all()).values())


def _views(session: Session, rows: Sequence[Asset]) -> dict[uuid.UUID, AssetView]:
    languages: dict[uuid.UUID, list[str]] = {row.id: [] for row in rows}
    query = select(Caption.asset_id, Caption.language).where(Caption.asset_id.in_(languages))
    # Chinese first: it is the language of the lessons.
    for asset_id, language in session.execute(query.order_by(Caption.language.desc())):
        languages[asset_id].append(language)
    return {row.id: _view(row, tuple(languages[row.id])) for row in rows}


def _view(row: Asset, languages: tuple[str, ...]) -> AssetView:
    state = AssetState(row.state)
    is_ready = state is AssetState.READY
    return AssetView(
        asset_id=row.id,
        owner_tenant_id=row.tenant_id,
        title=row.title,
        state=state.value if state.is_final else "processing",
        duration_s=row.duration_s or 0.0,
        has_captions=bool(languages),
        poster_url=queries.playback_urls(row.id).poster if is_ready else None,
        caption_languages=languages,
        has_audio=row.has_audio,
    )


def demo_lesson() -> DemoLesson:
    """Return the files of the lesson on confined spaces, ready for ``upload_asset``."""
    folder = Path(__file__).parent / "demo_lesson"
    captions = {language: (folder / f"captions.{language}.vtt").read_bytes() for language in ("zh", "en")}
    return DemoLesson(folder / "confined_space.mp4", "有限空间作业安全", "Working safely in confined spaces", captions)
