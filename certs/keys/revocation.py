"""Taking a document key out of trust."""

from __future__ import annotations

from sqlalchemy import update
from sqlalchemy.orm import Session

from certs.models import IssuerKey
from lms.core import audit, clock
from lms.core.access import Actor
from lms.core.errors import Conflict


def revoke_key(session: Session, actor: Actor, key_id: str, *, reason: str) -> None:
    """Stop believing a document key from now on. Worker scope. Raises Conflict when none in force has the id.

    Certificates that the register entered before stay good: their place in the log proves when they were signed.
    """
    row = session.execute(
        update(IssuerKey)
        .where(IssuerKey.key_id == key_id, IssuerKey.kind == "pdf", IssuerKey.revoked_at.is_(None))
        .values(revoked_at=clock.now())
        .returning(IssuerKey.key_id)
    ).first()
    if row is None:
        raise Conflict
    audit.record(
        session, actor, "certs.key.revoked", subject_type="issuer_key", subject_id=key_id, data={"reason": reason}
    )
