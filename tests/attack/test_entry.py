"""Coming in: nothing tells who has an account, and no browser is taken over."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace

import pytest
from flask.testing import FlaskClient
from sqlalchemy import event
from werkzeug.test import TestResponse

from lms.accounts.sign_in import roles
from lms.app import create_app
from lms.core.access import SYSTEM, Role
from lms.core.services import Services
from lms.core.tenancy import WORKER_SCOPE
from lms.core.web import AnzhengFlask
from tests.accounts import factories
from tests.attack.conftest import VISITOR, Arena
from tests.attack.reporting import ENGLISH, some_address
from tests.attack.test_doors import METHODS, path_of, rules_of

ELSEWHERE = "elsewhere.example"
TOKEN = re.compile(r'name="csrf-token" content="([^"]+)"')


@dataclass(frozen=True, slots=True)
class Known:
    """Somebody with an account, and somebody who was hired but has not activated yet."""

    number: str
    waiting_number: str
    waiting_code: str


@pytest.fixture(scope="module")
def known(app: AnzhengFlask, jobs_services: Services) -> Known:
    """People of one enterprise."""
    active, waiting = factories.new_worker(jobs_services), factories.new_worker(jobs_services)
    factories.activate(app.test_client(), jobs_services, active.person_id, active.tenant_id, active.id_number)
    code = factories.code_for(jobs_services, waiting.person_id, waiting.tenant_id)
    return Known(active.id_number, waiting.id_number, code)


@pytest.fixture
def statements(services: Services) -> Iterator[list[str]]:
    """What the web login asks of the database."""
    seen: list[str] = []

    def note(_connection: object, _cursor: object, statement: str, *_rest: object) -> None:
        seen.append(statement)

    event.listen(services.db.engine, "before_cursor_execute", note)
    yield seen
    event.remove(services.db.engine, "before_cursor_execute", note)


def _shown(answer: TestResponse) -> str:
    """Return the page without what was typed and without tokens."""
    text = re.sub(r'(csrf-token" content=|name="csrf_token" [^>]*value=|"X-CSRFToken": )"[^"]*"', "*", answer.text)
    return re.sub(r'(name="(?:login|id_number|code)"[^>]*value=|value=)"[^"]*"', "*", text)


def _post(app: AnzhengFlask, path: str, form: dict[str, str]) -> TestResponse:
    return app.test_client().post(path, data=form, headers=ENGLISH, environ_base=some_address())


def test_signing_in_does_not_tell_who_has_an_account(app: AnzhengFlask, known: Known, statements: list[str]) -> None:
    seen = []
    for login in (known.number, known.waiting_number, factories.new_id_number(), "nobody"):
        statements.clear()
        answer = _post(app, "/sign-in", {"login": login, "password": "wrong words here"})
        seen.append((answer.status_code, _shown(answer), list(statements)))
    assert seen[0][0] == 422
    assert seen == [seen[0]] * len(seen)


def test_activating_does_not_tell_who_was_hired(app: AnzhengFlask, known: Known, statements: list[str]) -> None:
    seen = []
    tries = (
        (known.number, "AAAA-AAAA-AAAA-AAAA"),
        (known.waiting_number, "AAAA-AAAA-AAAA-AAAA"),
        (factories.new_id_number(), "AAAA-AAAA-AAAA-AAAA"),
        (known.number, known.waiting_code),
        (factories.new_id_number(), known.waiting_code),
    )
    for number, code in tries:
        statements.clear()
        form = {"id_number": number, "code": code, "password": "long enough 47 words", "repeat": "long enough 47 words"}
        answer = _post(app, "/activate", form)
        seen.append((answer.status_code, _shown(answer), list(statements)))
    assert seen[0][0] == 422
    assert seen == [seen[0]] * len(seen)


def test_the_throttle_counts_the_unknown_as_it_counts_the_known(app: AnzhengFlask, jobs_services: Services) -> None:
    worker = factories.new_worker(jobs_services)
    factories.activate(app.test_client(), jobs_services, worker.person_id, worker.tenant_id, worker.id_number)
    waits = []
    for login in (worker.id_number, factories.new_id_number()):
        statuses = [_post(app, "/sign-in", {"login": login, "password": "wrong"}).status_code for _ in range(6)]
        waits.append(statuses)
    assert waits == [[422] * 5 + [429]] * 2


def test_a_change_of_role_ends_the_token_that_was(app: AnzhengFlask, jobs_services: Services) -> None:
    tenant_id = factories.new_enterprise(jobs_services)
    person_id, number = factories.new_person(jobs_services, tenant_id, Role.ENTERPRISE_ADMIN)
    with jobs_services.db.transaction(WORKER_SCOPE) as session:
        roles.grant_role(session, SYSTEM, person_id=person_id, tenant_id=tenant_id, role=Role.TRAINEE)
    client = app.test_client()
    factories.activate(client, jobs_services, person_id, tenant_id, number)
    with client.session_transaction() as cookie:
        first, cookie["planted"] = cookie["sid"], "by the attacker"
    wanted = Role.ENTERPRISE_ADMIN if client.get("/learn").status_code == 200 else Role.TRAINEE
    assert client.post("/role", data={"tenant_id": str(tenant_id), "role": wanted.value}).status_code == 302
    with client.session_transaction() as cookie:
        assert cookie["sid"] != first
        assert "planted" not in cookie
    assert _is_nobody(app, first)


def test_signing_out_kills_the_token_on_the_server(app: AnzhengFlask, jobs_services: Services) -> None:
    worker, client = factories.new_worker(jobs_services), app.test_client()
    factories.activate(client, jobs_services, worker.person_id, worker.tenant_id, worker.id_number)
    with client.session_transaction() as cookie:
        token = cookie["sid"]
    assert not _is_nobody(app, token)
    client.post("/sign-out")
    assert _is_nobody(app, token)


def test_activating_drops_the_cookie_that_was_there(app: AnzhengFlask, jobs_services: Services) -> None:
    worker, client = factories.new_worker(jobs_services), app.test_client()
    with client.session_transaction() as cookie:
        cookie["sid"], cookie["planted"] = "chosen by the attacker", "by the attacker"
    factories.activate(client, jobs_services, worker.person_id, worker.tenant_id, worker.id_number)
    with client.session_transaction() as cookie:
        assert cookie["sid"] != "chosen by the attacker"
        assert "planted" not in cookie


def _is_nobody(app: AnzhengFlask, token: str) -> bool:
    thief = app.test_client()
    with thief.session_transaction() as cookie:
        cookie["sid"] = token
    return thief.get("/me").status_code == 302


def test_every_cookie_is_bound_to_this_site_and_to_https(services: Services) -> None:
    secure = replace(services, settings=replace(services.settings, base_url="https://anzheng.example"))
    app = create_app(services=secure)
    app.config["WTF_CSRF_ENABLED"] = False
    client, site = app.test_client(), "https://anzheng.example"
    answers = [
        client.get("/sign-in", base_url=site),
        client.post("/language", data={"language": "en"}, base_url=site),
        client.post("/theme", data={"theme": "dark"}, base_url=site),
    ]
    cookies = [line for answer in answers for line in answer.headers.getlist("Set-Cookie")]
    assert {line.partition("=")[0] for line in cookies} == {"anzheng", "lang", "theme"}
    for line in cookies:
        assert {"HttpOnly", "SameSite=Lax", "Secure", "Path=/"} <= set(line.split("; ")), line


def test_another_browsers_token_is_refused(arena: Arena) -> None:
    arena.app.config["WTF_CSRF_ENABLED"] = True
    try:
        mine, other = arena.app.test_client(), arena.app.test_client()
        token, foreign = (TOKEN.findall(browser.get("/sign-in").text)[0] for browser in (mine, other))
        form = {"language": "en"}
        assert mine.post("/language", data={**form, "csrf_token": foreign}).status_code == 400
        assert mine.post("/language", data={**form, "csrf_token": token}).status_code == 302
    finally:
        arena.app.config["WTF_CSRF_ENABLED"] = False


def test_a_token_from_before_signing_in_is_refused_after_it(arena: Arena, known: Known) -> None:
    arena.app.config["WTF_CSRF_ENABLED"] = True
    try:
        client = arena.app.test_client()
        token = TOKEN.findall(client.get("/sign-in").text)[0]
        form = {"login": known.number, "password": factories.PASSWORD, "csrf_token": token}
        assert client.post("/sign-in", data=form, environ_base=some_address()).status_code == 302
        assert client.post("/sign-out", data={"csrf_token": token}).status_code == 400
    finally:
        arena.app.config["WTF_CSRF_ENABLED"] = False


def _with_cookie_for_any_host(arena: Arena, role: str) -> FlaskClient:
    """Return a browser that sends its cookie whatever the Host header says."""
    cookie = (arena.owners.get(role) or arena.attackers[role]).get_cookie("anzheng")
    client = arena.app.test_client(use_cookies=False)
    if cookie:
        client.environ_base["HTTP_COOKIE"] = f"anzheng={cookie.value}"
    return client


@pytest.mark.parametrize(
    "role", [VISITOR, Role.TRAINEE, Role.ENTERPRISE_ADMIN, Role.INSTRUCTOR, Role.REGULATOR, Role.AUDITOR]
)
def test_no_page_repeats_the_name_of_a_foreign_host(arena: Arena, role: str) -> None:
    client, wrong, answered = _with_cookie_for_any_host(arena, str(role)), [], 0
    headers = {
        "Host": ELSEWHERE,
        "X-Forwarded-Host": ELSEWHERE,
        "X-Forwarded-Server": ELSEWHERE,
        "X-Original-URL": f"https://{ELSEWHERE}/",
        "Forwarded": f"host={ELSEWHERE}",
    }
    for rule in rules_of(arena.app):
        if "GET" in (rule.methods or set()) and rule.endpoint != "accounts.verify_audit":
            path = path_of(arena.app, rule, dict(arena.victims))
            answer = client.get(path, headers=headers, environ_base=some_address())
            answered += answer.status_code == 200
            if ELSEWHERE.encode() in answer.data or ELSEWHERE in str(answer.headers):
                wrong.append((path, answer.status_code, answer.headers.get("Location")))
    assert answered
    assert not wrong, "\n".join(map(str, wrong))


def test_no_header_and_no_field_makes_another_method_of_a_request(arena: Arena) -> None:
    client, wrong = arena.owners[Role.ENTERPRISE_ADMIN.value], []
    for rule in rules_of(arena.app):
        methods = (rule.methods or set()) & METHODS
        if methods & {"GET"}:
            continue
        path, wanted = path_of(arena.app, rule, dict(arena.victims)), min(methods)
        headers = dict.fromkeys(("X-HTTP-Method-Override", "X-Method-Override", "X-HTTP-Method"), wanted)
        answer = client.get(path, headers=headers, query_string={"_method": wanted})
        if not _has_page(arena, path) and answer.status_code not in {404, 405}:
            wrong.append((path, wanted, answer.status_code))
    assert not wrong, "\n".join(map(str, wrong))
    assert client.get("/me").status_code == 200


def _has_page(arena: Arena, path: str) -> bool:
    return "GET" in arena.app.url_map.bind("localhost").allowed_methods(path)


@pytest.mark.parametrize(
    "referer",
    [
        f"https://{ELSEWHERE}/x",
        f"https://{ELSEWHERE}//{ELSEWHERE}/x",
        f"https://{ELSEWHERE}/\\{ELSEWHERE}/x",
        f"//{ELSEWHERE}",
        f"https:{ELSEWHERE}",
        "javascript:alert(1)",
    ],
)
def test_no_referer_leads_off_the_site(client: FlaskClient, referer: str) -> None:
    for path, form in (("/language", {"language": "en"}), ("/theme", {"theme": "dark"})):
        location = client.post(path, data=form, headers={"Referer": referer}).headers["Location"]
        assert location.startswith("/")
        assert not re.match(r"/[/\\]", location)
