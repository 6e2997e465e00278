"""Who gets a certificate is decided by its type's conditions; why, or why not, is kept and shown."""

from __future__ import annotations

import json
import uuid
from datetime import date, timedelta

import pytest
from sqlalchemy import select
from sqlalchemy.exc import ProgrammingError
from sqlalchemy.orm import Session
from stdnum.cn import ric

import lms.accounts.api as accounts
import lms.courses.api as courses
from certs.errors import CredentialGone, CredentialInvalid
from certs.models import Leaf, StatusEvent
from certs.registry.operations import certificate_facts, expected_leaf
from certs.rules import issue_leaf
from certs.schemes.credentials import NewCredential, credentials_of, record_credential, withdraw_credential
from certs.schemes.models import Refusal
from exams.events import AttemptGraded
from lms.core import clock, ids
from lms.core.access import SYSTEM, Role
from lms.core.errors import NotFound
from lms.core.notify import NoticeRow
from lms.core.services import Services
from lms.core.tenancy import WORKER_SCOPE
from lms.core.web import AnzhengFlask
from lms.courses.learning.models import Credit
from tests.certs import certificate_world as world
from tests.certs.certificates import make_certificate
from tests.conftest import Admin, Worker

DIPLOMA = NewCredential("education", "bachelor", 0, "河南理工大学 安全工程", "学信网 104601202306000123")


def refusals(services: Services, person_id: uuid.UUID) -> list[Refusal]:
    with services.db.transaction(WORKER_SCOPE, read_only=True) as session:
        return list(session.scalars(select(Refusal).where(Refusal.person_id == person_id)))


def missed(services: Services, person_id: uuid.UUID) -> list[str]:
    (row,) = refusals(services, person_id)
    return [one["condition"] for one in row.decision["findings"] if not one["kept"]]


def digest_in(leaf: bytes) -> str:
    """Return the digest of all facts that an entry of the log states."""
    return str(json.loads(leaf)["facts_sha256"])


def record(services: Services, enrolment_id: uuid.UUID, person_id: uuid.UUID, new: NewCredential) -> uuid.UUID:
    official = world.official_actor(services)
    with services.db.transaction(official.scope) as session:
        enrolment = courses.enrolment(session, person_id, enrolment_id)
        return record_credential(session, official, enrolment, new)


def test_the_decision_is_kept_with_the_certificate_and_shown_to_holder_and_issuer(
    app: AnzhengFlask, jobs_services: Services, queue_worker: Worker
) -> None:
    learner = world.make_learner(jobs_services, world.make_enterprise(jobs_services))
    world.pass_exam(jobs_services, learner, score=93)
    world.settle(queue_worker)
    (row,) = world.certificate_rows(jobs_services, learner.person_id)
    assert row.decision
    assert (row.decision["scheme"], row.decision["version"]) == (row.scheme_code, row.scheme_version)
    found = {one["condition"]: (one["asked"], one["found"], one["kept"]) for one in row.decision["findings"]}
    assert found["exam"] == ({"score": 80}, {"score": 93, "passed": True}, True)
    assert list(found) == ["banned", "learning_completed", "exam", "identity_verified", "age"]
    assert refusals(jobs_services, learner.person_id) == []

    holder = world.client_for(app, jobs_services, learner.person_id, learner.tenant_id, Role.TRAINEE)
    page = holder.get(f"/certificates/{row.id}").text
    assert "符合，因为没有取证限制；课程已全部学完；考试合格，成绩 93 分" in page
    assert "《中华人民共和国劳动法》第六十四条" in page
    english = holder.get(f"/certificates/{row.id}", headers={"Accept-Language": "en"}).text
    assert "Conditions met, because" in english
    official = world.signed_in_at(app, jobs_services, world.make_department(jobs_services))
    assert "成绩 93 分" in official.get(f"/regulator/certificates/{row.id}").text
    employer = world.signed_in_at(app, jobs_services, learner.tenant_id, Role.ENTERPRISE_ADMIN)
    assert "成绩 93 分" not in employer.get(f"/tenant/certificates/{row.id}").text


def test_the_log_holds_the_decision_of_new_certificates_and_no_trace_of_it_for_old_ones(
    jobs_services: Services, queue_worker: Worker
) -> None:
    row = make_certificate(jobs_services, queue_worker)
    with jobs_services.db.transaction(WORKER_SCOPE, read_only=True) as session:
        leaf = session.scalars(select(Leaf).where(Leaf.certificate_id == row.id)).one()
        step = session.get_one(StatusEvent, (row.person_id, leaf.id))
        assert leaf.leaf_data == expected_leaf(step, row)
        logged = digest_in(leaf.leaf_data)
    assert row.decision
    row.decision = {**row.decision, "version": 99}
    assert digest_in(expected_leaf(step, row)) != logged
    row.decision = None
    bare = digest_in(expected_leaf(step, row))
    assert bare != logged
    facts = {name: value for name, value in certificate_facts(row).items() if name != "decision"}
    assert bare == digest_in(issue_leaf(facts, event_id=step.id, at=step.at))


def test_what_nobody_has_recorded_is_not_shown_and_refuses(
    app: AnzhengFlask, jobs_services: Services, queue_worker: Worker
) -> None:
    scheme = world.make_scheme(jobs_services, education="college", practice_months=12, papers=["application", "health"])
    learner = world.make_learner(jobs_services, world.make_enterprise(jobs_services))
    event = world.pass_exam(jobs_services, learner, programme=scheme)
    world.settle(queue_worker)
    assert world.certificate_rows(jobs_services, learner.person_id) == []
    assert missed(jobs_services, learner.person_id) == ["education", "practice", "papers"]

    holder = world.client_for(app, jobs_services, learner.person_id, learner.tenant_id, Role.TRAINEE)
    page = holder.get("/certificates").text
    assert "不符合，因为学历没有证明材料；实践经历没有证明材料；缺少申请表、体检证明" in page
    assert "不符合，因为学历没有证明材料" in holder.get(f"/exams/{event.attempt_id}").text
    with jobs_services.db.transaction(WORKER_SCOPE, read_only=True) as session:
        titles = session.scalars(select(NoticeRow.title_zh).where(NoticeRow.person_id == learner.person_id)).all()
    assert titles == ["考试已合格，但尚不符合发证条件"]

    other = world.make_learner(jobs_services, learner.tenant_id)
    stranger = world.client_for(app, jobs_services, other.person_id, other.tenant_id, Role.TRAINEE)
    assert "没有证明材料" not in stranger.get("/certificates").text


def test_the_last_missing_record_brings_the_certificate(jobs_services: Services, queue_worker: Worker) -> None:
    scheme = world.make_scheme(jobs_services, education="college", practice_months=12, papers=["health"])
    learner = world.make_learner(jobs_services, world.make_enterprise(jobs_services))
    event = world.pass_exam(jobs_services, learner, programme=scheme)
    world.settle(queue_worker)
    where = (event.enrolment_id, learner.person_id)
    record(jobs_services, *where, DIPLOMA)
    record(jobs_services, *where, NewCredential("practice", "", 7, "河南某化工 班组长", "劳动合同 2024-031"))
    record(jobs_services, *where, NewCredential("paper", "health", 0, "", "体检 2026-1102"))
    world.settle(queue_worker)
    assert world.certificate_rows(jobs_services, learner.person_id) == []
    assert missed(jobs_services, learner.person_id) == ["practice"]

    record(jobs_services, *where, NewCredential("practice", "", 5, "河南某化工 安全员", "劳动合同 2025-007"))
    world.settle(queue_worker)
    (row,) = world.certificate_rows(jobs_services, learner.person_id)
    assert row.state == "issued"
    assert row.decision
    found = {one["condition"]: one["found"] for one in row.decision["findings"]}
    assert found["practice"] == {"months": 12}
    assert found["education"] == {"level": "bachelor"}


def test_validity_begins_with_the_last_record_that_was_asked_for(jobs_services: Services, queue_worker: Worker) -> None:
    scheme = world.make_scheme(jobs_services, education="college", papers=["pledge"])
    learner = world.make_learner(jobs_services, world.make_enterprise(jobs_services))
    now = clock.now()
    with clock.travelling_to(now - timedelta(days=9)):
        event = world.pass_exam(jobs_services, learner, programme=scheme)
    where = (event.enrolment_id, learner.person_id)
    for days_ago, new in (
        (7, DIPLOMA),
        (5, NewCredential("paper", "pledge", 0, "", "1")),
        (3, NewCredential("paper", "health", 0, "", "2")),
        (2, NewCredential("practice", "", 7, "河南某化工 班组长", "3")),
    ):
        with clock.travelling_to(now - timedelta(days=days_ago)):
            record(jobs_services, *where, new)
    world.settle(queue_worker)
    (row,) = world.certificate_rows(jobs_services, learner.person_id)
    assert row.valid_from == clock.today() - timedelta(days=5)


def test_a_withdrawn_record_shows_nothing_any_more(jobs_services: Services, queue_worker: Worker) -> None:
    scheme = world.make_scheme(jobs_services, education="college", papers=["health"])
    learner = world.make_learner(jobs_services, world.make_enterprise(jobs_services))
    event = world.pass_exam(jobs_services, learner, programme=scheme)
    world.settle(queue_worker)
    credential_id = record(jobs_services, event.enrolment_id, learner.person_id, DIPLOMA)
    official, stranger = world.official_actor(jobs_services), world.official_actor(jobs_services, region_code=410922)
    with pytest.raises(NotFound), jobs_services.db.transaction(stranger.scope) as session:
        withdraw_credential(session, stranger, credential_id)
    with jobs_services.db.transaction(official.scope) as session:
        withdraw_credential(session, official, credential_id)
    with pytest.raises(CredentialGone), jobs_services.db.transaction(official.scope) as session:
        withdraw_credential(session, official, credential_id)
    record(jobs_services, event.enrolment_id, learner.person_id, NewCredential("paper", "health", 0, "", "1"))
    world.settle(queue_worker)
    assert missed(jobs_services, learner.person_id) == ["education"]


@pytest.mark.parametrize(
    "new",
    [
        NewCredential("education", "kindergarten", 0, "", "1"),
        NewCredential("education", "college", 0, "", " "),
        NewCredential("practice", "", 0, "厂里", "1"),
        NewCredential("practice", "", 12, "", "1"),
        NewCredential("paper", "bachelor", 0, "", "1"),
        NewCredential("rumour", "", 0, "", "1"),
    ],
)
def test_a_record_that_cannot_be_judged_is_refused(jobs_services: Services, new: NewCredential) -> None:
    learner = world.make_learner(jobs_services, world.make_enterprise(jobs_services))
    event = world.pass_exam(jobs_services, learner)
    with pytest.raises(CredentialInvalid):
        record(jobs_services, event.enrolment_id, learner.person_id, new)
    with jobs_services.db.transaction(WORKER_SCOPE, read_only=True) as session:
        assert credentials_of(session, learner.person_id) == []


def test_a_record_about_somebody_who_learns_elsewhere_is_refused_by_the_walls(
    jobs_services: Services, admin_connection: Admin
) -> None:
    learner = world.make_learner(jobs_services, world.make_enterprise(jobs_services))
    event = world.pass_exam(jobs_services, learner)
    stranger = world.official_actor(jobs_services, region_code=world.OTHER_COUNTY)
    with jobs_services.db.transaction(WORKER_SCOPE, read_only=True) as session:
        enrolment = courses.enrolment(session, learner.person_id, event.enrolment_id)
    with (
        pytest.raises(ProgrammingError, match="row-level security"),
        jobs_services.db.transaction(stranger.scope) as session,
    ):
        record_credential(session, stranger, enrolment, DIPLOMA)
    found = admin_connection.execute(
        "select count(*) from certs_credential where person_id = %s", (learner.person_id,)
    ).fetchone()
    assert found == (0,)


def employ_born(services: Services, born: date) -> world.Learner:
    """Employ somebody whose number tells this day of birth."""
    tenant_id = world.make_enterprise(services)
    body = f"{world.COUNTY}{born:%Y%m%d}{uuid.uuid4().int % 1000:03d}"
    new = accounts.NewEmployment("王建军", body + ric.calc_check_digit(body + "0"), world.POST)
    with services.db.transaction(WORKER_SCOPE) as session:
        employment_id = accounts.employ(session, SYSTEM, tenant_id, new)
        person_id = accounts.employment(session, tenant_id, employment_id).person_id
    return world.Learner(person_id, tenant_id, employment_id, "王建军")


def watch(session: Session, event: AttemptGraded) -> None:
    """Enter two class hours of 45 minutes, which only the clock could earn otherwise."""
    session.add(
        Credit(
            person_id=event.person_id,
            id=ids.new_id(),
            tenant_id=event.tenant_id,
            region_code=event.region_code,
            industry_code=event.industry_code,
            enrolment_id=event.enrolment_id,
            lesson_id=ids.new_id(),
            viewing_cycle=1,
            on_day=clock.today(),
            credited_s=2 * 45 * 60,
        )
    )


@pytest.mark.parametrize("is_kept", [False, True])
def test_class_hours_age_and_employment_are_judged_for_real(
    jobs_services: Services, queue_worker: Worker, is_kept: bool
) -> None:
    scheme = world.make_scheme(jobs_services, class_hours=1, employed=True, age_min=18, age_max=90)
    today = clock.today()
    learner = employ_born(jobs_services, date(today.year - (18 if is_kept else 17), 1, 1))
    event = world.pass_exam(jobs_services, learner, programme=scheme)
    with jobs_services.db.transaction(WORKER_SCOPE) as session:
        if is_kept:
            watch(session, event)
        else:
            accounts.end_employment(session, SYSTEM, learner.tenant_id, learner.employment_id, left_on=today)
    world.settle(queue_worker)
    if is_kept:
        (row,) = world.certificate_rows(jobs_services, learner.person_id)
        assert row.state == "issued"
        assert row.decision
        decision = row.decision
    else:
        assert world.certificate_rows(jobs_services, learner.person_id) == []
        (refusal,) = refusals(jobs_services, learner.person_id)
        decision = refusal.decision
    found = {one["condition"]: (one["found"], one["kept"]) for one in decision["findings"]}
    assert {name: found[name] for name in ("class_hours", "employed", "age")} == {
        "class_hours": ({"hours": 2.0 if is_kept else 0}, is_kept),
        "employed": ({"done": is_kept}, is_kept),
        "age": ({"age": 18 if is_kept else 17}, is_kept),
    }


def test_the_latest_refusal_is_the_one_that_stays(jobs_services: Services, queue_worker: Worker) -> None:
    scheme = world.make_scheme(jobs_services, papers=["health"])
    learner = world.make_learner(jobs_services, world.make_enterprise(jobs_services))
    world.pass_exam(jobs_services, learner, learned=False, programme=scheme)
    world.settle(queue_worker)
    assert missed(jobs_services, learner.person_id) == ["learning_completed", "papers"]
    event = world.pass_exam(jobs_services, learner, programme=scheme)
    world.settle(queue_worker)
    assert missed(jobs_services, learner.person_id) == ["papers"]
    (row,) = refusals(jobs_services, learner.person_id)
    assert row.attempt_id == event.attempt_id
