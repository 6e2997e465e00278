"""A demo-size province to measure in, made by the rooms' own operations.

60 enterprises with 800 people, a programme assigned to all of them, some exams sat and certificates issued.
"""

from __future__ import annotations

import itertools
import uuid
from dataclasses import dataclass
from datetime import timedelta

from flask import Flask
from itsdangerous import URLSafeTimedSerializer
from sqlalchemy import select

import lms.courses.api as courses
from bench.instance import Instance
from certs.models import Certificate
from lms.accounts.faces import operations as faces
from lms.accounts.sign_in.operations import activated_among, open_account, open_session
from lms.app import create_app
from lms.core import clock, ids
from lms.core.access import SYSTEM, Role
from lms.core.tenancy import WORKER_SCOPE
from lms.core.web import SESSION_COOKIE_KEY
from lms.courses.demo import publish_demo_course
from lms.courses.learning import operations as learning
from lms.courses.learning.home import training
from lms.courses.learning.rules import PlayedEvent
from tests.certs.certificate_world import Learner, pass_exam
from tests.courses.school import add_asset, person_actor, tenant_actor
from tests.exams.sitting import Sitting, open_attempt
from tests.supervision.province import (
    Enterprise,
    assign,
    make_department,
    make_enterprise,
    make_official,
    sit,
    this_month,
)

COUNTIES = (410302, 410305, 410307, 410922)
ENTERPRISES = 60
PEOPLE = 800
BROWSERS = 32
CERTIFICATES = 60
EXAMS = 100
BOARD_COUNTY = COUNTIES[0]


@dataclass(frozen=True, slots=True)
class Browser:
    """What a signed-in browser sends with its requests."""

    cookie: str
    csrf: str
    token: str


@dataclass(frozen=True, slots=True)
class World:
    """The province and who looks at it."""

    app: Flask
    enterprises: list[Enterprise]
    trainees: list[Browser]
    sittings: list[tuple[Browser, Sitting]]
    regulator: Browser
    public_ids: list[str]


def make_world(instance: Instance) -> World:
    """Fill an empty instance."""
    app = create_app(services=instance.web)
    enterprises = _enterprises(instance)
    institution = tenant_actor(ids.new_id(), Role.INSTRUCTOR)
    assert institution.tenant_id
    publish_demo_course(instance.web, institution, add_asset(instance.jobs, institution.tenant_id))
    enrolments = [_assign(instance, each) for each in enterprises]
    _sit_exams(instance, enterprises, enrolments)
    certified = _certify(instance, enterprises)
    instance.settle()
    trainees = [(one, each) for each in enterprises[: BROWSERS // 4] for one in range(4)]
    for place, enterprise in trainees:
        _learn(instance, enterprise, place)
    department = make_department(instance.jobs, BOARD_COUNTY)
    official = make_official(instance.jobs, department, Role.REGULATOR)
    browsers = [_browser(instance, app, each.people[n], each.tenant_id, Role.TRAINEE) for n, each in trainees]
    regulator = _browser(instance, app, official, department, Role.REGULATOR)
    sittings = [
        (browser, open_attempt(instance.jobs, person_id=each.people[n]))
        for browser, (n, each) in zip(browsers, trainees, strict=True)
    ]
    instance.settle()
    return World(app, enterprises, browsers, sittings, regulator, _public_ids(instance, certified))


def _enterprises(instance: Instance) -> list[Enterprise]:
    # The measured county has half of them, more than a page of its board.
    places = itertools.cycle((COUNTIES[0], COUNTIES[1], COUNTIES[0], COUNTIES[2], COUNTIES[0], COUNTIES[3]))
    shares = [PEOPLE // ENTERPRISES + (n < PEOPLE % ENTERPRISES) for n in range(ENTERPRISES)]
    return [make_enterprise(instance.jobs, region_code=next(places), staff=staff) for staff in shares]


def _assign(instance: Instance, enterprise: Enterprise) -> list[uuid.UUID]:
    return assign(instance.jobs, enterprise, range(len(enterprise.people)), this_month())


def _sit_exams(instance: Instance, enterprises: list[Enterprise], enrolments: list[list[uuid.UUID]]) -> None:
    for n in range(EXAMS):
        enterprise, mine = enterprises[n % ENTERPRISES], enrolments[n % ENTERPRISES]
        place = len(mine) - 1 - n // ENTERPRISES
        sit(instance.jobs, instance.web, enterprise, place, mine[place], passes=n % 5 != 0)


def _certify(instance: Instance, enterprises: list[Enterprise]) -> list[uuid.UUID]:
    """Let people have passed an earlier round of the programme, which earns them a certificate."""
    found = []
    for n in range(CERTIFICATES):
        enterprise, place = enterprises[n % (BROWSERS // 4)], n // (BROWSERS // 4)
        pass_exam(instance.jobs, learner(enterprise, place))
        found.append(enterprise.people[place])
    return found


def learner(enterprise: Enterprise, place: int) -> Learner:
    """Name one of the staff as the certificates' fixtures do."""
    return Learner(enterprise.people[place], enterprise.tenant_id, enterprise.employments[place], "张安全")


def _learn(instance: Instance, enterprise: Enterprise, place: int) -> None:
    """Play the first seconds of the lesson, an administrator vouching for the person."""
    actor = person_actor(enterprise.people[place], enterprise.tenant_id)
    admin = tenant_actor(enterprise.tenant_id, Role.ENTERPRISE_ADMIN)
    assert actor.person_id
    with instance.web.db.transaction(actor.scope) as session:
        faces.answer_consent(session, actor, biometric=False, portrait=False, language="zh")
    with instance.web.db.transaction(admin.scope) as session:
        faces.confirm_identity(session, admin, enterprise.tenant_id, actor.person_id)
    with instance.web.db.transaction(actor.scope) as session:
        mine = next(each for each in courses.enrolments_of(session, actor.person_id) if each.state == "assigned")
        lesson = training(session, actor.person_id, mine).lessons[0].lesson
    page, now = ids.new_id(), clock.now()
    for start_s in (0, 0, 5):
        now += timedelta(seconds=5)
        with clock.travelling_to(now), instance.web.db.transaction(actor.scope) as session:
            learning.record_beat(
                session,
                actor,
                enrolment_id=mine.enrolment_id,
                lesson_id=lesson.lesson_id,
                playback_id=page,
                played=[PlayedEvent(start_s, start_s + 5, 1)],
            )


def _browser(instance: Instance, app: Flask, person_id: uuid.UUID, tenant_id: uuid.UUID, role: Role) -> Browser:
    with instance.jobs.db.transaction(WORKER_SCOPE) as session:
        if not activated_among(session, [person_id]):
            open_account(session, SYSTEM, person_id=person_id, login_name=None, password=uuid.uuid4().hex)
        token = open_session(session, person_id, tenant_id, role, "bench").token
    serializer = app.session_interface.get_signing_serializer(app)  # type: ignore[attr-defined]  # Flask's own cookies
    secret = uuid.uuid4().hex
    signed = URLSafeTimedSerializer(app.secret_key or "", salt="wtf-csrf-token").dumps(secret)
    cookie = serializer.dumps({SESSION_COOKIE_KEY: token, "csrf_token": secret})
    return Browser(f"anzheng={cookie}", str(signed), token)


def _public_ids(instance: Instance, person_ids: list[uuid.UUID]) -> list[str]:
    with instance.jobs.db.transaction(WORKER_SCOPE, read_only=True) as session:
        issued = select(Certificate.public_id).where(
            Certificate.person_id.in_(person_ids), Certificate.state == "issued"
        )
        found = list(session.scalars(issued))
    if len(found) < len(person_ids):
        raise RuntimeError(f"only {len(found)} of {len(person_ids)} certificates were issued")
    return found
