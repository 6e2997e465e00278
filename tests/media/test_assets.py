"""From upload to playable lesson, through the real door, database, queue and ffmpeg."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import uuid
from collections.abc import Callable
from pathlib import Path

import av
import pytest
from sqlalchemy import select

from lms.core import ids, jobs
from lms.core.access import Actor
from lms.core.audit import AuditRow
from lms.core.errors import Conflict, NotFound, TooLarge
from lms.core.services import Services
from lms.core.storage import ObjectMissing
from lms.core.tenancy import WORKER_SCOPE
from media import api, keys, operations, playlists, queries, tasks
from media.adapters.probing import Probe
from media.errors import BadCaption, BadTitle, EmptyFile, Rejected
from media.events import AssetDeletionAsked
from media.limits import upload_limits
from media.models import Asset, AssetState
from tests.conftest import Instance, Worker
from tests.media.conftest import Clip, institution, run_ffmpeg
from tests.waiting import wait_for

Upload = Callable[..., uuid.UUID]
VTT = "WEBVTT\n\n00:00.000 --> 00:02.000\n{}\n"


def row_of(services: Services, asset_id: uuid.UUID) -> Asset:
    with services.db.transaction(WORKER_SCOPE, read_only=True) as session:
        return session.scalars(select(Asset).where(Asset.id == asset_id)).one()


def job_of(services: Services, asset_id: uuid.UUID) -> jobs.JobView:
    with services.db.transaction(WORKER_SCOPE, read_only=True) as session:
        job_id = session.scalars(select(Asset.job_id).where(Asset.id == asset_id)).one()
        return jobs.access_job(session, job_id)


def read(services: Services, asset: Asset, name: str) -> bytes:
    assert asset.run_id is not None
    return services.storage.get(keys.run_key(asset.id, asset.run_id, name))


def test_an_upload_becomes_a_playable_lesson(
    jobs_services: Services, queue_worker: Worker, upload: Upload, instructor: Actor, clip: Clip, tmp_path: Path
) -> None:
    source = clip("hd.mov", duration_s=5, size="1280x720", rate=50)
    captions = {"zh": VTT.format("你好").encode(), "en": VTT.format("Hello").encode()}
    asset_id = upload(instructor, source, captions=captions)
    assert row_of(jobs_services, asset_id).state == AssetState.UPLOADED
    queue_worker.drain()
    asset = row_of(jobs_services, asset_id)
    assert (asset.state, asset.duration_s, asset.has_audio) == (AssetState.READY, pytest.approx(5, abs=0.1), True)
    assert [(one["name"], one["width_px"], one["height_px"]) for one in asset.renditions] == [
        ("360p", 640, 360),
        ("720p", 1280, 720),
    ]
    for name, size in (("360p", (640, 360)), ("720p", (1280, 720)), ("audio", None)):
        _assert_plays(jobs_services, asset, name, size, tmp_path)
    master = read(jobs_services, asset, keys.MASTER).decode()
    assert master.count("#EXT-X-STREAM-INF") == 2
    assert "RESOLUTION=1280x720" in master
    assert read(jobs_services, asset, keys.POSTER).startswith(b"\xff\xd8")
    assert jobs_services.storage.get(keys.caption_key(asset_id, "zh")) == captions["zh"]
    assert job_of(jobs_services, asset_id).state == jobs.JobState.DONE


def _assert_plays(services: Services, asset: Asset, name: str, size: tuple[int, int] | None, folder: Path) -> None:
    """Decode every segment: right size, right length, about four seconds each."""
    text = read(services, asset, f"{name}/index.m3u8").decode()
    assert "#EXT-X-ENDLIST" in text
    assert playlists.durations_of(text) == [pytest.approx(4, abs=0.1), pytest.approx(1, abs=0.15)]
    joined = folder / f"{name}.ts"
    joined.write_bytes(b"".join(read(services, asset, f"{name}/{one}") for one in playlists.segments_of(text)))
    with av.open(str(joined)) as container:
        assert len(container.streams.audio) == 1
        if size is None:
            assert not container.streams.video
            return
        frames = list(container.decode(video=0))
    assert {(frame.width, frame.height) for frame in frames} == {size}
    # Fifty pictures a second come out as thirty.
    assert len(frames) == pytest.approx(150, abs=4)


def test_a_silent_clip_gets_no_audio_rendition(
    jobs_services: Services, queue_worker: Worker, upload: Upload, instructor: Actor, clip: Clip
) -> None:
    asset_id = upload(instructor, clip("silent.webm", duration_s=2, sound=False))
    queue_worker.drain()
    asset = row_of(jobs_services, asset_id)
    assert (asset.state, asset.has_audio) == (AssetState.READY, False)
    with pytest.raises(ObjectMissing):
        read(jobs_services, asset, "audio/index.m3u8")


def _bad_files(clip: Clip, folder: Path) -> dict[str, Path]:
    short = clip("short.mp4").read_bytes()
    made = {
        "page.mp4": b"<!doctype html><script>alert(1)</script>",
        "cut.mp4": short[: len(short) // 3],
        "playlist.mp4": b"#EXTM3U\n#EXT-X-TARGETDURATION:5\n#EXTINF:5,\nfile:///etc/hostname\n#EXT-X-ENDLIST\n",
        "script.mp4": b"ffconcat version 1.0\nfile /etc/hostname\n",
    }
    for name, data in made.items():
        (folder / name).write_bytes(data)
    run_ffmpeg("-f", "lavfi", "-i", "sine=d=2", str(folder / "sound.mp4"))
    return {name: folder / name for name in (*made, "sound.mp4")}


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("page.mp4", "not_media"),
        ("cut.mp4", "corrupt"),
        ("playlist.mp4", "not_media"),
        ("script.mp4", "not_media"),
        ("sound.mp4", "no_video"),
    ],
)
def test_what_is_no_lesson_is_rejected_with_its_reason(
    name: str,
    reason: str,
    jobs_services: Services,
    queue_worker: Worker,
    upload: Upload,
    instructor: Actor,
    clip: Clip,
    tmp_path: Path,
) -> None:
    asset_id = upload(instructor, _bad_files(clip, tmp_path)[name])
    queue_worker.drain()
    asset = row_of(jobs_services, asset_id)
    assert (asset.state, asset.reason) == (AssetState.REJECTED, reason)
    assert job_of(jobs_services, asset_id).state == jobs.JobState.FAILED


CENC = "-encryption_scheme cenc-aes-ctr -encryption_key {0} -encryption_kid {0}".format("0123456789abcdef" * 2).split()


@pytest.mark.parametrize(
    ("settings", "captions", "reason"),
    [
        ({"name": "enc.mp4", "extra": tuple(CENC)}, {}, "encrypted"),
        ({"name": "blink.mp4", "duration_s": 0.2}, {}, "too_short"),
        ({"name": "long.mp4", "duration_s": 902, "rate": 1, "sound": False, "size": "64x64"}, {}, "too_long"),
        ({"name": "wide.mp4", "size": "1024x64", "sound": False}, {}, "bad_resolution"),
        ({"name": "tiny.mp4", "size": "32x32", "sound": False}, {}, "bad_resolution"),
        ({"name": "talk.mp4"}, {"zh": b"WEBVTT\n\n00:00.000 --> 00:09.000\nx\n"}, "caption_too_long"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_videos_outside_the_limits_are_rejected_with_their_reason(
    settings: dict[str, object],
    captions: dict[str, bytes],
    reason: str,
    jobs_services: Services,
    queue_worker: Worker,
    upload: Upload,
    instructor: Actor,
    clip: Clip,
) -> None:
    asset_id = upload(instructor, clip(**settings), captions=captions)  # type: ignore[arg-type]
    queue_worker.drain()
    asset = row_of(jobs_services, asset_id)
    assert (asset.state, asset.reason) == (AssetState.REJECTED, reason)


def test_a_lesson_of_exactly_fifteen_minutes_passes_the_check() -> None:
    run = operations.Run(ids.new_id(), ids.new_id(), ids.new_id(), None, {})
    tasks.check_probe(Probe(900.0, 1280, 720, has_audio=True), run, upload_limits())
    with pytest.raises(Rejected):
        tasks.check_probe(Probe(900.04, 1280, 720, has_audio=True), run, upload_limits())


def test_refused_uploads_leave_nothing_behind(
    services: Services, jobs_services: Services, upload: Upload, instructor: Actor, short_clip: Path, tmp_path: Path
) -> None:
    empty, huge = tmp_path / "empty.mp4", tmp_path / "huge.mp4"
    empty.touch()
    with huge.open("wb") as file:
        file.truncate(upload_limits().max_upload_bytes + 1)
    with pytest.raises(EmptyFile):
        upload(instructor, empty)
    with pytest.raises(TooLarge):
        upload(instructor, huge)
    with pytest.raises(BadTitle):
        upload(instructor, short_clip, title="  ")
    with pytest.raises(BadCaption) as caught:
        upload(instructor, short_clip, captions={"zh": b"1\n2\n"})
    assert caught.value.data["line"] == 1
    with jobs_services.db.transaction(WORKER_SCOPE) as session:
        assert session.scalars(select(Asset).where(Asset.tenant_id == instructor.tenant_id)).all() == []


def test_a_path_in_the_file_name_is_only_a_name(
    jobs_services: Services, upload: Upload, instructor: Actor, short_clip: Path
) -> None:
    asset_id = upload(instructor, short_clip, file_name="..\\..\\etc/../../课件\x00.mp4")
    assert row_of(jobs_services, asset_id).file_name == "课件.mp4"
    assert jobs_services.storage.size(keys.source_key(asset_id)) == short_clip.stat().st_size


KILLED = """
import sys
from lms.core import bootstrap
from lms.core.services import Kernel
from lms.core.settings import load_settings
from dataclasses import replace
from media import room, tasks
settings = replace(load_settings(), storage_url=sys.argv[2], admin_database_url=sys.argv[3])
kernel = Kernel()
room.register(kernel)
services = bootstrap.build_services(settings, kernel, login="jobs", admin=sys.argv[3])
tasks.transcode(services, asset_id=sys.argv[1])
"""


def test_a_killed_run_is_done_again_and_the_lesson_is_ready_once(
    instance: Instance, jobs_services: Services, queue_worker: Worker, upload: Upload, instructor: Actor, clip: Clip
) -> None:
    asset_id = upload(instructor, clip("busy.mp4", duration_s=20, size="1280x720"))
    settings = instance.settings
    environment = os.environ | {"ANZHENG_ENV": "test", "ANZHENG_HOME": str(settings.home)}
    command = [sys.executable, "-c", KILLED, str(asset_id), settings.storage_url, instance.admin]
    with subprocess.Popen(command, env=environment, stdout=subprocess.PIPE) as process:
        wait_for("the transcoding", lambda: row_of(jobs_services, asset_id).state == AssetState.TRANSCODING)
        scratch = settings.home / "scratch" / f"media-{asset_id}"
        wait_for("the first segment", lambda: any(scratch.rglob("seg_*.ts")))
        process.send_signal(signal.SIGKILL)
    killed = row_of(jobs_services, asset_id)
    assert (killed.state, killed.attempts) == (AssetState.TRANSCODING, 1)
    queue_worker.drain()
    asset = row_of(jobs_services, asset_id)
    assert (asset.state, asset.attempts, asset.duration_s) == (AssetState.READY, 2, pytest.approx(20, abs=0.1))
    assert asset.run_id != killed.run_id
    tasks.transcode(jobs_services, asset_id=str(asset_id))
    assert row_of(jobs_services, asset_id).run_id == asset.run_id
    with jobs_services.db.transaction(WORKER_SCOPE) as session:
        found = select(AuditRow.id).where(
            AuditRow.subject_id == str(asset_id), AuditRow.action == "media.asset.transcoded"
        )
        assert len(session.scalars(found).all()) == 1


def test_a_run_that_was_replaced_cannot_finish(
    jobs_services: Services, queue_worker: Worker, upload: Upload, instructor: Actor, short_clip: Path
) -> None:
    asset_id = upload(instructor, short_clip)
    with jobs_services.db.transaction(WORKER_SCOPE) as session:
        slow = operations.begin_run(session, asset_id)
    with jobs_services.db.transaction(WORKER_SCOPE) as session:
        newer = operations.begin_run(session, asset_id)
    assert slow is not None
    assert newer is not None
    assert newer.abandoned_run_id == slow.run_id
    with jobs_services.db.transaction(WORKER_SCOPE) as session:
        assert not operations.finish_run(session, slow, duration_s=3, renditions=(), has_audio=False)
        assert not operations.begin_transcoding(session, slow, width_px=1, height_px=1)
    queue_worker.drain()
    assert row_of(jobs_services, asset_id).state == AssetState.READY


def test_an_upload_that_kills_every_run_is_given_up(
    jobs_services: Services, upload: Upload, instructor: Actor, short_clip: Path
) -> None:
    asset_id = upload(instructor, short_clip)
    for _ in range(operations.MAX_RUNS):
        with jobs_services.db.transaction(WORKER_SCOPE) as session:
            assert operations.begin_run(session, asset_id) is not None
    tasks.transcode(jobs_services, asset_id=str(asset_id))
    asset = row_of(jobs_services, asset_id)
    assert (asset.state, asset.reason) == (AssetState.REJECTED, "gave_up")


def test_other_tenants_see_nothing_and_learners_only_what_plays(
    services: Services, queue_worker: Worker, upload: Upload, instructor: Actor, trainee: Actor, short_clip: Path
) -> None:
    asset_id = upload(instructor, short_clip, captions={"zh": VTT.format("你好").encode()})
    stranger = institution()
    for who in (stranger, trainee):
        with services.db.transaction(who.scope, read_only=True) as session, pytest.raises(NotFound):
            api.asset(session, asset_id)
    queue_worker.drain()
    with services.db.transaction(stranger.scope, read_only=True) as session, pytest.raises(NotFound):
        api.asset(session, asset_id)
    with services.db.transaction(trainee.scope, read_only=True) as session:
        found = api.asset(session, asset_id)
    assert (found.state, found.has_captions, found.caption_languages) == ("ready", True, ("zh",))
    assert found.duration_s == pytest.approx(3, abs=0.1)
    with services.db.transaction(instructor.scope, read_only=True) as session:
        assert [one.asset_id for one in api.ready_assets(session, instructor.tenant_id or ids.new_id())] == [asset_id]


def test_the_list_searches_filters_and_pages(
    services: Services, upload: Upload, instructor: Actor, short_clip: Path
) -> None:
    made = [upload(instructor, short_clip, title=f"视频 {n:02d}") for n in range(22)]
    with services.db.transaction(instructor.scope, read_only=True) as session:
        first = queries.list_assets(session, instructor, q="", state="", cursor=None)
        rest = queries.list_assets(session, instructor, q="", state="processing", cursor=first.next_cursor)
        assert queries.list_assets(session, instructor, q="", state="ready", cursor=None).items == []
        found = queries.list_assets(session, instructor, q="视频 07", state="", cursor=None)
        assert queries.list_assets(session, instructor, q="%", state="", cursor=None).items == []
    assert [row.asset_id for row in (*first.items, *rest.items)] == made[::-1]
    assert (first.total, [row.title for row in found.items]) == (22, ["视频 07"])


def test_a_removed_video_takes_its_files_along(
    services: Services,
    jobs_services: Services,
    queue_worker: Worker,
    upload: Upload,
    instructor: Actor,
    short_clip: Path,
) -> None:
    asset_id = upload(instructor, short_clip, captions={"zh": VTT.format("你好").encode()})
    with services.db.transaction(instructor.scope) as session, pytest.raises(Conflict):
        operations.delete_asset(session, instructor, asset_id)
    queue_worker.drain()
    asset = row_of(jobs_services, asset_id)
    names = json.loads(read(jobs_services, asset, keys.MANIFEST))["files"]
    with services.db.transaction(institution().scope) as session, pytest.raises(NotFound):
        operations.delete_asset(session, institution(), asset_id)
    with services.db.transaction(instructor.scope) as session:
        operations.delete_asset(session, instructor, asset_id)
    queue_worker.drain()
    folder = Path(jobs_services.settings.storage_url.removeprefix("file://")) / "media" / str(asset_id)
    assert names
    assert [path for path in folder.rglob("*") if path.is_file()] == []


class InUse(Conflict):
    """A room above still shows the video."""


def test_a_room_above_can_keep_a_video(
    services: Services, queue_worker: Worker, upload: Upload, instructor: Actor, short_clip: Path
) -> None:
    asset_id = upload(instructor, short_clip)
    queue_worker.drain()

    def keep(_session: object, event: AssetDeletionAsked) -> None:
        if event.asset_id == asset_id:
            raise InUse

    services.kernel.subscribe(AssetDeletionAsked, keep, name="test.keep", inline=True)
    with pytest.raises(InUse), services.db.transaction(instructor.scope) as session:
        operations.delete_asset(session, instructor, asset_id)
    with services.db.transaction(instructor.scope, read_only=True) as session:
        assert api.asset(session, asset_id).state == "ready"
