"""Uploading and removing videos, and the steps of a transcoding run."""

from __future__ import annotations

import re
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from sqlalchemy import delete, insert, select, update
from sqlalchemy.orm import Session

from lms.core import audit, clock, events, ids, jobs, queue
from lms.core.access import SYSTEM, Actor
from lms.core.errors import Forbidden, TooLarge
from lms.core.services import Services
from media import keys
from media.access import access_asset
from media.captions import CaptionError, Cue, parse_vtt
from media.errors import (
    CAPTION_PROBLEMS,
    AssetInProgress,
    BadCaption,
    BadTitle,
    CaptionProblem,
    EmptyFile,
    RejectReason,
)
from media.events import AssetDeletionAsked, AssetReady
from media.limits import upload_limits
from media.models import Asset, AssetState, Caption
from media.playlists import Rendition

TRANSCODE = "media.transcode"
SWEEP = "media.sweep"
MAX_RUNS = 4
MAX_TITLE = 120
MAX_FILE_NAME = 200
OPEN_STATES = (AssetState.UPLOADED, AssetState.CHECKING, AssetState.TRANSCODING)


@dataclass(frozen=True, slots=True)
class Run:
    """One try to turn an upload into a lesson; ``abandoned_run_id`` is that of a try that died."""

    asset_id: uuid.UUID
    run_id: uuid.UUID
    job_id: uuid.UUID
    abandoned_run_id: uuid.UUID | None
    last_cues: Mapping[str, float]


def upload_asset(
    services: Services,
    actor: Actor,
    *,
    file: Path,
    file_name: str,
    title: str,
    captions: Mapping[str, bytes],
) -> uuid.UUID:
    """Store a video with its captions and queue its check; return the asset's id.

    ``captions`` maps ``zh`` or ``en`` to WebVTT. What the file really holds is told by the job, on
    the asset's page. Raises BadTitle, EmptyFile, TooLarge, BadCaption, Forbidden (no tenant).
    """
    if actor.tenant_id is None:
        raise Forbidden
    title = title.strip()
    if not 0 < len(title) <= MAX_TITLE:
        raise BadTitle
    size_bytes = check_size(file.stat().st_size)
    cues = {language: _read_caption(language, data) for language, data in captions.items()}
    asset_id = ids.new_id()
    stored = [keys.source_key(asset_id)]
    try:
        services.storage.put(stored[0], file)
        for language, data in captions.items():
            stored.append(keys.caption_key(asset_id, language))
            services.storage.put(stored[-1], data)
        with services.db.transaction(actor.scope) as session:
            job_id = jobs.start(session, actor, TRANSCODE, title, total=100)
            _insert_asset(session, actor, asset_id, job_id, title, clean_file_name(file_name), size_bytes)
            _insert_captions(session, actor.tenant_id, asset_id, cues)
            queue.enqueue(session, TRANSCODE, lock=f"media:{asset_id}", asset_id=asset_id)
            data_shown = {"title": title, "size_bytes": size_bytes, "captions": sorted(captions)}
            audit.record(
                session, actor, "media.asset.uploaded", subject_type="asset", subject_id=asset_id, data=data_shown
            )
    except BaseException:
        for key in stored:
            services.storage.delete(key)
        raise
    return asset_id


def check_size(size_bytes: int) -> int:
    """Return ``size_bytes`` if an upload may have it; raises EmptyFile or TooLarge."""
    limit = upload_limits().max_upload_bytes
    if size_bytes > limit:
        raise TooLarge(limit_mb=limit // (1 << 20))
    if size_bytes == 0:
        raise EmptyFile
    return size_bytes


def clean_file_name(name: str) -> str:
    """Return the bare name for display: no folders, no control characters."""
    bare = re.split(r"[/\\]", name)[-1]
    return "".join(c for c in bare if c.isprintable()).strip()[-MAX_FILE_NAME:] or "video"


def _read_caption(language: str, data: bytes) -> tuple[Cue, ...]:
    if language not in keys.LANGUAGES or len(data) > upload_limits().max_caption_bytes:
        raise _bad_caption(language, 1, CaptionProblem.TOO_BIG)
    try:
        return parse_vtt(data)
    except CaptionError as error:
        raise _bad_caption(language, error.line, error.problem) from None


def _bad_caption(language: str, line: int, problem: CaptionProblem) -> BadCaption:
    return BadCaption(language=language, line=line, problem=CAPTION_PROBLEMS[problem])


def _insert_asset(
    session: Session, actor: Actor, asset_id: uuid.UUID, job_id: uuid.UUID, title: str, file_name: str, size_bytes: int
) -> None:
    now = clock.now()
    session.execute(
        insert(Asset).values(
            tenant_id=actor.tenant_id,
            id=asset_id,
            title=title,
            file_name=file_name,
            size_bytes=size_bytes,
            state=AssetState.UPLOADED,
            reason_data={},
            has_audio=False,
            renditions=[],
            attempts=0,
            job_id=job_id,
            created_by=actor.person_id,
            created_at=now,
            updated_at=now,
        )
    )


def _insert_captions(
    session: Session, tenant_id: uuid.UUID, asset_id: uuid.UUID, cues: Mapping[str, Sequence[Cue]]
) -> None:
    for language, found in cues.items():
        session.execute(
            insert(Caption).values(
                tenant_id=tenant_id,
                id=ids.new_id(),
                asset_id=asset_id,
                language=language,
                cue_count=len(found),
                last_cue_s=max(cue.to_s for cue in found),
            )
        )


def delete_asset(session: Session, actor: Actor, asset_id: uuid.UUID) -> None:
    """Remove a video that nothing uses; raises NotFound, AssetInProgress, or the user's Conflict."""
    asset = access_asset(session, actor, asset_id, lock=True)
    if not AssetState(asset.state).is_final:
        raise AssetInProgress
    events.publish(session, AssetDeletionAsked(1, asset.tenant_id, asset.id))
    run_id = str(asset.run_id) if asset.run_id else None
    data = {"title": asset.title, "file_name": asset.file_name}
    session.execute(delete(Asset).where(Asset.tenant_id == asset.tenant_id, Asset.id == asset_id))
    queue.enqueue(session, SWEEP, lock=f"media:{asset_id}", asset_id=asset_id, run_id=run_id, whole=True)
    audit.record(session, actor, "media.asset.deleted", subject_type="asset", subject_id=asset_id, data=data)


def begin_run(session: Session, asset_id: uuid.UUID) -> Run | None:
    """Take an upload for checking, under a new run; None when there is nothing left to do.

    A run that died (killed worker) is simply replaced: its id no longer finishes the row.
    """
    asset = session.scalars(select(Asset).where(Asset.id == asset_id).with_for_update()).first()
    if asset is None or AssetState(asset.state).is_final:
        return None
    captions = session.execute(select(Caption.language, Caption.last_cue_s).where(Caption.asset_id == asset_id))
    run = Run(asset_id, ids.new_id(), asset.job_id, asset.run_id, dict(captions.all()))
    asset.attempts += 1
    asset.run_id = run.run_id
    asset.state = AssetState.CHECKING
    asset.updated_at = clock.now()
    jobs.report(session, run.job_id, state=jobs.JobState.RUNNING, done=0)
    if asset.attempts > MAX_RUNS:
        session.flush()
        reject_run(session, run, RejectReason.GAVE_UP, {})
        queue.enqueue(session, SWEEP, asset_id=asset_id, run_id=run.abandoned_run_id, whole=False)
        return None
    return run


def is_last_run(session: Session, run: Run) -> bool:
    """Tell whether no further try will follow ``run``."""
    attempts = session.scalar(select(Asset.attempts).where(Asset.id == run.asset_id))
    return attempts is None or attempts >= MAX_RUNS


def begin_transcoding(session: Session, run: Run, *, width_px: int, height_px: int) -> bool:
    """Note that the check was passed; False when another run has taken over."""
    return _set_asset(session, run, state=AssetState.TRANSCODING, width_px=width_px, height_px=height_px)


def finish_run(
    session: Session, run: Run, *, duration_s: float, renditions: Sequence[Rendition], has_audio: bool
) -> bool:
    """Make the video playable with the files of ``run``; False when another run has taken over."""
    shown = [asdict(rendition) for rendition in renditions]
    changes = {"duration_s": duration_s, "renditions": shown, "has_audio": has_audio}
    if not _set_asset(session, run, state=AssetState.READY, **changes):
        return False
    tenant_id = session.scalars(select(Asset.tenant_id).where(Asset.id == run.asset_id)).one()
    jobs.report(session, run.job_id, state=jobs.JobState.DONE, done=100)
    data = {"duration_s": duration_s, "renditions": [rendition.name for rendition in renditions]}
    _record(session, "media.asset.transcoded", run, tenant_id, data)
    events.publish(session, AssetReady(1, tenant_id, run.asset_id, duration_s))
    return True


def reject_run(session: Session, run: Run, reason: RejectReason, data: dict[str, Any]) -> bool:
    """Refuse the upload for ``reason``; False when another run has taken over."""
    if not _set_asset(session, run, state=AssetState.REJECTED, reason=reason, reason_data=data):
        return False
    tenant_id = session.scalars(select(Asset.tenant_id).where(Asset.id == run.asset_id)).one()
    jobs.report(session, run.job_id, state=jobs.JobState.FAILED)
    _record(session, "media.asset.rejected", run, tenant_id, {"reason": reason, **data})
    return True


def _set_asset(session: Session, run: Run, **changes: object) -> bool:
    mine = (Asset.id == run.asset_id, Asset.run_id == run.run_id, Asset.state.in_(OPEN_STATES))
    found = session.scalars(
        update(Asset).where(*mine).values(updated_at=clock.now(), **changes).returning(Asset.id)
    ).first()
    return found is not None


def _record(session: Session, action: str, run: Run, tenant_id: uuid.UUID, data: dict[str, Any]) -> None:
    audit.record(session, SYSTEM, action, subject_type="asset", subject_id=run.asset_id, data=data, tenant_id=tenant_id)
