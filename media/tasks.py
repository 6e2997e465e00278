"""The transcoding job. Safe to kill at any moment and to run again.

Every run writes into a folder of its own and ends with one short write that only the latest run
can make, so a lesson becomes ready once and never half.
"""

from __future__ import annotations

import json
import shutil
import time
import uuid
from collections.abc import Callable, Sequence
from pathlib import Path

import structlog

from lms.core import jobs
from lms.core.services import Services
from lms.core.storage import ObjectMissing
from lms.core.tenancy import WORKER_SCOPE
from media import keys, operations, playlists
from media.adapters import probing, transcoding
from media.errors import Rejected, RejectReason
from media.limits import Limits, upload_limits
from media.operations import Run
from media.playlists import AUDIO, Rendition

log = structlog.get_logger()
REPORT_EVERY_S = 1.0
CAPTION_SLACK_S = 1.0  # the last cue may end with the last frame, which rounding puts a little later
CUT_SHARE = 0.9


def transcode(services: Services, *, asset_id: str) -> None:
    """Check an upload and make it playable, or reject it with its reason."""
    with services.db.transaction(WORKER_SCOPE) as session:
        run = operations.begin_run(session, uuid.UUID(asset_id))
    if run is None:
        return
    folder = _fresh_folder(services, run)
    try:
        _work(services, run, folder)
    except Rejected as refusal:
        with services.db.transaction(WORKER_SCOPE) as session:
            operations.reject_run(session, run, refusal.reason, refusal.data)
    except Exception:
        log.exception("transcode_failed", asset=asset_id, run=str(run.run_id))
        with services.db.transaction(WORKER_SCOPE) as session:
            is_last = operations.is_last_run(session, run)
            if is_last:
                operations.reject_run(session, run, RejectReason.GAVE_UP, {})
        if not is_last:
            raise
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _fresh_folder(services: Services, run: Run) -> Path:
    """Return an empty folder for the run, with the leavings of a killed one swept away."""
    folder = services.settings.home / "scratch" / f"media-{run.asset_id}"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    if run.abandoned_run_id is not None:
        _sweep_run(services, run.asset_id, run.abandoned_run_id)
    return folder


def _work(services: Services, run: Run, folder: Path) -> None:
    source, target = folder / "source", folder / "out"
    services.storage.fetch_to(keys.source_key(run.asset_id), source)
    limits = upload_limits()
    found = probing.probe(source)
    check_probe(found, run, limits)
    with services.db.transaction(WORKER_SCOPE) as session:
        size = {"width_px": found.width_px, "height_px": found.height_px}
        if not operations.begin_transcoding(session, run, **size):
            return
    target.mkdir()
    renditions = playlists.renditions_of(found.width_px, found.height_px)
    plan = transcoding.Plan(renditions, found.duration_s, found.has_audio, limits.segment_s, limits.transcode_timeout_s)
    try:
        transcoding.transcode(source, target, plan, _reporter(services, run))
    except transcoding.TranscodeError as error:
        if error.is_passing:
            raise
        log.warning("transcode_refused", asset=str(run.asset_id), detail=error.stderr[-500:])
        raise Rejected(RejectReason.CORRUPT) from None
    duration_s = _finish_playlists(target, plan)
    _publish(services, run, target, duration_s, renditions)


def check_probe(found: probing.Probe, run: Run, limits: Limits) -> None:
    """Raise Rejected unless the video keeps the limits and its captions end with it."""
    if found.duration_s < limits.min_duration_s:
        raise Rejected(RejectReason.TOO_SHORT, min_s=f"{limits.min_duration_s:g}")
    if found.duration_s > limits.max_duration_s:
        raise Rejected(RejectReason.TOO_LONG, shown=_clock(found.duration_s), limit=_clock(limits.max_duration_s))
    short_px, long_px = sorted((found.width_px, found.height_px))
    is_usable = limits.min_side_px <= short_px and long_px <= limits.max_side_px
    if not is_usable or long_px > limits.max_aspect * short_px:
        raise Rejected(
            RejectReason.BAD_RESOLUTION,
            width=found.width_px,
            height=found.height_px,
            min=limits.min_side_px,
            max=limits.max_side_px,
            aspect=f"{limits.max_aspect:g}:1",
        )
    for language, last_cue_s in run.last_cues.items():
        if last_cue_s > found.duration_s + CAPTION_SLACK_S:
            raise Rejected(RejectReason.CAPTION_TOO_LONG, language=language)


def _clock(value_s: float) -> str:
    return f"{int(value_s) // 60}:{int(value_s) % 60:02d}"


def _reporter(services: Services, run: Run) -> Callable[[float], None]:
    """Return a function that shows the share done, at most once a second and only upwards."""
    last_at, last_pct = 0.0, 0

    def report(share: float) -> None:
        nonlocal last_at, last_pct
        percent = min(99, int(share * 100))
        if percent <= last_pct or time.monotonic() - last_at < REPORT_EVERY_S:
            return
        last_at, last_pct = time.monotonic(), percent
        with services.db.transaction(WORKER_SCOPE) as session:
            jobs.report(session, run.job_id, done=percent)

    return report


def _finish_playlists(target: Path, plan: transcoding.Plan) -> float:
    """Check what ffmpeg wrote, write the master playlist, return the playable length in seconds."""
    rated = []
    lengths: list[float] = []
    for rendition in plan.renditions:
        folder = target / rendition.name
        text = (folder / "index.m3u8").read_text("utf8")
        sizes = [(folder / name).stat().st_size for name in playlists.segments_of(text)]
        lengths.append(sum(playlists.durations_of(text)))
        rated.append((rendition, playlists.peak_bps(text, sizes)))
    # ffmpeg passes over broken parts; a lesson with a hole in it is no lesson.
    if min(lengths) < CUT_SHARE * plan.duration_s:
        raise Rejected(RejectReason.CORRUPT)
    (target / keys.MASTER).write_text(playlists.master(rated, has_audio=plan.has_audio), "utf8")
    return round(min(*lengths, plan.duration_s), 2)


def _publish(services: Services, run: Run, target: Path, duration_s: float, renditions: Sequence[Rendition]) -> None:
    """Store the files under the run's own folder, then make them the lesson by one short write."""
    names = sorted(str(path.relative_to(target)) for path in target.rglob("*") if path.is_file())
    manifest = json.dumps({"files": names}).encode()
    # The list goes first, so that the leavings of a killed run can be found and removed.
    services.storage.put(keys.run_key(run.asset_id, run.run_id, keys.MANIFEST), manifest)
    for name in names:
        services.storage.put(keys.run_key(run.asset_id, run.run_id, name), target / name)
    has_audio = f"{AUDIO}/index.m3u8" in names
    with services.db.transaction(WORKER_SCOPE) as session:
        is_mine = operations.finish_run(session, run, duration_s=duration_s, renditions=renditions, has_audio=has_audio)
    if not is_mine:
        _sweep_run(services, run.asset_id, run.run_id)


def sweep(services: Services, *, asset_id: str, run_id: str | None, whole: bool) -> None:
    """Remove the files of a run, and with ``whole`` the upload and its captions too."""
    asset = uuid.UUID(asset_id)
    if run_id is not None:
        _sweep_run(services, asset, uuid.UUID(run_id))
    if whole:
        services.storage.delete(keys.source_key(asset))
        for language in keys.LANGUAGES:
            services.storage.delete(keys.caption_key(asset, language))


def _sweep_run(services: Services, asset_id: uuid.UUID, run_id: uuid.UUID) -> None:
    manifest = keys.run_key(asset_id, run_id, keys.MANIFEST)
    try:
        names = json.loads(services.storage.get(manifest))["files"]
    except ObjectMissing:
        return
    for name in names:
        services.storage.delete(keys.run_key(asset_id, run_id, name))
    services.storage.delete(manifest)
