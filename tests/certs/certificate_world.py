"""Makes what a certificate is earned from: an enterprise, a person in it, learning done, an exam passed."""

from __future__ import annotations

import itertools
import random
import secrets
import uuid
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any

from flask.testing import FlaskClient
from sqlalchemy import insert, select
from sqlalchemy import inspect as sa_inspect
from sqlalchemy.orm import Session
from stdnum.cn import ric

import lms.accounts.api as accounts
from certs.models import Certificate, Scheme
from certs.rules import Decision, ProposalKind
from certs.status.operations import decide
from certs.status.proposals import NewProposal, decide_proposal, propose
from exams.attempts.models import Attempt
from exams.bank.models import Blueprint
from exams.events import AttemptGraded
from lms.accounts.sign_in.operations import activated_among, open_account, open_session
from lms.core import clock, events, ids, worker
from lms.core.access import SYSTEM, Actor, Role
from lms.core.services import Services
from lms.core.tenancy import ALL, AUTH_SCOPE, WORKER_SCOPE, Scope, ScopeRole
from lms.core.web import SESSION_COOKIE_KEY, AnzhengFlask
from lms.courses.catalogue.models import Programme
from lms.courses.learning.models import Enrolment
from tests.conftest import Admin, Worker

PROGRAMME = "chem-safety-manager-junior"
SCHEME = "chem-safety-manager-junior"
POST = "chem_safety_manager"
COUNTY = 410305
OTHER_COUNTY = 410922
CHEMICALS = "26"
PASS_SCORE = 80
_serial = itertools.count(random.SystemRandom().randrange(10**8))


@dataclass(frozen=True, slots=True)
class Learner:
    """One employed person."""

    person_id: uuid.UUID
    tenant_id: uuid.UUID
    employment_id: uuid.UUID
    name: str


def credit_code() -> str:
    """Make a fresh valid unified social credit code (GB 32100)."""
    body = f"91410300{next(_serial):09d}"
    alphabet = "0123456789ABCDEFGHJKLMNPQRTUWXY"
    total = sum(alphabet.index(char) * 3**place % 31 for place, char in enumerate(body))
    return body + alphabet[(31 - total % 31) % 31]


def id_number() -> str:
    """Make a fresh valid id number."""
    serial = next(_serial)
    born = date(1960, 1, 1) + timedelta(days=serial // 1000 % 14_000)
    body = f"410305{born:%Y%m%d}{serial % 1000:03d}"
    return body + ric.calc_check_digit(body + "0")


def make_enterprise(services: Services, *, region_code: int = COUNTY, industry_code: str = CHEMICALS) -> uuid.UUID:
    """Register an enterprise."""
    with services.db.transaction(WORKER_SCOPE) as session:
        new = accounts.NewEnterprise(
            name=f"蓝港化工{next(_serial)}有限公司",
            credit_code=credit_code(),
            region_code=region_code,
            industry_code=industry_code,
            risk_class="high",
            size_class="small",
            licence_number="豫WH安许证字〔2024〕0031",
            licence_valid_until=date(2028, 5, 31),
        )
        return accounts.register_enterprise(session, SYSTEM, new)


def untouched_county(connection: Admin, table: str) -> int:
    """Return the code of a county that no row of ``table`` is of."""
    row = connection.execute(
        f"select r.code from accounts_region r where r.code % 100 <> 0 and not exists"
        f" (select 1 from {table} t where t.region_code = r.code) order by random() limit 1"
    ).fetchone()
    assert row
    return int(str(row[0]))


def make_department(services: Services, *, region_code: int = COUNTY, **scope: Any) -> uuid.UUID:
    """Register a supervising department."""
    with services.db.transaction(WORKER_SCOPE) as session:
        return accounts.register_department(
            session, SYSTEM, name="应急管理局", credit_code=credit_code(), region_code=region_code, **scope
        )


def make_learner(services: Services, tenant_id: uuid.UUID, *, name: str = "王建军") -> Learner:
    """Employ a fresh person."""
    number = id_number()
    with services.db.transaction(WORKER_SCOPE) as session:
        new = accounts.NewEmployment(name=name, id_number=number, post_code=POST, hired_on=date(2026, 1, 5))
        employment_id = accounts.employ(session, SYSTEM, tenant_id, new)
        person_id = accounts.employment(session, tenant_id, employment_id).person_id
    return Learner(person_id, tenant_id, employment_id, name)


def make_official(services: Services, department_id: uuid.UUID, role: Role = Role.REGULATOR) -> uuid.UUID:
    """Make a person who plays a part for a department or an enterprise."""
    with services.db.transaction(WORKER_SCOPE) as session:
        person_id = accounts.register_person(session, name="李敏", id_number=id_number())
        accounts.grant_role(session, SYSTEM, person_id=person_id, tenant_id=department_id, role=role)
    return person_id


def official_actor(services: Services, *, region_code: int = COUNTY) -> Actor:
    """Make a regulator of a fresh department over a whole region, as an actor for operations."""
    department_id = make_department(services, region_code=region_code)
    person_id = make_official(services, department_id)
    span = 10_000 if region_code % 10_000 == 0 else 100 if region_code % 100 == 0 else 1
    scope = Scope(
        ScopeRole.REGION, actor_id=person_id, tenant_id=department_id,
        region_lo=region_code, region_hi=region_code + span, industries=ALL, schemes=ALL,
    )  # fmt: skip
    allowed = services.kernel.permissions_of(Role.REGULATOR)
    return Actor(person_id, Role.REGULATOR, department_id, "李敏", "应急管理局", allowed, scope)


def decide_by_two(
    services: Services, certificate_id: uuid.UUID, new: NewProposal, *, region_code: int = COUNTY
) -> None:
    """Let one official propose and another approve it."""
    first, second = (official_actor(services, region_code=region_code) for _ in range(2))
    with services.db.transaction(first.scope) as session:
        proposal_id = propose(session, first, certificate_id, new)
    with services.db.transaction(second.scope) as session:
        decide_proposal(session, second, proposal_id, "情况属实，同意", approve=True)


def decided(services: Services, certificate: Certificate, decision: Decision, reason: str = "现场检查发现问题") -> None:
    """Carry a decision out, by as many officials as it takes."""
    if decision is Decision.REVOKE:
        new = NewProposal(ProposalKind.REVOKE, "revoke_other", reason)
        decide_by_two(services, certificate.id, new, region_code=certificate.region_code)
        return
    official = official_actor(services, region_code=certificate.region_code)
    with services.db.transaction(official.scope) as session:
        decide(session, official, certificate.id, decision, reason)


def form_with(data: bytes, *, field: str = "file") -> dict[str, Any]:
    """Return body and type of a form with a file, as a test client sends them."""
    head = f'--x\r\nContent-Disposition: form-data; name="{field}"; filename="证书.pdf"\r\n\r\n'
    return {"data": head.encode() + data + b"\r\n--x--\r\n", "content_type": "multipart/form-data; boundary=x"}


def client_for(
    app: AnzhengFlask, jobs_services: Services, person_id: uuid.UUID, tenant_id: uuid.UUID, role: Role
) -> FlaskClient:
    """Return a browser in which the person is signed in."""
    with jobs_services.db.transaction(WORKER_SCOPE) as session:
        if not activated_among(session, [person_id]):
            open_account(session, SYSTEM, person_id=person_id, login_name=None, password=secrets.token_hex(12))
    web_services: Services = app.extensions["anzheng"]
    with web_services.db.transaction(AUTH_SCOPE) as session:
        opened = open_session(session, person_id, tenant_id, role, "test")
    client = app.test_client()
    with client.session_transaction() as cookie:
        cookie[SESSION_COOKIE_KEY] = opened.token
    return client


def signed_in_at(
    app: AnzhengFlask, jobs_services: Services, tenant_id: uuid.UUID, role: Role = Role.REGULATOR
) -> FlaskClient:
    """Return a browser in which a fresh person is signed in who plays a part for a department or an enterprise."""
    return client_for(app, jobs_services, make_official(jobs_services, tenant_id, role), tenant_id, role)


def make_scheme(services: Services, **rules: object) -> str:
    """Add a certificate type that asks more than the usual one, with a programme of the same code; return the code."""
    code = f"type-{next(_serial)}"
    asked = {"exam_min_score": 80, "learning_completed": True, "identity_verified": True, **rules}
    with services.db.transaction(WORKER_SCOPE) as session:
        programme = session.scalars(select(Programme).where(Programme.code == PROGRAMME)).first()
        scheme = session.scalars(select(Scheme).where(Scheme.code == SCHEME, Scheme.version == 1)).one()
        assert programme is not None
        copied = {column.key: getattr(programme, column.key) for column in Programme.__table__.columns}
        session.execute(insert(Programme).values({**copied, "code": code, "scheme_code": code}))
        values = {**{one.key: getattr(scheme, one.key) for one in sa_inspect(Scheme).column_attrs}, "rules": asked}
        session.add(Scheme(**{**values, "code": code, "programme_code": code}))
    return code


def pass_exam(
    services: Services, learner: Learner, *, score: int = 90, learned: bool = True, programme: str = PROGRAMME
) -> AttemptGraded:
    """Write down a learned enrolment and its graded attempt, and announce the attempt."""
    now = clock.now()
    with services.db.transaction(WORKER_SCOPE) as session:
        enterprise = accounts.enterprise(session, learner.tenant_id)
        common = {
            "person_id": learner.person_id,
            "tenant_id": learner.tenant_id,
            "region_code": enterprise.region_code,
            "industry_code": enterprise.industry_code,
            "programme_code": programme,
        }
        enrolment_id = _enrol(session, common, learner, now if learned else None)
        attempt_id = _sit(session, common, enrolment_id, score)
        event = AttemptGraded(
            version=1,
            attempt_id=attempt_id,
            enrolment_id=enrolment_id,
            score=score,
            passed=score >= PASS_SCORE,
            due_on=None,
            at=now,
            **common,
        )
        events.publish(session, event)
    return event


def _enrol(session: Session, common: dict[str, Any], learner: Learner, learned_at: datetime | None) -> uuid.UUID:
    """Write down an enrolment, learned at the moment if there is one; return its id."""
    enrolment_id = ids.new_id()
    session.execute(
        insert(Enrolment).values(
            **common,
            id=enrolment_id,
            employment_id=learner.employment_id,
            programme_version=1,
            assignment_id=ids.new_id(),
            cycle=1,
            due_on=clock.today() + timedelta(days=10),
            state="learned" if learned_at else "learning",
            created_at=clock.now(),
            learning_completed_at=learned_at,
        )
    )
    return enrolment_id


def _sit(session: Session, common: dict[str, Any], enrolment_id: uuid.UUID, score: int) -> uuid.UUID:
    """Write down a graded attempt after half an hour's exam; return its id."""
    attempt_id, now = ids.new_id(), clock.now()
    plan = session.scalars(select(Blueprint).order_by(Blueprint.version.desc())).first()
    assert plan is not None
    session.execute(
        insert(Attempt).values(
            **common,
            id=attempt_id,
            enrolment_id=enrolment_id,
            blueprint_code=plan.code,
            blueprint_version=plan.version,
            attempt_no=1,
            seed=1,
            pass_score=PASS_SCORE,
            state="graded",
            started_at=now - timedelta(minutes=30),
            deadline_at=now,
            closes_at=now,
            submitted_at=now,
            submit_reason="person",
            graded_at=now,
            score=score,
            passed=score >= PASS_SCORE,
            due_on=None,
            identity_verification_id=ids.new_id(),
        )
    )
    return attempt_id


def certificate_rows(services: Services, person_id: uuid.UUID) -> list[Certificate]:
    """Return what is stored of a person's certificates."""
    with services.db.transaction(WORKER_SCOPE, read_only=True) as session:
        return list(session.scalars(select(Certificate).where(Certificate.person_id == person_id)))


def settle(queue_worker: Worker) -> None:
    """Do what is queued, and what that queues: one drain may end while its last job still enqueues."""
    for _ in range(6):
        queue_worker.drain()
        if not worker.count_waiting(queue_worker.services):
            return
