"""The auditor's page: search, paging, verification, and who may see it."""

from __future__ import annotations

import re

import pytest
from flask.testing import FlaskClient

from lms.core.access import Role
from lms.core.services import Services
from tests.accounts import factories
from tests.conftest import Worker as QueueWorker


@pytest.fixture
def auditor(client: FlaskClient, jobs_services: Services) -> FlaskClient:
    """A signed-in auditor's browser."""
    department = factories.new_department(jobs_services)
    person_id, number = factories.new_person(jobs_services, department, Role.AUDITOR, name="严查清")
    factories.activate(client, jobs_services, person_id, department, number)
    client.set_cookie("lang", "zh")
    return client


def test_the_auditor_lands_on_the_log_and_reads_names(auditor: FlaskClient) -> None:
    assert auditor.get("/").location == "/audit"
    page = auditor.get("/audit?actor=严查清")
    assert page.status_code == 200
    assert "accounts.account.activated" in page.text
    assert "严查清" in page.text


def test_the_log_is_searched_by_action_subject_and_time(auditor: FlaskClient, jobs_services: Services) -> None:
    worker = factories.new_worker(jobs_services)
    page = auditor.get(f"/audit?subject={worker.employment_id}").text
    assert page.count("accounts.employment.started") == 1
    assert "accounts.employment.started" in auditor.get("/audit?action=accounts.employment").text
    assert "没有符合条件的记录" in auditor.get(f"/audit?subject={worker.employment_id}&until=2020-01-01").text
    assert "没有符合条件的记录" in auditor.get("/audit?action=100%25").text


def test_pages_follow_each_other_and_keep_the_filter(auditor: FlaskClient, jobs_services: Services) -> None:
    tenant_id = factories.new_enterprise(jobs_services)
    for _ in range(51):
        factories.new_worker(jobs_services, tenant_id)
    first = auditor.get("/audit?action=accounts.employment.started").text
    link = re.search(r'rel="next" href="([^"]+)"', first)
    assert link is not None
    target = link[1].replace("&amp;", "&")
    assert "action=accounts.employment.started" in target
    second = auditor.get(target).text
    ids = [set(re.findall(r'<span class="sub">([0-9a-f-]{36})</span>', text)) for text in (first, second)]
    assert len(ids[0]) == 50
    assert ids[1]
    assert not ids[0] & ids[1]


def test_a_broken_cursor_or_date_is_no_crash(auditor: FlaskClient) -> None:
    assert auditor.get("/audit?cursor=nonsense").status_code == 400
    assert auditor.get("/audit?since=yesterday").status_code == 200


def test_the_verdict_is_shown_by_the_job(auditor: FlaskClient, queue_worker: QueueWorker) -> None:
    queue_worker.tick("core.seal")
    answer = auditor.post("/audit/verify")
    assert answer.status_code == 302
    queue_worker.drain()
    assert "校验通过" in auditor.get(answer.location).text


def test_reading_the_log_is_itself_in_the_log(auditor: FlaskClient) -> None:
    auditor.get("/audit?action=accounts.role")
    assert "core.audit_log.read" in auditor.get("/audit?actor=严查清").text


@pytest.mark.parametrize("role", [Role.REGULATOR, Role.ENTERPRISE_ADMIN, Role.OPERATOR])
def test_nobody_else_reads_the_log(client: FlaskClient, jobs_services: Services, role: Role) -> None:
    department = factories.new_department(jobs_services)
    person_id, number = factories.new_person(jobs_services, department, role)
    factories.activate(client, jobs_services, person_id, department, number)
    assert client.get("/audit").status_code == 403
    assert client.post("/audit/verify").status_code == 403
