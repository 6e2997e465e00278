"""What anyone learns of a certificate, and that each look is written down."""

from __future__ import annotations

import re
import uuid
from datetime import timedelta

import pytest
from flask.testing import FlaskClient
from sqlalchemy import text
from sqlalchemy.exc import ProgrammingError

from certs.check.queries import GUESSES_ALLOWED, Visitor, check_now
from certs.models import Certificate
from certs.rules import Decision, Status, shown_status
from certs.status.queries import checks_of
from lms.app import create_app
from lms.core.access import Role
from lms.core.services import Services
from lms.core.tenancy import PUBLIC_SCOPE, Scope, ScopeRole
from lms.core.web import AnzhengFlask
from tests.certs import certificate_world as world
from tests.certs.altering import altered
from tests.certs.certificates import make_certificate
from tests.conftest import Admin, Worker


@pytest.fixture
def certificate(jobs_services: Services, queue_worker: Worker) -> Certificate:
    """An issued certificate."""
    return make_certificate(jobs_services, queue_worker, name="欧阳建军")


def _checks(admin: Admin, public_id: str) -> list[tuple[object, ...]]:
    return admin.execute(
        "select outcome, certificate_id, agent_family from certs_check where public_id = %s order by id", (public_id,)
    ).fetchall()


def test_anyone_sees_the_state_with_the_name_masked(client: FlaskClient, certificate: Certificate) -> None:
    page = client.get(f"/C/{certificate.public_id}")
    assert page.status_code == 200
    assert "证书有效" in page.text
    assert "***军" in page.text
    assert certificate.number in page.text
    assert certificate.enterprise_name in page.text
    assert certificate.licence_number in page.text
    assert "欧阳建军" not in page.text
    assert certificate.id_number_masked not in page.text


def test_english_readers_are_told_in_english(client: FlaskClient, certificate: Certificate) -> None:
    page = client.get(f"/c/{certificate.public_id}?lang=en")
    assert '<html lang="en"' in page.text
    assert "Hazardous-Chemicals Safety Manager" in page.text
    assert '<html lang="en"' in client.get(f"/c/{certificate.public_id}").text


def test_the_kept_page_holds_nothing_of_another_certificate(
    client: FlaskClient, certificate: Certificate, jobs_services: Services, queue_worker: Worker
) -> None:
    other = make_certificate(jobs_services, queue_worker, name="李国强")
    pages = [client.get(f"/c/{one.public_id}") for one in (certificate, other)]
    assert other.number not in pages[0].text
    assert certificate.number not in pages[1].text
    assert other.number in pages[1].text
    assert "Set-Cookie" not in pages[1].headers


def test_case_and_read_alikes_do_not_matter(client: FlaskClient, certificate: Certificate) -> None:
    typed = certificate.public_id.lower().replace("0", "o").replace("1", "l")
    assert certificate.number in client.get(f"/c/{typed}").text


def test_each_check_is_recorded(client: FlaskClient, admin_connection: Admin, certificate: Certificate) -> None:
    agent = {"User-Agent": "Mozilla/5.0 Chrome/140 MicroMessenger/8.0"}
    client.get(f"/c/{certificate.public_id}", headers=agent)
    client.get(f"/C/{certificate.public_id}/ABCDEFG2", headers={"Accept": "application/json"})
    wecom = {"User-Agent": "Mozilla/5.0 Mobile/14A300 wxwork/2.1.5 MicroMessenger/6.3.22"}
    client.get(f"/c/{certificate.public_id}", headers=wecom)
    assert _checks(admin_connection, certificate.public_id) == [
        ("valid", certificate.id, "wechat"),
        ("valid", certificate.id, "other"),
        ("valid", certificate.id, "wecom"),
    ]
    (digest,) = admin_connection.execute(
        "select address_digest from certs_check where certificate_id = %s limit 1", (certificate.id,)
    ).fetchone() or (b"",)
    assert b"127.0.0.1" not in bytes(digest)  # type: ignore[call-overload]  # psycopg types columns as objects


def test_the_database_joins_status_and_calendar_as_the_rule_does(certificate: Certificate, services: Services) -> None:
    visitor = Visitor(b"somebody", "other")
    facts = check_now(services.db, visitor, certificate.public_id, certificate.valid_from).facts
    assert facts
    window = timedelta(days=facts.renewal_window_days)
    turns = (facts.valid_from, facts.valid_until - window, facts.valid_until)
    for today in [turn + timedelta(days=days) for turn in turns for days in (-1, 0, 1)]:
        told = check_now(services.db, visitor, certificate.public_id, today)
        assert told.facts == facts
        assert told.shown is shown_status(Status.VALID, facts.valid_from, facts.valid_until, today, window.days)


@pytest.mark.parametrize(
    ("decision", "outcome", "title"),
    [(Decision.SUSPEND, "suspended", "证书已暂扣"), (Decision.REVOKE, "revoked", "证书已吊销")],
)
def test_a_decision_shows_at_once(
    client: FlaskClient,
    jobs_services: Services,
    admin_connection: Admin,
    certificate: Certificate,
    decision: Decision,
    outcome: str,
    title: str,
) -> None:
    world.decided(jobs_services, certificate, decision)
    assert title in client.get(f"/c/{certificate.public_id}").text
    assert _checks(admin_connection, certificate.public_id) == [(outcome, certificate.id, "other")]


@pytest.mark.parametrize(
    ("days", "title"), [(91, "证书有效"), (90, "证书有效，即将到期"), (0, "证书有效，即将到期"), (-1, "证书已过期")]
)
def test_the_calendar_counts(
    client: FlaskClient, admin_connection: Admin, certificate: Certificate, days: int, title: str
) -> None:
    change = (
        "valid_from = (now() at time zone 'Asia/Shanghai')::date - 1000,"
        " valid_until = (now() at time zone 'Asia/Shanghai')::date + %(days)s"
    )
    with altered(admin_connection, "certs_certificate", change, id=certificate.id, days=days):
        page = client.get(f"/c/{certificate.public_id}")
    assert title in page.text


def test_an_unknown_code_is_a_clear_404_and_recorded(client: FlaskClient, admin_connection: Admin) -> None:
    code = uuid.uuid4().hex[:16].upper()
    page = client.get(f"/C/{code}", environ_overrides={"REMOTE_ADDR": "203.0.113.7"})
    assert page.status_code == 404
    assert "查无此证" in page.text
    assert _checks(admin_connection, code) == [("unknown", None, "other")]


def test_guessing_is_slowed_down_but_scanning_is_not(client: FlaskClient, certificate: Certificate) -> None:
    here = {"REMOTE_ADDR": "203.0.113.9"}
    for _ in range(GUESSES_ALLOWED):
        assert client.get(f"/c/{uuid.uuid4().hex[:16]}", environ_overrides=here).status_code == 404
    refused = client.get(f"/c/{uuid.uuid4().hex[:16]}", environ_overrides=here)
    assert refused.status_code == 429
    assert int(refused.headers["Retry-After"]) > 0
    assert client.get(f"/c/{certificate.public_id}", environ_overrides=here).status_code == 200


def test_number_and_name_together_find_it(client: FlaskClient, certificate: Certificate) -> None:
    form = {"number": certificate.number, "name": "欧阳建军"}
    found = client.post("/find", data=form)
    assert found.headers["Location"].endswith(f"/{certificate.public_id}")
    other = {"number": certificate.number, "name": "欧阳"}
    wrong = client.post("/find", data=other, environ_overrides={"REMOTE_ADDR": "203.0.113.8"})
    assert wrong.status_code == 404
    assert client.post("/find", data={"number": "", "name": ""}).status_code == 422


@pytest.mark.parametrize(
    "table", ["certs_certificate", "certs_number", "certs_public_id", "certs_status_event", "certs_leaf", "certs_check"]
)
def test_the_public_reads_no_table(services: Services, certificate: Certificate, table: str) -> None:
    with pytest.raises(ProgrammingError), services.db.transaction(PUBLIC_SCOPE, read_only=True) as session:
        session.execute(text(f"select * from {table}"))


def test_secret_keys_are_sealed_and_hidden_from_all_scopes(services: Services, admin_connection: Admin) -> None:
    with pytest.raises(ProgrammingError), services.db.transaction(PUBLIC_SCOPE, read_only=True) as session:
        session.execute(text("select * from certs_issuer_secret"))
    for (sealed,) in admin_connection.execute("select private_sealed from certs_issuer_secret"):
        assert b"PRIVATE KEY" not in bytes(sealed)  # type: ignore[call-overload]  # psycopg types columns as objects


JSON = {"Accept": "application/json"}


def test_a_decision_names_its_reason_and_a_valid_certificate_has_none(
    client: FlaskClient, jobs_services: Services, certificate: Certificate
) -> None:
    address = f"/c/{certificate.public_id}"
    before = client.get(address, headers=JSON).get_json()
    assert (before["status"], before["reason"], before["decided_at"]) == ("valid", None, None)
    world.decided(jobs_services, certificate, Decision.REVOKE, "张三举报其出租证书")
    after = client.get(address, headers=JSON).get_json()
    assert (after["status"], after["reason"]) == ("revoked", "其他依法吊销的情形")
    assert after["reason_en"] == "Other lawful ground for revocation"
    page = client.get(address).text
    assert "其他依法吊销的情形" in page
    assert "张三举报" not in page


@pytest.mark.parametrize("code", ["AB", "A" * 40, "证书", "ABC$DEF!GH"])
def test_a_malformed_code_cannot_be_checked_and_is_not_called_invalid(
    client: FlaskClient, admin_connection: Admin, code: str
) -> None:
    here = {"REMOTE_ADDR": "203.0.113.21"}
    page = client.get(f"/c/{code}", environ_overrides=here)
    assert page.status_code == 400
    assert "无法核验" in page.text
    assert "查无此证" not in page.text
    told = client.get(f"/c/{code}", headers=JSON, environ_overrides=here)
    assert (told.status_code, told.get_json()["status"], told.get_json()["reason"]) == (
        400,
        "cannot_be_checked",
        "malformed",
    )
    assert {row[0] for row in _checks(admin_connection, code[:32])} == {"malformed"}


def test_without_a_database_nothing_is_called_invalid(cut_off_app: AnzhengFlask, certificate: Certificate) -> None:
    client = cut_off_app.test_client()
    for path in (f"/c/{certificate.public_id}", f"/c/{certificate.public_id}/proof"):
        page = client.get(path)
        assert page.status_code == 503
        assert int(page.headers["Retry-After"]) > 0
        assert "无法核验" in page.text
        assert "这不说明证书无效" in page.text
    told = client.get(f"/c/{certificate.public_id}?lang=en", headers=JSON)
    assert (told.status_code, told.get_json()["status"], told.get_json()["reason"]) == (
        503,
        "cannot_be_checked",
        "unavailable",
    )


def test_a_script_finds_by_number_and_name_without_a_token(services: Services, certificate: Certificate) -> None:
    app = create_app(services=services)
    client = app.test_client()
    wanted = {"number": certificate.number, "name": "欧阳建军"}
    found = client.post("/find", json=wanted)
    assert found.get_json() == {"public_id": certificate.public_id, "url": f"/C/{certificate.public_id}"}
    wrong = client.post("/find", json={**wanted, "name": "欧阳"}, environ_overrides={"REMOTE_ADDR": "203.0.113.22"})
    assert (wrong.status_code, wrong.get_json()["status"]) == (404, "unknown")
    for useless in ({"number": 7}, {**wanted, "name": "\ud800"}, {**wanted, "number": ""}):
        assert client.post("/find", json=useless).status_code == 422
    # A form of a page has its token all the same.
    app.config["WTF_CSRF_ENABLED"] = True
    assert client.post("/find", data=wanted).status_code == 400
    assert client.post("/find", json=wanted).status_code == 200


def test_the_holder_sees_who_looked_and_nobody_else_does(
    app: AnzhengFlask, client: FlaskClient, jobs_services: Services, certificate: Certificate
) -> None:
    agent = {"User-Agent": "Mozilla/5.0 Chrome/140 MicroMessenger/8.0"}
    for _ in range(3):
        client.get(f"/c/{certificate.public_id}", headers=agent)
    client.get(f"/c/{certificate.public_id}")
    person, tenant = certificate.person_id, certificate.tenant_id
    holder = world.client_for(app, jobs_services, person, tenant, Role.TRAINEE)
    page = re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", holder.get(f"/certificates/{certificate.id}").text))
    assert re.search(r"\d{4}-\d\d-\d\d 3 微信 有效", page)
    assert re.search(r"\d{4}-\d\d-\d\d 1 其他 有效", page)
    other = Scope(ScopeRole.PERSON, person_id=uuid.uuid4(), tenant_id=tenant)
    with jobs_services.db.transaction(other, read_only=True) as session:
        assert checks_of(session, certificate.id) == []
