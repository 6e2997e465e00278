"""Consent and its withdrawal, confirmation by hand, storing templates and portraits."""

from __future__ import annotations

import uuid
from datetime import timedelta

from sqlalchemy import delete, insert, select, update
from sqlalchemy.dialects.postgresql import insert as upsert
from sqlalchemy.orm import Session

from lms.accounts import queries
from lms.accounts.faces.models import Consent, FaceTemplate, FaceVerification, IdentityConfirmation, Portrait
from lms.accounts.faces.queries import BIOMETRIC, PORTRAIT
from lms.accounts.faces.texts import consent_text
from lms.accounts.sign_in.models import SignInFailure
from lms.core import audit, clock, ids, notify, queue
from lms.core.access import Actor
from lms.core.errors import Unauthenticated
from lms.core.faces.api import Template
from lms.core.notify import Notice
from lms.core.services import Services, services_of
from lms.core.tenancy import WORKER_SCOPE

FORGET_OBJECT = "accounts.forget_object"
FORGET_BATCH = 500
# The throttle looks back a quarter of an hour; what is older than a day serves nobody.
FAILURES_KEPT = timedelta(days=1)


def person_of(actor: Actor) -> uuid.UUID:
    """Return the signed-in person's id. Raises Unauthenticated."""
    if actor.person_id is None:
        raise Unauthenticated
    return actor.person_id


def template_context(person_id: uuid.UUID, engine_id: str, model_sha256: str) -> str:
    """Return what a sealed template is bound to: whose it is and which model can read it."""
    return f"face_template:{person_id}:{engine_id}:{model_sha256}"


def answer_consent(session: Session, actor: Actor, *, biometric: bool, portrait: bool, language: str) -> None:
    """Record the person's answers; a no destroys the template, and the portrait, at once; person scope.

    Without the use of the face there is no picture to print, so ``portrait`` counts only beside it.
    """
    person_id = person_of(actor)
    given = {BIOMETRIC: biometric, PORTRAIT: biometric and portrait}
    for kind, answer in given.items():
        text = consent_text(kind, language)
        session.execute(
            insert(Consent).values(
                id=ids.new_id(),
                person_id=person_id,
                kind=kind,
                version=text.version,
                given=answer,
                text_sha256=text.sha256,
                at=clock.now(),
            )
        )
    if not biometric:
        revoke_template(session, person_id)
    if not given[PORTRAIT]:
        remove_portrait(session, person_id)
    audit.record(
        session, actor, "accounts.consent.answered", subject_type="person", subject_id=person_id, data={"given": given}
    )


def revoke_template(session: Session, person_id: uuid.UUID) -> None:
    """Destroy the template in use; the row stays without its bytes."""
    active = (FaceTemplate.person_id == person_id, FaceTemplate.revoked_at.is_(None))
    session.execute(update(FaceTemplate).where(*active).values(sealed=None, revoked_at=clock.now()))


def remove_portrait(session: Session, person_id: uuid.UUID) -> None:
    """Take the portrait back; its bytes are deleted by a job once this is committed."""
    row = session.get(Portrait, person_id)
    if row is None:
        return
    session.execute(delete(Portrait).where(Portrait.person_id == person_id))
    queue.enqueue(session, FORGET_OBJECT, key=row.object_key)


def store_template(session: Session, actor: Actor, template: Template) -> None:
    """Seal a new template in place of the old one; person scope."""
    person_id = person_of(actor)
    revoke_template(session, person_id)
    context = template_context(person_id, template.engine_id, template.model_sha256)
    session.execute(
        insert(FaceTemplate).values(
            id=ids.new_id(),
            person_id=person_id,
            sealed=services_of(session).vault.encrypt(template.vector, context=context),
            engine_id=template.engine_id,
            engine_version=template.engine_version,
            model_sha256=template.model_sha256,
            created_at=clock.now(),
            revoked_at=None,
        )
    )
    data = {"engine_id": template.engine_id, "engine_version": template.engine_version}
    audit.record(session, actor, "accounts.face.enrolled", subject_type="person", subject_id=person_id, data=data)


def store_portrait(session: Session, actor: Actor, object_key: str) -> None:
    """Name the stored portrait in place of an earlier one; person scope."""
    person_id = person_of(actor)
    remove_portrait(session, person_id)
    values = {"object_key": object_key, "agreed_at": clock.now()}
    session.execute(
        upsert(Portrait)
        .values(person_id=person_id, **values)
        .on_conflict_do_update(index_elements=["person_id"], set_=values)
    )


def confirm_identity(session: Session, actor: Actor, tenant_id: uuid.UUID, person_id: uuid.UUID) -> uuid.UUID:
    """Record that the actor has seen this employee and the identity card; tenant scope.

    Serves people who declined the use of the face, and those whom the camera keeps failing.
    It expires by the rule ``identity_confirmation_validity``. Raises NotFound for a person who
    does not work for the tenant.
    """
    found = queries.active_employment(session, person_id, tenant_id)
    rule = queries.rule(session, "identity_confirmation_validity", region_code=found.region_code)
    confirmation_id, now = ids.new_id(), clock.now()
    session.execute(
        insert(IdentityConfirmation).values(
            id=confirmation_id,
            person_id=person_id,
            tenant_id=tenant_id,
            confirmed_by=person_of(actor),
            at=now,
            expires_at=now + timedelta(days=rule.value["days"]),
        )
    )
    audit.record(
        session,
        actor,
        "accounts.identity.confirmed",
        subject_type="person",
        subject_id=person_id,
        tenant_id=tenant_id,
        data={"confirmation_id": str(confirmation_id), "rule_version": rule.version},
    )
    notice = Notice("身份已由管理员现场核对", "An administrator has checked your identity card", url="/learn")
    notify.send(session, person_id, notice, dedup_key=f"identity_confirmed:{confirmation_id}")
    return confirmation_id


def forget_object(services: Services, *, key: str) -> None:
    """Delete an object that no row names any more; a missing one is fine."""
    services.storage.delete(key)


def forget_expired(services: Services) -> None:
    """Delete evidence past its retention, and counters that no throttle looks at any more."""
    with services.db.transaction(WORKER_SCOPE) as session:
        expired = session.execute(
            select(FaceVerification.person_id, FaceVerification.id, FaceVerification.evidence_key)
            .where(FaceVerification.evidence_key.is_not(None), FaceVerification.evidence_expires_at < clock.now())
            .order_by(FaceVerification.evidence_expires_at)
            .limit(FORGET_BATCH)
        ).all()
        for person_id, verification_id, key in expired:
            services.storage.delete(str(key))
            session.execute(
                update(FaceVerification)
                .where(FaceVerification.person_id == person_id, FaceVerification.id == verification_id)
                .values(evidence_key=None)
            )
        session.execute(delete(SignInFailure).where(SignInFailure.at < clock.now() - FAILURES_KEPT))
