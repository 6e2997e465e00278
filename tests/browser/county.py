"""A county with one of everything that a page can show, in a database of its own.

The published course may exist once in a database, so these pages cannot share the one of the other tests.
"""

from __future__ import annotations

import uuid
from dataclasses import dataclass, replace
from pathlib import Path

from sqlalchemy import select, update

from certs.models import Certificate, StatusEvent
from certs.rules import Decision, ProposalKind
from certs.status.objections import object_to
from certs.status.proposals import NewProposal, propose
from lms.accounts import api as accounts
from lms.accounts.faces import operations as faces
from lms.app import build_kernel
from lms.core import bootstrap, clock, ids
from lms.core.access import SYSTEM, Actor, Role
from lms.core.services import Services
from lms.core.tenancy import WORKER_SCOPE, Scope, ScopeRole
from lms.core.web import SESSION_COOKIE_KEY, AnzhengFlask
from lms.courses.catalogue.models import Lesson
from lms.courses.demo import publish_demo_course
from lms.courses.learning.models import Enrolment
from media import api as media
from supervision import operations as supervision
from supervision.warnings.models import WarningCase
from tests.certs.certificate_world import certificate_rows, decided, official_actor, settle
from tests.conftest import Instance, Worker, make_instance
from tests.courses.school import person_actor, tenant_actor
from tests.exams.sitting import open_attempt
from tests.media.conftest import run_ffmpeg
from tests.supervision import province

COUNTY = 410305
STAFF = 3
SCHEME_PAGE = "/regulator/schemes/chem-safety-manager-junior"
VTT = b"WEBVTT\n\n00:00.000 --> 00:02.000\n\xe5\x85\x88\xe9\x80\x9a\xe9\xa3\x8e\n"

Pages = dict[str, list[str]]


@dataclass(frozen=True, slots=True)
class County:
    """Addresses to look at and the session token to do so with, by part; a visitor has none."""

    pages: Pages
    tokens: dict[str, str]


def own_instance(instance: Instance, name: str) -> Instance:
    """Return a fresh instance with the reference data in it."""
    own, kernel = make_instance(instance.settings, name), build_kernel()
    jobs = bootstrap.build_services(own.settings, kernel, login="jobs", admin=own.admin)
    for _order, load in sorted(kernel.reference_steps, key=lambda step: step[0]):
        load(jobs)
    jobs.db.dispose()
    return own


def _publish_course(web: Services, jobs: Services, folder: Path) -> uuid.UUID:
    """Upload a short film, let it be worked on, publish the programme's course over it; return the lesson."""
    film, instructor = folder / "lesson.mp4", tenant_actor(ids.new_id(), Role.INSTRUCTOR)
    run_ffmpeg(
        "-f", "lavfi", "-i", "testsrc=d=4:s=320x180:r=10", "-f", "lavfi", "-i", "sine=d=4",
        "-pix_fmt", "yuv420p", "-preset", "ultrafast", str(film),
    )  # fmt: skip
    instructor = replace(instructor, permissions=web.kernel.permissions_of(Role.INSTRUCTOR))
    asset_id = media.upload_asset(
        web, instructor, file=film, file_name=film.name, title="有限空间", captions={"zh": VTT}
    )
    Worker(jobs).drain()
    course_id = publish_demo_course(web, instructor, asset_id)
    with jobs.db.transaction(WORKER_SCOPE) as session:
        return session.scalars(select(Lesson.id).where(Lesson.course_id == course_id)).one()


def _vouch(web: Services, admin: Actor, person_id: uuid.UUID) -> None:
    assert admin.tenant_id
    learner = person_actor(person_id, admin.tenant_id)
    with web.db.transaction(learner.scope) as session:
        faces.answer_consent(session, learner, biometric=False, portrait=False, language="zh")
    with web.db.transaction(admin.scope) as session:
        faces.confirm_identity(session, admin, admin.tenant_id, person_id)


def _learned(jobs: Services, enrolment_id: uuid.UUID) -> None:
    with jobs.db.transaction(WORKER_SCOPE) as session:
        done = {"state": "learned", "learning_completed_at": clock.now()}
        session.execute(update(Enrolment).where(Enrolment.id == enrolment_id).values(**done))


def _token(app: AnzhengFlask, jobs: Services, person_id: uuid.UUID, tenant_id: uuid.UUID, role: Role) -> str:
    client = province.client_for(app, jobs, person_id, tenant_id, role)
    with client.session_transaction() as cookie:
        assert SESSION_COOKIE_KEY in cookie
    found = client.get_cookie(str(app.config["SESSION_COOKIE_NAME"]))
    assert found
    return found.value


def build(app: AnzhengFlask, jobs: Services, folder: Path) -> County:
    """One learns, one has passed and holds a certificate, one has failed; a warning is open."""
    web: Services = app.extensions["anzheng"]
    lesson_id = _publish_course(web, jobs, folder)
    enterprise = province.make_enterprise(jobs, region_code=COUNTY, staff=STAFF)
    admin = province.make_official(jobs, enterprise.tenant_id, Role.ENTERPRISE_ADMIN)
    department = province.make_department(jobs, COUNTY)
    regulator = province.make_official(jobs, department, Role.REGULATOR)
    enrolments = province.assign(jobs, enterprise, range(STAFF), province.this_month())
    for person_id in enterprise.people:
        _vouch(web, tenant_actor(enterprise.tenant_id, Role.ENTERPRISE_ADMIN), person_id)
    for place, passes in ((1, True), (2, False)):
        _learned(jobs, enrolments[place])
        province.sit(jobs, web, enterprise, place, enrolments[place], passes=passes)
    settle(Worker(jobs))
    Worker(jobs).tick("certs.sequence")
    supervision.fold_all(jobs)
    tokens = {
        "learner": _trainee(app, jobs, enterprise, 0),
        "holder": _trainee(app, jobs, enterprise, 1),
        "repeater": _trainee(app, jobs, enterprise, 2),
        "administrator": _token(app, jobs, admin, enterprise.tenant_id, Role.ENTERPRISE_ADMIN),
        "regulator": _token(app, jobs, regulator, department, Role.REGULATOR),
    }
    return County(_pages(jobs, enterprise, enrolments, lesson_id), tokens)


def _trainee(app: AnzhengFlask, jobs: Services, enterprise: province.Enterprise, place: int) -> str:
    person_id = enterprise.people[place]
    with jobs.db.transaction(WORKER_SCOPE) as session:
        accounts.open_account(session, SYSTEM, person_id=person_id, login_name=None, password="Correct-horse-7-battery")
    return _token(app, jobs, person_id, enterprise.tenant_id, Role.TRAINEE)


def _disputed(jobs: Services, certificate: Certificate) -> tuple[uuid.UUID, uuid.UUID]:
    """Suspend the certificate, let its holder object, and propose a ban; return proposal and objection."""
    decided(jobs, certificate, Decision.SUSPEND)
    official = official_actor(jobs, region_code=certificate.region_code)
    with jobs.db.transaction(official.scope) as session:
        new = NewProposal(ProposalKind.BAN, "ban_accident", "对重大事故负有责任")
        ban = propose(session, official, certificate.id, new)
    scope = Scope(ScopeRole.PERSON, person_id=certificate.person_id, tenant_id=certificate.tenant_id)
    holder = Actor(certificate.person_id, Role.TRAINEE, certificate.tenant_id, "", "", frozenset(), scope)
    with jobs.db.transaction(scope) as session:
        mine = (StatusEvent.certificate_id == certificate.id, StatusEvent.new_status == "suspended")
        step = session.scalars(select(StatusEvent.id).where(*mine)).one()
        return ban, object_to(session, holder, certificate.id, step, "当日本人在休假，记录中不是本人")


def _pages(jobs: Services, enterprise: province.Enterprise, enrolments: list[uuid.UUID], lesson_id: uuid.UUID) -> Pages:
    certificate = certificate_rows(jobs, enterprise.people[1])[0]
    paper = open_attempt(jobs, person_id=enterprise.people[0])
    with jobs.db.transaction(WORKER_SCOPE) as session:
        case = session.scalars(select(WarningCase.id).where(WarningCase.tenant_id == enterprise.tenant_id)).first()
    assert case
    assignment = province.assignment_of(jobs, enrolments[0])
    ban, objection = _disputed(jobs, certificate)
    return {
        "learner": [
            "/learn", "/learn/trainings", f"/learn/{enrolments[0]}", f"/learn/{enrolments[0]}/lessons/{lesson_id}",
            f"/learn/{enrolments[0]}/lessons/{lesson_id}/quiz", "/exams", f"/exams/{paper.attempt_id}", "/me/consent",
            "/me", "/notices",
        ],
        "holder": ["/exams", "/certificates", f"/certificates/{certificate.id}"],
        "repeater": [f"/exams/start/{enrolments[2]}"],
        "administrator": [
            "/tenant", "/tenant/figures", "/staff", f"/staff/{enterprise.employments[0]}", "/staff/new",
            "/staff/import", "/assignments", "/assignments/new", f"/assignments/{assignment}", "/tenant/certificates",
            f"/tenant/certificates/{certificate.id}", "/notices", "/me",
        ],
        "regulator": [
            "/board", f"/board/enterprises/{enterprise.tenant_id}", "/warnings", f"/warnings/{case}",
            "/regulator/certificates", f"/regulator/certificates/{certificate.id}", "/notices",
            "/regulator/certificate-imports", "/regulator/bulk", "/regulator/actions",
            "/regulator/actions/new?kind=suspend&all=1",
            "/regulator/proposals", f"/regulator/proposals/{ban}", "/regulator/corrections",
            f"/regulator/objections/{objection}", "/regulator/schemes", SCHEME_PAGE, f"{SCHEME_PAGE}/edit",
            f"{SCHEME_PAGE}/eligible", f"{SCHEME_PAGE}/people/{certificate.person_id}", "/regulator/templates",
            "/regulator/templates/standard/edit",
        ],
        "visitor": [
            "/sign-in", "/activate", "/find", f"/c/{certificate.public_id}", f"/c/{certificate.public_id}/proof",
            "/registry", "/registry/leaves/0", "/verify",
        ],
    }  # fmt: skip
