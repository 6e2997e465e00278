"""Corrections: a successor takes the place of a certificate; asked for, decided, carried out once."""

from __future__ import annotations

import uuid
from dataclasses import dataclass

import pytest
from flask.testing import FlaskClient
from sqlalchemy import select

import lms.accounts.api as accounts
from certs.models import Certificate
from certs.rules import Decision
from certs.status import corrections, tasks
from certs.status.models import Correction
from lms.core.access import SYSTEM, Role
from lms.core.notify import NoticeRow
from lms.core.services import Services
from lms.core.tenancy import WORKER_SCOPE
from lms.core.web import AnzhengFlask
from tests.certs import certificate_world as world
from tests.certs.certificates import exported, make_certificate
from tests.conftest import Admin, Worker

NAME = {"kind": "name", "new_name": "王建均", "note": "户籍登记姓名已变更"}
JSON = {"Accept": "application/json"}


@dataclass(frozen=True, slots=True)
class Scene:
    """A certificate, its holder's browser and an official's."""

    app: AnzhengFlask
    jobs: Services
    worker: Worker
    certificate: Certificate
    holder: FlaskClient
    official: FlaskClient

    def rows(self) -> list[Certificate]:
        """The holder's certificates as stored, the oldest first."""
        return sorted(world.certificate_rows(self.jobs, self.certificate.person_id), key=lambda row: row.id)

    def request(self) -> Correction:
        """The newest request about the certificate."""
        with self.jobs.db.transaction(WORKER_SCOPE, read_only=True) as session:
            mine = select(Correction).where(Correction.certificate_id == self.certificate.id)
            return session.scalars(mine.order_by(Correction.id.desc()).limit(1)).one()

    def decide(self, verdict: str) -> int:
        """Let the official decide the newest request."""
        address = f"/regulator/corrections/{self.request().id}/decision"
        status = self.official.post(address, data={"verdict": verdict, "reason": "材料齐全"}).status_code
        world.settle(self.worker)
        return status


@pytest.fixture
def scene(app: AnzhengFlask, jobs_services: Services, queue_worker: Worker) -> Scene:
    """An issued certificate of a fresh enterprise."""
    row = make_certificate(jobs_services, queue_worker)
    return Scene(
        app,
        jobs_services,
        queue_worker,
        row,
        world.client_for(app, jobs_services, row.person_id, row.tenant_id, Role.TRAINEE),
        world.signed_in_at(app, jobs_services, world.make_department(jobs_services)),
    )


def test_a_change_of_name_supersedes_and_the_check_names_the_successor(scene: Scene, client: FlaskClient) -> None:
    asked = scene.holder.post(f"/certificates/{scene.certificate.id}/corrections", data=NAME)
    assert asked.status_code == 302
    assert len(scene.rows()) == 1
    assert scene.decide("approve") == 302
    old, new = scene.rows()
    assert (old.status, new.status, new.state) == ("superseded", "valid", "issued")
    assert (old.holder_name, new.holder_name) == ("王建军", "王建均")
    assert new.number != old.number
    assert new.public_id != old.public_id
    assert new.status_index != old.status_index
    assert (new.valid_from, new.valid_until) == (old.valid_from, old.valid_until)
    told = client.get(f"/c/{old.public_id}", headers=JSON).get_json()
    assert (told["status"], told["successor"], told["reason"]) == ("superseded", new.number, "持证人姓名变更")
    assert new.number in client.get(f"/c/{old.public_id}").text
    assert client.get(f"/c/{new.public_id}", headers=JSON).get_json()["status"] == "valid"
    page = scene.holder.get(f"/certificates/{old.id}").text
    assert new.number in page
    with scene.jobs.db.transaction(WORKER_SCOPE, read_only=True) as session:
        notices = session.scalars(select(NoticeRow.title_zh).where(NoticeRow.person_id == old.person_id)).all()
    assert notices.count("证书更正申请已获批准") == 1
    assert "您的证书已换发新证" in notices


def test_carrying_out_twice_makes_one_successor(scene: Scene) -> None:
    scene.holder.post(f"/certificates/{scene.certificate.id}/corrections", data=NAME)
    scene.decide("approve")
    tasks.correct(scene.jobs, correction_id=str(scene.request().id))
    tasks.queue_unfinished(scene.jobs)
    world.settle(scene.worker)
    assert len(scene.rows()) == 2
    assert scene.request().state == "done"


def test_what_a_crash_left_half_done_is_finished_by_the_ticker(scene: Scene) -> None:
    scene.holder.post(f"/certificates/{scene.certificate.id}/corrections", data=NAME)
    official = world.official_actor(scene.jobs)
    correction_id = scene.request().id
    with scene.jobs.db.transaction(official.scope) as session:
        corrections.decide_correction(session, official, correction_id, "材料齐全", approve=True)
    with scene.jobs.db.transaction(WORKER_SCOPE) as session:
        assert corrections.begin(session, correction_id)
    world.settle(scene.worker)
    tasks.queue_unfinished(scene.jobs)
    world.settle(scene.worker)
    assert [row.status for row in scene.rows()] == ["superseded", "valid"]


def test_a_refused_request_changes_nothing_and_the_requester_is_told(scene: Scene) -> None:
    scene.holder.post(f"/certificates/{scene.certificate.id}/corrections", data=NAME)
    assert scene.decide("refuse") == 302
    assert scene.decide("approve") == 409
    assert [row.status for row in scene.rows()] == ["valid"]
    assert "证书更正申请未获批准" in scene.holder.get("/notices").text


def test_the_present_employer_asks_for_its_own_name(scene: Scene, admin_connection: Admin) -> None:
    before = scene.certificate.tenant_id
    tenant = world.make_enterprise(scene.jobs)
    number = admin_connection.execute(
        "select id_number_sealed from accounts_person where id = %s", (scene.certificate.person_id,)
    ).fetchone()
    assert number
    plain = scene.jobs.vault.decrypt(
        bytes(number[0]),  # type: ignore[call-overload]  # psycopg types columns as objects
        context=f"id_number:{scene.certificate.person_id}",
    ).decode()
    with scene.jobs.db.transaction(WORKER_SCOPE) as session:
        hired = accounts.NewEmployment(
            name="王建军", id_number=plain, post_code=world.POST, hired_on=scene.certificate.valid_from
        )
        accounts.employ(session, SYSTEM, tenant, hired)
    desk = world.signed_in_at(scene.app, scene.jobs, tenant, Role.ENTERPRISE_ADMIN)
    form = {"kind": "employer", "note": "已调入本单位"}
    assert desk.post(f"/tenant/certificates/{scene.certificate.id}/corrections", data=form).status_code == 302
    scene.decide("approve")
    old, new = scene.rows()
    assert (old.tenant_id, new.tenant_id) == (before, tenant)
    assert new.enterprise_name != old.enterprise_name
    assert new.number in desk.get("/tenant/certificates").text


@pytest.mark.parametrize(
    ("form", "status"),
    [
        ({**NAME, "new_name": "王建军"}, 422),
        ({**NAME, "new_name": ""}, 422),
        ({**NAME, "note": ""}, 422),
        ({**NAME, "kind": "sex"}, 422),
        ({"kind": "employer", "note": "没有变化的单位"}, 422),
    ],
)
def test_a_request_says_what_is_wrong_with_it(scene: Scene, form: dict[str, str], status: int) -> None:
    assert scene.holder.post(f"/certificates/{scene.certificate.id}/corrections", data=form).status_code == status


def test_only_one_request_at_a_time_and_only_for_a_valid_certificate(scene: Scene) -> None:
    address = f"/certificates/{scene.certificate.id}/corrections"
    assert scene.holder.post(address, data={"kind": "photo", "note": "照片已过时"}).status_code == 302
    assert scene.holder.post(address, data=NAME).status_code == 409
    scene.decide("refuse")
    world.decided(scene.jobs, scene.certificate, Decision.SUSPEND)
    refused = scene.holder.post(address, data=NAME)
    assert refused.status_code == 409
    assert "只有有效的证书" in refused.text


def test_a_successor_does_not_outlive_a_certificate_suspended_meanwhile(scene: Scene) -> None:
    scene.holder.post(f"/certificates/{scene.certificate.id}/corrections", data=NAME)
    official = world.official_actor(scene.jobs)
    with scene.jobs.db.transaction(official.scope) as session:
        corrections.decide_correction(session, official, scene.request().id, "材料齐全", approve=True)
    with scene.jobs.db.transaction(WORKER_SCOPE) as session:
        assert corrections.begin(session, scene.request().id)
    world.decided(scene.jobs, scene.certificate, Decision.SUSPEND)
    world.settle(scene.worker)
    assert [row.status for row in scene.rows()] == ["suspended", "cancelled"]


def test_requests_are_exported_as_filtered(scene: Scene) -> None:
    scene.holder.post(f"/certificates/{scene.certificate.id}/corrections", data=NAME)
    number = scene.certificate.number
    assert exported(scene.official, scene.worker, "corrections", number) == [["更正姓名", "待决定", NAME["note"], ""]]
    scene.decide("refuse")
    (row,) = exported(scene.official, scene.worker, "corrections", number)
    assert (row[1], row[3]) == ("已驳回", "材料齐全")
    assert exported(scene.official, scene.worker, "corrections", number, state="open") == []
    assert exported(scene.official, scene.worker, "objections", number) == []


def test_strangers_neither_ask_nor_decide(scene: Scene) -> None:
    other = world.make_learner(scene.jobs, scene.certificate.tenant_id)
    stranger = world.client_for(scene.app, scene.jobs, other.person_id, other.tenant_id, Role.TRAINEE)
    assert stranger.post(f"/certificates/{scene.certificate.id}/corrections", data=NAME).status_code == 404
    scene.holder.post(f"/certificates/{scene.certificate.id}/corrections", data=NAME)
    elsewhere = world.make_department(scene.jobs, region_code=world.OTHER_COUNTY)
    foreign = world.signed_in_at(scene.app, scene.jobs, elsewhere)
    for case_id in (scene.request().id, uuid.uuid4()):
        assert foreign.get(f"/regulator/corrections/{case_id}").status_code == 404
        decided = foreign.post(
            f"/regulator/corrections/{case_id}/decision", data={"verdict": "approve", "reason": "材料齐全"}
        )
        assert decided.status_code == 404
    assert scene.request().state == "open"
