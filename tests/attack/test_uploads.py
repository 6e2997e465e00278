"""The doors that take files: rosters, questions of banks and lessons, videos with their captions."""

from __future__ import annotations

import io
import json

import pytest
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from exams.bank.adapters.sheets import COLUMNS
from exams.bank.operations import FILE_BYTES_MAX
from lms.core.access import Role
from lms.courses.catalogue.files import HEADS
from tests.attack.conftest import Arena
from tests.attack.reporting import ENGLISH, changes, fault_of, stored
from tests.attack.workbooks import bomb, lying_bomb, ratio_bytes, stray, workbook
from tests.conftest import Admin, Instance, Worker

BIG_BYTES = 300 * 1024 * 1024
HONEST = {
    "roster": workbook([["姓名", "身份证号", "岗位"], ["张三", "1", "welder"]]),
    "bank": workbook([[label for _, label in COLUMNS], ["x1", "单选题"]]),
    "lesson": workbook([HEADS, ["单选", "题干", "甲", "乙", "", "", "A", ""]]),
}
DEEP = b'{"questions": ' + b"[" * 100_000
NO_TABLES = {
    "empty": b"",
    "page": b"<!doctype html><html><script>alert(1)</script></html>",
    "picture": b"\x89PNG\r\n\x1a\n" + b"\x00" * 200,
    "program": b"MZ" + b"\x00" * 2_000,
    "archive": ratio_bytes(1000),
}


def _send(arena: Arena, door: str, data: bytes, name: str = "a.xlsx") -> TestResponse:
    """Upload a file at one of the doors, by the owner of what stands behind it."""
    ids = arena.victims
    client, path = {
        "roster": (arena.owners[Role.ENTERPRISE_ADMIN.value], "/staff/import"),
        "bank": (arena.owners[Role.INSTRUCTOR.value], f"/bank/{ids['bank_code']}/import"),
        "lesson": (
            arena.owners[Role.INSTRUCTOR.value],
            f"/courses/{ids['course_id']}/lessons/{ids['lesson_id']}/questions",
        ),
    }[door]
    return _post(client, path, {"file": (io.BytesIO(data), name)})


def _post(client: FlaskClient, path: str, form: dict[str, object]) -> TestResponse:
    answer = client.post(path, data=form, headers=ENGLISH, content_type="multipart/form-data")
    # The test client keeps a large upload in a file of its own.
    answer.request.environ["wsgi.input"].close()
    return answer


@pytest.mark.parametrize("door", HONEST)
@pytest.mark.parametrize("name", NO_TABLES)
def test_what_is_no_table_is_refused_with_a_word(
    arena: Arena, instance: Instance, admin_connection: Admin, door: str, name: str
) -> None:
    before = stored(instance, admin_connection)
    answer = _send(arena, door, NO_TABLES[name])
    assert answer.status_code == 422
    assert fault_of(answer) is None
    assert changes(before, stored(instance, admin_connection)) == {}


@pytest.mark.parametrize("door", HONEST)
@pytest.mark.parametrize("kind", ["bomb", "lying bomb", "stray", "cut", "bent"])
def test_a_workbook_that_is_not_what_it_seems_is_refused_before_it_is_laid_out(
    arena: Arena, instance: Instance, admin_connection: Admin, door: str, kind: str
) -> None:
    honest = HONEST[door]
    middle = len(honest) // 3
    data = {
        "bomb": lambda: bomb(honest, BIG_BYTES),
        "lying bomb": lambda: lying_bomb(honest, BIG_BYTES),
        "stray": lambda: stray(honest),
        "cut": lambda: honest[:-40],
        "bent": lambda: honest[:middle] + b"\xff" * 64 + honest[middle + 64 :],
    }[kind]()
    before = stored(instance, admin_connection)
    answer = _send(arena, door, data)
    assert answer.status_code == 422
    assert fault_of(answer) is None
    assert changes(before, stored(instance, admin_connection)) == {}


@pytest.mark.parametrize("door", ["bank", "lesson"])
@pytest.mark.parametrize("data", [DEEP, b'{"questions": {"a": 1}}', b"[7]", b"9" * 10_000, b'{"questions": [{}]}'])
def test_json_that_holds_no_questions_is_refused_with_a_word(arena: Arena, door: str, data: bytes) -> None:
    answer = _send(arena, door, data, "questions.json")
    assert answer.status_code == 422
    assert fault_of(answer) is None


@pytest.mark.parametrize("door", ["bank", "lesson"])
def test_a_file_beyond_the_limit_is_refused_whatever_it_holds(arena: Arena, door: str) -> None:
    padding = " " * FILE_BYTES_MAX
    answer = _send(arena, door, json.dumps({"questions": [], "padding": padding}).encode(), "questions.json")
    assert answer.status_code == 422
    assert fault_of(answer) is None


def test_questions_in_an_honest_workbook_are_read(arena: Arena) -> None:
    answer = _send(arena, "lesson", HONEST["lesson"])
    assert answer.status_code == 303


VIDEOS = {
    "page": b"<!doctype html><html><script>alert(1)</script></html>",
    "playlist": b"#EXTM3U\n#EXTINF:10,\nfile:///etc/passwd\n#EXT-X-ENDLIST\n",
    "list of files": b"ffconcat version 1.0\nfile /etc/passwd\n",
    "head without a film": b"\x00\x00\x00\x18ftypisom\x00\x00\x02\x00isomiso2" + b"\x00" * 500,
    "sound of nothing": b"RIFF\xff\xff\xff\x7fWAVEfmt " + b"\x00" * 200,
}


@pytest.mark.parametrize("name", VIDEOS)
def test_what_is_no_film_is_never_played(
    arena: Arena, queue_worker: Worker, admin_connection: Admin, name: str
) -> None:
    client = arena.owners[Role.INSTRUCTOR.value]
    form = {"title": "x", "file": (io.BytesIO(VIDEOS[name]), "../../../etc/lesson.mp4")}
    answer = _post(client, "/media/assets/new", form)
    assert answer.status_code == 302
    asset_id = answer.headers["Location"].rsplit("/", 1)[1]
    queue_worker.drain()
    row = admin_connection.execute(
        "select state, file_name, renditions from media_asset where id = %s", (asset_id,)
    ).fetchone()
    assert row == ("rejected", "lesson.mp4", [])
    page = client.get(f"/media/assets/{asset_id}", headers=ENGLISH)
    assert page.status_code == 200
    assert "root:" not in page.text
    assert client.get(f"/media/play/{asset_id}/master.m3u8").status_code == 404


def test_an_empty_film_is_refused_at_once(arena: Arena, instance: Instance, admin_connection: Admin) -> None:
    before = stored(instance, admin_connection)
    form = {"title": "x", "file": (io.BytesIO(), "a.mp4")}
    answer = _post(arena.owners[Role.INSTRUCTOR.value], "/media/assets/new", form)
    assert answer.status_code == 422
    assert fault_of(answer) is None
    assert changes(before, stored(instance, admin_connection)) == {}


@pytest.mark.parametrize(
    "captions",
    [b"", b"<script>alert(1)</script>", b"WEBVTT\n\nx --> y\n", b"\xff\xfe\x00", b"WEBVTT" + b"\n" * 3_000_000],
)
def test_captions_that_are_none_are_refused(
    arena: Arena,
    instance: Instance,
    admin_connection: Admin,
    captions: bytes,
) -> None:
    before = stored(instance, admin_connection)
    film = io.BytesIO(b"\x00\x00\x00\x18ftypisom" + b"\x00" * 500)
    form = {"title": "x", "file": (film, "a.mp4"), "captions_zh": (io.BytesIO(captions), "../a.vtt")}
    answer = _post(arena.owners[Role.INSTRUCTOR.value], "/media/assets/new", form)
    assert answer.status_code == 422
    assert fault_of(answer) is None
    assert changes(before, stored(instance, admin_connection)) == {}
