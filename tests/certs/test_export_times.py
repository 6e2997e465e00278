"""Moments in exported lists: the province's day and minute, whatever zone the database keeps them in."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from lms.core.services import Services
from lms.core.web import AnzhengFlask
from tests.certs import certificate_world as world
from tests.certs.actions_desk import REASON, Desk, open_desk, sheet
from tests.certs.altering import altered
from tests.certs.test_schemes import draft_of
from tests.conftest import Admin, Worker

LATE_EVENING = datetime(2026, 3, 9, 16, 30, tzinfo=UTC)
THERE = "2026-03-10 00:30"


@pytest.fixture
def desk(app: AnzhengFlask, jobs_services: Services, queue_worker: Worker, admin_connection: Admin) -> Desk:
    return open_desk(app, jobs_services, queue_worker, admin_connection)


def exported(desk: Desk, address: str) -> list[dict[str, object]]:
    job = desk.client.post(address).headers["Location"]
    world.settle(desk.worker)
    head, *rows = sheet(desk.client.get(f"{job}/file").data)
    return [dict(zip(map(str, head), row, strict=True)) for row in rows]


def test_a_certificate_issued_after_midnight_is_exported_with_that_day(desk: Desk, admin_connection: Admin) -> None:
    one = desk.mine[0]
    with altered(admin_connection, "certs_certificate", "issued_at = %(at)s", id=one.id, at=LATE_EVENING):
        rows = exported(desk, f"/regulator/certificates/export?q={one.number}")
    assert [(row["签发时间"], row["发证日期"]) for row in rows] == [(THERE, "2026-03-10")]


@pytest.mark.parametrize(
    ("table", "column", "address", "head"),
    [
        ("certs_bulk", "ordered_at", "/regulator/bulk/export", "下达时间"),
        ("certs_action", "ordered_at", "/regulator/actions/export", "下达时间"),
        ("certs_draft", "made_at", "/regulator/drafts/export", "拟订时间"),
        ("certs_proposal", "proposed_at", "/regulator/proposals/export", "提出时间"),
    ],
)
def test_what_a_department_does_is_exported_with_its_own_clock(
    desk: Desk, admin_connection: Admin, table: str, column: str, address: str, head: str
) -> None:
    scheme = world.make_scheme(desk.jobs)
    assert desk.client.post("/regulator/bulk", data={"scheme": scheme}).status_code == 302
    desk.settled(desk.order("revoke", [desk.mine[0].id], **{**REASON, "code": "revoke_lending"}))
    draft_of(desk.client, scheme)
    mine = "department_id = %(id)s" if table == "certs_proposal" else "tenant_id = %(id)s"
    with altered(admin_connection, table, f"{column} = %(at)s", mine, id=desk.department, at=LATE_EVENING):
        assert [row[head] for row in exported(desk, address)] == [THERE]
