"""Certificate types on the department's pages: versions, drafts, publishing, and who would be eligible."""

from __future__ import annotations

import io
import re
import uuid
from datetime import timedelta

import psycopg
import pytest
from flask.testing import FlaskClient
from python_calamine import CalamineWorkbook
from sqlalchemy import select
from werkzeug.test import TestResponse

from certs.models import Scheme
from certs.schemes.models import Draft
from certs.schemes.operations import load_schemes, read_file
from lms.core import clock
from lms.core.access import Role
from lms.core.services import Services
from lms.core.tenancy import WORKER_SCOPE
from lms.core.web import AnzhengFlask
from tests.certs import certificate_world as world
from tests.conftest import Worker
from tests.supervision.province import counted_statements

Connection = psycopg.Connection[tuple[object, ...]]
HENAN = 410000
FORM = {
    "legal_basis": "《中华人民共和国安全生产法》第二十七条",
    "name_zh": "考核合格证（试验）",
    "name_en": "Trial certificate",
    "class_": "intermediate",
    "issuer_name": "{province}应急管理厅",
    "number_pattern": "{province}试{year}{serial:07d}{check}",
    "validity_months": "36",
    "renewal_window_days": "90",
    "continuing_hours_per_year": "24",
    "template": "standard:1",
    "exam_min_score": "85",
    "learning_completed": "y",
    "identity_verified": "y",
    "class_hours": "0",
    "age_min": "18",
    "age_max": "0",
    "education": "college",
    "practice_months": "0",
    "paper_health": "y",
    "basis_age": "《中华人民共和国劳动法》第六十四条",
}


def form(**changes: str) -> dict[str, str]:
    return {**FORM, "effective_from": clock.today().isoformat(), **changes}


def office(app: AnzhengFlask, services: Services, region_code: int = HENAN, role: Role = Role.REGULATOR) -> FlaskClient:
    return world.signed_in_at(app, services, world.make_department(services, region_code=region_code), role)


def colleague(app: AnzhengFlask, services: Services, address: str) -> FlaskClient:
    """A browser of another official of the department whose draft it is."""
    with services.db.transaction(WORKER_SCOPE, read_only=True) as session:
        draft_id = uuid.UUID(address.rsplit("/", 1)[1])
        department = session.scalars(select(Draft.tenant_id).where(Draft.id == draft_id)).one()
    return world.signed_in_at(app, services, department)


def publish(app: AnzhengFlask, services: Services, client: FlaskClient, address: str) -> TestResponse:
    """Let one official ask and another approve; return the answer to the second."""
    asked = client.post(f"{address}/ask")
    assert (asked.status_code, asked.location) == (302, address), asked.text
    return colleague(app, services, address).post(f"{address}/publish")


def draft_of(client: FlaskClient, scheme: str, **changes: str) -> str:
    # Numbers of its own, as the editor asks.
    numbers = f"{{province}}{scheme}-{{year}}{{serial:07d}}{{check}}"
    answer = client.post(f"/regulator/schemes/{scheme}/edit", data=form(**{"number_pattern": numbers, **changes}))
    assert answer.status_code == 302, re.findall(r'field-error"[^>]*>.*?</p>', answer.text)
    return answer.location


def versions(services: Services, scheme: str) -> list[Scheme]:
    with services.db.transaction(WORKER_SCOPE, read_only=True) as session:
        return list(session.scalars(select(Scheme).where(Scheme.code == scheme).order_by(Scheme.version)))


def test_who_passes_under_the_new_version_is_judged_by_it(
    app: AnzhengFlask, jobs_services: Services, queue_worker: Worker
) -> None:
    scheme, client = world.make_scheme(jobs_services), office(app, jobs_services)
    tenant_id = world.make_enterprise(jobs_services)
    early, late = (world.make_learner(jobs_services, tenant_id) for _ in range(2))
    world.pass_exam(jobs_services, early, programme=scheme)
    world.settle(queue_worker)
    publish(app, jobs_services, client, draft_of(client, scheme, education="", exam_min_score="95"))
    world.pass_exam(jobs_services, late, programme=scheme)
    world.settle(queue_worker)
    assert [row.scheme_version for row in world.certificate_rows(jobs_services, early.person_id)] == [1]
    assert world.certificate_rows(jobs_services, late.person_id) == []


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"effective_from": "2020-01-01"}, "施行日期不能早于今天"),
        ({"effective_from": "soon"}, "不是有效的日期值"),
        ({"legal_basis": "法"}, "请写 10 至 2000 个字"),
        ({"legal_basis": ""}, "请填写"),
        ({"name_zh": ""}, "请填写"),
        ({"name_zh": "   "}, "请填写"),
        ({"issuer_name": "   "}, "请填写"),
        ({"legal_basis": " " * 12}, "请填写"),
        ({"class_": "royal"}, "不是有效的选择"),
        ({"issuer_name": "{province.code}厅"}, "只能使用 {province}"),
        ({"number_pattern": "{year}"}, "须恰好含一个序号"),
        ({"number_pattern": "{serial.real}"}, "只能使用 {province}、{year}"),
        ({"number_pattern": "{check}{serial:07d}"}, "校验位 {check} 只能有一个"),
        ({"validity_months": "0"}, "请填写 1 至 360 的整数"),
        ({"validity_months": "three"}, "请填写 1 至 360 的整数"),
        ({"exam_min_score": "101"}, "请填写 1 至 100 的整数"),
        ({"class_hours": "nan"}, "请填写"),
        ({"age_min": "60", "age_max": "50"}, "最高年龄不能小于最低年龄"),
        ({"education": "kindergarten"}, "不是有效的选择"),
        ({"template": "none:9"}, "不是有效的选择"),
        ({"name_zh": "证\x00书"}, "不能含控制字符"),
        ({"last_issue_on": "2020-01-01"}, "最后发证日不能早于施行日期"),
        ({"last_issue_on": "never"}, "不是有效的日期值"),
    ],
)
def test_every_bad_value_is_told_and_nothing_is_kept(
    app: AnzhengFlask, jobs_services: Services, change: dict[str, str], told: str
) -> None:
    client = office(app, jobs_services)
    answer = client.post(f"/regulator/schemes/{world.SCHEME}/edit", data=form(**change))
    assert answer.status_code == 422
    errors = " ".join(re.findall(r'class="field-error"[^>]*>(.*?)</p>', answer.text, re.DOTALL))
    assert told in errors
    page = client.get(f"/regulator/schemes/{world.SCHEME}").text
    assert "查看草稿" not in page


def test_versions_cannot_be_changed_even_by_the_worker(jobs_services: Services) -> None:
    scheme = world.make_scheme(jobs_services)
    with pytest.raises(Exception, match="permission denied"), jobs_services.db.transaction(WORKER_SCOPE) as session:
        row = session.get_one(Scheme, (scheme, 1))
        row.validity_months = 1
    assert versions(jobs_services, scheme)[0].validity_months == 36


def test_loading_the_file_again_adds_nothing_and_refuses_a_changed_version(jobs_services: Services) -> None:
    with jobs_services.db.transaction(WORKER_SCOPE) as session:
        assert load_schemes(session, read_file()) == 0
    changed = read_file()
    changed["schemes"][0]["validity_months"] = 12
    with pytest.raises(Exception, match="scheme_invalid"), jobs_services.db.transaction(WORKER_SCOPE) as session:
        load_schemes(session, changed)


def test_the_list_searches_filters_and_exports(
    app: AnzhengFlask, jobs_services: Services, queue_worker: Worker
) -> None:
    scheme, client = world.make_scheme(jobs_services), office(app, jobs_services)
    one = f'href="/regulator/schemes/{scheme}"'
    assert one in client.get(f"/regulator/schemes?q={scheme}").text
    assert one not in client.get(f"/regulator/schemes?q={scheme}&class=senior").text
    job = client.post(f"/regulator/schemes/list/export?q={scheme}").location
    world.settle(queue_worker)
    rows = sheet(client.get(f"{job}/file"))
    assert [row[0] for row in rows] == ["代码", scheme]
    narrow = world.make_department(jobs_services, region_code=HENAN, schemes=["road-transport-manager"])
    stranger = world.signed_in_at(app, jobs_services, narrow)
    assert one not in stranger.get(f"/regulator/schemes?q={scheme}").text
    assert stranger.get(f"/regulator/schemes/{scheme}").status_code == 404


def sheet(answer: TestResponse) -> list[list[object]]:
    assert answer.status_code == 200
    return CalamineWorkbook.from_filelike(io.BytesIO(answer.data)).get_sheet_by_index(0).to_python()


@pytest.fixture
def crowd(jobs_services: Services, queue_worker: Worker) -> tuple[str, dict[str, world.Learner]]:
    """A type that asks for a diploma; one holds it, one lacks the diploma, one failed, one has not learned."""
    scheme = world.make_scheme(jobs_services)
    tenant_id = world.make_enterprise(jobs_services)
    people = {
        name: world.make_learner(jobs_services, tenant_id, name=name)
        for name in ("甲持证", "乙合格", "丙落榜", "丁未学")
    }
    world.pass_exam(jobs_services, people["甲持证"], programme=scheme)
    world.settle(queue_worker)
    world.pass_exam(jobs_services, people["丙落榜"], programme=scheme, score=60)
    world.pass_exam(jobs_services, people["丁未学"], programme=scheme, learned=False)
    world.settle(queue_worker)
    world.pass_exam(jobs_services, people["乙合格"], programme=scheme, score=88)
    return scheme, people


def test_a_dry_run_says_who_would_be_eligible_and_writes_nothing(
    app: AnzhengFlask,
    jobs_services: Services,
    queue_worker: Worker,
    admin_connection: Connection,
    crowd: tuple[str, dict[str, world.Learner]],
) -> None:
    scheme, people = crowd
    client = office(app, jobs_services, world.COUNTY)
    count = "select (select count(*) from certs_certificate), (select count(*) from certs_refusal)"
    before = admin_connection.execute(count).fetchone()
    page = client.get(f"/regulator/schemes/{scheme}/eligible").text
    figures = re.findall(r'kpi-label">([^<]+)</span><span class="kpi-line"><strong class="kpi-value">(\d+)', page)
    assert dict(figures) == {
        "已判定人数": "4",
        "符合条件": "1",
        "本周期已持证": "1",
        "课程没有学完": "1",
        "考试没有合格": "1",
    }
    assert "不符合，因为考试不合格，成绩 60 分（要求考试合格且成绩不低于 80 分）" in page
    only = client.get(f"/regulator/schemes/{scheme}/eligible?outcome=exam").text
    assert "丙落榜" in only
    assert "乙合格" not in only
    assert admin_connection.execute(count).fetchone() == before

    world.settle(queue_worker)
    job = client.post(f"/regulator/schemes/{scheme}/eligible/export").location
    world.settle(queue_worker)
    rows = sheet(client.get(f"{job}/file"))
    outcomes = {row[0]: row[3] for row in rows[1:]}
    # The one who was eligible has got the certificate meanwhile.
    assert outcomes == {
        "甲持证": "本周期已持证",
        "乙合格": "本周期已持证",
        "丙落榜": "考试没有合格",
        "丁未学": "课程没有学完",
    }
    elsewhere = office(app, jobs_services, world.OTHER_COUNTY)
    nobody = elsewhere.get(f"/regulator/schemes/{scheme}/eligible").text
    assert not any(name in nobody for name in people)


def test_a_dry_run_tells_how_many_holders_would_not_qualify_by_a_draft(
    app: AnzhengFlask, jobs_services: Services, crowd: tuple[str, dict[str, world.Learner]]
) -> None:
    scheme, _people = crowd
    client = office(app, jobs_services)
    assert "人按此不符合" not in client.get(f"/regulator/schemes/{scheme}/eligible").text
    address = draft_of(client, scheme, exam_min_score="100", education="")
    page = client.get(f"/regulator/schemes/{scheme}/eligible?draft={address.rsplit('/', 1)[1]}").text
    assert "其中 1 人按此不符合" in page


def test_a_dry_run_of_a_draft_judges_by_the_draft(
    app: AnzhengFlask, jobs_services: Services, crowd: tuple[str, dict[str, world.Learner]]
) -> None:
    scheme, _people = crowd
    client = office(app, jobs_services)
    address = draft_of(client, scheme, exam_min_score="89", education="")
    draft_id = address.rsplit("/", 1)[1]
    page = client.get(f"/regulator/schemes/{scheme}/eligible?draft={draft_id}").text
    assert "按草稿判定" in page
    assert "成绩 88 分（要求考试合格且成绩不低于 89 分）" in page
    for wrong in ("draft=1", f"draft={uuid.uuid4()}"):
        assert client.get(f"/regulator/schemes/{scheme}/eligible?{wrong}").status_code == 404
    assert client.get(f"/regulator/schemes/{scheme}/eligible?cursor=1").status_code == 400


def test_a_dry_run_takes_as_many_statements_for_forty_people_as_for_one(
    app: AnzhengFlask, jobs_services: Services
) -> None:
    scheme = world.make_scheme(jobs_services, class_hours=1, employed=True)
    tenant_id = world.make_enterprise(jobs_services)
    client, counts = office(app, jobs_services, world.COUNTY), []
    for people in (1, 39):
        for _ in range(people):
            world.pass_exam(jobs_services, world.make_learner(jobs_services, tenant_id), programme=scheme)
        with counted_statements(app.extensions["anzheng"]) as seen:
            page = client.get(f"/regulator/schemes/{scheme}/eligible").text
        counts.append(len([one for one in seen if "core_audit" not in one]))
    assert 'kpi-value">40<' in page
    assert counts[0] == counts[1] < 25
    second = re.search(r'rel="next" href="([^"]+)"', page)
    assert second
    assert client.get(second[1].replace("&amp;", "&")).text.count("/people/") == 20


def test_a_record_on_the_person_s_page_brings_the_certificate(
    app: AnzhengFlask, jobs_services: Services, queue_worker: Worker
) -> None:
    scheme = world.make_scheme(jobs_services, education="college")
    learner = world.make_learner(jobs_services, world.make_enterprise(jobs_services))
    world.pass_exam(jobs_services, learner, programme=scheme)
    world.settle(queue_worker)
    client = office(app, jobs_services, world.COUNTY)
    address = f"/regulator/schemes/{scheme}/people/{learner.person_id}"
    assert "学历没有证明材料" in client.get(address).text
    for wrong in (
        {"what": "education:bachelor", "document": ""},
        {"what": "practice:", "document": "1", "months": "0", "detail": "x"},
        {"what": "rumour:x", "document": "1"},
        {"what": "education:bachelor", "document": "1", "months": "7"},
    ):
        answer = client.post(f"{address}/records", data=wrong)
        assert (answer.status_code, "field-error" in answer.text) == (422, True)
    good = {"what": "education:bachelor", "document": "学信网 104601202306000123"}
    assert client.post(f"{address}/records", data=good).status_code == 302
    world.settle(queue_worker)
    assert [row.state for row in world.certificate_rows(jobs_services, learner.person_id)] == ["issued"]
    assert "登记的学历为本科" in client.get(address).text
    stranger = office(app, jobs_services, world.OTHER_COUNTY)
    assert stranger.get(address).status_code == 404
    assert stranger.post(f"{address}/records", data=good).status_code == 404


def test_a_version_to_come_is_shown_as_such_and_does_not_judge_yet(app: AnzhengFlask, jobs_services: Services) -> None:
    scheme, client = world.make_scheme(jobs_services), office(app, jobs_services)
    later = (clock.today() + timedelta(days=40)).isoformat()
    publish(app, jobs_services, client, draft_of(client, scheme, effective_from=later))
    page = client.get(f"/regulator/schemes/{scheme}").text
    assert "待施行" in page
    assert "按现行第 1 版判定" in client.get(f"/regulator/schemes/{scheme}/eligible").text
