"""Victims with rows of every kind, and attackers of every role who have nothing to do with them."""

from __future__ import annotations

import io
import json
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from flask.testing import FlaskClient
from sqlalchemy import insert, select

import lms.courses.api as courses
from certs.actions.operations import NewAction, order
from certs.actions.rules import Kind
from certs.models import Bulk, Scheme
from certs.rules import ProposalKind
from certs.schemes.credentials import NewCredential, record_credential
from certs.schemes.drafts import content_of, save_draft
from certs.status.proposals import NewProposal, propose
from exams.bank import commands, operations
from exams.bank.models import Question
from lms.core import clock, ids
from lms.core.access import SYSTEM, Role
from lms.core.services import Services
from lms.core.tenancy import WORKER_SCOPE
from lms.core.web import AnzhengFlask
from lms.courses.assignments.models import Assignment
from lms.courses.catalogue.models import Course, Lesson
from lms.courses.learning.models import FaceCheck, LessonProgress, Quiz
from media.models import Asset
from supervision.warnings.models import WarningCase
from tests.accounts.staffing import roster_bytes
from tests.certs import certificate_world as world
from tests.conftest import Worker
from tests.courses.school import ready_asset
from tests.rosters import roster

VISITOR = "visitor"


@dataclass(frozen=True, slots=True)
class Arena:
    """The ids of the victims, and one browser for each attacker."""

    app: AnzhengFlask
    victims: Mapping[str, object]
    attackers: Mapping[str, FlaskClient]
    owners: Mapping[str, FlaskClient]


def _add(jobs: Services, model: type[Any], **values: object) -> uuid.UUID:
    row_id = ids.new_id()
    with jobs.db.transaction(WORKER_SCOPE) as session:
        session.execute(insert(model).values(id=row_id, **values))
    return row_id


def _learner_rows(jobs: Services, worker: Worker, tenant_id: uuid.UUID) -> dict[str, object]:
    """Bring somebody to a certificate, with a lesson, a face check and a quiz on the way."""
    learner = world.make_learner(jobs, tenant_id)
    event = world.pass_exam(jobs, learner)
    world.settle(worker)
    (certificate,) = world.certificate_rows(jobs, learner.person_id)
    found: dict[str, object] = {
        "person_id": learner.person_id,
        "employment_id": learner.employment_id,
        "enrolment_id": event.enrolment_id,
        "attempt_id": event.attempt_id,
        "certificate_id": certificate.id,
    }
    common = {"person_id": learner.person_id, "tenant_id": tenant_id, "enrolment_id": event.enrolment_id}
    lesson = {**common, "lesson_id": ids.new_id()}
    progress = {column.name: None for column in LessonProgress.__table__.columns if column.nullable}
    progress_id = _add(
        jobs,
        LessonProgress,
        **{**progress, **_progress_values(), **lesson, "region_code": 410305, "industry_code": "26"},
    )
    here = {**lesson, "progress_id": progress_id, "viewing_cycle": 1}
    found["check_id"] = _add(
        jobs, FaceCheck, **here, at_s=5, state="referred", tries=3, mismatches=3, due_at=clock.now()
    )
    found["quiz_id"] = _add(
        jobs, Quiz, **here, seed="1", items=[], answers={}, results=None, state="drawn", drawn_at=clock.now()
    )
    return found


def _progress_values() -> dict[str, object]:
    """Return something for every column that has to be filled."""
    by_type: dict[type, object] = {
        int: 1,
        str: "",
        bool: False,
        float: 0.0,
        uuid.UUID: ids.new_id(),
        list: [],
        dict: {},
    }
    found: dict[str, object] = {}
    for column in LessonProgress.__table__.columns:
        if not column.nullable and column.name != "id":
            kind = column.type.python_type
            found[column.name] = clock.now() if kind.__name__ == "datetime" else by_type.get(kind, 0)
    return found


def _teaching_rows(jobs: Services) -> dict[str, object]:
    """Let an institution have a video, a course with a lesson, and a bank with a question."""
    tenant_id, now = world.make_enterprise(jobs), clock.now()
    asset = ready_asset(tenant_id)
    with jobs.db.transaction(WORKER_SCOPE) as session:
        session.execute(insert(Asset).values(**asset))
    names = {"title_zh": "课程", "title_en": "Course"}
    texts = {"summary_zh": "", "summary_en": "", "industry_tag": "", "post_tag": "", "risk_tag": ""}
    code = f"attack-{uuid.uuid4().hex[:10]}"
    course_id = _add(
        jobs,
        Course,
        tenant_id=tenant_id,
        code=code,
        **names,
        **texts,
        state="draft",
        created_by=ids.new_id(),
        created_at=now,
    )
    place = {"tenant_id": tenant_id, "course_id": course_id, "position": 1, "kind": "video"}
    video = {"media_asset_id": asset["id"], "duration_s": 60, "quiz_required": False, "pass_score": 80}
    lesson_id = _add(jobs, Lesson, **place, **names, **video, created_at=now)
    return {
        "institution_id": tenant_id,
        "asset_id": asset["id"],
        "course_id": course_id,
        "lesson_id": lesson_id,
        "bank_code": code,
        "question_id": _question(jobs, tenant_id, code),
    }


def _question(jobs: Services, tenant_id: uuid.UUID, bank_code: str) -> uuid.UUID:
    document = json.loads((commands.REFERENCE / "chemical_safety.json").read_text("utf8"))
    head = {"code": bank_code, "name_zh": "院校题库", "name_en": "Own bank"}
    with jobs.db.transaction(WORKER_SCOPE) as session:
        operations.put_bank(session, SYSTEM, head, document["knowledge_points"], tenant_id)
        document["questions"] = document["questions"][:1]
        drafts = operations.read_questions(json.dumps(document).encode())
        operations.import_questions(session, SYSTEM, bank_code, drafts)
        return session.scalars(select(Question.id).where(Question.bank_code == bank_code)).one()


def _office_rows(jobs: Services, client: FlaskClient, tenant_id: uuid.UUID, folder: Path) -> dict[str, object]:
    """Let an enterprise have an assignment, a warning, an import and a running job."""
    now, today = clock.now(), clock.today()
    place = {"tenant_id": tenant_id, "region_code": world.COUNTY, "industry_code": world.CHEMICALS}
    assignment_id = _add(
        jobs, Assignment, **place, programme_code=world.PROGRAMME, programme_version=1, target="people",
        due_on=today + timedelta(days=30), state="open", created_at=now,
    )  # fmt: skip
    warning_id = _add(
        jobs, WarningCase, **place, kind="completion", level="red", state="open", subject_id=tenant_id,
        period_from=today, period_to=today, rule_code="x", rule_region_code=0, rule_version=1,
        figures={}, latest={}, told=[], opened_at=now,
    )  # fmt: skip
    data = roster_bytes(folder, roster(1), "csv")
    taken = client.post("/staff/import", data={"file": (io.BytesIO(data), "a.csv")})
    exported = client.post("/staff/export")
    return {
        "assignment_id": assignment_id,
        "warning_id": warning_id,
        "import_id": taken.headers["Location"].rsplit("/", 1)[1],
        "job_id": exported.headers["Location"].rsplit("/", 1)[1],
        "tenant_id": tenant_id,
        "region_code": world.COUNTY,
    }


def _proposal(jobs: Services, certificate_id: object) -> dict[str, object]:
    """Let an official propose to revoke the certificate."""
    official = world.official_actor(jobs)
    new = NewProposal(ProposalKind.REVOKE, "revoke_other", "出租证书给他人使用")
    with jobs.db.transaction(official.scope) as session:
        case_id = propose(session, official, uuid.UUID(str(certificate_id)), new)
    return {"what": "proposals", "case_id": case_id}


def _bulk(jobs: Services, office: uuid.UUID) -> object:
    """Let a department have ordered certificates."""
    counts = dict.fromkeys(("people", "people_done", "issued", "failed", "chunks", "chunks_done"), 0)
    return _add(
        jobs, Bulk, tenant_id=office, scheme_code=world.SCHEME, scope={}, state="running", **counts,
        ordered_by_name="李敏", ordered_at=clock.now(),
    )  # fmt: skip


def _action(jobs: Services, certificate_id: object) -> uuid.UUID:
    """Let a department order something for many certificates at once."""
    official = world.official_actor(jobs)
    chosen = (uuid.UUID(str(certificate_id)),)
    with jobs.db.transaction(official.scope) as session:
        return order(session, official, NewAction(ids.new_id(), Kind.FILES, chosen))


def _scheme_rows(jobs: Services, person_id: object, enrolment_id: object) -> dict[str, object]:
    """Let a department have a draft of a certificate type, and a record about the person."""
    official = world.official_actor(jobs)
    learner, cycle = uuid.UUID(str(person_id)), uuid.UUID(str(enrolment_id))
    with jobs.db.transaction(official.scope) as session:
        present = session.get_one(Scheme, (world.SCHEME, 1))
        content = {**content_of(present), "effective_from": clock.today().isoformat()}
        draft_id = save_draft(session, official, "scheme", world.SCHEME, content)
        new = NewCredential("education", "college", 0, "", "1")
        enrolment = courses.enrolment(session, learner, cycle)
        return {
            "code": world.SCHEME,
            "draft_id": draft_id,
            "version": 999_999,
            "credential_id": record_credential(session, official, enrolment, new),
        }


def _attackers(app: AnzhengFlask, jobs: Services) -> dict[str, FlaskClient]:
    """Sign in one person of each role, of another enterprise and another county."""
    own = world.make_enterprise(jobs, region_code=world.OTHER_COUNTY)
    office = world.make_department(jobs, region_code=world.OTHER_COUNTY)
    learner = world.make_learner(jobs, own)
    world.pass_exam(jobs, learner, score=10)
    found = {Role.TRAINEE.value: world.client_for(app, jobs, learner.person_id, own, Role.TRAINEE)}
    for role in Role:
        if role is not Role.TRAINEE:
            tenant = office if role in {Role.REGULATOR, Role.INSPECTOR} else own
            found[role.value] = world.signed_in_at(app, jobs, tenant, role)
    return {**found, VISITOR: app.test_client()}


def build_arena(app: AnzhengFlask, jobs: Services, worker: Worker, folder: Path) -> Arena:
    """Make everything there is to attack."""
    tenant_id = world.make_enterprise(jobs)
    admin = world.signed_in_at(app, jobs, tenant_id, Role.ENTERPRISE_ADMIN)
    learned = _learner_rows(jobs, worker, tenant_id)
    victims = {
        **learned,
        **_proposal(jobs, learned["certificate_id"]),
        **_scheme_rows(jobs, learned["person_id"], learned["enrolment_id"]),
        **_teaching_rows(jobs),
        **_office_rows(jobs, admin, tenant_id, folder),
        "public_id": "ABCDEFGHJKMNPQRSTVWXYZ2345",
        "payload": "AAAA",
        "rendition": "360p",
        "name": "seg_00001.ts",
        "place": 888_888,
        "tile_name": "0/x888/888",
        "language": "zh",
    }
    office = world.make_department(jobs, region_code=world.COUNTY)
    victims |= {"bulk_id": _bulk(jobs, office), "step": "pause"}
    victims |= {"action_id": _action(jobs, learned["certificate_id"])}
    teaching = uuid.UUID(str(victims["institution_id"]))
    owners = {
        Role.ENTERPRISE_ADMIN.value: admin,
        Role.REGULATOR.value: world.signed_in_at(app, jobs, office),
        Role.INSTRUCTOR.value: world.signed_in_at(app, jobs, teaching, Role.INSTRUCTOR),
        Role.TRAINEE.value: world.client_for(app, jobs, uuid.UUID(str(victims["person_id"])), tenant_id, Role.TRAINEE),
    }
    return Arena(app, victims, _attackers(app, jobs), owners)


@pytest.fixture(scope="session")
def arena(
    app: AnzhengFlask, jobs_services: Services, queue_worker: Worker, tmp_path_factory: pytest.TempPathFactory
) -> Arena:
    """One arena for all attacks that leave it standing."""
    return build_arena(app, jobs_services, queue_worker, tmp_path_factory.mktemp("roster"))
