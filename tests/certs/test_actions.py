"""What is done to many certificates at once: chosen, confirmed, carried out each by itself, and told."""

from __future__ import annotations

import re
import uuid

import pytest
from sqlalchemy import select

from certs.actions import operations, tasks
from certs.actions.limits import limits
from certs.actions.models import Action
from certs.rules import Decision
from certs.status.models import Proposal
from lms.core import audit, ids
from lms.core.access import Role
from lms.core.notify import NoticeRow
from lms.core.services import Services
from lms.core.tenancy import WORKER_SCOPE
from lms.core.web import AnzhengFlask
from tests.certs import certificate_world as world
from tests.certs.actions_desk import REASON, Desk, open_desk, sheet
from tests.certs.altering import altered
from tests.conftest import Admin, Instance, Worker
from tests.kills.processes import run_to_its_death
from tests.supervision.province import counted_statements

REVOKE = {"code": "revoke_lending", "reason": "出租证书给他人使用"}
NOBODY = uuid.UUID("0190a000-0000-7000-8000-000000000000")


@pytest.fixture
def desk(app: AnzhengFlask, jobs_services: Services, queue_worker: Worker, admin_connection: Admin) -> Desk:
    return open_desk(app, jobs_services, queue_worker, admin_connection)


def test_the_list_leads_to_a_page_that_says_how_many_and_what_follows(desk: Desk) -> None:
    listed = desk.client.get("/regulator/certificates?shown=valid").text
    assert re.findall(r'name="certificate" value="([0-9a-f-]{36})"', listed) == [
        str(one.id) for one in reversed(desk.mine)
    ]
    address = f"/regulator/actions/new?kind=suspend&certificate={desk.mine[0].id}&certificate={desk.mine[1].id}"
    page = desk.client.get(address).text
    assert "共 2 张证书" in page
    assert "可以逐张恢复" in page
    assert '<option value="suspend_unsafe_act">' in page
    assert desk.mine[2].number not in page
    everything = desk.client.get("/regulator/actions/new?kind=revoke&all=1&shown=valid").text
    assert "共 3 张证书" in everything
    assert "须由另一名人员逐项批准后生效" in everything
    assert 'name="confirmed" value="3"' in everything
    nothing = desk.client.get("/regulator/actions/new?kind=suspend&shown=valid", follow_redirects=True)
    assert "请先勾选证书" in nothing.text


def test_suspending_carries_each_out_by_the_same_operation_as_one_alone(desk: Desk) -> None:
    action_id = desk.settled(desk.order("suspend", [desk.mine[0].id, desk.mine[1].id], **REASON))
    assert desk.statuses() == ["suspended", "suspended", "valid", "valid"]
    assert desk.steps(desk.mine[0]) == [("valid", ""), ("suspended", "suspend_unsafe_act")]
    assert set(desk.items(action_id).values()) == {("done", "")}
    with desk.jobs.db.transaction(WORKER_SCOPE, read_only=True) as session:
        action = session.scalars(select(Action).where(Action.id == action_id)).one()
        told = session.scalars(select(NoticeRow.title_zh).where(NoticeRow.person_id == desk.mine[1].person_id)).all()
        deeds = session.scalars(
            select(audit.AuditRow.actor_id).where(
                audit.AuditRow.subject_id == str(desk.mine[0].id),
                audit.AuditRow.action == "certs.certificate.suspended",
            )
        ).all()
    assert (action.state, action.certificates) == ("done", 2)
    assert deeds == [action.ordered_by]
    assert "您的证书已被暂扣" in told
    page = desk.client.get(f"/regulator/actions/{action_id}").text
    assert "已办理 2 张 · 未办理 0 张" in page
    assert "hx-get" not in page


def test_what_can_be_done_to_none_of_them_is_not_offered(desk: Desk) -> None:
    address = f"/regulator/actions/new?kind=suspend&certificate={desk.mine[0].id}"
    assert "确认暂扣" in desk.client.get(address).text
    world.decided(desk.jobs, desk.mine[0], Decision.CANCEL)
    page = desk.client.get(address).text
    assert "确认暂扣" not in page
    assert "都不能办理，请返回列表另行选择" in page


def test_what_is_refused_is_named_with_its_reason_and_the_rest_is_done(desk: Desk) -> None:
    world.decided(desk.jobs, desk.mine[0], Decision.CANCEL)
    chosen = [*(one.id for one in desk.mine), desk.elsewhere.id, NOBODY]
    action_id = desk.settled(desk.order("suspend", chosen, **REASON))
    assert desk.statuses() == ["cancelled", "suspended", "suspended", "valid"]
    assert desk.items(action_id) == {
        desk.mine[0].id: ("refused", "transition_refused"),
        desk.mine[1].id: ("done", ""),
        desk.mine[2].id: ("done", ""),
        desk.elsewhere.id: ("refused", "not_found"),
        NOBODY: ("refused", "not_found"),
    }
    page = desk.client.get(f"/regulator/actions/{action_id}?state=refused").text
    assert "证书当前状态不能执行此操作" in page
    assert page.count("不存在，或不在本部门的监管范围内") == 2
    assert desk.elsewhere.number not in page
    assert desk.mine[1].number not in page
    job = desk.client.post(f"/regulator/actions/{action_id}/export?state=refused").headers["Location"]
    world.settle(desk.worker)
    rows = sheet(desk.client.get(f"{job}/file").data)
    assert {row[0] for row in rows[1:]} == {desk.mine[0].number, str(desk.elsewhere.id), str(NOBODY)}


def test_revocation_is_proposed_for_each_and_decided_by_another_official(desk: Desk) -> None:
    chosen = [one.id for one in desk.mine]
    first = desk.settled(desk.order("revoke", chosen[:1], **REVOKE))
    action_id = desk.settled(desk.order("revoke", chosen, **REVOKE))
    assert desk.statuses() == ["valid"] * 4
    assert desk.items(first) == {chosen[0]: ("done", "")}
    assert desk.items(action_id)[chosen[0]] == ("refused", "proposal_open")
    with desk.jobs.db.transaction(WORKER_SCOPE, read_only=True) as session:
        query = select(Proposal).where(Proposal.certificate_id.in_(chosen))
        proposals = {row.certificate_id: row for row in session.scalars(query)}
    assert set(proposals) == set(chosen)
    assert {row.state for row in proposals.values()} == {"open"}
    verdict = {"verdict": "approve", "reason": "情况属实，同意"}
    address = f"/regulator/proposals/{proposals[chosen[1]].id}/decision"
    assert desk.client.post(address, data=verdict).status_code == 403
    assert desk.official().post(address, data=verdict).status_code == 302
    assert desk.statuses() == ["valid", "revoked", "valid", "valid"]
    assert "该证书已有一项同类建议等待决定" in desk.client.get(f"/regulator/actions/{action_id}").text


def test_all_that_the_filter_finds_is_what_was_confirmed_or_nothing(desk: Desk) -> None:
    world.decided(desk.jobs, desk.mine[0], Decision.SUSPEND)
    form = {"kind": "suspend", "action_id": str(ids.new_id()), "all": "1", **REASON}
    refused = desk.client.post("/regulator/actions?shown=valid", data={**form, "confirmed": "3"})
    assert (refused.status_code, "筛选结果已有变化，现为 2 张" in refused.text) == (409, True)
    assert 'name="confirmed" value="2"' in refused.text
    assert REASON["reason"] in refused.text
    assert desk.statuses() == ["suspended", "valid", "valid", "valid"]
    action_id = desk.settled(desk.client.post("/regulator/actions?shown=valid", data={**form, "confirmed": "2"}))
    assert set(desk.items(action_id)) == {desk.mine[1].id, desk.mine[2].id}
    assert desk.statuses() == ["suspended", "suspended", "suspended", "valid"]


def test_the_same_page_sent_twice_orders_once(desk: Desk) -> None:
    action_id = str(ids.new_id())
    answers = [desk.order("suspend", [desk.mine[0].id], **REASON, action_id=action_id) for _ in range(2)]
    assert [answer.location for answer in answers] == [f"/regulator/actions/{action_id}"] * 2
    world.settle(desk.worker)
    assert desk.steps(desk.mine[0]) == [("valid", ""), ("suspended", "suspend_unsafe_act")]
    with desk.jobs.db.transaction(WORKER_SCOPE, read_only=True) as session:
        assert len(session.scalars(select(Action).where(Action.id == uuid.UUID(action_id))).all()) == 1
    stranger = desk.official(department=world.make_department(desk.jobs, region_code=world.OTHER_COUNTY))
    form = {"kind": "suspend", "action_id": action_id, "certificate": str(desk.elsewhere.id), **REASON}
    assert stranger.post("/regulator/actions", data=form).status_code == 404
    assert desk.statuses()[3] == "valid"


def test_all_that_a_filter_found_is_ordered_once_though_it_finds_nothing_any_more(desk: Desk) -> None:
    action_id = str(ids.new_id())
    form = {"kind": "suspend", "action_id": action_id, "all": "1", "confirmed": "3", **REASON}
    for _ in range(2):
        answer = desk.client.post("/regulator/actions?shown=valid", data=form)
        assert (answer.status_code, answer.location) == (302, f"/regulator/actions/{action_id}")
        world.settle(desk.worker)
    assert [len(desk.steps(one)) for one in desk.mine] == [2, 2, 2]


def test_an_expired_certificate_is_called_so_before_and_after(desk: Desk, admin_connection: Admin) -> None:
    row, dates = desk.mine[0], "valid_from = '2020-03-01', valid_until = '2023-02-28'"
    with altered(admin_connection, "certs_certificate", dates, id=row.id):
        confirmed = desk.client.get(f"/regulator/actions/new?kind=files&certificate={row.id}").text
        action_id = desk.settled(desk.order("files", [row.id]))
        page = desk.client.get(f"/regulator/actions/{action_id}").text
        rows = _exported(desk, action_id)
    assert ["已过期" in shown for shown in (confirmed, page)] == [True, True]
    assert [line[2] for line in rows] == ["过期"]


def test_what_was_never_issued_is_exported_as_such(desk: Desk, admin_connection: Admin) -> None:
    action_id = desk.settled(desk.order("suspend", [desk.mine[0].id], **REASON))
    unmade = "state = 'failed', issued_at = null, pdf_key = null, pdf_sha256 = null, signer_key_id = null"
    with altered(admin_connection, "certs_certificate", unmade, id=desk.mine[0].id):
        assert [line[2] for line in _exported(desk, action_id)] == ["未签发"]


def _exported(desk: Desk, action_id: uuid.UUID) -> list[list[object]]:
    job = desk.client.post(f"/regulator/actions/{action_id}/export").headers["Location"]
    world.settle(desk.worker)
    return sheet(desk.client.get(f"{job}/file").data)[1:]


def test_an_order_that_runs_again_decides_nothing_twice(desk: Desk) -> None:
    action_id = desk.settled(desk.order("suspend", [one.id for one in desk.mine], **REASON))
    with desk.jobs.db.transaction(WORKER_SCOPE) as session:
        action = session.scalars(select(Action).where(Action.id == action_id)).one()
        action.state, action.ended_at = "running", None
    tasks.run(desk.jobs, action_id=str(action_id))
    assert [len(desk.steps(one)) for one in desk.mine] == [2, 2, 2]
    assert set(desk.items(action_id).values()) == {("done", "")}


@pytest.mark.parametrize(("kind", "form", "fatal"), [("suspend", REASON, 4), ("revoke", REVOKE, 3), ("files", {}, 3)])
def test_an_order_killed_half_way_ends_as_if_it_had_not_been(
    desk: Desk, instance: Instance, kind: str, form: dict[str, str], fatal: int
) -> None:
    answer = desk.order(kind, [one.id for one in desk.mine], **form)
    action_id = uuid.UUID(answer.location.rsplit("/", 1)[1])
    run_to_its_death(instance.settings, "tests.run_and_die", "action", action_id, fatal)
    assert ("open", "") in desk.items(action_id).values()
    desk.settled(answer)
    assert set(desk.items(action_id).values()) == {("done", "")}
    assert "已办理 3 张 · 未办理 0 张" in desk.client.get(f"/regulator/actions/{action_id}").text
    assert [len(desk.steps(one)) for one in desk.mine] == [2 if kind == "suspend" else 1] * 3
    with desk.jobs.db.transaction(WORKER_SCOPE, read_only=True) as session:
        proposed = session.scalars(
            select(Proposal.id).where(Proposal.certificate_id.in_([one.id for one in desk.mine]))
        ).all()
    assert len(proposed) == (3 if kind == "revoke" else 0)


def test_a_stopped_order_does_nothing_more(desk: Desk) -> None:
    answer = desk.order("suspend", [one.id for one in desk.mine], **REASON)
    action_id = uuid.UUID(answer.location.rsplit("/", 1)[1])
    with desk.jobs.db.transaction(WORKER_SCOPE) as session:
        ordered = operations.read_order(session, action_id)
    assert ordered
    with desk.jobs.db.transaction(ordered.actor.scope) as session:
        assert operations.decide_one(session, ordered, desk.mine[0].id)
    inspector = desk.official(Role.INSPECTOR)
    assert inspector.post(f"/regulator/actions/{action_id}/stop").status_code == 403
    assert desk.client.post(f"/regulator/actions/{action_id}/stop").status_code == 302
    assert desk.client.post(f"/regulator/actions/{action_id}/stop").status_code == 409
    world.settle(desk.worker)
    assert desk.statuses() == ["suspended", "valid", "valid", "valid"]
    page = desk.client.get(f"/regulator/actions/{action_id}").text
    assert "已停止" in page
    assert "已办理 1 张 · 未办理 0 张" in page


def test_looking_is_not_deciding(desk: Desk) -> None:
    inspector = desk.official(Role.INSPECTOR)
    page = inspector.get("/regulator/certificates").text
    assert 'value="files"' in page
    assert 'value="suspend"' not in page
    chosen = {"certificate": str(desk.mine[0].id), "action_id": str(ids.new_id())}
    for kind, form in (("suspend", REASON), ("revoke", REVOKE)):
        assert inspector.get(f"/regulator/actions/new?kind={kind}&certificate={desk.mine[0].id}").status_code == 403
        assert inspector.post("/regulator/actions", data={"kind": kind, **chosen, **form}).status_code == 403
    world.settle(desk.worker)
    assert desk.statuses() == ["valid"] * 4
    assert inspector.post("/regulator/actions", data={"kind": "files", **chosen}).status_code == 302


@pytest.mark.parametrize(
    ("form", "status"),
    [
        ({"certificate": "not-an-id"}, 422),
        ({"certificate": "' or 1=1 --"}, 422),
        ({"certificate": ""}, 422),
        ({}, 422),
        ({"action_id": "x"}, 422),
        ({"kind": "burn"}, 404),
        ({"code": "revoke_lending"}, 422),
        ({"code": ""}, 422),
        ({"reason": "短"}, 422),
        ({"reason": "  \r\n  "}, 422),
        ({"reason": "长" * 501}, 422),
        ({"all": "1", "confirmed": "-1"}, 409),
        ({"all": "1", "confirmed": "９９"}, 409),
    ],
)
def test_what_no_page_of_ours_sends_is_refused_and_writes_nothing(
    desk: Desk, form: dict[str, str], status: int
) -> None:
    good = {"kind": "suspend", "action_id": str(ids.new_id()), **REASON}
    sent = {**good, **({"certificate": str(desk.mine[0].id)} if form and "all" not in form else {}), **form}
    answer = desk.client.post("/regulator/actions", data=sent)
    assert answer.status_code == status
    world.settle(desk.worker)
    assert desk.statuses() == ["valid"] * 4
    with desk.jobs.db.transaction(WORKER_SCOPE, read_only=True) as session:
        assert session.scalars(select(Action).where(Action.tenant_id == desk.department)).all() == []


def test_more_than_one_order_may_name_is_refused(desk: Desk) -> None:
    many = [uuid.uuid4() for _ in range(limits().max_decisions + 1)]
    answer = desk.order("suspend", many, **REASON)
    assert (answer.status_code, f"一次最多办理 {limits().max_decisions} 张" in answer.text) == (422, True)
    flood = desk.order("files", [uuid.uuid4() for _ in range(20_000)])
    assert flood.status_code in {413, 422}
    with desk.jobs.db.transaction(WORKER_SCOPE, read_only=True) as session:
        assert session.scalars(select(Action).where(Action.tenant_id == desk.department)).all() == []


def test_list_and_result_take_few_statements_however_many_certificates(desk: Desk, services: Services) -> None:
    action_id = desk.settled(desk.order("suspend", [one.id for one in desk.mine], **REASON))
    for address, most in (
        ("/regulator/certificates", 3),
        (f"/regulator/actions/{action_id}", 6),
        ("/regulator/actions", 1),
        ("/regulator/actions/new?kind=revoke&all=1", 5),
    ):
        with counted_statements(services) as seen:
            assert desk.client.get(address).status_code == 200
        assert len(seen) <= most, (address, seen)


def test_another_department_sees_and_stops_nothing_of_it(desk: Desk) -> None:
    answer = desk.order("suspend", [desk.mine[0].id], **REASON)
    stranger = desk.official(department=world.make_department(desk.jobs, region_code=world.OTHER_COUNTY))
    address = answer.location
    assert stranger.get(address).status_code == 404
    assert stranger.get(f"{address}/progress").status_code == 404
    assert stranger.post(f"{address}/stop").status_code == 404
    assert stranger.post(f"{address}/export").status_code == 404
    assert address not in stranger.get("/regulator/actions").text
    assert address in desk.client.get("/regulator/actions?kind=suspend&state=running").text
    assert address not in desk.client.get("/regulator/actions?kind=files").text
    world.settle(desk.worker)
    assert desk.statuses()[0] == "suspended"
