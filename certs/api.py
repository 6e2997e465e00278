"""The door of this room for the rooms above."""

from __future__ import annotations

import uuid

from sqlalchemy.orm import Session

from certs import queries
from certs.queries import CertificateView
from lms.core import clock

__all__ = ["CertificateView", "certificates_of"]


def certificates_of(session: Session, person_id: uuid.UUID) -> list[CertificateView]:
    """Return a person's issued certificates within the scope, the newest first.

    ``status`` is what a reader is told today: valid, expiring, expired, suspended, revoked, ….
    """
    return queries.certificates_of(session, person_id, clock.today())
