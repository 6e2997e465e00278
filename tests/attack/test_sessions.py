"""Cookies, redirects and names of files: what a browser is made to believe."""

from __future__ import annotations

import io
import re
import zipfile
from collections.abc import Iterator
from dataclasses import replace
from urllib.parse import urlsplit

import pytest
from flask.testing import FlaskClient

from lms.app import create_app
from lms.core.access import Role
from lms.core.services import Services
from lms.core.web import AnzhengFlask
from tests.accounts import factories
from tests.accounts.staffing import open_desk
from tests.attack.conftest import Arena
from tests.conftest import Worker

TARGETS = (
    "https://elsewhere.example/",
    "//elsewhere.example/x",
    "///elsewhere.example/x",
    "/\\elsewhere.example/x",
    "\\\\elsewhere.example/x",
    "/\t/elsewhere.example/x",
    "https:elsewhere.example",
    "http://localhost@elsewhere.example/",
    "javascript:alert(1)",
    "/%0d%0aLocation:%20https://elsewhere.example/",
    "/x\r\nSet-Cookie: sid=stolen",
)


def _leads_off(location: str) -> bool:
    # Browsers read a backslash as a slash and drop tabs and line ends before they parse (WHATWG URL).
    seen = re.sub(r"[\t\r\n]", "", location).replace("\\", "/")
    parts = urlsplit(seen)
    return bool(parts.scheme or parts.netloc or seen.startswith("//"))


@pytest.fixture
def signed_up(app: AnzhengFlask, jobs_services: Services) -> Iterator[tuple[FlaskClient, str]]:
    """Somebody with an account, signed in, and the login."""
    tenant_id = factories.new_enterprise(jobs_services)
    person_id, number = factories.new_person(jobs_services, tenant_id, Role.ENTERPRISE_ADMIN)
    client = app.test_client()
    factories.activate(client, jobs_services, person_id, tenant_id, number)
    return client, number


@pytest.mark.parametrize("target", TARGETS)
def test_no_answer_leads_off_the_site(app: AnzhengFlask, signed_up: tuple[FlaskClient, str], target: str) -> None:
    client, number = signed_up
    form = {"login": number, "password": factories.PASSWORD, "next": target}
    answers = [
        client.get("/sign-in", query_string={"next": target}),
        app.test_client().post("/sign-in", data=form),
        client.post("/language", data={"language": "en", "next": target}),
        client.post("/theme", data={"theme": "dark", "next": target}),
    ]
    for answer in answers:
        assert answer.status_code == 302
        assert not _leads_off(answer.headers["Location"])
        assert "stolen" not in str(answer.headers.getlist("Set-Cookie"))


def test_signing_in_never_keeps_the_cookie_that_was_there(
    app: AnzhengFlask, signed_up: tuple[FlaskClient, str]
) -> None:
    victim, number = signed_up
    with victim.session_transaction() as cookie:
        first = cookie["sid"]
        cookie["planted"] = "by the attacker"
    victim.post("/sign-out")
    victim.post("/sign-in", data={"login": number, "password": factories.PASSWORD})
    with victim.session_transaction() as cookie:
        assert cookie["sid"] != first
        assert "planted" not in cookie
    # The old token is dead on the server too.
    thief = app.test_client()
    with thief.session_transaction() as cookie:
        cookie["sid"] = first
    assert thief.get("/me").status_code == 302


def test_a_cookie_that_was_made_elsewhere_is_nobody(app: AnzhengFlask) -> None:
    for value in ("x", "eyJzaWQiOiIxIn0.aaaa.bbbb", "." * 4000, "\x00", "eyJzaWQiOjd9", ""):
        client = app.test_client()
        client.set_cookie("anzheng", value)
        assert client.get("/me").status_code == 302


def test_a_token_that_nobody_was_given_is_nobody(app: AnzhengFlask) -> None:
    for token in ("x\x00", "x" * 3_000, "\ud7ff", ""):
        client = app.test_client()
        with client.session_transaction() as cookie:
            cookie["sid"] = token
        assert client.get("/me").status_code == 302


def test_cookies_are_closed_to_scripts_and_to_other_sites(services: Services) -> None:
    secure = replace(services, settings=replace(services.settings, base_url="https://anzheng.example"))
    answer = create_app(services=secure).test_client().get("/sign-in", base_url="https://anzheng.example")
    (cookie,) = [one for one in answer.headers.getlist("Set-Cookie") if one.startswith("anzheng=")]
    assert {"HttpOnly", "SameSite=Lax", "Secure", "Path=/"} <= set(cookie.split("; "))
    assert "Domain" not in cookie


@pytest.mark.parametrize(
    "name", ['x"; filename=evil.exe\r\nX-Evil: 1.csv', "a<script>alert(1)<script>.csv", "../../../a.csv"]
)
def test_a_download_keeps_the_name_inside_its_header(
    app: AnzhengFlask, jobs_services: Services, queue_worker: Worker, name: str
) -> None:
    desk = open_desk(app, jobs_services)
    import_id = desk.upload("姓名,身份证号,岗位\n张三,1,叉车司机\n".encode(), name)
    queue_worker.drain()
    assert "<script>alert" not in desk.client.get(f"/staff/import/{import_id}").text
    job = desk.client.post(f"/staff/import/{import_id}/bad-rows").headers["Location"]
    queue_worker.drain()
    answer = desk.client.get(f"{job}/file")
    assert answer.status_code == 200
    assert "X-Evil" not in answer.headers
    named = answer.headers["Content-Disposition"]
    assert named.startswith("attachment;")
    assert not re.search(r"[\r\n/\\]", named.replace('\\"', ""))


def test_a_roster_that_swells_is_refused_before_it_does(arena: Arena) -> None:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("[Content_Types].xml", "<Types/>")
        with archive.open("xl/worksheets/sheet1.xml", "w", force_zip64=True) as sheet:
            for _ in range(400):
                sheet.write(b"0" * 1024 * 1024)
    packed.seek(0)
    client = arena.owners[Role.ENTERPRISE_ADMIN]
    answer = client.post("/staff/import", data={"file": (packed, "a.xlsx")})
    answer.request.environ["wsgi.input"].close()
    assert answer.status_code == 422
