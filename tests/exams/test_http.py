"""Sitting an exam and keeping the bank through HTTP, refusals beside successes."""

from __future__ import annotations

import io
import json
import re
import uuid
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta

import pytest
from flask.testing import FlaskClient
from sqlalchemy import event, insert

import lms.accounts.api as accounts
from exams.bank import commands, operations
from lms.accounts.faces.models import FaceVerification
from lms.app import build_kernel, create_app
from lms.core import bootstrap, clock, ids
from lms.core.access import Actor, Role
from lms.core.recognition import Recognition
from lms.core.services import Services
from lms.core.tenancy import WORKER_SCOPE
from lms.core.web import AnzhengFlask
from lms.courses.learning.models import Enrolment
from tests.conftest import Admin, Instance, Worker
from tests.exams.sitting import person_actor, tenant_actor
from tests.sessions import HandedSessions

JSON = {"Accept": "application/json"}
PROGRAMME = "chem-safety-manager-junior"


@dataclass(slots=True)
class House:
    """The product with sessions that the test hands out; everything behind them is real."""

    app: AnzhengFlask
    services: Services
    jobs: Services
    sessions: dict[str, Actor] = field(default_factory=dict)

    def client_for(self, actor: Actor) -> FlaskClient:
        """Return a browser in which ``actor`` is signed in with the permissions of their role."""
        assert actor.role
        permissions = self.services.kernel.permissions_of(actor.role)
        token = uuid.uuid4().hex
        self.sessions[token] = Actor(
            actor.person_id, actor.role, actor.tenant_id, "王建军", "中原化工", permissions, actor.scope
        )
        client = self.app.test_client()
        with client.session_transaction() as cookie:
            cookie["sid"] = token
        return client


@pytest.fixture(scope="module")
def house(instance: Instance, jobs_services: Services) -> Iterator[House]:
    kernel = build_kernel()
    sessions: dict[str, Actor] = {}
    kernel.recognition = Recognition(HandedSessions(sessions))
    services = bootstrap.build_services(instance.settings, kernel, admin=instance.admin)
    app = create_app(services=services)
    app.config.update(WTF_CSRF_ENABLED=False, PROPAGATE_EXCEPTIONS=False)
    yield House(app, services, jobs_services, sessions)
    services.db.dispose()


@dataclass(frozen=True, slots=True)
class Candidate:
    """Somebody with an enrolment, and the browser they use."""

    actor: Actor
    enrolment_id: uuid.UUID
    client: FlaskClient


def id_number() -> str:
    """Return an identity number of this test's own with its check digit (GB 11643)."""
    digits = f"41010219800101{uuid.uuid4().int % 1000:03d}"
    digits = digits[:6] + f"19{50 + uuid.uuid4().int % 50:02d}" + digits[10:]
    weights = (7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2)
    total = sum(int(digit) * weight for digit, weight in zip(digits, weights, strict=True))
    return digits + "10X98765432"[total % 11]


def enrolled(house: House, *, learned: bool = True) -> Candidate:
    """Register a person with an enrolment, learned or not, by the worker's hand."""
    tenant_id, enrolment_id = ids.new_id(), ids.new_id()
    now = clock.now()
    with house.jobs.db.transaction(WORKER_SCOPE) as session:
        person_id = accounts.register_person(session, name="王建军", id_number=id_number())
        session.execute(
            insert(Enrolment).values(
                person_id=person_id,
                id=enrolment_id,
                tenant_id=tenant_id,
                employment_id=ids.new_id(),
                region_code=410102,
                industry_code="26",
                programme_code=PROGRAMME,
                programme_version=1,
                assignment_id=ids.new_id(),
                cycle=1,
                due_on=(now + timedelta(days=30)).date(),
                state="learned" if learned else "learning",
                created_at=now,
                learning_completed_at=now if learned else None,
            )
        )
    actor = person_actor(person_id, tenant_id)
    return Candidate(actor, enrolment_id, house.client_for(actor))


def verify(house: House, who: Candidate, *, at: datetime | None = None, purpose: str = "exam") -> None:
    """Insert a passed identity check."""
    now = at or clock.now()
    with house.jobs.db.transaction(WORKER_SCOPE) as session:
        session.execute(
            insert(FaceVerification).values(
                id=ids.new_id(),
                person_id=who.actor.person_id,
                tenant_id=who.actor.tenant_id,
                region_code=410102,
                industry_code="26",
                purpose=purpose,
                subject_id=who.enrolment_id,
                outcome="match",
                engine_id="sface",
                engine_version="1",
                model_sha256="0" * 64,
                liveness="none",
                advice=[],
                evidence_key=None,
                evidence_expires_at=None,
                at=now,
            )
        )


def start(who: Candidate) -> str:
    answer = who.client.post(f"/exams/start/{who.enrolment_id}")
    assert answer.status_code == 303, answer.text
    return answer.location


def refusal(who: Candidate) -> str:
    answer = who.client.post(f"/exams/start/{who.enrolment_id}", headers=JSON)
    assert answer.status_code in {404, 409}, answer.text
    return str(answer.json["error"])


def rights_of(attempt_url: str, admin: Admin) -> dict[int, list[str]]:
    """Look up the right letters as only a superuser can."""
    rows = admin.execute(
        "select item_no, option_order, answer from exams_attempt_item join exams_question_key using (question_id)"
        " where attempt_id = %s",
        (attempt_url.rsplit("/", 1)[1],),
    ).fetchall()
    return {n: [chr(65 + place) for place, key in enumerate(order) if key in answer] for n, order, answer in rows}  # type: ignore[arg-type, misc, operator]  # rows of a raw query


def put(client: FlaskClient, url: str, **keys: list[str]) -> int:
    items = [{"item": int(name[1:]), "keys": chosen, "seq": 1} for name, chosen in keys.items()]
    return client.put(f"{url}/answers", json={"items": items}).status_code


def test_an_exam_opens_after_learning_and_a_fresh_identity_check(house: House) -> None:
    early = enrolled(house, learned=False)
    assert "学完全部课程后" in early.client.get("/exams").text
    verify(house, early)
    assert refusal(early) == "learning_not_completed"
    who = enrolled(house)
    page = who.client.get(f"/exams/start/{who.enrolment_id}").text
    assert refusal(who) == "identity_not_verified"
    verify(house, who, at=clock.now() - timedelta(minutes=11))
    verify(house, who, purpose="learning")
    assert refusal(who) == "identity_not_verified"
    assert "开始考试" not in page
    verify(house, who)
    assert "开始考试" in who.client.get(f"/exams/start/{who.enrolment_id}").text
    assert refusal(Candidate(early.actor, who.enrolment_id, early.client)) == "not_found"
    url = start(who)
    assert start(who) == url
    assert "继续作答" in who.client.get("/exams").text


def test_the_paper_is_answered_on_two_devices_handed_in_and_explained(house: House, admin_connection: Admin) -> None:
    who, stranger = enrolled(house), enrolled(house)
    verify(house, who)
    url = start(who)
    rights = rights_of(url, admin_connection)
    phone = house.client_for(who.actor)
    paper = who.client.get(url, headers=JSON).json
    assert (len(paper["items"]), paper["last_seq"], paper["answers"]) == (20, 0, {})
    assert "answer" not in paper["items"][0]
    first = {"items": [{"item": n, "keys": rights[n], "seq": n} for n in range(1, 17)]}
    reply = who.client.put(f"{url}/answers", json=first).json
    assert (reply["acked"], reply["state"]) == (16, "open")
    resumed = phone.get(url, headers=JSON).json
    assert resumed["last_seq"] == 16
    assert resumed["answers"]["3"] == {"keys": rights[3], "seq": 3}
    assert phone.get(url).status_code == 200
    for method, path in (("get", url), ("put", f"{url}/answers"), ("post", f"{url}/submit")):
        assert getattr(stranger.client, method)(path, json=first if method == "put" else None).status_code == 404
    for bad in (
        {},
        {"items": []},
        {"items": [{"item": 1, "keys": ["AB"], "seq": 99}]},
        {"items": [{"item": 21, "keys": [], "seq": 99}]},
    ):
        assert who.client.put(f"{url}/answers", json=bad).status_code == 422
    assert phone.post(f"{url}/submit", headers=JSON).json == {"state": "submitted", "score": 80, "passed": True}
    assert who.client.post(f"{url}/submit", headers=JSON).json["score"] == 80
    late = who.client.put(f"{url}/answers", json={"items": [{"item": 17, "keys": rights[17], "seq": 20}]})
    assert (late.status_code, late.json["state"]) == (409, "submitted")
    result = who.client.get(url).text
    assert "80 分，合格" in result
    assert result.count("依据：") == 4
    assert refusal(who) == "already_passed"


def test_a_second_failure_uses_the_exam_up(house: House) -> None:
    who = enrolled(house)
    verify(house, who)
    for _time in range(2):
        url = start(who)
        assert who.client.post(f"{url}/submit").status_code == 303
        assert "0 分，不合格" in who.client.get(url).text
    assert refusal(who) == "no_attempt_left"
    assert "考试机会已用完" in who.client.get("/exams").text


def test_without_script_the_form_brings_the_paper_but_never_over_saved_answers(
    house: House, admin_connection: Admin
) -> None:
    who = enrolled(house)
    verify(house, who)
    url = start(who)
    rights = rights_of(url, admin_connection)
    assert put(who.client, url, i1=rights[1]) == 200
    wrong = [next(letter for letter in "AB" if [letter] != rights[1])]
    answer = who.client.post(f"{url}/submit", data={"item-1": wrong, "item-2": rights[2]}, headers=JSON)
    assert answer.json["score"] == 10


def test_time_up_by_the_servers_clock(house: House, queue_worker: Worker, admin_connection: Admin) -> None:
    who = enrolled(house)
    verify(house, who)
    url = start(who)
    rights = rights_of(url, admin_connection)
    assert put(who.client, url, i1=rights[1]) == 200
    admin_connection.execute(
        "update exams_attempt set started_at = started_at - interval '46 minutes',"
        " deadline_at = deadline_at - interval '46 minutes', closes_at = closes_at - interval '46 minutes'"
        " where id = %s",
        (url.rsplit("/", 1)[1],),
    )
    late = who.client.put(f"{url}/answers", json={"items": [{"item": 2, "keys": rights[2], "seq": 5}]})
    assert (late.status_code, late.json["state"]) == (409, "expired")
    for _time in range(2):
        queue_worker.tick("exams.submit_overdue")
    page = who.client.get(url).text
    assert "5 分，不合格" in page
    assert "系统已自动交卷" in page


def test_saving_an_answer_costs_one_statement_and_one_reading_of_the_session(house: House) -> None:
    who = enrolled(house)
    verify(house, who)
    url = start(who)
    assert put(who.client, url, i1=["A"]) == 200
    statements: list[str] = []

    def note(_connection: object, _cursor: object, statement: str, *_rest: object) -> None:
        statements.append(statement)

    engine = house.services.db.engine
    event.listen(engine, "before_cursor_execute", note)
    try:
        assert put(who.client, url, i2=["A"], i3=["B"]) == 200
    finally:
        event.remove(engine, "before_cursor_execute", note)
    assert len([one for one in statements if "set_config" not in one]) == 1


def test_the_verify_door_wants_ones_own_enrolment(house: House) -> None:
    who, stranger = enrolled(house), enrolled(house)
    picture = {"frames": (io.BytesIO(b"\xff\xd8 not a face"), "frame.jpg")}
    assert stranger.client.post(f"/exams/verify/{who.enrolment_id}", data=picture).status_code == 404


class Bank:
    """A bank of one institution, with the browsers of that and of another one."""

    def __init__(self, house: House) -> None:
        owner, other = tenant_actor(ids.new_id()), tenant_actor(ids.new_id())
        self.code = f"t-{uuid.uuid4().hex[:10]}"
        self.document = json.loads((commands.REFERENCE / "chemical_safety.json").read_text("utf8"))
        with house.jobs.db.transaction(WORKER_SCOPE) as session:
            head = {"code": self.code, "name_zh": "院校题库", "name_en": "Own bank"}
            operations.put_bank(session, commands.SYSTEM, head, self.document["knowledge_points"], owner.tenant_id)
        self.mine, self.theirs = house.client_for(owner), house.client_for(other)

    def upload(self, client: FlaskClient) -> tuple[int, str]:
        data = {"file": (io.BytesIO(json.dumps(self.document).encode()), "bank.json")}
        answer = client.post(f"/bank/{self.code}/import", data=data)
        return answer.status_code, answer.text

    def question(self) -> str:
        """The address of the first question."""
        listing = self.mine.get(f"/bank?bank={self.code}&knowledge_point=law&kind=single&difficulty=1").text
        return re.findall(r"/bank/questions/[0-9a-f-]{36}", listing)[0]

    def exported(self, queue_worker: Worker) -> int:
        """How many questions the institution's export holds."""
        job = self.mine.post(f"/bank/{self.code}/export").location
        queue_worker.drain()
        return len(operations.read_questions(self.mine.get(f"{job}/file").data))


def test_a_bank_is_filled_and_exported_by_its_institution(house: House, queue_worker: Worker) -> None:
    bank = Bank(house)
    assert bank.upload(bank.theirs)[0] == 404
    bank.document["questions"][0]["answer"] = ["Z"]
    status, page = bank.upload(bank.mine)
    assert status == 422
    assert "bad_answer" in page
    bank.document["questions"][0]["answer"] = ["A"]
    assert bank.upload(bank.mine)[0] == 302
    assert "答案：" in bank.mine.get(bank.question()).text
    assert bank.theirs.get(bank.question()).status_code == 404
    coverage = bank.mine.get(f"/bank/coverage?bank={bank.code}").text
    assert "没有组卷方案" in coverage
    assert bank.theirs.post(f"/bank/{bank.code}/export").status_code == 404
    assert bank.exported(queue_worker) == len(bank.document["questions"])


def test_a_question_is_revised_and_retired_by_its_institution(house: House, queue_worker: Worker) -> None:
    bank = Bank(house)
    assert bank.upload(bank.mine)[0] == 302
    edit = f"{bank.question()}/edit"
    assert 'name="csrf_token"' in bank.mine.get(edit).text
    fields = {"kind": "single", "knowledge_point": "law", "difficulty": "3", "stem_zh": "谁负责？", "basis_zh": "法"}
    options = {"zh_a": "甲", "zh_b": "乙", "zh_c": "丙", "answer": ["B"]}
    assert bank.mine.post(edit, data={**fields, **options, "answer": ["A", "B"]}).status_code == 422
    assert bank.theirs.post(edit, data={**fields, **options}).status_code == 404
    revised = bank.mine.post(edit, data={**fields, **options})
    assert revised.status_code == 302
    assert bank.mine.post(edit, data={**fields, **options}).status_code == 409
    assert bank.theirs.post(f"{revised.location}/retire").status_code == 404
    assert bank.mine.post(f"{revised.location}/retire").status_code == 302
    assert bank.exported(queue_worker) == len(bank.document["questions"]) - 1


def test_roles_keep_to_their_side(house: House) -> None:
    who, teacher = enrolled(house), house.client_for(tenant_actor(ids.new_id()))
    assert who.client.get("/bank").status_code == 403
    assert teacher.get("/exams").status_code == 403
    assert teacher.get("/bank").status_code == 200
    assert house.app.test_client().get("/exams", headers=JSON).status_code == 401
    assert Role.TRAINEE in house.services.kernel.grants
