"""Drafts of certificate types and pages: new codes, asking, approving by another official, returning, ending a type."""

from __future__ import annotations

import itertools
import re
import uuid
from concurrent.futures import ThreadPoolExecutor

import psycopg
import pytest
from flask.testing import FlaskClient
from sqlalchemy import select, text, update

from certs.models import Scheme
from certs.schemes import drafts
from certs.schemes.models import Draft
from lms.core import clock
from lms.core.access import Role
from lms.core.services import Services
from lms.core.tenancy import WORKER_SCOPE
from lms.core.web import AnzhengFlask
from tests.certs import certificate_world as world
from tests.certs.test_schemes import FORM, HENAN, colleague, draft_of, form, office, publish, sheet, versions
from tests.certs.test_templates import FORM as PAGE
from tests.conftest import Worker

Connection = psycopg.Connection[tuple[object, ...]]
serials = itertools.count(1)


def errors_of(page: str) -> str:
    return " ".join(re.findall(r'class="field-error"[^>]*>(.*?)</p>', page, re.DOTALL))


def new_type(**changes: str) -> dict[str, str]:
    """A form of a certificate type that nobody has yet."""
    code = f"new-type-{uuid.uuid4().hex[:8]}"
    numbers = f"{{province}}{code}-{{year}}{{serial:07d}}"
    return form(**{"code": code, "programme": world.PROGRAMME, "number_pattern": numbers, **changes})


def state_of(services: Services, address: str) -> str:
    with services.db.transaction(WORKER_SCOPE, read_only=True) as session:
        return session.scalars(select(Draft.state).where(Draft.id == uuid.UUID(address.rsplit("/", 1)[1]))).one()


def test_a_draft_says_in_words_what_it_asks_before_it_is_published(app: AnzhengFlask, jobs_services: Services) -> None:
    scheme, client = world.make_scheme(jobs_services), office(app, jobs_services)
    assert 'value="{province}危管{year}{serial:07d}"' in client.get(f"/regulator/schemes/{scheme}/edit").text
    preview = client.get(draft_of(client, scheme)).text
    for words in (
        "考试合格且成绩不低于 85 分",
        "年满 18 周岁",
        "学历不低于大专",
        "已提交体检证明",
        "每个证书年度 24 学时",
        f"豫{scheme}-20260001234",
    ):
        assert words in preview
    assert len(versions(jobs_services, scheme)) == 1


def test_an_approved_draft_becomes_the_next_version_and_the_old_one_stays(
    app: AnzhengFlask, jobs_services: Services
) -> None:
    scheme, client = world.make_scheme(jobs_services), office(app, jobs_services)
    (before,) = versions(jobs_services, scheme)
    assert publish(app, jobs_services, client, draft_of(client, scheme)).location == f"/regulator/schemes/{scheme}"
    old, new = versions(jobs_services, scheme)
    assert (old.rules, old.name_zh, old.number_pattern) == (before.rules, before.name_zh, before.number_pattern)
    assert new.rules == {
        "exam_min_score": 85,
        "learning_completed": True,
        "identity_verified": True,
        "age_min": 18,
        "education": "college",
        "papers": ["health"],
        "basis": {"age": FORM["basis_age"]},
    }
    kept = (new.version, new.class_, new.continuing_hours_per_year, new.programme_code)
    assert kept == (2, "intermediate", 24, scheme)
    shown = client.get(f"/regulator/schemes/{scheme}").text
    assert "已被取代" in shown
    assert re.search(r"考试合格且成绩不低于 80 分.*考试合格且成绩不低于 85 分", shown, re.DOTALL)


def test_both_officials_stand_in_the_audit_log(
    app: AnzhengFlask, jobs_services: Services, admin_connection: Connection
) -> None:
    scheme, client = world.make_scheme(jobs_services), office(app, jobs_services)
    publish(app, jobs_services, client, draft_of(client, scheme))
    query = "select action, actor_id, data from core_audit where data->>'code' = %s order by at"
    audited = admin_connection.execute(query, (scheme,)).fetchall()
    assert [row[0] for row in audited] == [
        "certs.scheme.drafted",
        "certs.scheme.draft_asked",
        "certs.scheme.published",
    ]
    asked, published = audited[1:]
    assert published[2]["asked_by"] == str(asked[1]) != str(published[1])  # type: ignore[index]
    assert published[2]["content"] == asked[2]["content"]  # type: ignore[index]


def test_nobody_approves_or_returns_what_they_asked_for(app: AnzhengFlask, jobs_services: Services) -> None:
    scheme, client = world.make_scheme(jobs_services), office(app, jobs_services)
    address = draft_of(client, scheme)
    assert client.post(f"{address}/publish").status_code == 409
    assert client.post(f"{address}/ask").status_code == 302
    page = client.get(address).text
    assert ("批准并发布" in page, "撤回提请" in page) == (False, True)
    for step, data in (("publish", {}), ("return", {"reason": "自己退回"})):
        answer = client.post(f"{address}/{step}", data=data)
        assert (answer.status_code, "须由本部门另一名人员决定" in answer.text) == (403, True)
    assert len(versions(jobs_services, scheme)) == 1
    assert "批准并发布" in colleague(app, jobs_services, address).get(address).text


def test_what_waits_for_approval_stands_still(app: AnzhengFlask, jobs_services: Services) -> None:
    scheme, client = world.make_scheme(jobs_services), office(app, jobs_services)
    address = draft_of(client, scheme)
    client.post(f"{address}/ask")
    second = colleague(app, jobs_services, address)
    for editor in (client, second):
        assert editor.get(f"/regulator/schemes/{scheme}/edit").status_code == 409
        changed = form(number_pattern="{province}偷改{year}{serial:07d}", exam_min_score="1")
        assert editor.post(f"/regulator/schemes/{scheme}/edit", data=changed).status_code == 409
        assert editor.post(f"{address}/discard").status_code == 409
        assert editor.post(f"{address}/ask").status_code == 409
    assert second.post(f"{address}/recall").status_code == 403
    assert "成绩不低于 85 分" in second.get(address).text
    assert client.post(f"{address}/recall").status_code == 302
    assert client.post(f"{address}/recall").status_code == 409
    assert draft_of(client, scheme, exam_min_score="70") == address


def test_a_returned_draft_says_why_and_can_be_asked_for_again(
    app: AnzhengFlask, jobs_services: Services, queue_worker: Worker
) -> None:
    scheme, client = world.make_scheme(jobs_services), office(app, jobs_services)
    address = draft_of(client, scheme)
    client.post(f"{address}/ask")
    second = colleague(app, jobs_services, address)
    world.settle(queue_worker)
    assert "的草稿待您批准" in second.get("/notices").text
    for said in ("不", "     "):
        short = second.post(f"{address}/return", data={"reason": said})
        assert (short.status_code, "4 至 500" in errors_of(short.text)) == (422, True)
    assert second.post(f"{address}/return", data={"reason": "法律依据不完整"}).status_code == 302
    assert second.post(f"{address}/return", data={"reason": "法律依据不完整"}).status_code == 409
    assert "退回：法律依据不完整" in client.get("/notices").text
    page = client.get(address).text
    assert ("已退回" in page, "法律依据不完整" in page) == (True, True)
    assert publish(app, jobs_services, client, address).status_code == 302
    assert "已批准，发布为第 2 版" in client.get("/notices").text


def test_of_two_who_approve_at_the_same_moment_one_publishes(app: AnzhengFlask, jobs_services: Services) -> None:
    scheme, client = world.make_scheme(jobs_services), office(app, jobs_services)
    address = draft_of(client, scheme)
    client.post(f"{address}/ask")
    others = [colleague(app, jobs_services, address) for _ in range(4)]
    with ThreadPoolExecutor(len(others)) as pool:
        found = sorted(pool.map(lambda other: other.post(f"{address}/publish").status_code, others))
    assert found == [302, 409, 409, 409]
    assert [row.version for row in versions(jobs_services, scheme)] == [1, 2]


def test_a_draft_from_an_older_version_is_not_published_over_a_newer_one(
    app: AnzhengFlask, jobs_services: Services
) -> None:
    scheme, first, second = world.make_scheme(jobs_services), office(app, jobs_services), office(app, jobs_services)
    late = draft_of(second, scheme, exam_min_score="60")
    second.post(f"{late}/ask")
    publish(app, jobs_services, first, draft_of(first, scheme))
    answer = colleague(app, jobs_services, late).post(f"{late}/publish")
    assert (answer.status_code, "拟订期间已发布了其他版本" in answer.text) == (409, True)
    assert len(versions(jobs_services, scheme)) == 2
    second.post(f"{late}/recall")
    assert second.post(f"{late}/ask").status_code == 409
    assert draft_of(second, scheme, exam_min_score="60") == late
    assert "与第 2 版的差异" in second.get(late).text
    assert publish(app, jobs_services, second, late).status_code == 302


def test_only_a_provincial_department_asks_and_only_its_officials_approve(
    app: AnzhengFlask, jobs_services: Services
) -> None:
    scheme = world.make_scheme(jobs_services)
    county = office(app, jobs_services, world.COUNTY)
    address = draft_of(county, scheme)
    refused = county.post(f"{address}/ask")
    assert (refused.status_code, "只能由省级部门发布" in refused.text) == (403, True)
    assert "提请发布" not in re.findall(r"<button[^>]*>.*?</button>", county.get(address).text, re.DOTALL)
    inspector = office(app, jobs_services, role=Role.INSPECTOR)
    assert inspector.get(f"/regulator/schemes/{scheme}").status_code == 200
    assert inspector.post(f"/regulator/schemes/{scheme}/edit", data=form()).status_code == 403
    for path in ("/regulator/drafts", "/regulator/schemes/new", "/regulator/templates/new"):
        assert inspector.get(path).status_code == 403
    for step in ("ask", "recall", "publish", "return", "discard"):
        assert inspector.post(f"{address}/{step}").status_code == 403
    assert (len(versions(jobs_services, scheme)), state_of(jobs_services, address)) == (1, "open")


def test_the_database_itself_publishes_nothing_that_two_did_not_want(
    app: AnzhengFlask, jobs_services: Services
) -> None:
    scheme, client = world.make_scheme(jobs_services), office(app, jobs_services)
    address = draft_of(client, scheme)
    draft_id = uuid.UUID(address.rsplit("/", 1)[1])
    asker, stranger = (world.official_actor(jobs_services, region_code=HENAN) for _ in range(2))
    county = world.official_actor(jobs_services)

    def tried(actor: object) -> int | None:
        with jobs_services.db.transaction(actor.scope) as session:  # type: ignore[attr-defined]
            asked = {"draft": draft_id, "now": clock.now()}
            found: int | None = (
                session.connection().execute(text("select certs_publish(:draft, 'x', :now)"), asked).scalar_one()
            )
            return found

    def hand_over(actor: object, state: str, asked_by: object) -> None:
        values = {"tenant_id": actor.tenant_id, "state": state, "asked_by": asked_by}  # type: ignore[attr-defined]
        with jobs_services.db.transaction(WORKER_SCOPE) as session:
            session.execute(update(Draft).where(Draft.id == draft_id).values(**values))

    hand_over(asker, "open", None)
    assert tried(asker) is None
    hand_over(asker, "asked", asker.person_id)
    assert tried(asker) is None
    assert tried(stranger) is None
    hand_over(county, "asked", asker.person_id)
    assert tried(county) is None
    assert state_of(jobs_services, address) == "asked"
    hand_over(stranger, "asked", asker.person_id)
    assert tried(stranger) == 2


def test_the_database_lets_nobody_ask_in_another_s_name(app: AnzhengFlask, jobs_services: Services) -> None:
    scheme, official = world.make_scheme(jobs_services), world.official_actor(jobs_services, region_code=HENAN)
    with jobs_services.db.transaction(official.scope) as session:
        content = {**drafts.content_of(session.get_one(Scheme, (scheme, 1))), "effective_from": str(clock.today())}
        draft_id = drafts.save_draft(session, official, "scheme", scheme, content)
    with (
        pytest.raises(Exception, match="row-level security"),
        jobs_services.db.transaction(official.scope) as session,
    ):
        session.execute(update(Draft).where(Draft.id == draft_id).values(state="asked", asked_by=uuid.uuid4()))


def test_a_draft_is_its_department_s_own(app: AnzhengFlask, jobs_services: Services) -> None:
    scheme = world.make_scheme(jobs_services)
    address = draft_of(office(app, jobs_services), scheme)
    stranger = office(app, jobs_services)
    assert stranger.get(address).status_code == 404
    for step in ("ask", "recall", "publish", "discard"):
        assert stranger.post(f"{address}/{step}").status_code == 404
    assert stranger.post(f"{address}/return", data={"reason": "无关的人"}).status_code == 404
    assert stranger.get(f"/regulator/schemes/{scheme}/eligible?draft={address.rsplit('/', 1)[1]}").status_code == 404
    assert address not in stranger.get("/regulator/drafts").text


def test_a_second_draft_replaces_the_first_and_a_given_up_one_is_gone(
    app: AnzhengFlask, jobs_services: Services
) -> None:
    scheme, client = world.make_scheme(jobs_services), office(app, jobs_services)
    first = draft_of(client, scheme)
    assert draft_of(client, scheme, exam_min_score="70") == first
    assert "成绩不低于 70 分" in client.get(first).text
    assert 'value="70"' in client.get(f"/regulator/schemes/{scheme}/edit").text
    assert client.post(f"{first}/discard").status_code == 302
    assert "该草稿已放弃" in client.get(first).text
    for step in ("ask", "publish", "discard"):
        assert client.post(f"{first}/{step}").status_code == 409
    assert draft_of(client, scheme) != first


def test_the_list_of_drafts_searches_filters_pages_and_exports(
    app: AnzhengFlask, jobs_services: Services, queue_worker: Worker
) -> None:
    client = office(app, jobs_services)
    assert "还没有草稿" in client.get("/regulator/drafts").text
    made = [client.post("/regulator/schemes/new", data=new_type()).location for _ in range(21)]
    client.post(f"{made[0]}/ask")
    page = client.get("/regulator/drafts").text
    assert page.count('href="/regulator/drafts/') == 20
    following = re.search(r'rel="next" href="([^"]+)"', page)
    assert following
    assert made[0] in client.get(following[1].replace("&amp;", "&")).text
    waiting = client.get("/regulator/drafts?state=asked&kind=scheme").text
    assert (made[0] in waiting, made[1] in waiting) == (True, False)
    assert made[0] not in client.get("/regulator/drafts?kind=template").text
    assert "1 份草稿等待批准" in client.get("/regulator/schemes").text
    assert client.get("/regulator/drafts?cursor=x").status_code == 400
    job = client.post("/regulator/drafts/export?state=asked").location
    world.settle(queue_worker)
    rows = sheet(client.get(f"{job}/file"))
    assert [(row[0], row[3]) for row in rows] == [("种类", "状态"), ("证书类型", "待批准")]


def test_the_list_of_pages_searches_filters_and_exports(
    app: AnzhengFlask, client_of_province: FlaskClient, jobs_services: Services, queue_worker: Worker
) -> None:
    client, code = client_of_province, f"page-{uuid.uuid4().hex[:8]}"
    data = {**PAGE, "code": code, "palette": "graphite"}
    publish(app, jobs_services, client, client.post("/regulator/templates/new", data=data).location)
    one = f'href="/regulator/templates/{code}"'
    found = {asked: one in client.get(f"/regulator/templates?{asked}").text for asked in (
        f"q={code}", f"q={code}&palette=graphite", f"q={code}&palette=navy", "q=nothing-like-it"
    )}  # fmt: skip
    assert list(found.values()) == [True, True, False, False]
    job = client.post(f"/regulator/templates/list/export?q={code}").location
    world.settle(queue_worker)
    assert [row[0] for row in sheet(client.get(f"{job}/file"))] == ["代码", code]


@pytest.fixture
def client_of_province(app: AnzhengFlask, jobs_services: Services) -> FlaskClient:
    """A browser of a fresh provincial department."""
    return office(app, jobs_services)
