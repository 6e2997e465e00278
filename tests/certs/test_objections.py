"""Objections: the holder speaks, the department answers, both are told and both stay on record."""

from __future__ import annotations

import uuid
from dataclasses import dataclass

import pytest
from flask.testing import FlaskClient
from sqlalchemy import select

from certs.models import Certificate, StatusEvent
from certs.rules import Decision, ProposalKind
from certs.status.models import Ban, Objection
from certs.status.proposals import NewProposal
from lms.core.access import Role
from lms.core.notify import NoticeRow
from lms.core.services import Services
from lms.core.tenancy import WORKER_SCOPE
from lms.core.web import AnzhengFlask
from tests.certs import certificate_world as world
from tests.certs.altering import altered
from tests.certs.certificates import exported, make_certificate
from tests.conftest import Admin, Worker

TEXT = "当日本人在休假，检查记录中的人员不是本人"


@dataclass(frozen=True, slots=True)
class Scene:
    """A suspended certificate, its holder's browser and an official's."""

    app: AnzhengFlask
    jobs: Services
    certificate: Certificate
    step: StatusEvent
    holder: FlaskClient
    official: FlaskClient

    def object(self, **changes: str) -> int:
        """File an objection; return the status of the answer."""
        form = {"subject_id": str(self.step.id), "text": TEXT, **changes}
        return self.holder.post(f"/certificates/{self.certificate.id}/objections", data=form).status_code

    def objections(self) -> list[Objection]:
        """What is stored."""
        with self.jobs.db.transaction(WORKER_SCOPE, read_only=True) as session:
            mine = Objection.person_id == self.certificate.person_id
            return list(session.scalars(select(Objection).where(mine).order_by(Objection.id)))


@pytest.fixture
def scene(app: AnzhengFlask, jobs_services: Services, queue_worker: Worker) -> Scene:
    """A suspended certificate."""
    row = make_certificate(jobs_services, queue_worker)
    world.decided(jobs_services, row, Decision.SUSPEND)
    with jobs_services.db.transaction(WORKER_SCOPE, read_only=True) as session:
        mine = (StatusEvent.certificate_id == row.id, StatusEvent.new_status == "suspended")
        step = session.scalars(select(StatusEvent).where(*mine)).one()
    return Scene(
        app,
        jobs_services,
        row,
        step,
        world.client_for(app, jobs_services, row.person_id, row.tenant_id, Role.TRAINEE),
        world.signed_in_at(app, jobs_services, world.make_department(jobs_services)),
    )


def test_an_objection_is_answered_and_both_sides_are_told(scene: Scene, queue_worker: Worker) -> None:
    assert scene.object() == 302
    world.settle(queue_worker)
    (filed,) = scene.objections()
    address = f"/regulator/objections/{filed.id}"
    assert address in scene.official.get("/notices").text
    page = scene.official.get(address)
    assert TEXT in page.text
    assert "现场检查发现问题" in page.text
    answer = {"verdict": "approve", "reason": "经复核，检查记录登记有误"}
    assert scene.official.post(f"{address}/decision", data=answer).status_code == 302
    assert scene.official.post(f"{address}/decision", data=answer).status_code == 409
    (answered,) = scene.objections()
    assert (answered.state, answered.outcome) == ("answered", "upheld")
    assert "异议成立" in scene.official.get("/regulator/objections?state=answered").text
    mine = scene.holder.get(f"/certificates/{scene.certificate.id}").text
    assert answer["reason"] in mine
    assert "异议成立" in mine
    with scene.jobs.db.transaction(WORKER_SCOPE, read_only=True) as session:
        told = session.scalars(select(NoticeRow.title_zh).where(NoticeRow.person_id == filed.person_id)).all()
    assert "您的异议已有答复" in told


def test_one_decision_is_objected_to_once(scene: Scene) -> None:
    assert scene.object() == 302
    assert scene.object() == 409
    assert len(scene.objections()) == 1


def test_after_the_days_of_the_rule_it_is_too_late(scene: Scene, admin_connection: Admin) -> None:
    form = {"subject_id": str(scene.step.id), "text": TEXT}
    with altered(admin_connection, "certs_status_event", "at = at - interval '61 days'", id=scene.step.id):
        refused = scene.holder.post(f"/certificates/{scene.certificate.id}/objections", data=form)
    assert refused.status_code == 409
    assert "60 日" in refused.text
    assert scene.objections() == []


@pytest.mark.parametrize(
    ("changes", "status"),
    [
        *(({"text": said}, 422) for said in ("不", "     ")),
        *(({"subject_id": "x"}, 422), ({"subject_id": str(uuid.uuid4())}, 404)),
    ],
)
def test_an_objection_needs_a_text_and_a_decision(scene: Scene, changes: dict[str, str], status: int) -> None:
    assert scene.object(**changes) == status
    assert scene.objections() == []


def test_a_ban_is_objected_to_as_well(scene: Scene) -> None:
    new = NewProposal(ProposalKind.BAN, "ban_accident", "对重大事故负有责任")
    world.decide_by_two(scene.jobs, scene.certificate.id, new)
    with scene.jobs.db.transaction(WORKER_SCOPE, read_only=True) as session:
        ban = session.scalars(select(Ban).where(Ban.person_id == scene.certificate.person_id)).one()
    assert scene.object(subject_id=str(ban.id)) == 302
    assert [row.subject for row in scene.objections()] == ["ban"]


def test_only_the_holder_objects_and_only_the_department_answers(scene: Scene) -> None:
    other = world.make_learner(scene.jobs, scene.certificate.tenant_id)
    stranger = world.client_for(scene.app, scene.jobs, other.person_id, other.tenant_id, Role.TRAINEE)
    form = {"subject_id": str(scene.step.id), "text": TEXT}
    assert stranger.post(f"/certificates/{scene.certificate.id}/objections", data=form).status_code == 404
    assert scene.object() == 302
    (filed,) = scene.objections()
    elsewhere = world.make_department(scene.jobs, region_code=world.OTHER_COUNTY)
    foreign = world.signed_in_at(scene.app, scene.jobs, elsewhere)
    answer = {"verdict": "refuse", "reason": "维持原决定"}
    assert foreign.post(f"/regulator/objections/{filed.id}/decision", data=answer).status_code == 404
    inspector = world.signed_in_at(scene.app, scene.jobs, elsewhere, Role.INSPECTOR)
    assert inspector.post(f"/regulator/objections/{filed.id}/decision", data=answer).status_code == 403
    assert scene.objections()[0].state == "open"


def test_objections_are_exported_as_filtered(scene: Scene, queue_worker: Worker) -> None:
    assert scene.object() == 302
    number = scene.certificate.number
    assert exported(scene.official, queue_worker, "objections", number) == [["异议", "待决定", TEXT, ""]]
    assert exported(scene.official, queue_worker, "objections", number, state="answered") == []
    (filed,) = scene.objections()
    answer = {"verdict": "refuse", "reason": "维持原决定"}
    assert scene.official.post(f"/regulator/objections/{filed.id}/decision", data=answer).status_code == 302
    assert exported(scene.official, queue_worker, "objections", number) == [["异议", "已答复", TEXT, "维持原决定"]]
