"""The request frame: transactions, headers, errors, forged requests."""

from __future__ import annotations

import uuid

import pytest
from flask import Response
from flask.testing import FlaskClient
from sqlalchemy import text
from sqlalchemy.exc import IntegrityError

from lms.app import create_app
from lms.core import audit, web
from lms.core.errors import Conflict
from lms.core.services import Services
from lms.core.tenancy import PUBLIC_SCOPE, WORKER_SCOPE, Scope, ScopeRole
from lms.core.web import AnzhengFlask
from tests.conftest import Instance


@pytest.fixture(scope="module")
def probe(services: Services) -> AnzhengFlask:
    """The application with a few routes of this test's own."""
    app = create_app(services=services)
    app.config.update(WTF_CSRF_ENABLED=False, PROPAGATE_EXCEPTIONS=False)

    def write(outcome: str, subject: str) -> object:
        audit.record(web.db(), web.actor(), "tests.probe.written", subject_type="probe", subject_id=subject)
        if outcome == "refused":
            raise Conflict
        if outcome == "crashed":
            raise IntegrityError("select 1", {}, Exception("boom"))
        return Response(status=int(outcome))

    def read(subject: str) -> str:
        web.note_personal_read("probe", subject)
        return "shown"

    def undeclared() -> str:
        return "never"

    app.add_url_rule("/probe/<outcome>/<subject>", "probe", web.public(write), methods=["GET", "POST"])
    app.add_url_rule("/probe-read/<subject>", "probe_read", web.public(read))
    app.add_url_rule("/probe-undeclared", "probe_undeclared", undeclared)
    return app


def _written(jobs_services: Services, subject: uuid.UUID) -> list[str]:
    with jobs_services.db.transaction(WORKER_SCOPE, read_only=True) as session:
        rows = session.execute(text("select action from core_audit where subject_id = :id"), {"id": str(subject)})
        return [row[0] for row in rows]


@pytest.mark.parametrize(
    ("outcome", "status", "written"),
    [("200", 200, 1), ("302", 302, 1), ("422", 422, 0), ("refused", 409, 0), ("crashed", 500, 0)],
)
def test_a_transaction_stands_or_falls_with_the_answer(
    probe: AnzhengFlask, jobs_services: Services, outcome: str, status: int, written: int
) -> None:
    subject = uuid.uuid4()
    answer = probe.test_client().post(f"/probe/{outcome}/{subject}")
    assert answer.status_code == status
    assert len(_written(jobs_services, subject)) == written


def test_a_get_cannot_write(probe: AnzhengFlask, jobs_services: Services) -> None:
    subject = uuid.uuid4()
    assert probe.test_client().get(f"/probe/200/{subject}").status_code == 500
    assert _written(jobs_services, subject) == []


def test_a_get_that_shows_personal_data_is_audited(probe: AnzhengFlask, jobs_services: Services) -> None:
    subject = uuid.uuid4()
    assert probe.test_client().get(f"/probe-read/{subject}").status_code == 200
    assert _written(jobs_services, subject) == ["core.probe.read"]


def test_a_route_that_declares_nothing_is_closed(probe: AnzhengFlask) -> None:
    assert probe.test_client().get("/probe-undeclared").status_code == 403


def test_every_answer_bears_the_strict_headers(client: FlaskClient) -> None:
    for path in ("/sign-in", "/health", "/no-such-page"):
        headers = client.get(path).headers
        assert "script-src 'self'" in headers["Content-Security-Policy"]
        assert "unsafe" not in headers["Content-Security-Policy"]
        assert headers["X-Content-Type-Options"] == "nosniff"


@pytest.mark.parametrize("path", ["/no-such-page", "/learn/0190a000-0000-7000-8000-000000000000/../x", "/%00"])
def test_an_unknown_address_is_a_page_in_the_readers_language(client: FlaskClient, path: str) -> None:
    answer = client.get(path, headers={"Accept-Language": "zh"})
    assert answer.status_code in {302, 404}
    english = client.get("/no-such-page", headers={"Accept-Language": "en"})
    assert 'lang="en"' in english.text


def test_a_crash_names_an_incident_and_shows_no_detail(probe: AnzhengFlask) -> None:
    answer = probe.test_client().post(f"/probe/crashed/{uuid.uuid4()}", headers={"Accept": "text/html"})
    assert answer.status_code == 500
    assert "boom" not in answer.text
    assert "Traceback" not in answer.text


def test_a_forged_post_is_refused(instance: Instance, services: Services) -> None:
    app = create_app(services=services)
    answer = app.test_client().post("/language", data={"language": "en"})
    assert answer.status_code == 400
    assert "lang=" not in answer.headers.get("Set-Cookie", "")


def test_scripts_get_errors_as_json(client: FlaskClient) -> None:
    answer = client.get("/no-such-page", headers={"Accept": "application/json"})
    assert answer.get_json()["error"] == "not_found"


@pytest.mark.parametrize("target", ["https://elsewhere.example/", "//elsewhere.example/x", "javascript:alert(1)"])
def test_language_switch_never_leads_off_the_site(client: FlaskClient, target: str) -> None:
    answer = client.post("/language", data={"language": "en", "next": target})
    assert answer.status_code == 302
    assert "elsewhere" not in answer.headers["Location"]


def test_a_scope_never_outlives_its_transaction(services: Services) -> None:
    mine = Scope(ScopeRole.TENANT, tenant_id=uuid.uuid4())
    with services.db.transaction(mine) as session:
        assert session.execute(text("select current_setting('app.tenant_id', true)")).scalar() == str(mine.tenant_id)
        pid = session.execute(text("select pg_backend_pid()")).scalar()
    with services.db.transaction(PUBLIC_SCOPE) as session:
        assert session.execute(text("select pg_backend_pid()")).scalar() == pid
        assert session.execute(text("select current_setting('app.tenant_id', true)")).scalar() == ""
        assert session.execute(text("select current_user")).scalar() == "anzheng_public"
