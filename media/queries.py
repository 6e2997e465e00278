"""Lists and details of videos, for reading."""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Select, func, select
from sqlalchemy.orm import Session

from lms.core import jobs, paging
from lms.core.access import Actor
from lms.core.errors import NotFound
from lms.core.paging import Page
from media import keys
from media.access import access_asset
from media.errors import rejection_text
from media.models import Asset, AssetState, Caption

PLAY = "/media/play"


@dataclass(frozen=True, slots=True)
class AssetRow:
    """A video in the list. ``duration_s`` is None until it was measured."""

    asset_id: uuid.UUID
    title: str
    file_name: str
    size_bytes: int
    state: AssetState
    reason: str
    duration_s: float | None
    created_at: datetime
    poster_url: str | None


@dataclass(frozen=True, slots=True)
class AssetDetail:
    """All that the page of a video shows. ``percent`` is the share of the transcoding done."""

    row: AssetRow
    width_px: int | None
    height_px: int | None
    qualities: tuple[str, ...]
    has_audio: bool
    captions: tuple[tuple[str, int], ...]
    percent: int


@dataclass(frozen=True, slots=True)
class PlaybackUrls:
    """Where a player finds a lesson. ``captions`` maps language to address."""

    playlist: str
    audio: str
    captions: dict[str, str]
    poster: str


def playback_urls(asset_id: uuid.UUID, languages: tuple[str, ...] = keys.LANGUAGES) -> PlaybackUrls:
    """Return the addresses of a video; those of absent captions answer 404."""
    base = f"{PLAY}/{asset_id}"
    captions = {language: f"{base}/captions.{language}.vtt" for language in languages}
    return PlaybackUrls(f"{base}/{keys.MASTER}", f"{base}/audio/index.m3u8", captions, f"{base}/{keys.POSTER}")


def list_assets(session: Session, actor: Actor, *, q: str, state: str, cursor: str | None) -> Page[AssetRow]:
    """Return one page of the tenant's videos, newest first, filtered by title and state."""
    query: Select[Any] = select(Asset).where(Asset.tenant_id == actor.tenant_id)
    if q:
        query = query.where(Asset.title.icontains(q, autoescape=True) | Asset.file_name.icontains(q, autoescape=True))
    if state == "processing":
        query = query.where(Asset.state.in_((AssetState.UPLOADED, AssetState.CHECKING, AssetState.TRANSCODING)))
    elif state in set(AssetState):
        query = query.where(Asset.state == state)
    total = session.scalar(select(func.count()).select_from(query.subquery()))
    page = paging.paginate(
        session,
        query,
        keys=[Asset.__table__.c.id],
        key_of=lambda asset: [asset.id],
        cursor=cursor,
        descending=True,
        total=total,
    )
    return page.map(_row)


def detail(session: Session, actor: Actor, asset_id: uuid.UUID) -> AssetDetail:
    """Return a video of the actor's tenant with its progress; raises NotFound."""
    asset = access_asset(session, actor, asset_id)
    query = (
        select(Caption.language, Caption.cue_count)
        .where(Caption.asset_id == asset_id)
        .order_by(Caption.language.desc())
    )
    captions = tuple((language, count) for language, count in session.execute(query.order_by(Caption.language.desc())))
    qualities = tuple(f"{item['name']} · {item['width_px']}×{item['height_px']}" for item in asset.renditions)
    return AssetDetail(
        row=_row(asset),
        width_px=asset.width_px,
        height_px=asset.height_px,
        qualities=qualities,
        has_audio=asset.has_audio,
        captions=captions,
        percent=_percent(session, asset),
    )


def _percent(session: Session, asset: Asset) -> int:
    try:
        return jobs.access_job(session, asset.job_id).percent
    except NotFound:
        return 0


def _row(asset: Asset) -> AssetRow:
    state = AssetState(asset.state)
    return AssetRow(
        asset_id=asset.id,
        title=asset.title,
        file_name=asset.file_name,
        size_bytes=asset.size_bytes,
        state=state,
        reason=rejection_text(asset.reason, asset.reason_data),
        duration_s=asset.duration_s,
        created_at=asset.created_at,
        poster_url=f"{PLAY}/{asset.id}/{keys.POSTER}" if state is AssetState.READY else None,
    )
