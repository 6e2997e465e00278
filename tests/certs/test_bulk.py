"""Bulk issue: ordered by a department, done chunk by chunk, steered by its pages."""

from __future__ import annotations

import io
import re
import uuid
from dataclasses import dataclass, replace
from datetime import timedelta

import pytest
from flask.testing import FlaskClient
from python_calamine import CalamineWorkbook

from certs.issue import bulk, bulk_tasks
from lms.core import clock
from lms.core.access import Role
from lms.core.services import Services
from lms.core.tenancy import WORKER_SCOPE
from lms.core.web import AnzhengFlask
from tests.certs import certificate_world as world
from tests.conftest import Admin, Worker


@dataclass(frozen=True, slots=True)
class Desk:
    """A department that may issue, in a county of the test's own, and those who passed there."""

    client: FlaskClient
    region_code: int
    people: list[world.Learner]


@pytest.fixture
def jobs_services(jobs_services: Services) -> Services:
    """Services of an instance that issues to three people in each step."""
    return replace(jobs_services, settings=replace(jobs_services.settings, bulk_chunk_people=3))


@pytest.fixture
def queue_worker(jobs_services: Services) -> Worker:
    """The worker of that instance."""
    return Worker(jobs_services)


@pytest.fixture
def desk(app: AnzhengFlask, jobs_services: Services, admin_connection: Admin) -> Desk:
    return open_desk(app, jobs_services, admin_connection, people=7)


def open_desk(app: AnzhengFlask, jobs_services: Services, admin_connection: Admin, people: int) -> Desk:
    """Let people pass, lose the jobs that would issue to each of them, and sign an official in."""
    region_code = world.untouched_county(admin_connection, "exams_attempt")
    department = world.make_department(jobs_services, region_code=region_code)
    tenant_id = world.make_enterprise(jobs_services, region_code=region_code)
    learners = [world.make_learner(jobs_services, tenant_id) for _ in range(people)]
    for one in learners:
        world.pass_exam(jobs_services, one)
        admin_connection.execute(
            "delete from procrastinate_jobs where args->'payload'->>'person_id' = %s", (str(one.person_id),)
        )
    return Desk(world.signed_in_at(app, jobs_services, department), region_code, learners)


def start(desk: Desk) -> uuid.UUID:
    answer = desk.client.post("/regulator/bulk", data={"scheme": world.SCHEME})
    assert answer.status_code == 302, answer.text
    return uuid.UUID(answer.location.rsplit("/", 1)[1])


def stored(connection: Admin, bulk_id: uuid.UUID) -> tuple[object, ...]:
    row = connection.execute(
        "select state, people, people_done, issued, failed, chunks, chunks_done from certs_bulk where id = %s",
        (bulk_id,),
    ).fetchone()
    assert row
    return row


def states(services: Services, desk: Desk) -> list[list[str]]:
    return [[row.state for row in world.certificate_rows(services, one.person_id)] for one in desk.people]


def test_an_order_issues_what_is_due_once(
    desk: Desk, jobs_services: Services, queue_worker: Worker, admin_connection: Admin
) -> None:
    bulk_id = start(desk)
    assert "准备中" in desk.client.get(f"/regulator/bulk/{bulk_id}").text
    assert "HX-Refresh" not in desk.client.get(f"/regulator/bulk/{bulk_id}/progress").headers
    world.settle(queue_worker)
    assert desk.client.get(f"/regulator/bulk/{bulk_id}/progress").headers["HX-Refresh"] == "true"
    assert stored(admin_connection, bulk_id) == ("done", 7, 7, 7, 0, 3, 3)
    assert states(jobs_services, desk) == [["issued"]] * 7
    page = desk.client.get("/regulator/bulk").text
    assert re.search(r"7 / 7.*已完成", page, re.DOTALL)

    again = start(desk)
    world.settle(queue_worker)
    assert stored(admin_connection, again) == ("done", 0, 0, 0, 0, 0, 0)
    assert states(jobs_services, desk) == [["issued"]] * 7


def test_a_paused_order_stands_still_and_resumes_where_it_was(
    desk: Desk, jobs_services: Services, queue_worker: Worker, admin_connection: Admin
) -> None:
    bulk_id = start(desk)
    bulk.start(jobs_services, bulk_id)
    bulk_tasks.chunk(jobs_services, bulk_id=str(bulk_id), number=1)
    assert desk.client.post(f"/regulator/bulk/{bulk_id}/pause").status_code == 302
    world.settle(queue_worker)
    assert stored(admin_connection, bulk_id) == ("paused", 7, 3, 3, 0, 3, 1)
    assert states(jobs_services, desk).count(["issued"]) == 3
    page = desk.client.get(f"/regulator/bulk/{bulk_id}/progress").text
    assert "已暂停" in page
    assert "hx-get" not in page

    assert desk.client.post(f"/regulator/bulk/{bulk_id}/resume").status_code == 302
    world.settle(queue_worker)
    assert stored(admin_connection, bulk_id) == ("done", 7, 7, 7, 0, 3, 3)
    assert states(jobs_services, desk) == [["issued"]] * 7


def test_a_cancelled_order_issues_nothing_more_and_frees_the_scheme(
    desk: Desk, jobs_services: Services, queue_worker: Worker, admin_connection: Admin
) -> None:
    bulk_id = start(desk)
    refused = desk.client.post("/regulator/bulk", data={"scheme": world.SCHEME})
    assert (refused.status_code, "还在进行" in refused.text) == (409, True)
    assert desk.client.post(f"/regulator/bulk/{bulk_id}/cancel").status_code == 302
    world.settle(queue_worker)
    assert stored(admin_connection, bulk_id)[:4] == ("cancelled", 0, 0, 0)
    assert states(jobs_services, desk) == [[]] * 7
    for step in ("pause", "resume", "cancel"):
        assert desk.client.post(f"/regulator/bulk/{bulk_id}/{step}").status_code == 409
    assert desk.client.post(f"/regulator/bulk/{bulk_id}/burn").status_code == 404
    start(desk)


def test_a_chunk_that_runs_twice_counts_once(desk: Desk, jobs_services: Services, admin_connection: Admin) -> None:
    bulk_id = start(desk)
    bulk.start(jobs_services, bulk_id)
    for _ in range(2):
        bulk_tasks.chunk(jobs_services, bulk_id=str(bulk_id), number=0)
    with jobs_services.db.transaction(WORKER_SCOPE) as session:
        bulk.finish_chunk(session, bulk_id, 0, people=3, issued=3, failed=0)
    assert stored(admin_connection, bulk_id) == ("running", 7, 3, 3, 0, 3, 1)


def test_an_order_whose_jobs_were_lost_goes_on(
    desk: Desk, jobs_services: Services, queue_worker: Worker, admin_connection: Admin
) -> None:
    bulk_id = start(desk)
    bulk.start(jobs_services, bulk_id)
    admin_connection.execute("delete from procrastinate_jobs where args->>'bulk_id' = %s", (str(bulk_id),))
    bulk_tasks.requeue_stalled(jobs_services)
    world.settle(queue_worker)
    assert stored(admin_connection, bulk_id)[0] == "running"
    with jobs_services.db.transaction(WORKER_SCOPE) as session:
        assert bulk.requeue_stalled(session, clock.now() + timedelta(seconds=1)) >= 1
    world.settle(queue_worker)
    assert stored(admin_connection, bulk_id)[:4] == ("done", 7, 7, 7)


def test_an_order_whose_start_was_given_up_is_started_again_once(
    desk: Desk, jobs_services: Services, queue_worker: Worker, admin_connection: Admin
) -> None:
    bulk_id = start(desk)
    starts = "from procrastinate_jobs where task_name = 'certs.bulk_start' and args->>'bulk_id' = %s"
    admin_connection.execute(f"delete {starts}", (str(bulk_id),))
    bulk_tasks.requeue_stalled(jobs_services)
    assert admin_connection.execute(f"select count(*) {starts}", (str(bulk_id),)).fetchone() == (0,)
    with clock.travelling_to(clock.now() + bulk_tasks.STALLED_AFTER + timedelta(seconds=1)):
        for _minute in range(2):
            bulk_tasks.requeue_stalled(jobs_services)
    assert admin_connection.execute(f"select count(*) {starts}", (str(bulk_id),)).fetchone() == (1,)
    world.settle(queue_worker)
    assert stored(admin_connection, bulk_id)[:4] == ("done", 7, 7, 7)


def test_a_name_that_no_font_draws_fails_alone(
    desk: Desk, jobs_services: Services, queue_worker: Worker, admin_connection: Admin
) -> None:
    unlucky = desk.people[4].person_id
    admin_connection.execute("update accounts_person set name = %s where id = %s", ("王\U000323b0", unlucky))
    bulk_id = start(desk)
    world.settle(queue_worker)
    assert stored(admin_connection, bulk_id) == ("done", 7, 7, 6, 1, 3, 3)
    (row,) = world.certificate_rows(jobs_services, unlucky)
    assert (row.state, "U+323B0" in row.failure) == ("failed", True)


def test_another_department_sees_nothing_of_it_and_issues_nothing_there(
    app: AnzhengFlask, desk: Desk, jobs_services: Services, queue_worker: Worker, admin_connection: Admin
) -> None:
    bulk_id = start(desk)
    elsewhere = world.make_department(jobs_services, region_code=world.OTHER_COUNTY)
    stranger = world.signed_in_at(app, jobs_services, elsewhere)
    assert stranger.get(f"/regulator/bulk/{bulk_id}").status_code == 404
    assert stranger.post(f"/regulator/bulk/{bulk_id}/cancel").status_code == 404
    assert str(bulk_id) not in stranger.get("/regulator/bulk").text
    assert stranger.post("/regulator/bulk", data={"scheme": "none"}).status_code == 404
    desk.client.post(f"/regulator/bulk/{bulk_id}/cancel")
    assert stranger.post("/regulator/bulk", data={"scheme": world.SCHEME}).status_code == 302
    world.settle(queue_worker)
    assert all(world.certificate_rows(jobs_services, one.person_id) == [] for one in desk.people)
    inspector = world.signed_in_at(app, jobs_services, elsewhere, Role.INSPECTOR)
    assert inspector.post("/regulator/bulk", data={"scheme": world.SCHEME}).status_code == 403
    assert stored(admin_connection, bulk_id)[0] == "cancelled"


def test_the_list_of_orders_filters_and_exports(desk: Desk, queue_worker: Worker) -> None:
    first = start(desk)
    desk.client.post(f"/regulator/bulk/{first}/cancel")
    second = start(desk)
    for query, shown in (
        ("", {first, second}),
        ("?state=cancelled", {first}),
        (f"?state=preparing&scheme={world.SCHEME}&q=李", {second}),
        ("?scheme=none", set()),
        ("?q=%25", set()),
    ):
        page = desk.client.get(f"/regulator/bulk{query}").text
        assert {one for one in (first, second) if str(one) in page} == shown, query
    assert f"/regulator/bulk/{first}?back=/regulator/bulk%3Fstate%3Dcancelled" in (
        desk.client.get("/regulator/bulk?state=cancelled").text
    )
    job = desk.client.post("/regulator/bulk/export?state=cancelled").headers["Location"]
    world.settle(queue_worker)
    rows = CalamineWorkbook.from_filelike(io.BytesIO(desk.client.get(f"{job}/file").data)).get_sheet_by_index(0)
    assert [row[5] for row in rows.to_python()] == ["状态", "已取消"]
