"""Consent, enrolment and verification with real pictures of people."""

from __future__ import annotations

import io
import uuid
from datetime import timedelta
from pathlib import Path

import pytest
from flask.testing import FlaskClient
from sqlalchemy import select, update

from lms.accounts.errors import ConsentMissing, FaceNeedsConfirmation, FaceNotEnrolled, IdentityPending, TooManyChecks
from lms.accounts.faces import checking, operations, queries
from lms.accounts.faces.checking import FaceCheck
from lms.accounts.faces.models import Consent, FaceTemplate, FaceVerification
from lms.core import clock
from lms.core.access import Actor, Role
from lms.core.crypto import Undecryptable
from lms.core.errors import NotFound
from lms.core.faces.api import FaceRejected
from lms.core.services import Services
from lms.core.storage import ObjectMissing
from lms.core.tenancy import WORKER_SCOPE
from tests.accounts import factories
from tests.conftest import Admin
from tests.conftest import Worker as QueueWorker

FACES = Path(__file__).parents[2] / "lms" / "accounts" / "demo_faces"


def _face(name: str) -> bytes:
    return (FACES / f"{name}.jpg").read_bytes()


ONE = [_face("001_03"), _face("001_08"), _face("001_03")]
OTHER = [_face("004_03"), _face("004_08"), _face("004_03")]


@pytest.fixture
def worker(jobs_services: Services) -> factories.Worker:
    """An employee."""
    return factories.new_worker(jobs_services)


def _answer(services: Services, worker: factories.Worker, *, biometric: bool, portrait: bool = False) -> None:
    with services.db.transaction(worker.actor.scope) as session:
        operations.answer_consent(session, worker.actor, biometric=biometric, portrait=portrait, language="zh")


def _enrolled(services: Services, worker: factories.Worker, *, portrait: bool = False) -> None:
    _answer(services, worker, biometric=True, portrait=portrait)
    checking.enrol_face(services, worker.actor, ONE)


def _verify(services: Services, worker: factories.Worker, frames: list[bytes], purpose: str = "learning") -> FaceCheck:
    return checking.verify_face(services, worker.actor, purpose=purpose, subject_id=uuid.uuid4(), frames=frames)


def _path(services: Services, worker: factories.Worker) -> str:
    with services.db.transaction(worker.actor.scope, read_only=True) as session:
        return queries.identity_path(session, worker.person_id)


def _confirm(services: Services, worker: factories.Worker) -> None:
    scope = factories.tenant_scope(worker.tenant_id)
    admin = Actor(uuid.uuid4(), Role.ENTERPRISE_ADMIN, worker.tenant_id, "", "", frozenset(), scope)
    with services.db.transaction(scope) as session:
        operations.confirm_identity(session, admin, worker.tenant_id, worker.person_id)


def test_no_template_without_consent(services: Services, worker: factories.Worker) -> None:
    with pytest.raises(ConsentMissing):
        checking.enrol_face(services, worker.actor, ONE)
    assert _path(services, worker) == "none"


def test_the_enrolled_person_matches_and_another_does_not(services: Services, worker: factories.Worker) -> None:
    _enrolled(services, worker)
    assert _path(services, worker) == "face"
    same = _verify(services, worker, [_face("001_08")] * 2)
    assert (same.outcome, same.passed, same.advice_codes) == ("match", True, ())
    other = _verify(services, worker, OTHER)
    assert (other.outcome, other.passed) == ("no_match", False)


def test_a_decision_is_kept_with_its_evidence_but_without_a_similarity(
    services: Services, jobs_services: Services, worker: factories.Worker
) -> None:
    _enrolled(services, worker)
    check = _verify(services, worker, ONE, "exam")
    with jobs_services.db.transaction(WORKER_SCOPE, read_only=True) as session:
        row = session.scalars(select(FaceVerification).where(FaceVerification.id == check.verification_id)).one()
        log = session.connection().exec_driver_sql(
            "select data::text from core_audit where subject_id = %s", (str(worker.person_id),)
        )
        audited = " ".join(str(entry[0]) for entry in log)
    assert (row.outcome, row.liveness, row.region_code, row.industry_code) == ("match", "none", 410102, "26")
    assert row.engine_id == "sface"
    assert "similarity" not in {column.name for column in FaceVerification.__table__.columns}
    assert "similarity" not in audited
    sealed = services.storage.get(row.evidence_key or "")
    assert b"JFIF" not in sealed
    assert services.vault.decrypt(sealed, context=f"face_evidence:{row.id}") == ONE[0]


def test_evidence_is_deleted_after_its_retention(
    services: Services, jobs_services: Services, worker: factories.Worker, queue_worker: QueueWorker
) -> None:
    _enrolled(services, worker)
    old, new = _verify(services, worker, ONE), _verify(services, worker, ONE)
    with jobs_services.db.transaction(WORKER_SCOPE) as session:
        session.execute(
            update(FaceVerification)
            .where(FaceVerification.id == old.verification_id)
            .values(evidence_expires_at=clock.now() - timedelta(seconds=1))
        )
    queue_worker.tick("accounts.forget_expired")
    with pytest.raises(ObjectMissing):
        services.storage.get(f"face-evidence/{old.verification_id}")
    assert services.storage.get(f"face-evidence/{new.verification_id}")
    with jobs_services.db.transaction(WORKER_SCOPE, read_only=True) as session:
        row = session.scalars(select(FaceVerification).where(FaceVerification.id == old.verification_id)).one()
        assert (row.evidence_key, row.outcome) == (None, "match")


def test_templates_are_sealed_and_bound_to_their_person(
    services: Services,
    jobs_services: Services,
    worker: factories.Worker,
    admin_connection: Admin,
) -> None:
    """A template moved to another person's row does not open."""
    _enrolled(services, worker)
    thief = factories.new_worker(jobs_services)
    _enrolled(services, thief)
    admin_connection.execute(
        "update accounts_face_template t set sealed = s.sealed from accounts_face_template s"
        " where t.person_id = %s and s.person_id = %s",
        (worker.person_id, thief.person_id),
    )
    with pytest.raises(Undecryptable):
        _verify(services, worker, OTHER)


def test_unusable_pictures_get_advice_and_no_template(services: Services, worker: factories.Worker) -> None:
    _answer(services, worker, biometric=True)
    with pytest.raises(FaceRejected) as refused:
        checking.enrol_face(services, worker.actor, [b"not a picture"] * 3)
    assert refused.value.advice
    assert _path(services, worker) == "none"


def test_unusable_frames_are_undetermined_with_advice(services: Services, worker: factories.Worker) -> None:
    _enrolled(services, worker)
    check = _verify(services, worker, [b"not a picture"])
    assert (check.outcome, check.passed) == ("undetermined", False)
    assert check.advice_codes
    assert _verify(services, worker, ONE).passed


def test_who_declines_waits_for_an_administrator_and_then_passes(services: Services, worker: factories.Worker) -> None:
    _answer(services, worker, biometric=False, portrait=True)
    assert _path(services, worker) == "declined_pending"
    with pytest.raises(IdentityPending):
        _verify(services, worker, ONE)
    _confirm(services, worker)
    assert _path(services, worker) == "declined_confirmed"
    check = _verify(services, worker, [])
    assert (check.outcome, check.passed, check.engine_id) == ("confirmed_by_admin", True, "none")


def test_a_confirmation_expires(services: Services, worker: factories.Worker) -> None:
    _answer(services, worker, biometric=False)
    with clock.travelling_to(clock.now() - timedelta(days=91)):
        _confirm(services, worker)
    assert _path(services, worker) == "declined_pending"


def test_only_the_employer_confirms(services: Services, jobs_services: Services, worker: factories.Worker) -> None:
    stranger = factories.new_enterprise(jobs_services)
    scope = factories.tenant_scope(stranger)
    admin = Actor(uuid.uuid4(), Role.ENTERPRISE_ADMIN, stranger, "", "", frozenset(), scope)
    for tenant_id in (stranger, worker.tenant_id):
        with pytest.raises(NotFound), services.db.transaction(scope) as session:
            operations.confirm_identity(session, admin, tenant_id, worker.person_id)


def test_withdrawal_destroys_the_template_and_the_portrait(
    services: Services, jobs_services: Services, worker: factories.Worker, queue_worker: QueueWorker
) -> None:
    _enrolled(services, worker, portrait=True)
    with services.db.transaction(worker.actor.scope, read_only=True) as session:
        key = queries.portrait_key(session, worker.person_id)
        jpeg = queries.portrait_bytes(services, session, worker.person_id)
    assert key is not None
    assert jpeg is not None
    assert jpeg.startswith(b"\xff\xd8")
    assert not services.storage.get(key).startswith(b"\xff\xd8")
    _answer(services, worker, biometric=False)
    with jobs_services.db.transaction(WORKER_SCOPE, read_only=True) as session:
        rows = session.scalars(select(FaceTemplate).where(FaceTemplate.person_id == worker.person_id)).all()
        answers = session.scalars(
            select(Consent.given).where(Consent.person_id == worker.person_id, Consent.kind == "biometric")
        ).all()
        assert queries.portrait_key(session, worker.person_id) is None
    assert [(row.sealed, row.revoked_at is None) for row in rows] == [(None, False)]
    assert sorted(answers) == [False, True]
    queue_worker.drain()
    with pytest.raises(ObjectMissing):
        services.storage.get(key)
    with pytest.raises(IdentityPending):
        _verify(services, worker, ONE)


def test_no_portrait_without_its_own_agreement(services: Services, worker: factories.Worker) -> None:
    _enrolled(services, worker)
    with services.db.transaction(worker.actor.scope, read_only=True) as session:
        assert queries.portrait_bytes(services, session, worker.person_id) is None


def test_another_face_cannot_replace_the_enrolled_one_unseen(services: Services, worker: factories.Worker) -> None:
    _enrolled(services, worker)
    with pytest.raises(FaceNeedsConfirmation):
        checking.enrol_face(services, worker.actor, OTHER)
    checking.enrol_face(services, worker.actor, ONE)
    _confirm(services, worker)
    checking.enrol_face(services, worker.actor, OTHER)
    assert _verify(services, worker, OTHER).passed


def test_withdrawing_and_agreeing_again_does_not_let_another_face_in(
    services: Services, worker: factories.Worker
) -> None:
    _enrolled(services, worker)
    _answer(services, worker, biometric=False)
    _answer(services, worker, biometric=True)
    with pytest.raises(FaceNeedsConfirmation):
        checking.enrol_face(services, worker.actor, OTHER)
    with pytest.raises(FaceNotEnrolled):
        _verify(services, worker, OTHER)


def test_failures_are_limited_by_the_hour_and_then_a_person_decides(
    services: Services, worker: factories.Worker, admin_connection: Admin
) -> None:
    _enrolled(services, worker)
    first = _verify(services, worker, OTHER)
    assert first.outcome == "no_match"
    admin_connection.execute(
        "insert into accounts_face_verification select gen_random_uuid(), person_id, tenant_id, region_code,"
        " industry_code, purpose, subject_id, outcome, engine_id, engine_version, model_sha256, liveness, advice,"
        " null, null, at from accounts_face_verification, generate_series(1, 11) where id = %s",
        (first.verification_id,),
    )
    with pytest.raises(TooManyChecks) as refused:
        _verify(services, worker, ONE)
    assert 0 < int(str(refused.value.data["retry_after_s"])) <= 3601
    assert _verify(services, worker, ONE, "exam").passed
    _confirm(services, worker)
    assert _verify(services, worker, ONE).outcome == "confirmed_by_admin"


def test_the_last_passed_verification_is_found_by_its_subject(services: Services, worker: factories.Worker) -> None:
    _enrolled(services, worker)
    subject, since = uuid.uuid4(), clock.now()
    check = checking.verify_face(services, worker.actor, purpose="exam", subject_id=subject, frames=ONE)
    failed = uuid.uuid4()
    checking.verify_face(services, worker.actor, purpose="exam", subject_id=failed, frames=OTHER)

    def found(subject_id: uuid.UUID, since_s: float = 0) -> uuid.UUID | None:
        with services.db.transaction(worker.actor.scope, read_only=True) as session:
            return queries.last_passed_verification(
                session,
                worker.person_id,
                purpose="exam",
                subject_id=subject_id,
                since=since + timedelta(seconds=since_s),
            )

    assert found(subject) == check.verification_id
    assert found(subject, since_s=3600) is None
    assert found(failed) is None


def test_the_whole_way_through_the_pages(
    client: FlaskClient, jobs_services: Services, worker: factories.Worker
) -> None:
    factories.activate(client, jobs_services, worker.person_id, worker.tenant_id, worker.id_number)
    assert client.get("/me/face").location == "/me/consent"
    assert "第二十九条" in client.get("/me/consent", headers={"Accept-Language": "zh"}).text
    assert client.post("/me/consent", data={"answer": "agree", "portrait": "yes"}).location == "/me/face"
    assert "data-camera" in client.get("/me/face").text

    def send(pictures: list[bytes]) -> tuple[int, dict[str, object]]:
        files = [(io.BytesIO(picture), f"{n}.jpg", "image/jpeg") for n, picture in enumerate(pictures)]
        answer = client.post("/me/face", data={"frames": files}, content_type="multipart/form-data")
        return answer.status_code, answer.get_json()

    status, rejected = send(ONE[:1])
    assert (status, rejected["outcome"]) == (422, "rejected")
    assert rejected["advice"]
    assert send(ONE)[1]["outcome"] == "enrolled"
    assert client.get("/me/portrait").data.startswith(b"\xff\xd8")
    assert client.post("/me/consent", data={"answer": "decline"}).location == "/me"
    assert client.get("/me/portrait").status_code == 404
