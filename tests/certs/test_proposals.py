"""Revocations and bans take two officials: who may propose, who may decide, and what the database itself refuses."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta

import psycopg
import pytest
from flask.testing import FlaskClient
from sqlalchemy import select, text, update
from sqlalchemy.exc import ProgrammingError

from certs.models import Certificate, StatusEvent
from certs.rules import TRANSITIONS, Decision, ProposalKind, Status
from certs.status import operations, proposals
from certs.status.models import Ban, Proposal
from certs.status.proposals import NewProposal
from lms.core import clock
from lms.core.access import Actor, Role
from lms.core.notify import NoticeRow
from lms.core.services import Services
from lms.core.tenancy import WORKER_SCOPE
from lms.core.web import AnzhengFlask
from tests.certs import certificate_world as world
from tests.certs.certificates import exported, make_certificate
from tests.conftest import Admin, Worker

CITY = 410300
REVOKE = {"kind": "revoke", "code": "revoke_lending", "reason": "出租证书给他人使用"}
BAN = {"kind": "ban", "code": "ban_accident", "reason": "对重大事故负有责任"}
VERDICT = {"verdict": "approve", "reason": "情况属实，同意"}


@dataclass(frozen=True, slots=True)
class Case:
    """A certificate, the official who proposes, and how to sign others in."""

    app: AnzhengFlask
    jobs: Services
    certificate: Certificate
    department: uuid.UUID
    first: FlaskClient

    def official(self, department: uuid.UUID | None = None, **scope: object) -> FlaskClient:
        """A browser of a regulator, of the proposer's department by default, of a fresh one where a scope is given."""
        where = department or (world.make_department(self.jobs, **scope) if scope else self.department)  # type: ignore[arg-type]
        return world.signed_in_at(self.app, self.jobs, where)

    def propose(self, form: dict[str, str]) -> str:
        """Propose; return the address of the proposal."""
        answer = self.first.post(f"/regulator/certificates/{self.certificate.id}/proposals", data=form)
        assert answer.status_code == 302, answer.text
        return str(answer.headers["Location"])

    def status(self) -> str:
        """The certificate's status as stored."""
        (row,) = world.certificate_rows(self.jobs, self.certificate.person_id)
        return row.status


@pytest.fixture
def case(app: AnzhengFlask, jobs_services: Services, queue_worker: Worker) -> Case:
    """An issued certificate and an official of its county."""
    row = make_certificate(jobs_services, queue_worker)
    department = world.make_department(jobs_services)
    return Case(app, jobs_services, row, department, world.signed_in_at(app, jobs_services, department))


def test_the_rules_and_the_historys_constraint_allow_the_same_steps(case: Case, admin_connection: Admin) -> None:
    allowed = {("", "valid"), *((old.value, new.value) for (old, _), new in TRANSITIONS.items())}
    values = ("", *(status.value for status in Status))
    query = "update certs_status_event set old_status = %s, new_status = %s where certificate_id = %s"
    for step in ((old, new) for old in values for new in values):
        with admin_connection.transaction(force_rollback=True):
            if step in allowed:
                admin_connection.execute(query, (*step, case.certificate.id))
                continue
            with pytest.raises(psycopg.errors.CheckViolation), admin_connection.transaction():
                admin_connection.execute(query, (*step, case.certificate.id))


def test_a_colleague_approves_and_both_are_on_record(case: Case, queue_worker: Worker) -> None:
    address = case.propose(REVOKE)
    second = case.official()
    world.settle(queue_worker)
    assert case.status() == "valid"
    assert second.post(f"{address}/decision", data=VERDICT).status_code == 302
    assert case.status() == "revoked"
    with case.jobs.db.transaction(WORKER_SCOPE, read_only=True) as session:
        proposal = session.scalars(select(Proposal).where(Proposal.certificate_id == case.certificate.id)).one()
        step = session.scalars(select(StatusEvent).where(StatusEvent.proposal_id == proposal.id)).one()
        told = session.scalars(
            select(NoticeRow.title_zh).where(NoticeRow.person_id == case.certificate.person_id)
        ).all()
        proposer_told = session.scalars(
            select(NoticeRow.title_zh).where(NoticeRow.person_id == proposal.proposed_by)
        ).all()
        decider_told = session.scalars(select(NoticeRow.url).where(NoticeRow.person_id == proposal.decided_by)).all()
    assert proposal.state == "approved"
    assert proposal.decided_by not in {None, proposal.proposed_by}
    assert (step.reason_code, step.reason, step.actor_id) == ("revoke_lending", REVOKE["reason"], proposal.decided_by)
    assert "您的证书已被吊销" in told
    assert "您的处理建议已获批准" in proposer_told
    assert decider_told == [address]
    page = case.first.get(f"/regulator/certificates/{case.certificate.id}").text
    assert "涂改、倒卖、出租、出借证书" in page
    assert "第八十条第一项" in page


def test_the_proposer_cannot_approve(case: Case) -> None:
    address = case.propose(REVOKE)
    answer = case.first.post(f"{address}/decision", data=VERDICT)
    assert answer.status_code == 403
    assert "须由另一名人员决定" in answer.text
    assert case.status() == "valid"


def test_a_second_approval_is_a_conflict(case: Case) -> None:
    address = case.propose(REVOKE)
    assert case.official().post(f"{address}/decision", data=VERDICT).status_code == 302
    assert case.official().post(f"{address}/decision", data=VERDICT).status_code == 409


def test_a_foreign_department_finds_nothing(case: Case) -> None:
    address = case.propose(REVOKE)
    foreign = case.official(region_code=world.OTHER_COUNTY)
    assert foreign.get(address).status_code == 404
    assert foreign.post(f"{address}/decision", data=VERDICT).status_code == 404
    assert foreign.post(f"/regulator/certificates/{case.certificate.id}/proposals", data=REVOKE).status_code == 404
    assert case.certificate.number not in foreign.get("/regulator/proposals").text
    assert case.status() == "valid"


def test_a_higher_department_decides_and_a_lower_one_does_not(case: Case) -> None:
    department = world.make_department(case.jobs, region_code=CITY)
    city = case.official(department)
    asked = city.post(f"/regulator/certificates/{case.certificate.id}/proposals", data=REVOKE)
    address = asked.headers["Location"]
    refused = case.first.post(f"{address}/decision", data=VERDICT)
    assert refused.status_code == 403
    assert "同级或上级" in refused.text
    province = case.official(region_code=410000)
    assert province.post(f"{address}/decision", data=VERDICT).status_code == 302
    assert case.status() == "revoked"


def test_a_refused_or_withdrawn_proposal_changes_nothing_and_may_come_again(case: Case) -> None:
    address = case.propose(REVOKE)
    again = case.first.post(f"/regulator/certificates/{case.certificate.id}/proposals", data=REVOKE)
    assert again.status_code == 409
    assert case.official().post(f"{address}/decision", data={**VERDICT, "verdict": "refuse"}).status_code == 302
    address = case.propose(REVOKE)
    withdraw = {"verdict": "withdraw", "reason": "证据不足，撤回"}
    assert case.official().post(f"{address}/decision", data=withdraw).status_code == 403
    assert case.first.post(f"{address}/decision", data=withdraw).status_code == 302
    assert case.status() == "valid"
    with case.jobs.db.transaction(WORKER_SCOPE, read_only=True) as session:
        mine = Proposal.certificate_id == case.certificate.id
        assert session.scalars(select(Proposal.state).where(mine).order_by(Proposal.id)).all() == [
            "refused",
            "withdrawn",
        ]


@pytest.mark.parametrize(
    "wrong",
    [{"reason": "短"}, {"code": "suspend_other"}, {"code": ""}, {"kind": "cancel"}, {"until": "2020-01-01"}],
)
def test_a_proposal_says_what_is_wrong_with_it(case: Case, wrong: dict[str, str]) -> None:
    answer = case.first.post(f"/regulator/certificates/{case.certificate.id}/proposals", data={**BAN, **wrong})
    assert answer.status_code == 422
    with case.jobs.db.transaction(WORKER_SCOPE, read_only=True) as session:
        assert not session.scalars(select(Proposal.id).where(Proposal.certificate_id == case.certificate.id)).all()


def test_lists_filter_and_export(case: Case, queue_worker: Worker) -> None:
    address = case.propose(REVOKE)
    assert address in case.first.get("/regulator/cases", follow_redirects=True).text
    second = case.official()
    assert address in second.get(f"/regulator/proposals?state=open&q={case.certificate.number}").text
    assert address not in second.get(f"/regulator/proposals?state=approved&q={case.certificate.number}").text
    rows = exported(second, queue_worker, "proposals", case.certificate.number)
    assert rows == [["吊销证书", "待决定", REVOKE["reason"], ""]]


def _with(actor: Actor, jobs: Services, work: Callable[..., object]) -> None:
    with jobs.db.transaction(actor.scope) as session:
        work(session)


def test_the_database_itself_wants_two(case: Case) -> None:
    first, second = (world.official_actor(case.jobs) for _ in range(2))
    mine = Certificate.id == case.certificate.id
    revoked = update(Certificate).where(mine).values(status="revoked")
    with pytest.raises(ProgrammingError):
        _with(first, case.jobs, lambda session: session.execute(revoked))
    new = NewProposal(ProposalKind.REVOKE, "revoke_other", "出租证书给他人")
    with case.jobs.db.transaction(first.scope) as session:
        proposal_id = proposals.propose(session, first, case.certificate.id, new)
    approve = "update certs_proposal set state = 'approved', decided_by = :who, decided_at = now() where id = :id"
    own = {"who": first.person_id, "id": proposal_id}
    with pytest.raises(ProgrammingError):
        _with(first, case.jobs, lambda session: session.execute(text(approve), own))
    with pytest.raises(ProgrammingError):
        # Nor in the name of somebody else.
        _with(first, case.jobs, lambda session: session.execute(text(approve), {**own, "who": second.person_id}))
    with pytest.raises(ProgrammingError):
        _with(second, case.jobs, lambda session: session.execute(revoked))
    assert case.status() == "valid"


def test_no_official_leads_a_certificate_out_of_a_final_status(case: Case) -> None:
    world.decided(case.jobs, case.certificate, Decision.CANCEL)
    official = world.official_actor(case.jobs)
    back = update(Certificate).where(Certificate.id == case.certificate.id).values(status="valid")
    _with(official, case.jobs, lambda session: session.execute(back))
    assert case.status() == "cancelled"


def test_one_official_alone_cannot_revoke(case: Case) -> None:
    official = world.official_actor(case.jobs)
    with pytest.raises(operations.FourEyesNeeded), case.jobs.db.transaction(official.scope) as session:
        operations.decide(session, official, case.certificate.id, Decision.REVOKE, "出租证书给他人")
    assert case.status() == "valid"


def test_a_barred_person_is_refused_with_the_reason_until_the_day(
    case: Case, queue_worker: Worker, admin_connection: Admin
) -> None:
    until = clock.today() + timedelta(days=200)
    address = case.propose({**BAN, "until": until.isoformat()})
    assert case.official().post(f"{address}/decision", data=VERDICT).status_code == 302
    learner = world.Learner(
        case.certificate.person_id, case.certificate.tenant_id, _employment(admin_connection, case), ""
    )
    passed = world.pass_exam(case.jobs, learner)
    world.settle(queue_worker)
    assert len(world.certificate_rows(case.jobs, learner.person_id)) == 1
    with case.jobs.db.transaction(WORKER_SCOPE, read_only=True) as session:
        ban = session.scalars(select(Ban).where(Ban.person_id == learner.person_id)).one()
        told = session.scalars(
            select(NoticeRow.body_zh)
            .where(NoticeRow.person_id == learner.person_id)
            .where(NoticeRow.dedup_key.startswith("certs.barred:"))
        ).one()
    assert ban.until_on == until
    assert f"至 {until}" in told
    assert "第九十四条" in told
    assert BAN["reason"] in told
    holder = world.client_for(case.app, case.jobs, learner.person_id, learner.tenant_id, Role.TRAINEE)
    for page in (f"/certificates/{case.certificate.id}", f"/exams/{passed.attempt_id}"):
        shown = holder.get(page).text
        assert "限制取得该类证书" in shown
        assert BAN["reason"] in shown

    admin_connection.execute(
        "update certs_ban set from_on = from_on - 400, until_on = from_on - 1 where person_id = %s",
        (learner.person_id,),
    )
    world.pass_exam(case.jobs, learner)
    world.settle(queue_worker)
    assert len(world.certificate_rows(case.jobs, learner.person_id)) == 2


def _employment(admin: Admin, case: Case) -> uuid.UUID:
    query = "select id from accounts_employment where person_id = %s"
    found = admin.execute(query, (case.certificate.person_id,)).fetchone()
    assert found
    return uuid.UUID(str(found[0]))
