"""Reading consent, identity paths, portraits and past verifications."""

from __future__ import annotations

import uuid
from datetime import datetime

from sqlalchemy import bindparam, select
from sqlalchemy.orm import Session

from lms.accounts.faces.models import Consent, FaceTemplate, FaceVerification, IdentityConfirmation, Portrait
from lms.core import clock
from lms.core.crypto import Undecryptable
from lms.core.prepared import Prepared
from lms.core.services import Services
from lms.core.storage import ObjectMissing

BIOMETRIC = "biometric"
PORTRAIT = "portrait"
PASSED = ("match", "confirmed_by_admin")


def newest_consent(session: Session, person_id: uuid.UUID, kind: str) -> Consent | None:
    """Return the person's newest answer to one kind of consent, or None."""
    mine = select(Consent).where(Consent.person_id == person_id, Consent.kind == kind)
    return session.scalars(mine.order_by(Consent.at.desc(), Consent.id.desc()).limit(1)).first()


def has_biometric_consent(session: Session, person_id: uuid.UUID) -> bool:
    """Tell whether the person's newest answer allows the use of the face."""
    newest = newest_consent(session, person_id, BIOMETRIC)
    return newest is not None and newest.given


def active_template(session: Session, person_id: uuid.UUID) -> FaceTemplate | None:
    """Return the template in use; person or worker scope."""
    mine = (FaceTemplate.person_id == person_id, FaceTemplate.revoked_at.is_(None))
    return session.scalars(select(FaceTemplate).where(*mine)).first()


def live_confirmation(session: Session, person_id: uuid.UUID) -> IdentityConfirmation | None:
    """Return the newest unexpired confirmation by an administrator, or None."""
    live = (IdentityConfirmation.person_id == person_id, IdentityConfirmation.expires_at > clock.now())
    newest = select(IdentityConfirmation).where(*live).order_by(IdentityConfirmation.at.desc())
    return session.scalars(newest.limit(1)).first()


def identity_path(session: Session, person_id: uuid.UUID) -> str:
    """Return how this person's identity is checked.

    ``face``: consent and a template; ``declined_confirmed``: no consent, an administrator has seen
    the id card; ``declined_pending``: no consent, nobody has yet; ``none``: not decided or not
    enrolled.
    """
    newest = newest_consent(session, person_id, BIOMETRIC)
    if newest is None:
        return "none"
    if not newest.given:
        return "declined_confirmed" if live_confirmation(session, person_id) else "declined_pending"
    return "face" if is_enrolled(session, person_id) else "none"


def is_enrolled(session: Session, person_id: uuid.UUID) -> bool:
    """Tell whether the person has a template; a tenant may ask this of its own staff."""
    mine = (FaceTemplate.person_id == person_id, FaceTemplate.revoked_at.is_(None))
    return session.scalars(select(FaceTemplate.id).where(*mine)).first() is not None


def last_passed_verification(
    session: Session, person_id: uuid.UUID, *, purpose: str, subject_id: uuid.UUID, since: datetime
) -> uuid.UUID | None:
    """Return the newest verification of this subject that opened the door since then, or None."""
    passed = (
        FaceVerification.person_id == person_id,
        FaceVerification.purpose == purpose,
        FaceVerification.subject_id == subject_id,
        FaceVerification.outcome.in_(PASSED),
        FaceVerification.at >= since,
    )
    return session.scalars(
        select(FaceVerification.id).where(*passed).order_by(FaceVerification.at.desc()).limit(1)
    ).first()


_PORTRAIT = Prepared(select(Portrait.object_key).where(Portrait.person_id == bindparam("person_id")))


def portrait_key(session: Session, person_id: uuid.UUID) -> str | None:
    """Return the storage key of the portrait that the person agreed to; person or worker scope."""
    rows = _PORTRAIT.rows(session, person_id=person_id)
    return rows[0].object_key if rows else None


def portrait_bytes(services: Services, session: Session, person_id: uuid.UUID) -> bytes | None:
    """Return the agreed portrait as JPEG, decrypted, or None."""
    key = portrait_key(session, person_id)
    if key is None:
        return None
    try:
        sealed = services.storage.get(key)
    except ObjectMissing:
        return None
    try:
        return services.vault.decrypt(sealed, context=f"portrait:{person_id}")
    except Undecryptable:
        return None
