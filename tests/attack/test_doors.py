"""What belongs to others is not there: for every route, role and method."""

from __future__ import annotations

import re
import uuid

import pytest
from flask.testing import FlaskClient
from werkzeug.routing import IntegerConverter, Rule, UUIDConverter
from werkzeug.test import TestResponse

from lms.core.access import Role
from lms.core.web import AnzhengFlask
from tests.attack.conftest import VISITOR, Arena
from tests.attack.doors import GUARDED, PLAIN, TOKENLESS, Door
from tests.attack.reporting import LEAKS, some_address

METHODS = frozenset({"GET", "POST", "PUT", "PATCH", "DELETE"})


def rules_of(app: AnzhengFlask) -> list[Rule]:
    return sorted(app.url_map.iter_rules(), key=lambda rule: rule.rule)


def path_of(app: AnzhengFlask, rule: Rule, values: dict[str, object]) -> str:
    wanted = {name: values[name] for name in rule.arguments}
    built = rule.build({name: rule._converters[name].to_python(str(value)) for name, value in wanted.items()})
    assert built, rule
    return built[1]


def _strangers(rule: Rule) -> dict[str, object]:
    """Return values that name nothing at all."""
    found: dict[str, object] = {}
    for name, converter in rule._converters.items():
        if isinstance(converter, UUIDConverter):
            found[name] = uuid.uuid4()
        elif isinstance(converter, IntegerConverter):
            found[name] = 999_999
    return {"bank_code": f"no-{uuid.uuid4().hex[:8]}", **found}


def _knock(client: FlaskClient, path: str, method: str, door: Door) -> TestResponse:
    address = some_address()
    if method == "GET":
        return client.get(path, environ_base=address)
    if door.json is not None:
        return client.open(path, method=method, json=door.json, environ_base=address)
    return client.open(path, method=method, data=dict(door.form), environ_base=address)


def _visible(answer: TestResponse) -> str:
    """Return the text without what differs for every answer."""
    text = re.sub(
        r"[0-9a-f]{8}-[0-9a-f-]{27}|[0-9a-f]{12}\b|\b\d{6}\b|no-[0-9a-f]{8}|attack-[0-9a-f]{10}", "*", answer.text
    )
    return re.sub(r'(csrf-token" content=|name="csrf_token" value=|"X-CSRFToken": )"[^"]*"', "*", text)


def test_every_route_stands_in_the_table(app: AnzhengFlask) -> None:
    known = {*PLAIN, *GUARDED}
    routes = {rule.endpoint for rule in rules_of(app)}
    assert routes - known == set()
    assert known - routes == set()
    assert {rule.endpoint for rule in rules_of(app) if rule.arguments} == set(GUARDED)


def is_allowed(app: AnzhengFlask, endpoint: str, role: str) -> bool | None:
    """Tell whether the role passes the guard; None when everybody may come."""
    permission = app.view_functions[endpoint].anzheng_permission  # type: ignore[attr-defined]  # set by the house
    if permission == "":
        return None
    if role == VISITOR:
        return False
    return permission == "*" or permission in app.extensions["anzheng"].kernel.permissions_of(Role(role))


@pytest.mark.parametrize("role", [*Role, VISITOR])
def test_what_belongs_to_others_is_not_there(arena: Arena, role: str) -> None:
    client, wrong = arena.attackers[str(role)], []
    for rule in rules_of(arena.app):
        if rule.endpoint not in GUARDED:
            continue
        door, allowed = GUARDED[rule.endpoint], is_allowed(arena.app, rule.endpoint, str(role))
        for method in sorted((rule.methods or set()) & METHODS):
            foreign = _knock(client, path_of(arena.app, rule, dict(arena.victims)), method, door)
            nothing = _knock(client, path_of(arena.app, rule, {**arena.victims, **_strangers(rule)}), method, door)
            expected = door.foreign
            if allowed is False:
                expected = frozenset({401, 302} if role == VISITOR else {403})
            where = (method, rule.rule, foreign.status_code, nothing.status_code, sorted(expected))
            if foreign.status_code not in expected or foreign.status_code != nothing.status_code:
                wrong.append(where)
            elif _visible(foreign) != _visible(nothing):
                wrong.append((*where, "the answers differ"))
            if any(leak in foreign.text + nothing.text for leak in LEAKS):
                wrong.append((*where, "details"))
    assert not wrong, "\n".join(map(str, wrong))


def test_other_methods_are_refused(arena: Arena) -> None:
    by_path: dict[str, set[str]] = {}
    for rule in rules_of(arena.app):
        by_path.setdefault(path_of(arena.app, rule, dict(arena.victims)), set()).update(rule.methods or ())
    wrong = []
    for path, methods in by_path.items():
        for method in METHODS - methods:
            for client in (arena.attackers[VISITOR], arena.attackers[Role.ENTERPRISE_ADMIN]):
                status = client.open(path, method=method).status_code
                if status not in {404, 405}:
                    wrong.append((method, path, status))
    assert not wrong, "\n".join(map(str, wrong))


def test_every_change_wants_the_token(arena: Arena) -> None:
    arena.app.config["WTF_CSRF_ENABLED"] = True
    wrong = []
    try:
        for rule in rules_of(arena.app):
            for method in (rule.methods or set()) & {"POST", "PUT", "PATCH", "DELETE"}:
                path = path_of(arena.app, rule, dict(arena.victims))
                for client in arena.attackers.values():
                    door = GUARDED.get(rule.endpoint, Door())
                    answer = _knock(client, path, method, door)
                    if (answer.status_code != 400) != (rule.endpoint in TOKENLESS):
                        wrong.append((method, path, answer.status_code))
    finally:
        arena.app.config["WTF_CSRF_ENABLED"] = False
    assert not wrong, "\n".join(map(str, wrong))
