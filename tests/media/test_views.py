"""Pages and playback through HTTP."""

from __future__ import annotations

import re
import uuid
from collections.abc import Callable
from io import BytesIO
from pathlib import Path

import pytest
from flask.testing import FlaskClient
from sqlalchemy import event
from werkzeug.test import TestResponse

from lms.core.access import Actor
from tests.conftest import Worker
from tests.media.conftest import Browser, House, institution

Upload = Callable[..., uuid.UUID]
VTT = b"WEBVTT\n\n00:00.000 --> 00:02.000\nhello\n"


def send(client: FlaskClient, path: Path | None, **fields: object) -> TestResponse:
    data: dict[str, object] = {"title": "受限空间", **fields}
    if path is not None:
        data["file"] = (BytesIO(path.read_bytes()), "../课件.mp4")
    return client.post("/media/assets/new", data=data, content_type="multipart/form-data")


@pytest.fixture
def ready(upload: Upload, queue_worker: Worker, instructor: Actor, short_clip: Path) -> uuid.UUID:
    """A lesson that plays, with Chinese captions."""
    asset_id = upload(instructor, short_clip, captions={"zh": VTT})
    queue_worker.drain()
    return asset_id


def test_an_instructor_uploads_follows_and_previews(
    browser: Browser, queue_worker: Worker, instructor: Actor, short_clip: Path
) -> None:
    client = browser(instructor)
    assert "还没有视频" in client.get("/media/assets").text
    assert client.get("/media/assets/new").status_code == 200
    answer = send(client, short_clip, captions_zh=(BytesIO(), ""))
    assert answer.status_code == 302
    page = client.get(answer.location)
    assert "课件.mp4" in page.text
    assert 'hx-trigger="every 2s"' in page.text
    assert "受限空间" in client.get("/media/assets?state=processing").text
    queue_worker.drain()
    fragment = client.get(answer.location, headers={"HX-Request": "true"})
    assert fragment.headers["HX-Refresh"] == "true"
    page = client.get(answer.location)
    assert "data-player" in page.text
    assert "data-first" not in page.text
    assert "没有字幕" in page.text
    assert "可播放" in client.get("/media/assets").text


def test_a_rejected_file_says_why_on_its_page(
    browser: Browser, queue_worker: Worker, instructor: Actor, tmp_path: Path
) -> None:
    client = browser(instructor)
    page = tmp_path / "page.mp4"
    page.write_text("<!doctype html><p>hello")
    address = send(client, page).location
    queue_worker.drain()
    assert "文件不是可识别的视频" in client.get(address).text


def test_the_form_refuses_what_it_can_see_at_once(browser: Browser, instructor: Actor, short_clip: Path) -> None:
    client = browser(instructor)
    for answer, told in [
        (send(client, None), "请选择视频文件"),
        (send(client, short_clip, title=""), "请填写标题"),
        (send(client, short_clip, title="长" * 121), "最多 120 个字"),
    ]:
        assert answer.status_code == 422
        assert told in answer.text
    bad: dict[str, object] = {"captions_zh": (BytesIO(b"1\n2\n"), "captions.vtt"), "title": "微课"}
    answer = client.post(
        "/media/assets/new",
        data=bad | {"file": (short_clip.open("rb"), "a.mp4")},
        headers={"Accept": "application/json"},
    )
    assert answer.status_code == 422
    assert "WEBVTT" in answer.json["message"]
    assert "还没有视频" in client.get("/media/assets").text


def test_learners_and_visitors_do_not_manage_videos(
    browser: Browser, client: FlaskClient, trainee: Actor, ready: uuid.UUID, short_clip: Path
) -> None:
    learner = browser(trainee)
    for path in ("/media/assets", "/media/assets/new", f"/media/assets/{ready}"):
        assert learner.get(path).status_code == 403
        assert client.get(path).status_code == 302
    assert send(learner, short_clip).status_code == 403
    assert learner.post(f"/media/assets/{ready}/delete").status_code == 403


def test_foreign_videos_do_not_exist(browser: Browser, ready: uuid.UUID) -> None:
    stranger = browser(institution())
    assert stranger.get(f"/media/assets/{ready}").status_code == 404
    assert stranger.post(f"/media/assets/{ready}/delete").status_code == 404
    assert stranger.get(f"/media/play/{ready}/master.m3u8").status_code == 404


def test_a_learner_plays_what_is_ready(house: House, trainee: Actor, ready: uuid.UUID) -> None:
    client, engine = house.browser(trainee), house.services.db.engine
    base = f"/media/play/{ready}"
    master = client.get(f"{base}/master.m3u8")
    assert (master.mimetype, master.headers["Cache-Control"]) == ("application/vnd.apple.mpegurl", "no-store")
    assert "360p/index.m3u8" in master.text
    for rendition in ("360p", "audio"):
        playlist = client.get(f"{base}/{rendition}/index.m3u8")
        assert playlist.headers["Cache-Control"] == "no-store"
        (segment,) = re.findall(r"^seg_\d+\.ts\?t=\S+$", playlist.text, flags=re.MULTILINE)
        seen: list[str] = []

        def note(_c: object, _cursor: object, statement: str, *_rest: object, seen: list[str] = seen) -> None:
            seen.append(statement)

        event.listen(engine, "before_cursor_execute", note)
        answer = client.get(f"{base}/{rendition}/{segment}")
        event.remove(engine, "before_cursor_execute", note)
        assert (answer.status_code, answer.mimetype) == (200, "video/mp2t")
        assert answer.data[:1] == b"\x47"
        assert "immutable" in answer.headers["Cache-Control"]
        assert "private" in answer.headers["Cache-Control"]
        assert seen == []
    assert client.get(f"{base}/poster.jpg").mimetype == "image/jpeg"
    captions = client.get(f"{base}/captions.zh.vtt")
    assert (captions.mimetype, captions.data) == ("text/vtt", VTT)
    assert client.get(f"{base}/captions.en.vtt").status_code == 404


def test_segments_need_the_ticket_of_their_video(
    browser: Browser, trainee: Actor, ready: uuid.UUID, upload: Upload, queue_worker: Worker, short_clip: Path
) -> None:
    client = browser(trainee)
    playlist = client.get(f"/media/play/{ready}/360p/index.m3u8").text
    ticket = re.findall(r"\?t=(\S+)", playlist)[0]
    other = upload(institution(), short_clip)
    queue_worker.drain()
    for path in (
        f"{ready}/360p/seg_0000.ts",
        f"{ready}/360p/seg_0000.ts?t={ticket[:-3]}",
        f"{other}/360p/seg_0000.ts?t={ticket}",
    ):
        assert client.get(f"/media/play/{path}").status_code == 403


@pytest.mark.parametrize(
    "name",
    [
        "seg_0000.ts", "360p/seg_9999.ts", "360p/seg_0.ts", "1080p/index.m3u8", "manifest.json", "source",
        "360p/..%2F..%2Fsource", "..%2F..%2Fsecrets.json", "360p/ffmpeg.log", "captions.fr.vtt", "360p//etc/passwd",
    ],
)  # fmt: skip
def test_only_known_names_are_served(name: str, browser: Browser, trainee: Actor, ready: uuid.UUID) -> None:
    client = browser(trainee)
    ticket = re.findall(r"\?t=(\S+)", client.get(f"/media/play/{ready}/360p/index.m3u8").text)[0]
    assert client.get(f"/media/play/{ready}/{name}?t={ticket}").status_code in {404, 308}
    assert client.get(f"/media/play/{ready}/{name}?t={ticket}", follow_redirects=True).status_code == 404


def test_unready_videos_and_visitors_get_no_playlist(
    browser: Browser,
    client: FlaskClient,
    trainee: Actor,
    instructor: Actor,
    upload: Upload,
    ready: uuid.UUID,
    short_clip: Path,
) -> None:
    unready = upload(instructor, short_clip)
    for path in ("master.m3u8", "360p/index.m3u8", "poster.jpg", "captions.zh.vtt"):
        assert browser(trainee).get(f"/media/play/{unready}/{path}").status_code == 404
        assert browser(instructor).get(f"/media/play/{unready}/{path}").status_code == 404
        assert client.get(f"/media/play/{ready}/{path}").status_code == 302


def test_a_preview_earns_nothing(browser: Browser, instructor: Actor, ready: uuid.UUID) -> None:
    client = browser(instructor)
    answer = client.post(
        f"/media/assets/{ready}/preview", json={"session": str(uuid.uuid4()), "events": [{"from_s": 0, "to_s": 3}]}
    )
    assert answer.json["credited_s"] == 0
    assert answer.json["furthest_s"] == pytest.approx(3, abs=0.1)


def test_removing_asks_the_server_and_leads_to_the_list(browser: Browser, instructor: Actor, ready: uuid.UUID) -> None:
    client = browser(instructor)
    assert client.post(f"/media/assets/{ready}/delete").status_code == 302
    assert "视频已删除" in client.get("/media/assets").text
    assert client.get(f"/media/assets/{ready}").status_code == 404
