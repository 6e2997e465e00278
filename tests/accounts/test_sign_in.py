"""Activation, sign-in, throttling, sessions and roles, through the pages."""

from __future__ import annotations

import re
import statistics
import time
from datetime import timedelta

import pytest
from flask import url_for
from flask.testing import FlaskClient
from sqlalchemy.exc import IntegrityError

from lms.accounts import operations
from lms.accounts.errors import AlreadyActivated
from lms.accounts.sign_in import operations as sign_in
from lms.accounts.sign_in import roles
from lms.core import clock
from lms.core.access import SYSTEM, Role
from lms.core.services import Services
from lms.core.tenancy import AUTH_SCOPE, WORKER_SCOPE
from lms.core.web import AnzhengFlask
from tests.accounts import factories
from tests.accounts.factories import PASSWORD
from tests.conftest import Admin

TOKEN = re.compile(r'name="csrf_token" value="([^"]+)"')


@pytest.fixture
def worker(jobs_services: Services) -> factories.Worker:
    """An employee who has not activated yet."""
    return factories.new_worker(jobs_services)


@pytest.fixture
def active(app: AnzhengFlask, jobs_services: Services, worker: factories.Worker) -> factories.Worker:
    """An employee with an account."""
    browser = app.test_client()
    factories.activate(browser, jobs_services, worker.person_id, worker.tenant_id, worker.id_number)
    browser.post("/sign-out")
    return worker


def _sign_in(client: FlaskClient, login: str, password: str = PASSWORD, address: str = "10.0.0.1") -> int:
    answer = client.post(
        "/sign-in", data={"login": login, "password": password}, environ_overrides={"REMOTE_ADDR": address}
    )
    return answer.status_code


def _activate(client: FlaskClient, id_number: str, code: str, password: str = PASSWORD) -> int:
    form = {"id_number": id_number, "code": code, "password": password, "repeat": password}
    return client.post("/activate", data=form).status_code


def test_a_code_opens_the_account_once_and_signs_in(
    client: FlaskClient, jobs_services: Services, worker: factories.Worker
) -> None:
    code = factories.code_for(jobs_services, worker.person_id, worker.tenant_id)
    assert _activate(client, worker.id_number.lower(), code.lower()) == 302
    page = client.get("/me")
    assert page.status_code == 200
    assert worker.name in page.text
    client.post("/sign-out")
    assert client.get("/me").status_code == 302
    assert _activate(client, worker.id_number, code, "another password") == 422
    assert _sign_in(client, worker.id_number) == 302


def test_a_wrong_id_number_is_refused_and_leaves_the_code_good(
    client: FlaskClient, jobs_services: Services, worker: factories.Worker
) -> None:
    code = factories.code_for(jobs_services, worker.person_id, worker.tenant_id)
    assert _activate(client, factories.new_id_number(), code) == 422
    assert _activate(client, worker.id_number, code) == 302


def test_an_expired_code_is_refused(client: FlaskClient, jobs_services: Services, worker: factories.Worker) -> None:
    with clock.travelling_to(clock.now() - timedelta(days=30, minutes=1)):
        code = factories.code_for(jobs_services, worker.person_id, worker.tenant_id)
    assert _activate(client, worker.id_number, code) == 422


def test_a_new_code_voids_the_old_one(client: FlaskClient, jobs_services: Services, worker: factories.Worker) -> None:
    old = factories.code_for(jobs_services, worker.person_id, worker.tenant_id)
    new = factories.code_for(jobs_services, worker.person_id, worker.tenant_id)
    assert _activate(client, worker.id_number, old) == 422
    assert _activate(client, worker.id_number, new) == 302


def test_codes_carry_eighty_bits_and_are_not_stored(
    jobs_services: Services, worker: factories.Worker, admin_connection: Admin
) -> None:
    code = factories.code_for(jobs_services, worker.person_id, worker.tenant_id)
    assert len(sign_in.normalise_code(code)) * 5 >= 80
    stored = admin_connection.execute(
        "select digest from accounts_activation_code where person_id = %s", (worker.person_id,)
    ).fetchall()
    assert len(stored) == 1
    assert sign_in.normalise_code(code).encode() not in bytes(stored[0][0])  # type: ignore[call-overload]  # bytea


def test_a_second_employer_cannot_take_the_account_over(
    client: FlaskClient, jobs_services: Services, worker: factories.Worker
) -> None:
    """Of two employers' codes the first opens the account; the second then opens nothing."""
    other = factories.new_enterprise(jobs_services)
    with jobs_services.db.transaction(WORKER_SCOPE) as session:
        new = operations.NewEmployment(worker.name, worker.id_number, "welder")
        operations.employ(session, SYSTEM, other, new)
    first = factories.code_for(jobs_services, worker.person_id, worker.tenant_id)
    second = factories.code_for(jobs_services, worker.person_id, other)
    assert _activate(client, worker.id_number, first) == 302
    assert _activate(client, worker.id_number, second, "the thief's words") == 422
    assert _sign_in(client, worker.id_number, "the thief's words") == 422
    with pytest.raises(AlreadyActivated):
        factories.code_for(jobs_services, worker.person_id, other)


@pytest.mark.parametrize("password", ["12345678901", "short", "x19900101y"])
def test_weak_passwords_are_refused(
    client: FlaskClient, jobs_services: Services, worker: factories.Worker, password: str
) -> None:
    code = factories.code_for(jobs_services, worker.person_id, worker.tenant_id)
    assert _activate(client, worker.id_number, code, password) == 422
    assert _activate(client, worker.id_number, code) == 302


def test_unknown_login_and_wrong_password_get_the_same_answer_for_the_same_work(
    app: AnzhengFlask, active: factories.Worker
) -> None:
    spent: dict[str, list[float]] = {"known": [], "unknown": []}
    texts = set()
    for _ in range(4):
        for kind, login in (("known", active.id_number), ("unknown", factories.new_id_number())):
            began = time.perf_counter()
            answer = app.test_client().post("/sign-in", data={"login": login, "password": "wrong words here"})
            spent[kind].append(time.perf_counter() - began)
            texts.add(re.sub(r'value="[^"]*"|content="[^"]*"|hx-headers\S*=\'[^\']*\'', "", answer.text))
            assert answer.status_code == 422
    assert len(texts) == 1
    # Without a hash to check, the answer would come some twenty times sooner.
    ratio = statistics.median(spent["unknown"]) / statistics.median(spent["known"])
    assert 0.4 < ratio < 2.5


def test_five_failures_lock_the_login_even_for_the_right_password(app: AnzhengFlask, active: factories.Worker) -> None:
    for _ in range(5):
        assert _sign_in(app.test_client(), active.id_number, "wrong words here") == 422
    answer = app.test_client().post("/sign-in", data={"login": active.id_number, "password": PASSWORD})
    assert answer.status_code == 429
    assert 0 < int(answer.headers["Retry-After"]) <= 901


def test_the_lock_opens_after_its_window(app: AnzhengFlask, active: factories.Worker, admin_connection: Admin) -> None:
    before = clock.now()
    for _ in range(5):
        _sign_in(app.test_client(), active.id_number, "wrong words here")
    admin_connection.execute(
        "update accounts_sign_in_failure set at = at - interval '16 minutes' where at >= %s", (before,)
    )
    assert _sign_in(app.test_client(), active.id_number) == 302


def test_one_address_may_not_try_many_logins(app: AnzhengFlask, jobs_services: Services, services: Services) -> None:
    address = "203.0.113.77"
    with services.db.transaction(AUTH_SCOPE) as session:
        for number in range(50):
            sign_in.record_failure(session, sign_in.attempt_of(session, f"nobody{number}", address))
    assert _sign_in(app.test_client(), "somebody-else", address=address) == 429
    assert _sign_in(app.test_client(), "somebody-else", address="203.0.113.78") == 422


def test_a_login_name_works_beside_the_id_number(client: FlaskClient, jobs_services: Services) -> None:
    worker = factories.new_worker(jobs_services)
    name = f"w{worker.id_number[6:].lower()}"
    with jobs_services.db.transaction(WORKER_SCOPE) as session:
        sign_in.open_account(session, SYSTEM, person_id=worker.person_id, login_name=name, password=PASSWORD)
    assert _sign_in(client, name.upper()) == 302
    client.post("/sign-out")
    assert _sign_in(client, worker.id_number) == 302


def test_the_cookie_holds_a_token_that_is_stored_nowhere(
    client: FlaskClient, active: factories.Worker, admin_connection: Admin
) -> None:
    _sign_in(client, active.id_number)
    with client.session_transaction() as cookie:
        token = cookie["sid"]
    rows = admin_connection.execute(
        "select digest from accounts_session where person_id = %s and revoked_at is null", (active.person_id,)
    ).fetchall()
    assert [bytes(row[0]) for row in rows] == [sign_in.digest_of(token)]  # type: ignore[call-overload]  # bytea
    assert len(token) >= 43


def test_signing_out_ends_the_session_on_the_server(client: FlaskClient, active: factories.Worker) -> None:
    _sign_in(client, active.id_number)
    with client.session_transaction() as cookie:
        token = cookie["sid"]
    client.post("/sign-out")
    with client.session_transaction() as cookie:
        cookie["sid"] = token
    assert client.get("/me").status_code == 302


def test_a_session_ends_after_twelve_hours(
    client: FlaskClient, active: factories.Worker, admin_connection: Admin
) -> None:
    _sign_in(client, active.id_number)
    assert client.get("/me").status_code == 200
    admin_connection.execute(
        "update accounts_session set expires_at = expires_at - interval '12 hours' where person_id = %s",
        (active.person_id,),
    )
    assert client.get("/me").status_code == 302


def test_a_person_ends_another_devices_session_and_nobody_elses(
    app: AnzhengFlask, jobs_services: Services, active: factories.Worker
) -> None:
    phone, desk, stranger = app.test_client(), app.test_client(), app.test_client()
    _sign_in(phone, active.id_number)
    _sign_in(desk, active.id_number)
    other = factories.new_worker(jobs_services)
    factories.activate(stranger, jobs_services, other.person_id, other.tenant_id, other.id_number)
    with phone.session_transaction() as cookie:
        digest = sign_in.digest_of(cookie["sid"]).hex()
    assert stranger.post("/me/sessions/revoke", data={"session": digest}).status_code == 404
    assert phone.get("/me").status_code == 200
    assert desk.post("/me/sessions/revoke", data={"session": digest}).status_code == 302
    assert phone.get("/me").status_code == 302
    assert desk.get("/me").status_code == 200


def test_roles_are_switched_by_a_new_session(
    client: FlaskClient, jobs_services: Services, active: factories.Worker
) -> None:
    with jobs_services.db.transaction(WORKER_SCOPE) as session:
        roles.grant_role(
            session, SYSTEM, person_id=active.person_id, tenant_id=active.tenant_id, role=Role.ENTERPRISE_ADMIN
        )
    _sign_in(client, active.id_number)
    assert "企业管理员" in client.get("/role", headers={"Accept-Language": "zh"}).text
    with client.session_transaction() as cookie:
        old = cookie["sid"]
    form = {"tenant_id": str(active.tenant_id), "role": "enterprise_admin"}
    assert client.post("/role", data=form).status_code == 302
    with client.session_transaction() as cookie:
        assert cookie["sid"] != old
    with client.application.test_request_context():
        assert client.get("/").location == url_for("supervision.tenant_home")
    assert client.post("/role", data={**form, "role": "regulator"}).status_code == 404


def test_the_menu_leads_to_the_choice_of_roles_only_for_whoever_has_one(
    client: FlaskClient, jobs_services: Services, active: factories.Worker
) -> None:
    _sign_in(client, active.id_number)
    assert 'href="/role"' not in client.get("/me").text
    with jobs_services.db.transaction(WORKER_SCOPE) as session:
        roles.grant_role(session, SYSTEM, person_id=active.person_id, tenant_id=active.tenant_id, role=Role.INSTRUCTOR)
    assert 'href="/role"' in client.get("/me").text


def test_the_frame_drawn_for_one_reader_tells_the_next_nothing(
    app: AnzhengFlask, client: FlaskClient, jobs_services: Services, active: factories.Worker
) -> None:
    stranger, other = app.test_client(), factories.new_worker(jobs_services, name="赵敏")
    factories.activate(stranger, jobs_services, other.person_id, other.tenant_id, other.id_number)
    _sign_in(client, active.id_number)
    mine, theirs = client.get("/me?from=a").text, stranger.get("/me?from=b").text
    assert f'account-name">{active.name}<' in mine
    assert 'account-name">赵敏<' in theirs
    assert "/me?from=a" in mine
    assert "/me?from=a" not in theirs
    assert set(TOKEN.findall(mine)).isdisjoint(TOKEN.findall(theirs))


def test_the_role_used_last_comes_first_at_the_next_sign_in(
    client: FlaskClient, jobs_services: Services, active: factories.Worker
) -> None:
    with jobs_services.db.transaction(WORKER_SCOPE) as session:
        for role in (Role.ENTERPRISE_ADMIN, Role.INSTRUCTOR):
            roles.grant_role(session, SYSTEM, person_id=active.person_id, tenant_id=active.tenant_id, role=role)
    _sign_in(client, active.id_number)
    client.post("/role", data={"tenant_id": str(active.tenant_id), "role": "instructor"})
    client.post("/sign-out")
    _sign_in(client, active.id_number)
    assert client.get("/").location.endswith("/courses")


def test_a_role_that_is_taken_back_ends_its_sessions(
    client: FlaskClient, jobs_services: Services, active: factories.Worker
) -> None:
    _sign_in(client, active.id_number)
    assert client.get("/me").status_code == 200
    with jobs_services.db.transaction(WORKER_SCOPE) as session:
        roles.revoke_role(session, SYSTEM, person_id=active.person_id, tenant_id=active.tenant_id, role=Role.TRAINEE)
    assert client.get("/me").status_code == 302


def test_the_database_refuses_a_session_in_a_role_that_is_not_held(
    services: Services, active: factories.Worker
) -> None:
    with pytest.raises(IntegrityError), services.db.transaction(AUTH_SCOPE) as session:
        sign_in.open_session(session, active.person_id, active.tenant_id, Role.REGULATOR, "")


@pytest.mark.parametrize("target", ["https://evil.example/x", "//evil.example", "/\\evil.example", "/sign-out"])
def test_nobody_is_led_off_the_site_after_signing_in(
    client: FlaskClient, active: factories.Worker, target: str
) -> None:
    form = {"login": active.id_number, "password": PASSWORD, "next": target}
    assert client.post("/sign-in", data=form).location == "/"


def test_visitors_are_led_to_sign_in_and_back(client: FlaskClient, active: factories.Worker) -> None:
    answer = client.get("/me")
    assert answer.location == "/sign-in?next=/me"
    form = {"login": active.id_number, "password": PASSWORD, "next": "/me"}
    assert client.post("/sign-in", data=form).location == "/me"
