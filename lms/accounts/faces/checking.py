"""Enrolment and verification at the camera: short transactions around the computing."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import insert, select
from sqlalchemy.orm import Session

from lms.accounts import queries as register
from lms.accounts.errors import (
    ConsentMissing,
    FaceNeedsConfirmation,
    FaceNotEnrolled,
    IdentityPending,
    TooManyChecks,
)
from lms.accounts.faces import operations, queries
from lms.accounts.faces.models import FaceTemplate, FaceVerification
from lms.accounts.labels import advice_texts
from lms.core import audit, clock, ids
from lms.core.access import Actor
from lms.core.errors import NotFound
from lms.core.faces import api as faces
from lms.core.services import Services
from lms.core.tenancy import Scope, ScopeRole

WINDOW = timedelta(hours=1)


@dataclass(frozen=True, slots=True)
class FaceCheck:
    """The answer of one check: ``match``, ``no_match``, ``undetermined`` or ``confirmed_by_admin``.

    ``advice_codes`` are those of ``lms.core.faces.api.Advice``, ``advice`` the same as lazy texts
    for the person. There is no similarity: it would help an attacker to climb towards a match.
    """

    outcome: str
    advice_codes: tuple[str, ...]
    verification_id: uuid.UUID
    engine_id: str

    @property
    def advice(self) -> tuple[object, ...]:
        return advice_texts(self.advice_codes)

    @property
    def passed(self) -> bool:
        return self.outcome in queries.PASSED


@dataclass(frozen=True, slots=True)
class _Standing:
    """What is known of the person before a check."""

    employment: register.EmploymentView
    path: str
    template: faces.Template | None
    is_confirmed: bool
    failures: tuple[datetime, ...]
    checks_per_hour: int
    evidence_kept: timedelta


def scope_of(actor: Actor) -> Scope:
    """Return the person's own scope, whatever role is in use."""
    return Scope(ScopeRole.PERSON, person_id=operations.person_of(actor), tenant_id=actor.tenant_id)


def engine_of(services: Services) -> faces.FaceEngine:
    """Return the engine that the operator chose."""
    return faces.load_engine(services.settings.face_engine, services.settings.face_model_dir)


def enrol_face(services: Services, actor: Actor, frames: Sequence[bytes]) -> None:
    """Make the person's template from camera frames, and the portrait where it was agreed.

    A face other than the enrolled one is accepted only after an administrator has seen the person;
    so is a new template after a withdrawal, for nothing is left to compare with. Raises
    ConsentMissing, FaceNeedsConfirmation, and ``faces.FaceRejected`` with advice.
    """
    person_id, scope = operations.person_of(actor), scope_of(actor)
    with services.db.transaction(scope, read_only=True) as session:
        if not queries.has_biometric_consent(session, person_id):
            raise ConsentMissing
        portrait = queries.newest_consent(session, person_id, queries.PORTRAIT)
        old = _open_template(services, queries.active_template(session, person_id))
        must_confirm = old is None and _was_enrolled(session, person_id)
        is_confirmed = _confirmed_since_enrolment(session, person_id)
    engine = engine_of(services)
    template = faces.enrol(engine, frames)
    if not is_confirmed and (must_confirm or (old is not None and _differs(engine, old, template))):
        raise FaceNeedsConfirmation
    key = _store_portrait_bytes(services, person_id, frames) if portrait is not None and portrait.given else None
    with services.db.transaction(scope) as session:
        operations.store_template(session, actor, template)
        if key:
            operations.store_portrait(session, actor, key)


def _was_enrolled(session: Session, person_id: uuid.UUID) -> bool:
    return (
        session.scalars(select(FaceTemplate.id).where(FaceTemplate.person_id == person_id).limit(1)).first() is not None
    )


def _confirmed_since_enrolment(session: Session, person_id: uuid.UUID) -> bool:
    """Tell whether an administrator has seen the person since the newest template was made."""
    confirmation = queries.live_confirmation(session, person_id)
    made = select(FaceTemplate.created_at).where(FaceTemplate.person_id == person_id)
    newest = session.scalars(made.order_by(FaceTemplate.created_at.desc()).limit(1)).first()
    return confirmation is not None and (newest is None or confirmation.at > newest)


def _differs(engine: faces.FaceEngine, old: faces.Template, new: faces.Template) -> bool:
    try:
        return faces.template_similarity(engine, old, new) < engine.thresholds.for_purpose("enrolment").accept
    except faces.TemplateMismatch:
        # Another engine made the old one: a change of engine asks everybody to enrol again.
        return False


def _open_template(services: Services, row: FaceTemplate | None) -> faces.Template | None:
    if row is None or row.sealed is None:
        return None
    context = operations.template_context(row.person_id, row.engine_id, row.model_sha256)
    vector = services.vault.decrypt(row.sealed, context=context)
    return faces.Template(row.engine_id, row.engine_version, row.model_sha256, vector)


def _store_portrait_bytes(services: Services, person_id: uuid.UUID, frames: Sequence[bytes]) -> str | None:
    try:
        jpeg = faces.portrait(frames[0], engine=engine_of(services))
    except faces.FaceRejected:
        return None
    key = f"portraits/{person_id}/{ids.new_id()}"
    services.storage.put(key, services.vault.encrypt(jpeg, context=f"portrait:{person_id}"))
    return key


def verify_face(
    services: Services, actor: Actor, *, purpose: str, subject_id: uuid.UUID, frames: Sequence[bytes]
) -> FaceCheck:
    """Check that it is the signed-in person who sits there, and keep the decision with its evidence.

    ``purpose`` is ``learning`` or ``exam``; ``subject_id`` what is being done (a lesson's check, an
    attempt). Opens its own short transactions: call it outside of any. Whoever declined the use of
    the face, or has failed as often as the rule ``identity_checks_per_hour`` allows, passes by an
    administrator's live confirmation. Raises IdentityPending, FaceNotEnrolled, TooManyChecks,
    NotFound for a person who does not work for the role's tenant.
    """
    with services.db.transaction(scope_of(actor), read_only=True) as session:
        standing = _standing(services, session, actor, purpose)
    if standing.path == "declined_pending":
        raise IdentityPending
    if standing.path == "declined_confirmed":
        return _keep(services, actor, standing, purpose, subject_id, None, ())
    if standing.template is None:
        raise FaceNotEnrolled
    if len(standing.failures) >= standing.checks_per_hour:
        if not standing.is_confirmed:
            oldest = min(standing.failures)
            raise TooManyChecks(retry_after_s=max(1, int((oldest + WINDOW - clock.now()).total_seconds()) + 1))
        return _keep(services, actor, standing, purpose, subject_id, None, ())
    result = _compare(engine_of(services), standing.template, frames, purpose)
    return _keep(services, actor, standing, purpose, subject_id, result, frames)


def _standing(services: Services, session: Session, actor: Actor, purpose: str) -> _Standing:
    person_id = operations.person_of(actor)
    if actor.tenant_id is None:
        raise NotFound
    employment = register.active_employment(session, person_id, actor.tenant_id)
    rules = {
        code: register.rule(session, code, region_code=employment.region_code).value
        for code in ("identity_checks_per_hour", "identity_evidence_retention")
    }
    checks = int(rules["identity_checks_per_hour"]["checks"])
    failed = (
        FaceVerification.person_id == person_id,
        FaceVerification.purpose == purpose,
        FaceVerification.outcome.not_in(queries.PASSED),
        FaceVerification.at > clock.now() - WINDOW,
    )
    newest = select(FaceVerification.at).where(*failed).order_by(FaceVerification.at.desc()).limit(checks)
    return _Standing(
        employment=employment,
        path=queries.identity_path(session, person_id),
        template=_open_template(services, queries.active_template(session, person_id)),
        is_confirmed=queries.live_confirmation(session, person_id) is not None,
        failures=tuple(session.scalars(newest)),
        checks_per_hour=checks,
        evidence_kept=timedelta(days=rules["identity_evidence_retention"]["days"]),
    )


def _compare(
    engine: faces.FaceEngine, template: faces.Template, frames: Sequence[bytes], purpose: str
) -> faces.VerificationResult:
    try:
        return faces.verify(engine, template, frames, purpose=purpose)
    except faces.TemplateMismatch:
        raise FaceNotEnrolled from None
    except faces.FaceRejected as refused:
        band = engine.thresholds.for_purpose(purpose)
        return faces.VerificationResult(
            outcome=faces.Outcome.UNDETERMINED,
            similarity=None,
            threshold_accept=band.accept,
            threshold_reject=band.reject,
            engine_id=engine.id,
            engine_version=engine.version,
            model_sha256=engine.model_sha256,
            advice=refused.advice,
        )


def _keep(
    services: Services,
    actor: Actor,
    standing: _Standing,
    purpose: str,
    subject_id: uuid.UUID,
    result: faces.VerificationResult | None,
    frames: Sequence[bytes],
) -> FaceCheck:
    """Store a decision; without ``result`` it is the administrator's confirmation that passes."""
    outcome = result.outcome.value if result else "confirmed_by_admin"
    advice = tuple(str(code) for code in result.advice) if result else ()
    check = FaceCheck(outcome, advice, ids.new_id(), result.engine_id if result else "none")
    # What is no picture shows nobody anything, and may be worse.
    pictures = () if any(code in faces.IMAGE_REFUSALS for code in advice) else frames
    key = _store_evidence(services, check.verification_id, pictures)
    try:
        with services.db.transaction(scope_of(actor)) as session:
            session.execute(
                insert(FaceVerification).values(
                    **_told(standing, check, result, key),
                    person_id=actor.person_id,
                    purpose=purpose,
                    subject_id=subject_id,
                )
            )
            _audit_check(session, actor, purpose, check)
    except BaseException:
        if key:
            services.storage.delete(key)
        raise
    return check


def _told(
    standing: _Standing, check: FaceCheck, result: faces.VerificationResult | None, key: str | None
) -> dict[str, object]:
    now = clock.now()
    return {
        "id": check.verification_id,
        "tenant_id": standing.employment.tenant_id,
        "region_code": standing.employment.region_code,
        "industry_code": standing.employment.industry_code,
        "outcome": check.outcome,
        "engine_id": check.engine_id,
        "engine_version": result.engine_version if result else "",
        "model_sha256": result.model_sha256 if result else "",
        "liveness": result.liveness if result else "none",
        "advice": list(check.advice_codes),
        "evidence_key": key,
        "evidence_expires_at": now + standing.evidence_kept if key else None,
        "at": now,
    }


def _audit_check(session: Session, actor: Actor, purpose: str, check: FaceCheck) -> None:
    audit.record(
        session,
        actor,
        "accounts.identity.checked",
        subject_type="person",
        subject_id=actor.person_id,
        data={"purpose": purpose, "outcome": check.outcome, "verification_id": str(check.verification_id)},
    )


def _store_evidence(services: Services, verification_id: uuid.UUID, frames: Sequence[bytes]) -> str | None:
    """Keep one picture, encrypted, for whoever has to judge the decision later."""
    if not frames:
        return None
    key = f"face-evidence/{verification_id}"
    services.storage.put(key, services.vault.encrypt(frames[0], context=f"face_evidence:{verification_id}"))
    return key
