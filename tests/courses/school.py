"""A province in small for this room's tests: an institution with a course, enterprises with staff, browsers."""

from __future__ import annotations

import uuid
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta

from flask.testing import FlaskClient
from sqlalchemy import insert, select, update

import lms.accounts.api as accounts
from lms.accounts.faces import operations as faces
from lms.accounts.operations import NewEmployment, NewEnterprise
from lms.core import clock, ids
from lms.core.access import SYSTEM, Actor, Role
from lms.core.services import Services
from lms.core.tenancy import WORKER_SCOPE, Scope, ScopeRole
from lms.core.web import AnzhengFlask
from lms.courses.assignments.operations import Assigned, assign_programme
from lms.courses.catalogue.models import Course, Lesson
from lms.courses.demo import COURSE, publish_demo_course
from lms.courses.learning.models import Enrolment, FaceCheck
from media.models import Asset

PROGRAMME = "chem-safety-manager-junior"
POST = "chem_safety_manager"
DURATION_S = 60
JSON = {"Accept": "application/json"}


def credit_code() -> str:
    """Return a unified social credit code with its check character (GB 32100)."""
    alphabet = "0123456789ABCDEFGHJKLMNPQRTUWXY"
    body = "91410100" + "".join(alphabet[byte % 31] for byte in uuid.uuid4().bytes[:9])
    total = sum(alphabet.index(mark) * pow(3, place, 31) for place, mark in enumerate(body))
    return body + alphabet[(31 - total % 31) % 31]


def id_number() -> str:
    """Return an identity number with its check digit (GB 11643)."""
    noise = uuid.uuid4().int
    born = f"{1950 + noise % 50}{1 + noise // 50 % 12:02d}{1 + noise // 600 % 28:02d}"
    digits = f"410102{born}{noise // 16800 % 1000:03d}"
    weights = (7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2)
    total = sum(int(digit) * weight for digit, weight in zip(digits, weights, strict=True))
    return digits + "10X98765432"[total % 11]


def tenant_actor(tenant_id: uuid.UUID, role: Role) -> Actor:
    person_id = ids.new_id()
    scope = Scope(ScopeRole.TENANT, actor_id=person_id, tenant_id=tenant_id)
    return Actor(person_id, role, tenant_id, "管理员", "中原化工", frozenset(), scope)


def person_actor(person_id: uuid.UUID, tenant_id: uuid.UUID) -> Actor:
    scope = Scope(ScopeRole.PERSON, actor_id=person_id, person_id=person_id, tenant_id=tenant_id)
    return Actor(person_id, Role.TRAINEE, tenant_id, "王建军", "中原化工", frozenset(), scope)


@dataclass(frozen=True, slots=True)
class Employee:
    """Somebody of an enterprise, acting as a trainee."""

    person_id: uuid.UUID
    tenant_id: uuid.UUID
    employment_id: uuid.UUID

    @property
    def actor(self) -> Actor:
        return person_actor(self.person_id, self.tenant_id)


@dataclass(slots=True)
class School:
    """The product with sessions that the test hands out; everything behind them is real."""

    app: AnzhengFlask
    services: Services
    jobs: Services
    institution: Actor
    course_id: uuid.UUID = field(default_factory=uuid.uuid4)
    sessions: dict[str, Actor] = field(default_factory=dict)

    def client_for(self, actor: Actor) -> FlaskClient:
        assert actor.role
        allowed = self.services.kernel.permissions_of(actor.role)
        token = uuid.uuid4().hex
        self.sessions[token] = Actor(
            actor.person_id, actor.role, actor.tenant_id, actor.display_name, "中原化工", allowed, actor.scope
        )
        client = self.app.test_client()
        with client.session_transaction() as cookie:
            cookie["sid"] = token
        return client

    def enterprise(self) -> Actor:
        """Register an enterprise and return its administrator."""
        new = NewEnterprise("中原化工", credit_code(), 410102, "26", "high", "medium")
        with self.jobs.db.transaction(WORKER_SCOPE) as session:
            tenant_id = accounts.register_enterprise(session, SYSTEM, new)
        return tenant_actor(tenant_id, Role.ENTERPRISE_ADMIN)

    def hire(self, tenant_id: uuid.UUID, *, post: str = POST, vouched: bool = True) -> Employee:
        """Hire somebody; ``vouched``: they declined the camera and an administrator has seen them."""
        with self.jobs.db.transaction(WORKER_SCOPE) as session:
            new = NewEmployment("王建军", id_number(), post, hired_on=date(2020, 1, 1))
            employment_id = accounts.employ(session, SYSTEM, tenant_id, new)
            person_id = accounts.employment(session, tenant_id, employment_id).person_id
        found = Employee(person_id, tenant_id, employment_id)
        if vouched:
            with self.services.db.transaction(found.actor.scope) as session:
                faces.answer_consent(session, found.actor, biometric=False, portrait=False, language="zh")
            admin = tenant_actor(tenant_id, Role.ENTERPRISE_ADMIN)
            with self.services.db.transaction(admin.scope) as session:
                faces.confirm_identity(session, admin, tenant_id, person_id)
        return found

    def assign(self, admin: Actor, *, post: str | None = POST, people: list[Employee] | None = None) -> Assigned:
        """Assign the programme, due in thirty days."""
        with self.services.db.transaction(admin.scope) as session:
            return assign_programme(
                session,
                admin,
                programme_code=PROGRAMME,
                due_on=clock.today() + timedelta(days=30),
                post_code=None if people else post,
                employment_ids=[each.employment_id for each in people or []],
            )

    def enrolment_of(self, who: Employee) -> Enrolment:
        with self.jobs.db.transaction(WORKER_SCOPE) as session:
            return session.scalars(select(Enrolment).where(Enrolment.person_id == who.person_id)).one()

    def trainee(self, *, vouched: bool = True) -> Student:
        """Return somebody with an assigned programme and a browser."""
        admin = self.enterprise()
        assert admin.tenant_id
        who = self.hire(admin.tenant_id, vouched=vouched)
        self.assign(admin, people=[who])
        return Student(self, admin, who, self.enrolment_of(who).id, self.client_for(who.actor))

    def lesson_id(self) -> uuid.UUID:
        with self.jobs.db.transaction(WORKER_SCOPE) as session:
            return session.scalars(select(Lesson.id).where(Lesson.course_id == self.course_id)).one()

    def set_checks(self, person_id: uuid.UUID, at_s: int) -> None:
        """Move a person's planned checks to a known moment: what the server draws is random."""
        with self.jobs.db.transaction(WORKER_SCOPE) as session:
            session.execute(
                update(FaceCheck)
                .where(FaceCheck.person_id == person_id, FaceCheck.state == "planned")
                .values(at_s=at_s)
            )


@dataclass(slots=True)
class Student:
    """A trainee in front of the lesson's player."""

    school: School
    admin: Actor
    who: Employee
    enrolment_id: uuid.UUID
    client: FlaskClient
    page: uuid.UUID = field(default_factory=ids.new_id)
    now: datetime = field(default_factory=clock.now)

    @property
    def lesson_url(self) -> str:
        return f"/learn/{self.enrolment_id}/lessons/{self.school.lesson_id()}"

    def beat(self, from_s: float, to_s: float, *, after_s: float, rate: float = 1) -> dict[str, object]:
        """Report a stretch ``after_s`` seconds after the last report, by the server's clock."""
        self.now += timedelta(seconds=after_s)
        events = [{"from_s": from_s, "to_s": to_s, "rate": rate}] if to_s > from_s else []
        with clock.travelling_to(self.now):
            body = {"session": str(self.page), "events": events}
            answer = self.client.post(f"{self.lesson_url}/beat", json=body)
        assert answer.status_code == 200, answer.text
        return dict(answer.json or {})

    def watch(self, from_s: int, to_s: int) -> dict[str, object]:
        """Play honestly, reporting every five seconds."""
        answer: dict[str, object] = {}
        for start in range(from_s, to_s, 5):
            answer = self.beat(start, min(start + 5, to_s), after_s=5)
        return answer


def ready_asset(tenant_id: uuid.UUID, *, duration_s: float = DURATION_S, state: str = "ready") -> dict[str, object]:
    """Return the row of a video; nothing of these tests plays it."""
    now = clock.now()
    return {
        "tenant_id": tenant_id,
        "id": ids.new_id(),
        "title": "有限空间",
        "file_name": "a.mp4",
        "size_bytes": 1000,
        "state": state,
        "reason": None,
        "reason_data": {},
        "duration_s": duration_s,
        "width_px": 640,
        "height_px": 360,
        "renditions": [],
        "has_audio": False,
        "run_id": ids.new_id(),
        "attempts": 1,
        "job_id": ids.new_id(),
        "created_by": None,
        "created_at": now,
        "updated_at": now,
    }


def add_asset(jobs: Services, tenant_id: uuid.UUID, **facts: object) -> uuid.UUID:
    """Insert a video by the worker's hand."""
    row = ready_asset(tenant_id, **facts)  # type: ignore[arg-type]  # tests name what they change
    with jobs.db.transaction(WORKER_SCOPE) as session:
        session.execute(insert(Asset).values(**row))
    return uuid.UUID(str(row["id"]))


def course_of_the_programme(services: Services, jobs: Services) -> tuple[Actor, uuid.UUID]:
    """Return an instructor with the one course that the programme names, published by whoever asks first."""
    with jobs.db.transaction(WORKER_SCOPE) as session:
        found = session.execute(select(Course.tenant_id, Course.id).where(Course.code == COURSE.code)).first()
    if found:
        return tenant_actor(found.tenant_id, Role.INSTRUCTOR), found.id
    institution = tenant_actor(ids.new_id(), Role.INSTRUCTOR)
    assert institution.tenant_id
    return institution, publish_demo_course(services, institution, add_asset(jobs, institution.tenant_id))
