"""Certificate types and pages that are new: drafted like others, tried, published, ended."""

from __future__ import annotations

import uuid
from datetime import timedelta

import pytest

from certs.models import Scheme
from certs.schemes import drafts
from certs.schemes.models import Template
from lms.core import clock
from lms.core.access import SYSTEM
from lms.core.errors import Forbidden, NotFound
from lms.core.services import Services
from lms.core.tenancy import WORKER_SCOPE
from lms.core.web import AnzhengFlask
from tests.certs import certificate_world as world
from tests.certs.test_drafts import errors_of, new_type, serials, state_of
from tests.certs.test_schemes import FORM, HENAN, colleague, draft_of, form, office, publish, versions
from tests.certs.test_templates import FORM as PAGE
from tests.conftest import Admin, Worker


def test_a_new_type_is_drafted_like_another_tried_and_published(app: AnzhengFlask, jobs_services: Services) -> None:
    client, data = office(app, jobs_services), new_type()
    code = data["code"]
    assert f'value="{FORM["issuer_name"]}"' in client.get(f"/regulator/schemes/new?like={world.SCHEME}").text
    assert client.get(f"/regulator/schemes/new?like={code}").status_code == 404
    address = client.post("/regulator/schemes/new", data=data).location
    page = client.get(address).text
    assert ("考核合格证（试验）" in page, "还没有培训项目通向该证书类型" in page) == (True, True)
    assert client.get(f"/regulator/schemes/{code}").status_code == 404
    tried = client.get(f"/regulator/schemes/{code}/eligible?draft={address.rsplit('/', 1)[1]}")
    assert (tried.status_code, "按草稿判定" in tried.text) == (200, True)
    changed = {**data, "exam_min_score": "90"}
    assert client.post(f"/regulator/schemes/{code}/edit", data=changed).location == address
    assert publish(app, jobs_services, client, address).location == f"/regulator/schemes/{code}"
    (row,) = versions(jobs_services, code)
    assert (row.version, row.rules["exam_min_score"], row.programme_code) == (1, 90, world.PROGRAMME)
    assert client.get(f"/regulator/schemes/{code}").status_code == 200


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"code": ""}, "请填写"),
        ({"code": "new"}, "以字母开头"),
        ({"code": "ab"}, "以字母开头"),
        ({"code": "Dust-Officer"}, "以字母开头"),
        ({"code": "粉尘"}, "以字母开头"),
        ({"code": "a/../b"}, "以字母开头"),
        ({"code": "dust--officer"}, "以字母开头"),
        ({"code": "dust\nofficer"}, "以字母开头"),
        ({"code": "a" * 41}, "以字母开头"),
        ({"code": "１２３４"}, "以字母开头"),
        ({"code": world.SCHEME}, "该代码已被使用"),
        ({"programme": "nowhere"}, "不是有效的选择"),
        ({"number_pattern": "{province}危管{year}{serial:07d}"}, f"会与证书类型 {world.SCHEME} 的编号重复"),
        ({"number_pattern": "{province}危管{serial:05d}{year}{serial:05d}"}, "须恰好含一个序号"),
        ({"effective_from": "0000-00-00"}, "不是有效的日期值"),
    ],
)
def test_a_new_type_with_a_bad_or_taken_value_is_told_and_not_kept(
    app: AnzhengFlask, jobs_services: Services, change: dict[str, str], told: str
) -> None:
    client = office(app, jobs_services)
    answer = client.post("/regulator/schemes/new", data=new_type(**change))
    assert (answer.status_code, told in errors_of(answer.text)) == (422, True), errors_of(answer.text)
    assert "还没有草稿" in client.get("/regulator/drafts").text


def test_two_departments_cannot_both_publish_the_same_new_code(app: AnzhengFlask, jobs_services: Services) -> None:
    data, first, second = new_type(), office(app, jobs_services), office(app, jobs_services)
    addresses = [one.post("/regulator/schemes/new", data=data).location for one in (first, second)]
    assert first.post("/regulator/schemes/new", data=data).status_code == 422
    assert second.post(f"{addresses[1]}/ask").status_code == 302
    publish(app, jobs_services, first, addresses[0])
    answer = colleague(app, jobs_services, addresses[1]).post(f"{addresses[1]}/publish")
    assert answer.status_code == 409
    assert len(versions(jobs_services, data["code"])) == 1


def test_numbers_that_another_type_took_meanwhile_are_not_published(app: AnzhengFlask, jobs_services: Services) -> None:
    numbers = f"{{province}}同{next(serials)}号{{year}}{{serial:07d}}"
    client = office(app, jobs_services)
    one, other = (
        client.post("/regulator/schemes/new", data=new_type(number_pattern=numbers)).location for _ in range(2)
    )
    client.post(f"{other}/ask")
    publish(app, jobs_services, client, one)
    answer = colleague(app, jobs_services, other).post(f"{other}/publish")
    assert (answer.status_code, "草稿内容有误" in answer.text) == (422, True)
    assert state_of(jobs_services, other) == "asked"


def test_a_department_of_some_types_adds_none(app: AnzhengFlask, jobs_services: Services) -> None:
    narrow = world.make_department(jobs_services, region_code=HENAN, schemes=["road-transport-manager"])
    client = world.signed_in_at(app, jobs_services, narrow)
    assert client.get("/regulator/schemes/new").status_code == 403
    assert client.post("/regulator/schemes/new", data=new_type()).status_code == 403
    assert client.post(f"/regulator/schemes/{world.SCHEME}/edit", data=form()).status_code == 404


def test_an_operation_refuses_what_the_form_would(jobs_services: Services) -> None:
    official = world.official_actor(jobs_services, region_code=HENAN)
    with jobs_services.db.transaction(official.scope, read_only=True) as session:
        good = {**drafts.content_of(session.get_one(Scheme, (world.SCHEME, 1))), "effective_from": str(clock.today())}
    bad = [
        ("NEW", good),
        ("dust-officer\n", good),
        ("list", good),
        (world.SCHEME, {**good, "rules": {**good["rules"], "last_issue_on": "soon"}}),
    ]
    for code, content in bad:
        with (
            pytest.raises(Exception, match="draft_invalid"),
            jobs_services.db.transaction(official.scope) as session,
        ):
            drafts.save_draft(session, official, "scheme", code, content)
    with pytest.raises(NotFound), jobs_services.db.transaction(official.scope) as session:
        drafts.ask_draft(session, official, uuid.uuid4())
    with pytest.raises(Forbidden), jobs_services.db.transaction(WORKER_SCOPE) as session:
        drafts.save_draft(session, SYSTEM, "scheme", world.SCHEME, good)


def test_a_new_page_is_drafted_tried_published_and_chosen(app: AnzhengFlask, jobs_services: Services) -> None:
    client, code = office(app, jobs_services), f"page-{uuid.uuid4().hex[:8]}"
    for wrong, told in ((code.upper(), "以字母开头"), ("standard", "该代码已被使用"), ("", "请填写")):
        answer = client.post("/regulator/templates/new", data={**PAGE, "code": wrong})
        assert (answer.status_code, told in errors_of(answer.text)) == (422, True)
    assert 'value="中华人民共和国"' in client.get("/regulator/templates/new?like=standard").text
    address = client.post("/regulator/templates/new", data={**PAGE, "code": code}).location
    assert client.get(f"{address}/specimen.pdf").data.startswith(b"%PDF")
    assert client.post(f"/regulator/templates/{code}/edit", data={**PAGE, "palette": "maroon"}).location == address
    assert client.get(f"/regulator/templates/{code}").status_code == 404
    assert publish(app, jobs_services, client, address).location == f"/regulator/templates/{code}"
    with jobs_services.db.transaction(WORKER_SCOPE, read_only=True) as session:
        assert session.get_one(Template, (code, 1)).spec["palette"] == "maroon"
    assert f'value="{code}:1"' in client.get(f"/regulator/schemes/{world.SCHEME}/edit").text


def test_a_type_ends_by_a_version_with_a_last_day(
    app: AnzhengFlask, jobs_services: Services, queue_worker: Worker, admin_connection: Admin
) -> None:
    scheme, client = world.make_scheme(jobs_services), office(app, jobs_services)
    plain = {"education": "", "paper_health": "", "age_min": "0", "exam_min_score": "80"}
    today = clock.today()
    publish(app, jobs_services, client, draft_of(client, scheme, last_issue_on=str(today), **plain))
    tenant_id = world.make_enterprise(jobs_services)
    early, late = (world.make_learner(jobs_services, tenant_id) for _ in range(2))
    world.pass_exam(jobs_services, early, programme=scheme)
    world.settle(queue_worker)
    assert [row.state for row in world.certificate_rows(jobs_services, early.person_id)] == ["issued"]
    page = client.get(f"/regulator/schemes/{scheme}").text
    assert f"在最后发证日 {today} 或之前" in page
    # A day later: versions never change, so the clock of the data is moved.
    over = "update certs_scheme set rules = rules || jsonb_build_object('last_issue_on', %s::text) where code = %s"
    admin_connection.execute(over, (str(today - timedelta(days=1)), scheme))
    world.pass_exam(jobs_services, late, programme=scheme)
    world.settle(queue_worker)
    assert world.certificate_rows(jobs_services, late.person_id) == []
    judged = office(app, jobs_services, world.COUNTY).get(f"/regulator/schemes/{scheme}/eligible").text
    assert "不符合，因为该类证书已停止发证" in judged
    assert "已停止发证" in client.get(f"/regulator/schemes/{scheme}").text
    one = f'href="/regulator/schemes/{scheme}"'
    shown = {
        state: one in client.get(f"/regulator/schemes?q={scheme}&state={state}").text
        for state in ("ended", "issuing", "coming")
    }
    assert shown == {"ended": True, "issuing": False, "coming": False}


def test_a_type_goes_on_issuing_while_its_next_version_is_to_come(app: AnzhengFlask, jobs_services: Services) -> None:
    scheme, client = world.make_scheme(jobs_services), office(app, jobs_services)
    begins = clock.today() + timedelta(days=40)
    publish(app, jobs_services, client, draft_of(client, scheme, effective_from=str(begins)))
    one = f'href="/regulator/schemes/{scheme}"'
    shown = {
        state: one in client.get(f"/regulator/schemes?q={scheme}&state={state}").text
        for state in ("ended", "issuing", "coming")
    }
    assert shown == {"ended": False, "issuing": True, "coming": True}
