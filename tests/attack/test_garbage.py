"""Whatever is sent, no answer is a crash, each refusal says so in the reader's language, and nothing is stored."""

from __future__ import annotations

import io
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from flask.testing import FlaskClient

from lms.core.access import Role
from lms.core.requests import JSON_BYTES_MAX
from lms.core.services import Services
from lms.core.web import AnzhengFlask
from tests.attack.conftest import VISITOR, Arena, build_arena
from tests.attack.garbage import ADDRESS_PARTS, BODIES, CURSORS, FIELDS, FILES, NO_OBJECTS, RAW, TEXTS, UNSTORABLE
from tests.attack.reporting import ENGLISH, Report, changes, some_address, stored
from tests.attack.test_doors import METHODS, is_allowed, path_of, rules_of
from tests.conftest import Admin, Instance, Worker

# A field of an address; all of them together still make one far longer than the server takes.
SEARCHED_CHARS = 300
# Addresses of single rows show no list to page through.
LISTS_AT_MOST = 40
# What varies in a rule: <uuid:id>, <name>.
PLACE = re.compile(r"<[^>]+>")
CHANGES = METHODS - {"GET"}
# Those who own rows of the arena come first: they get further in than strangers.
ROLES = (
    Role.TRAINEE.value,
    Role.ENTERPRISE_ADMIN.value,
    Role.INSTRUCTOR.value,
    Role.REGULATOR.value,
    Role.AUDITOR.value,
    Role.EXAMINER.value,
    Role.OPERATOR.value,
    Role.INSPECTOR.value,
    Role.INSTITUTION_ADMIN.value,
    Role.EXPERT.value,
)
EVERYBODY = (VISITOR, *ROLES)
JSON_DOORS = frozenset({"certs_check.find", "courses.beat", "exams.save_answers", "exams.submit", "media.preview_beat"})
# Doors that end something, so that later attacks would find nothing there: they have an arena of their own.
ENDS = frozenset(
    {
        "accounts_staff.cancel_import",
        "accounts_staff.leave",
        "certs.decide_status",
        "certs_status.decide_case",
        "courses.cancel_assignment",
        "courses.publish_course",
        "courses.remove_lesson",
        "exams_bank.retire_question",
        "media.asset_delete",
        "supervision.close_warning",
    }
)
# Signing out would end the attack; the walk along the audit log has tests of its own and takes long.
LEFT_OUT = ENDS | {"accounts.sign_out", "accounts.verify_audit"}


def _client(arena: Arena, role: str) -> FlaskClient:
    return arena.owners.get(role) or arena.attackers[role]


def _attacker(arena: Arena, endpoint: str) -> str:
    """Return the role by which a route is attacked: elsewhere the guard answers before anything is read."""
    if is_allowed(arena.app, endpoint, VISITOR) is None:
        return VISITOR
    return next(role for role in ROLES if is_allowed(arena.app, endpoint, role))


def _routes(arena: Arena, role: str, methods: frozenset[str]) -> Iterator[tuple[str, str]]:
    """Yield the routes that ``role`` attacks; all roles together attack every route."""
    for rule in rules_of(arena.app):
        if rule.endpoint not in LEFT_OUT and _attacker(arena, rule.endpoint) == role:
            for method in sorted((rule.methods or set()) & methods):
                yield method, path_of(arena.app, rule, dict(arena.victims))


@pytest.mark.parametrize("role", EVERYBODY)
def test_no_search_crashes(arena: Arena, role: str) -> None:
    report, client = Report(), _client(arena, role)
    for method, path in _routes(arena, role, frozenset({"GET"})):
        for text in TEXTS:
            query = dict.fromkeys(FIELDS, text[:SEARCHED_CHARS]) | {"cursor": ""}
            answer = client.get(path, query_string=query, environ_base=some_address(), headers=ENGLISH)
            report.look(answer, method, path, text[:30])
        for cursor in CURSORS if len(path) < LISTS_AT_MOST else ():
            query = {"cursor": cursor}
            answer = client.get(path, query_string=query, environ_base=some_address(), headers=ENGLISH)
            report.look(answer, method, path, "cursor", cursor[:60])
        answer = client.get(f"{path}?q=%ff%fe%00&cursor=%ff", environ_base=some_address(), headers=ENGLISH)
        report.look(answer, method, path, "%ff")
    report.check()


@pytest.mark.parametrize("role", EVERYBODY)
def test_no_address_crashes(arena: Arena, role: str) -> None:
    report, client = Report(), _client(arena, role)
    for rule in rules_of(arena.app):
        if not rule.arguments or _attacker(arena, rule.endpoint) != role:
            continue
        for part in ADDRESS_PARTS:
            path = PLACE.sub(lambda _place, part=part: part, rule.rule)
            for method in sorted((rule.methods or set()) & METHODS):
                answer = client.open(path, method=method, environ_base=some_address(), headers=ENGLISH)
                report.look(answer, method, path[:80])
                if answer.status_code < 400 and answer.status_code != 308:
                    report.wrong.append(("found", answer.status_code, method, path[:80]))
    report.check()


@pytest.mark.parametrize("role", EVERYBODY)
def test_no_form_crashes(arena: Arena, role: str) -> None:
    report, client = Report(), _client(arena, role)
    for method, path in _routes(arena, role, CHANGES):
        for text in TEXTS:
            form = dict.fromkeys(FIELDS, text)
            answer = client.open(path, method=method, data=form, environ_base=some_address(), headers=ENGLISH)
            report.look(answer, method, path, text[:30])
        for body, kind in RAW:
            answer = client.open(
                path, method=method, data=body, content_type=kind, environ_base=some_address(), headers=ENGLISH
            )
            report.look(answer, method, path, body[:20], kind)
    report.check()


@pytest.mark.parametrize("role", EVERYBODY)
def test_no_json_crashes(arena: Arena, role: str) -> None:
    report, client = Report(), _client(arena, role)
    for method, path in _routes(arena, role, CHANGES):
        for body in BODIES:
            answer = client.open(path, method=method, json=body, environ_base=some_address(), headers=ENGLISH)
            report.look(answer, method, path, repr(body)[:60])
    report.check()


@pytest.mark.parametrize("role", EVERYBODY)
def test_no_file_crashes(arena: Arena, role: str) -> None:
    report, client = Report(), _client(arena, role)
    for method, path in _routes(arena, role, CHANGES):
        for data, name in FILES:
            form: dict[str, object] = {"title": "x", "portrait": "yes"}
            for field in ("file", "frames", "questions", "captions_zh"):
                form[field] = (io.BytesIO(data), name)
            answer = client.open(path, method=method, data=form, environ_base=some_address(), headers=ENGLISH)
            report.look(answer, method, path, data[:20], name[:30])
    report.check()


def test_no_door_that_ends_something_crashes(
    app: AnzhengFlask, jobs_services: Services, queue_worker: Worker, tmp_path: Path
) -> None:
    arena, report = build_arena(app, jobs_services, queue_worker, tmp_path), Report()
    for rule in rules_of(app):
        if rule.endpoint not in ENDS:
            continue
        client, path = _client(arena, _attacker(arena, rule.endpoint)), path_of(app, rule, dict(arena.victims))
        sent: list[dict[str, Any]] = [{"json": body} for body in BODIES]
        sent += [{"data": body, "content_type": kind} for body, kind in RAW]
        sent += [{"data": dict.fromkeys(FIELDS, text)} for text in TEXTS]
        for each in sent:
            answer = client.post(path, **each, environ_base=some_address(), headers=ENGLISH)
            report.look(answer, rule.endpoint, repr(each)[:60])
    report.check()


@pytest.mark.parametrize("role", EVERYBODY)
def test_unreadable_bodies_are_refused_and_leave_nothing(
    arena: Arena, instance: Instance, admin_connection: Admin, role: str
) -> None:
    report, client = Report(), _client(arena, role)
    before = stored(instance, admin_connection)
    for method, path in _routes(arena, role, CHANGES):
        for body in NO_OBJECTS:
            answer = client.open(
                path, method=method, data=body, content_type="application/json",
                environ_base=some_address(), headers=ENGLISH,
            )  # fmt: skip
            report.look(answer, method, path, body[:20])
            if answer.status_code not in {400, 415}:
                report.wrong.append(("taken", answer.status_code, method, path, body[:20]))
    report.check()
    assert changes(before, stored(instance, admin_connection)) == {}


@pytest.mark.parametrize("role", EVERYBODY)
def test_a_refused_form_leaves_nothing(arena: Arena, instance: Instance, admin_connection: Admin, role: str) -> None:
    client, refused = _client(arena, role), []
    for method, path in _routes(arena, role, CHANGES):
        for text in UNSTORABLE:
            form = dict.fromkeys(FIELDS, text)
            answer = client.open(path, method=method, data=form, environ_base=some_address(), headers=ENGLISH)
            if answer.status_code >= 400:
                refused.append((method, path, form))
    # A door that looks at no field may do its work; those that refuse must leave nothing.
    before = stored(instance, admin_connection)
    for method, path, form in refused:
        assert client.open(path, method=method, data=form, environ_base=some_address()).status_code >= 400
    assert changes(before, stored(instance, admin_connection)) == {}


def test_only_the_views_that_read_json_take_it(arena: Arena) -> None:
    taking = {name for name, view in arena.app.view_functions.items() if hasattr(view, "anzheng_takes_json")}
    assert taking == JSON_DOORS


def test_json_beyond_the_limit_is_refused_before_it_is_read(arena: Arena) -> None:
    client = arena.owners[Role.TRAINEE.value]
    for padding, status in ((JSON_BYTES_MAX - 100, 422), (JSON_BYTES_MAX, 413)):
        answer = client.put(
            f"/exams/{arena.victims['attempt_id']}/answers", json={"pad": "x" * padding}, headers=ENGLISH
        )
        assert answer.status_code == status
        assert answer.json
        assert answer.json["message"]
