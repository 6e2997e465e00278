"""Enterprises, officials and deeds for tests of figures: made by the rooms' own operations."""

from __future__ import annotations

import itertools
import uuid
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta

from flask.testing import FlaskClient
from sqlalchemy import event, func, insert, select
from stdnum.cn import ric, uscc

import lms.accounts.api as accounts
from exams.attempts import operations as attempts
from exams.attempts import rules as exam_rules
from exams.attempts.models import Answer, Attempt, AttemptItem
from exams.attempts.rules import shown_letters
from exams.bank import api as bank
from exams.bank.models import QuestionKey
from lms.accounts.api import NewEmployment, NewEnterprise
from lms.accounts.sign_in.operations import open_session
from lms.core import clock, events, ids
from lms.core.access import SYSTEM, Actor, Role
from lms.core.services import Services
from lms.core.tenancy import WORKER_SCOPE, Scope, ScopeRole
from lms.core.web import SESSION_COOKIE_KEY, AnzhengFlask
from lms.courses.assignments import operations as assigning
from lms.courses.assignments.models import Assignment
from lms.courses.events import LessonCredited
from lms.courses.learning.models import Credit, Enrolment

PROGRAMME = "chem-safety-manager-junior"
POST = "chem_safety_manager"
BLUEPRINT = "chem-safety-junior-exam"
_serial = itertools.count(1)


def credit_code(region_code: int) -> str:
    """Return a fresh, valid social credit code that nobody holds."""
    body = f"91{region_code}T{uuid.uuid4().int % 10**8:08d}"
    return body + uscc.calc_check_digit(body)


def id_number() -> str:
    """Return a fresh, valid id number of nobody."""
    number = uuid.uuid4().int
    born = date(1970, 1, 1) + timedelta(days=number % 10_000)
    body = f"410302{born:%Y%m%d}{number // 10_000 % 1000:03d}"
    return body + ric.calc_check_digit(body + "0")


@dataclass(slots=True)
class Enterprise:
    """An enterprise with its staff: person by employment."""

    tenant_id: uuid.UUID
    name: str
    region_code: int
    industry_code: str
    employments: list[uuid.UUID] = field(default_factory=list)
    people: list[uuid.UUID] = field(default_factory=list)


def make_enterprise(
    jobs: Services,
    *,
    region_code: int = 410302,
    industry_code: str = "26",
    staff: int = 0,
    size_class: str = "small",
    risk_class: str = "high",
) -> Enterprise:
    name = f"测试化工{uuid.uuid4().hex[:8]}有限公司"
    with jobs.db.transaction(WORKER_SCOPE) as session:
        new = NewEnterprise(name, credit_code(region_code), region_code, industry_code, risk_class, size_class)
        made = Enterprise(accounts.register_enterprise(session, SYSTEM, new), name, region_code, industry_code)
    hire(jobs, made, staff)
    return made


def hire(jobs: Services, enterprise: Enterprise, count: int) -> None:
    with jobs.db.transaction(WORKER_SCOPE) as session:
        for _ in range(count):
            new = NewEmployment("张安全", id_number(), POST)
            employment_id = accounts.employ(session, SYSTEM, enterprise.tenant_id, new)
            view = accounts.employment(session, enterprise.tenant_id, employment_id)
            enterprise.employments.append(employment_id)
            enterprise.people.append(view.person_id)


def leave(jobs: Services, enterprise: Enterprise, place: int) -> None:
    with jobs.db.transaction(WORKER_SCOPE) as session:
        accounts.end_employment(
            session, SYSTEM, enterprise.tenant_id, enterprise.employments[place], left_on=clock.today()
        )


def make_official(
    jobs: Services,
    tenant_id: uuid.UUID,
    role: Role,
) -> uuid.UUID:
    """Return a new person who plays ``role`` for the tenant."""
    with jobs.db.transaction(WORKER_SCOPE) as session:
        person_id = accounts.register_person(session, name="李监管", id_number=id_number())
        accounts.open_account(session, SYSTEM, person_id=person_id, login_name=None, password="Correct-horse-7-battery")
        accounts.grant_role(session, SYSTEM, person_id=person_id, tenant_id=tenant_id, role=role)
    return person_id


def make_department(
    jobs: Services, region_code: int, *, industries: Sequence[str] = ("*",), name: str = "应急管理局"
) -> uuid.UUID:
    with jobs.db.transaction(WORKER_SCOPE) as session:
        return accounts.register_department(
            session,
            SYSTEM,
            name=f"{name}{uuid.uuid4().hex[:6]}",
            credit_code=credit_code(region_code),
            region_code=region_code,
            industries=tuple(industries),
        )


def client_for(
    app: AnzhengFlask, jobs: Services, person_id: uuid.UUID, tenant_id: uuid.UUID, role: Role
) -> FlaskClient:
    """Return a browser in which the person is signed in."""
    with jobs.db.transaction(WORKER_SCOPE) as session:
        opened = open_session(session, person_id, tenant_id, role, "test")
    client = app.test_client()
    with client.session_transaction() as cookie:
        cookie[SESSION_COOKIE_KEY] = opened.token
    return client


def regulator(
    app: AnzhengFlask,
    jobs: Services,
    region_code: int,
    *,
    industries: Sequence[str] = ("*",),
    role: Role = Role.REGULATOR,
) -> FlaskClient:
    """Return the browser of a new official of a new department over ``region_code``."""
    department = make_department(jobs, region_code, industries=industries)
    official = make_official(jobs, department, Role.REGULATOR)
    return client_for(app, jobs, official, department, Role.REGULATOR)


def region_scope(lo: int, hi: int, *industries: str) -> Scope:
    return Scope(
        ScopeRole.REGION,
        actor_id=ids.new_id(),
        region_lo=lo,
        region_hi=hi,
        industries=industries or ("*",),
        schemes=("*",),
    )


def assign(jobs: Services, enterprise: Enterprise, places: Sequence[int], due_on: date) -> list[uuid.UUID]:
    """Enrol the people at ``places``; return their enrolments in the same order."""
    with jobs.db.transaction(WORKER_SCOPE) as session:
        assignment = Assignment(
            tenant_id=enterprise.tenant_id,
            id=ids.new_id(),
            programme_code=PROGRAMME,
            programme_version=1,
            target="people",
            post_code=None,
            due_on=due_on,
            state="open",
            region_code=enterprise.region_code,
            industry_code=enterprise.industry_code,
            created_by=None,
            created_at=clock.now(),
        )
        session.add(assignment)
        session.flush()  # the enrolments refer to it
        people = [accounts.employment(session, enterprise.tenant_id, enterprise.employments[n]) for n in places]
        assigning.enrol(session, assignment, people)
        found = session.execute(
            select(Enrolment.person_id, Enrolment.id).where(Enrolment.assignment_id == assignment.id)
        ).all()
    by_person = {row.person_id: row.id for row in found}
    return [by_person[enterprise.people[place]] for place in places]


def assignment_of(jobs: Services, enrolment_id: uuid.UUID) -> uuid.UUID:
    with jobs.db.transaction(WORKER_SCOPE) as session:
        return session.execute(select(Enrolment.assignment_id).where(Enrolment.id == enrolment_id)).scalar_one()


def cancel(jobs: Services, enterprise: Enterprise, assignment_id: uuid.UUID) -> None:
    """Withdraw an assignment as the enterprise does."""
    person_id = ids.new_id()
    scope = Scope(ScopeRole.TENANT, actor_id=person_id, tenant_id=enterprise.tenant_id)
    actor = Actor(person_id, Role.ENTERPRISE_ADMIN, enterprise.tenant_id, "管理员", "企业", frozenset(), scope)
    with jobs.db.transaction(scope) as session:
        assigning.cancel_assignment(session, actor, assignment_id)


def person_scope(person_id: uuid.UUID) -> Scope:
    return Scope(ScopeRole.PERSON, actor_id=person_id, person_id=person_id)


def credit(services: Services, enterprise: Enterprise, place: int, enrolment_id: uuid.UUID) -> None:
    """Credit a first second of a lesson: the row and the event that learning writes together."""
    person_id, lesson_id = enterprise.people[place], ids.new_id()
    with services.db.transaction(person_scope(person_id)) as session:
        session.execute(
            insert(Credit).values(
                person_id=person_id,
                id=ids.new_id(),
                tenant_id=enterprise.tenant_id,
                region_code=enterprise.region_code,
                industry_code=enterprise.industry_code,
                enrolment_id=enrolment_id,
                lesson_id=lesson_id,
                viewing_cycle=1,
                on_day=clock.today(),
                credited_s=1.0,
                exclusion_reason=None,
            )
        )
        events.publish(
            session,
            LessonCredited(
                1, person_id, enrolment_id, enterprise.tenant_id, enterprise.region_code, enterprise.industry_code,
                lesson_id, 1, True, clock.today(),
            ),
        )  # fmt: skip


def sit(
    jobs: Services, services: Services, enterprise: Enterprise, place: int, enrolment_id: uuid.UUID, *, passes: bool
) -> None:
    """Sit a whole exam: a drawn paper, all answers right or none given, handed in and marked by the product."""
    person_id, attempt_id, now = enterprise.people[place], ids.new_id(), clock.now()
    with jobs.db.transaction(WORKER_SCOPE) as session:
        due_on = session.execute(select(Enrolment.due_on).where(Enrolment.id == enrolment_id)).scalar_one()
        plan = bank.blueprint_in_force(session, BLUEPRINT, clock.today())
        deadline_at, closes_at = exam_rules.deadlines(now, plan.duration_min, plan.grace_s)
        so_far = select(func.count()).where(Attempt.person_id == person_id, Attempt.enrolment_id == enrolment_id)
        number = session.execute(so_far).scalar_one() + 1
        values = {
            "person_id": person_id, "id": attempt_id, "enrolment_id": enrolment_id, "tenant_id": enterprise.tenant_id,
            "region_code": enterprise.region_code, "industry_code": enterprise.industry_code,
            "programme_code": PROGRAMME, "blueprint_code": plan.code, "blueprint_version": plan.version,
            "attempt_no": number, "seed": 7, "pass_score": plan.pass_score, "state": "open", "started_at": now,
            "deadline_at": deadline_at, "closes_at": closes_at, "due_on": due_on,
            "identity_verification_id": ids.new_id(),
        }  # fmt: skip
        session.execute(insert(Attempt).values(**values))
        paper = exam_rules.draw_paper(plan.cells, bank.candidates(session, plan.bank_code, now), 7)
        keys = {
            row.question_id: set(row.answer)
            for row in session.execute(select(QuestionKey.question_id, QuestionKey.answer))
        }
        for item_no, item in enumerate(paper, start=1):
            row = {"person_id": person_id, "attempt_id": attempt_id, "item_no": item_no}
            session.execute(
                insert(AttemptItem).values(
                    **row, question_id=item.question_id, kind=item.kind, option_order=list(item.option_order),
                    points=item.points,
                )
            )  # fmt: skip
            if passes:
                right = [letter for letter, key in shown_letters(item.option_order) if key in keys[item.question_id]]
                session.execute(insert(Answer).values(**row, keys=right, seq=1, saved_at=now))
    scope = person_scope(person_id)
    actor = Actor(person_id, Role.TRAINEE, enterprise.tenant_id, "学员", "企业", frozenset(), scope)
    with services.db.transaction(scope) as session:
        attempts.submit_attempt(session, actor, attempt_id)


def this_month(day: int = 28) -> date:
    """Return a day of the present month."""
    return clock.today().replace(day=day)


@contextmanager
def counted_statements(services: Services) -> Iterator[list[str]]:
    """Collect the SQL statements that the process sends meanwhile."""
    seen: list[str] = []

    def note(_connection: object, _cursor: object, statement: str, *_rest: object) -> None:
        seen.append(statement)

    event.listen(services.db.engine, "before_cursor_execute", note)
    try:
        yield seen
    finally:
        event.remove(services.db.engine, "before_cursor_execute", note)


def moment(day: date) -> datetime:
    """Return noon of a day in the province."""
    return datetime.fromisoformat(f"{day.isoformat()}T12:00:00+08:00")
