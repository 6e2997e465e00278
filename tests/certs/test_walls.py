"""Who sees and decides what: holder, employer, regulator in scope; everybody else gets 404."""

from __future__ import annotations

import io
import re
import uuid
from dataclasses import dataclass
from datetime import date, timedelta

import pytest
from flask.testing import FlaskClient
from python_calamine import CalamineWorkbook
from sqlalchemy import inspect, select, text

import lms.accounts.api as accounts
from certs.models import Certificate, Scheme, StatusEvent
from certs.rules import Decision, ProposalKind
from certs.status.proposals import NewProposal
from lms.accounts.models import Person
from lms.core import audit, clock
from lms.core.access import SYSTEM, Role
from lms.core.notify import NoticeRow
from lms.core.services import Services
from lms.core.tenancy import WORKER_SCOPE, Scope, ScopeRole
from lms.core.web import AnzhengFlask
from tests.certs import certificate_world as world
from tests.certs.certificates import issue_to
from tests.conftest import Worker
from tests.supervision.province import counted_statements


@dataclass(frozen=True, slots=True)
class Scene:
    """A certificate with its holder."""

    app: AnzhengFlask
    jobs_services: Services
    learner: world.Learner
    certificate: Certificate

    def enterprise(self, tenant_id: object = None) -> FlaskClient:
        """A browser of an administrator of the enterprise, the holder's by default."""
        tenant = tenant_id or self.learner.tenant_id
        return world.signed_in_at(self.app, self.jobs_services, tenant, Role.ENTERPRISE_ADMIN)  # type: ignore[arg-type]

    def holder(self) -> FlaskClient:
        """A browser of the holder."""
        person, tenant = self.learner.person_id, self.learner.tenant_id
        return world.client_for(self.app, self.jobs_services, person, tenant, Role.TRAINEE)

    def regulator(self, role: Role = Role.REGULATOR, **scope: object) -> FlaskClient:
        """A browser of an official of a fresh department."""
        department = world.make_department(self.jobs_services, **scope)  # type: ignore[arg-type]
        return world.signed_in_at(self.app, self.jobs_services, department, role)


@pytest.fixture
def scene(app: AnzhengFlask, jobs_services: Services, queue_worker: Worker) -> Scene:
    """An issued certificate of a fresh enterprise."""
    learner = world.make_learner(jobs_services, world.make_enterprise(jobs_services))
    return Scene(app, jobs_services, learner, issue_to(jobs_services, queue_worker, learner))


def test_the_employer_lists_and_opens_it_and_that_is_audited(scene: Scene) -> None:
    client = scene.enterprise()
    assert scene.certificate.number in client.get("/tenant/certificates").text
    assert client.get(f"/tenant/certificates/{scene.certificate.id}").status_code == 200
    assert client.get(f"/tenant/certificates/{scene.certificate.id}/pdf").data.startswith(b"%PDF")
    with scene.jobs_services.db.transaction(WORKER_SCOPE, read_only=True) as session:
        read = session.scalars(
            select(audit.AuditRow.action).where(audit.AuditRow.subject_id == str(scene.certificate.id))
        ).all()
    assert read.count("core.certificate.read") == 3


def test_the_page_of_a_member_of_staff_shows_what_they_hold(scene: Scene) -> None:
    client = scene.enterprise()
    listed = client.get("/staff").text
    address = re.search(r"/staff/[0-9a-f-]{36}", listed)
    assert address
    assert scene.certificate.number in client.get(address[0]).text


def test_the_results_page_and_the_home_say_what_comes_next(scene: Scene) -> None:
    holder = scene.holder()
    result = holder.get(f"/exams/{scene.certificate.attempt_id}").text
    assert scene.certificate.number in result
    assert f"/certificates/{scene.certificate.id}" in result
    home = holder.get("/learn").text
    assert "没有待学的课程" in home
    assert "去考试" not in home


def test_another_enterprise_sees_nothing(scene: Scene) -> None:
    client = scene.enterprise(world.make_enterprise(scene.jobs_services))
    page = client.get(f"/tenant/certificates?q={scene.certificate.number}")
    assert str(scene.certificate.id) not in page.text
    for path in ("", "/pdf"):
        assert client.get(f"/tenant/certificates/{scene.certificate.id}{path}").status_code == 404


def test_the_present_employer_sees_what_was_earned_elsewhere_until_the_person_leaves(scene: Scene) -> None:
    new_tenant = world.make_enterprise(scene.jobs_services, region_code=world.OTHER_COUNTY)
    client = scene.enterprise(new_tenant)
    with scene.jobs_services.db.transaction(WORKER_SCOPE) as session:
        person = session.get_one(Person, scene.learner.person_id)
        number = scene.jobs_services.vault.decrypt(person.id_number_sealed, context=f"id_number:{person.id}").decode()
        hired = accounts.NewEmployment(
            name=scene.learner.name, id_number=number, post_code=world.POST, hired_on=date(2026, 2, 1)
        )
        employment_id = accounts.employ(session, SYSTEM, new_tenant, hired)
    assert scene.certificate.number in client.get("/tenant/certificates").text
    assert client.get(f"/tenant/certificates/{scene.certificate.id}").status_code == 200
    with scene.jobs_services.db.transaction(WORKER_SCOPE) as session:
        accounts.end_employment(session, SYSTEM, new_tenant, employment_id, left_on=date(2026, 3, 1))
    assert client.get(f"/tenant/certificates/{scene.certificate.id}").status_code == 404


def test_another_holder_sees_nothing(scene: Scene) -> None:
    other = world.make_learner(scene.jobs_services, scene.learner.tenant_id)
    client = world.client_for(scene.app, scene.jobs_services, other.person_id, other.tenant_id, Role.TRAINEE)
    assert scene.certificate.number not in client.get("/certificates").text
    for path in ("", "/pdf"):
        assert client.get(f"/certificates/{scene.certificate.id}{path}").status_code == 404


@pytest.mark.parametrize(
    ("scope", "status"),
    [
        ({"region_code": 410305}, 200),
        ({"region_code": 410300}, 200),
        ({"region_code": 410000}, 200),
        ({"region_code": world.OTHER_COUNTY}, 404),
        ({"region_code": 410305, "industries": ["26", "54"]}, 200),
        ({"region_code": 410305, "industries": ["54"]}, 404),
        ({"region_code": 410305, "schemes": [world.SCHEME]}, 200),
        ({"region_code": 410305, "schemes": ["road-transport-manager"]}, 404),
    ],
)
def test_regulators_see_their_regions_industries_and_schemes(
    scene: Scene, scope: dict[str, object], status: int
) -> None:
    client = scene.regulator(**scope)
    page = client.get(f"/regulator/certificates?q={scene.certificate.number}")
    assert (f"/regulator/certificates/{scene.certificate.id}" in page.text) == (status == 200)
    assert client.get(f"/regulator/certificates/{scene.certificate.id}").status_code == status
    form = {"decision": "suspend", "reason": "现场检查发现问题"}
    decided = client.post(f"/regulator/certificates/{scene.certificate.id}/status", data=form)
    assert decided.status_code == (302 if status == 200 else 404)
    (row,) = world.certificate_rows(scene.jobs_services, scene.learner.person_id)
    assert row.status == ("suspended" if status == 200 else "valid")


def test_bulk_issue_offers_what_the_department_may_order(scene: Scene) -> None:
    other, coming = (world.make_scheme(scene.jobs_services) for _ in range(2))
    later = clock.today() + timedelta(days=30)
    with scene.jobs_services.db.transaction(WORKER_SCOPE) as session:
        row = session.scalars(select(Scheme).where(Scheme.code == other)).one()
        values = {one.key: getattr(row, one.key) for one in inspect(Scheme).column_attrs}
        session.add(Scheme(**{**values, "code": f"{coming}-later", "effective_from": later}))
    client = scene.regulator(schemes=[world.SCHEME, f"{coming}-later"])
    offered = re.search(r'<select[^>]* id="scheme".*?</select>', client.get("/regulator/bulk").text, re.DOTALL)
    assert offered
    assert re.findall(r'value="([^"]+)"', offered[0]) == [world.SCHEME]
    for code in (other, f"{coming}-later"):
        assert client.post("/regulator/bulk", data={"scheme": code}).status_code == 404


def test_a_decision_needs_a_reason_and_an_open_way(scene: Scene) -> None:
    client = scene.regulator()
    address = f"/regulator/certificates/{scene.certificate.id}/status"
    for said in ("", "     ", " 无  "):
        assert client.post(address, data={"decision": "cancel", "reason": said}).status_code == 422
    assert client.post(address, data={"decision": "reinstate", "reason": "材料补齐"}).status_code == 409
    assert client.post(address, data={"decision": "revoke", "reason": "出租证书"}).status_code == 422
    wrong = {"decision": "cancel", "reason": "本人书面申请", "code": "suspend_other"}
    assert client.post(address, data=wrong).status_code == 422
    assert client.post(address, data={**wrong, "code": "cancel_request"}).status_code == 302
    assert client.post(address, data={**wrong, "code": "cancel_request"}).status_code == 409
    page = client.get(f"/regulator/certificates/{scene.certificate.id}").text
    assert "本人书面申请" in page
    assert "第七十条第六项" in page
    with scene.jobs_services.db.transaction(WORKER_SCOPE, read_only=True) as session:
        steps = session.execute(
            select(StatusEvent.old_status, StatusEvent.new_status, StatusEvent.reason)
            .where(StatusEvent.certificate_id == scene.certificate.id)
            .order_by(StatusEvent.id)
        ).all()
        notices = session.scalars(
            select(NoticeRow.title_zh).where(NoticeRow.person_id == scene.learner.person_id).order_by(NoticeRow.id)
        ).all()
        audited = session.scalars(
            select(audit.AuditRow.data).where(audit.AuditRow.action == "certs.certificate.cancelled")
        ).all()
    assert [tuple(step) for step in steps] == [("", "valid", ""), ("valid", "cancelled", "本人书面申请")]
    assert notices[-1] == "您的证书已注销"
    assert scene.certificate.number in {data["number"] for data in audited}


def test_an_inspector_may_look_but_not_decide(scene: Scene) -> None:
    client = scene.regulator(Role.INSPECTOR)
    assert client.get(f"/regulator/certificates/{scene.certificate.id}").status_code == 200
    form = {"decision": "suspend", "reason": "出租证书"}
    assert client.post(f"/regulator/certificates/{scene.certificate.id}/status", data=form).status_code == 403


def test_lists_filter_and_export(scene: Scene, queue_worker: Worker) -> None:
    client = scene.enterprise()
    assert scene.certificate.number in client.get("/tenant/certificates?shown=valid").text
    assert scene.certificate.number not in client.get("/tenant/certificates?shown=revoked").text
    job = client.post("/tenant/certificates/export").headers["Location"]
    world.settle(queue_worker)
    file = client.get(f"{job}/file")
    assert file.status_code == 200
    rows = CalamineWorkbook.from_filelike(io.BytesIO(file.data)).get_sheet_by_index(0).to_python()
    assert [row[2] for row in rows] == ["证书编号", scene.certificate.number]


def test_the_list_of_staff_tells_what_each_holds_and_the_employers_list_counts(scene: Scene) -> None:
    elsewhere = world.make_enterprise(scene.jobs_services)
    for tenant_id in (scene.learner.tenant_id, elsewhere):
        world.make_learner(scene.jobs_services, tenant_id)
    client, other = scene.enterprise(), scene.enterprise(elsewhere)
    until = f"有效期至 {scene.certificate.valid_until}"
    listed = [(page.count(until), page.count("无证")) for page in (client.get("/staff").text, other.get("/staff").text)]
    assert listed == [(1, 1), (0, 1)]
    assert _figures(client) == ["1", "0", "0", "0"]
    world.decided(scene.jobs_services, scene.certificate, Decision.SUSPEND)
    assert "已暂扣" in client.get("/staff").text
    assert _figures(client) == ["0", "0", "0", "1"]
    assert _figures(other) == ["0", "0", "0", "0"]


def _figures(client: FlaskClient) -> list[str]:
    """Return what stands over the employer's list: valid, expiring, expired, suspended."""
    return re.findall(r'kpi-value">([^<]*)<', client.get("/tenant/certificates").text)


def _stands_against(scene: Scene) -> None:
    """Let the holder be suspended, object, and be barred from the type until next year."""
    world.decided(scene.jobs_services, scene.certificate, Decision.SUSPEND, "现场检查发现问题，详见笔录")
    with scene.jobs_services.db.transaction(WORKER_SCOPE, read_only=True) as session:
        mine = (StatusEvent.certificate_id == scene.certificate.id, StatusEvent.new_status == "suspended")
        step_id = session.scalars(select(StatusEvent.id).where(*mine)).one()
    form = {"subject_id": str(step_id), "text": "当日我不在现场，请复核"}
    assert scene.holder().post(f"/certificates/{scene.certificate.id}/objections", data=form).status_code == 302
    until = date(clock.today().year + 1, 6, 30)
    ban = NewProposal(ProposalKind.BAN, "ban_accident", "对事故负有责任，详见通报", until)
    world.decide_by_two(scene.jobs_services, scene.certificate.id, ban)


def test_the_employer_sees_what_stands_against_staff_with_reason_and_day_and_no_texts(scene: Scene) -> None:
    _stands_against(scene)
    client = scene.enterprise()
    person = re.search(r"/staff/[0-9a-f-]{36}", client.get("/staff").text)
    assert person
    for address in ("/tenant/certificates", person[0], f"/tenant/certificates/{scene.certificate.id}"):
        page = client.get(address).text
        assert f"自 {clock.today()} 起 · 其他依法暂扣的情形" in page, address
        assert f"限制取得该类证书，自 {clock.today()} 至 {clock.today().year + 1}-06-30" in page, address
        assert re.search(rf"持证人于 {clock.today()} 提出异议，最迟 \d{{4}}-\d\d-\d\d 前答复", page), address
        assert "请复核" not in page, address
        assert "详见通报" not in page, address


def test_another_employer_and_a_former_one_learn_nothing_of_bans_and_objections(
    scene: Scene, services: Services
) -> None:
    _stands_against(scene)
    asked = text("select * from certs_bars_of_staff(:people, :today, 'Asia/Shanghai')")
    given = {"people": [scene.learner.person_id], "today": clock.today()}

    def told(tenant_id: object) -> int:
        scope = Scope(ScopeRole.TENANT, actor_id=uuid.uuid4(), tenant_id=tenant_id)  # type: ignore[arg-type]
        with services.db.transaction(scope, read_only=True) as session:
            return len(session.connection().execute(asked, given).all())

    assert told(scene.learner.tenant_id) == 2
    assert told(world.make_enterprise(scene.jobs_services)) == 0
    with scene.jobs_services.db.transaction(WORKER_SCOPE) as session:
        accounts.end_employment(
            session, SYSTEM, scene.learner.tenant_id, scene.learner.employment_id, left_on=clock.today()
        )
    assert told(scene.learner.tenant_id) == 0


def test_the_employers_list_takes_few_statements_however_many_concerns(scene: Scene, services: Services) -> None:
    _stands_against(scene)
    client = scene.enterprise()
    with counted_statements(services) as seen:
        assert client.get("/tenant/certificates").status_code == 200
    assert len(seen) <= 6, seen
