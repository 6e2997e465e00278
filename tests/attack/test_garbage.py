"""Whatever is sent, no answer is a crash, and none shows details."""

from __future__ import annotations

import base64
import io
import json
import random
from collections.abc import Iterator

import pytest
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from lms.core.access import Role
from tests.attack.conftest import VISITOR, Arena
from tests.attack.test_doors import LEAKS, METHODS, is_allowed, path_of, rules_of

# All names of fields that the pages of the product send; one more than a page has does no harm.
FIELDS = """q cursor state kind scheme bank knowledge_point difficulty code column shown post department activated month
industry subject action actor t lang next tenant_id role session reason result text checked_on employment answer
portrait biometric language theme case_lesson_id no_case_reason login password repeat id_number name number post_code
phone hired_on left_on programme_code target due_on same_person title title_zh title_en summary_zh summary_en
industry_tag post_tag risk_tag media_asset_id stem_zh stem_en zh_a zh_b zh_c zh_d basis_zh explanation_zh decision
field item-1 item-999 quiz_required is_risk_case level region data_key warning_id""".split()  # noqa: SIM905 - a table


def _cursor(*parts: object) -> str:
    return base64.urlsafe_b64encode(json.dumps(parts).encode()).decode().rstrip("=")


# Addresses of single rows show no list to page through.
LISTS_AT_MOST = 40
TEXTS = (
    "x\x00y",
    "' or '1'='1' --';drop table core_audit;--%_\\",
    "../../../etc/passwd<script>alert(1)</script>\r\nSet-Cookie: sid=stolen",
    "-1",
    "99999999999999999999999999",
    "NaN",
    "0001-01-01",
    "9999-12-31",
    "\U0001f4a3\u202e\ufeff\ud7ff{{ 7 * 7 }}%(x)s%s{0}",
    "字" * 5_000,
)
CURSORS = (
    "x",
    "AAAA\x00",
    _cursor("n", ["x"]),
    _cursor("n", ["\x00", "0190a000-0000-7000-8000-000000000000"]),
    _cursor("n", "9999999999999999999999999999", "0190a000-0000-7000-8000-000000000000"),
    _cursor("p", "2026-01-01T00:00:00", "x"),
    "9" * 5000,
)
BODIES: tuple[object, ...] = (
    None,
    [],
    {},
    "x",
    7,
    [[[[]]]],
    dict.fromkeys(FIELDS, 7),
    dict.fromkeys(FIELDS),
    {name: {"a": [True]} for name in FIELDS},
    dict.fromkeys(FIELDS, "\ud800"),
    {"items": None},
    {"items": {}},
    {"items": [None, 1, "x", []]},
    {"items": [{"item": "1", "keys": "A", "seq": 1.5}]},
    {"items": [{"item": -1, "keys": [1], "seq": -1}]},
    {"items": [{"item": 1, "keys": ["A"], "seq": 10**30}]},
    {"items": [{"item": 10**30, "keys": ["\ud800"], "seq": 1}]},
    {"items": [{"item": 1, "keys": ["\x00"], "seq": True}]},
    {"items": [{"item": 1, "keys": ["A"], "seq": 1}] * 5_000},
    {"session": "\ud800", "events": []},
    {"session": [], "events": "x"},
    {"session": "0190a000-0000-7000-8000-000000000000", "events": [{"from_s": "0", "to_s": None}]},
    {"session": "0190a000-0000-7000-8000-000000000000", "events": [{"from_s": -1e308, "to_s": 1e308, "rate": 0}]},
    {"session": "0190a000-0000-7000-8000-000000000000", "events": [{"from_s": float("nan"), "to_s": float("inf")}]},
    {"session": "0190a000-0000-7000-8000-000000000000", "events": [{}] * 10_000},
)
RAW = (
    (b"{", "application/json"),
    (b"\xff\xfe", "application/json; charset=utf-16"),
    (b"[" * 50_000, "application/json"),
    (b"a=%FF%FE&q=%00", "application/x-www-form-urlencoded"),
    (b"--x\r\n\r\n", "multipart/form-data; boundary=x"),
    (
        b'--x\r\nContent-Disposition: form-data; name="file"; filename="a\0.csv"\r\n\r\nx\r\n--x--\r\n',
        "multipart/form-data; boundary=x",
    ),
    (b"x", "multipart/form-data"),
    (b"<x/>", "text/xml"),
    (b"x" * 100_000, ""),
)


class Report:
    """Collects what must not be."""

    def __init__(self) -> None:
        self.wrong: list[tuple[object, ...]] = []

    def look(self, answer: TestResponse, *where: object) -> None:
        details = answer.is_streamed is False and any(
            leak in answer.text for leak in LEAKS if answer.is_json or "html" in (answer.content_type or "")
        )
        if answer.status_code >= 500 or details or "stolen" in str(answer.headers.get("Set-Cookie")):
            self.wrong.append((answer.status_code, *where))


def _everybody(arena: Arena, role: str) -> Iterator[FlaskClient]:
    """Yield a stranger, or better the owner of the rows, who gets further in."""
    yield arena.owners.get(role) or arena.attackers[role]


def _routes(arena: Arena, role: str, methods: frozenset[str]) -> Iterator[tuple[str, str]]:
    """Yield what the role may call: elsewhere the guard answers before anything is read."""
    for rule in rules_of(arena.app):
        if rule.endpoint in {"accounts.sign_out", "accounts.verify_audit"}:
            continue
        allowed = is_allowed(arena.app, rule.endpoint, role)
        if allowed or (allowed is None and role == VISITOR):
            for method in sorted((rule.methods or set()) & methods):
                yield method, path_of(arena.app, rule, dict(arena.victims))


ROLES = (
    Role.TRAINEE.value,
    Role.ENTERPRISE_ADMIN.value,
    Role.INSTRUCTOR.value,
    Role.REGULATOR.value,
    Role.AUDITOR.value,
    VISITOR,
)


def _address() -> dict[str, str]:
    return {"REMOTE_ADDR": f"10.{random.randrange(256)}.{random.randrange(256)}.{random.randrange(256)}"}


@pytest.mark.parametrize("role", ROLES)
def test_queries(arena: Arena, role: str) -> None:
    report = Report()
    for client in _everybody(arena, role):
        for method, path in _routes(arena, role, frozenset({"GET"})):
            for text in TEXTS:
                query = dict.fromkeys(FIELDS, text) | {"cursor": ""}
                report.look(client.get(path, query_string=query, environ_base=_address()), method, path, text[:30])
            for cursor in CURSORS if len(path) < LISTS_AT_MOST else ():
                answer = client.get(path, query_string={"cursor": cursor}, environ_base=_address())
                report.look(answer, method, path, "cursor", cursor[:60])
            report.look(client.get(f"{path}?q=%ff%fe%00&cursor=%ff", environ_base=_address()), method, path, "%ff")
    assert not report.wrong, "\n".join(map(str, report.wrong))


@pytest.mark.parametrize("role", ROLES)
def test_forms(arena: Arena, role: str) -> None:
    report = Report()
    for client in _everybody(arena, role):
        for method, path in _routes(arena, role, METHODS - {"GET"}):
            for text in TEXTS:
                form = dict.fromkeys(FIELDS, text)
                report.look(
                    client.open(path, method=method, data=form, environ_base=_address()), method, path, text[:30]
                )
            for body, kind in RAW:
                answer = client.open(path, method=method, data=body, content_type=kind, environ_base=_address())
                report.look(answer, method, path, body[:20], kind)
    assert not report.wrong, "\n".join(map(str, report.wrong))


@pytest.mark.parametrize("role", ROLES)
def test_json(arena: Arena, role: str) -> None:
    report = Report()
    for client in _everybody(arena, role):
        for method, path in _routes(arena, role, METHODS - {"GET"}):
            for body in BODIES:
                answer = client.open(path, method=method, json=body, environ_base=_address())
                report.look(answer, method, path, repr(body)[:60])
    assert not report.wrong, "\n".join(map(str, report.wrong))


FILES = (
    (b"", "empty.xlsx"),
    (b"<svg xmlns='http://www.w3.org/2000/svg' onload='alert(1)'/>", "face.jpg"),
    (b"<html><script>alert(1)</script></html>", "lesson.mp4"),
    (b"\xff\xd8\xff\xe0" + b"\x00" * 200, "cut.jpg"),
    (b"\x89PNG\r\n\x1a\n" + b"\x00" * 200, "cut.png"),
    (b"PK\x03\x04" + b"\x00" * 200, "cut.xlsx"),
    (b"\x00" * 2000, "../../../etc/passwd"),
    ("姓名,身份证号,岗位\n\x00,=cmd|' /C calc'!A0,\x1b\n".encode(), 'x"\r\nX-Evil: 1.csv'),
    (b'{"questions": [{"code": null}], "knowledge_points": 7}', "bank.json"),
    (b"[[[[", "bank.json"),
    (b'{"questions": {"a": 1}}', "字" * 300 + ".json"),
)


@pytest.mark.parametrize("role", ROLES)
def test_files(arena: Arena, role: str) -> None:
    report = Report()
    for client in _everybody(arena, role):
        for method, path in _routes(arena, role, METHODS - {"GET"}):
            for data, name in FILES:
                form: dict[str, object] = {"title": "x", "portrait": "yes"}
                for field in ("file", "frames", "questions", "captions_zh"):
                    form[field] = (io.BytesIO(data), name)
                answer = client.open(path, method=method, data=form, environ_base=_address())
                report.look(answer, method, path, data[:20], name[:30])
    assert not report.wrong, "\n".join(map(str, report.wrong))
