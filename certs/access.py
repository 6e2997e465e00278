"""Permissions of this room, and the only way to load a certificate for a request."""

from __future__ import annotations

import uuid
from enum import StrEnum

from sqlalchemy import select
from sqlalchemy.orm import Session

from certs.models import Certificate
from lms.core.errors import NotFound


class P(StrEnum):
    """What one may do with certificates."""

    HOLD = "certs.certificate.hold"
    READ_STAFF = "certs.certificate.read_staff"
    SUPERVISE = "certs.certificate.supervise"
    DECIDE = "certs.certificate.decide"
    IMPORT = "certs.certificate.import"
    READ_SCHEMES = "certs.scheme.read"
    EDIT_SCHEMES = "certs.scheme.edit"
    PUBLISH_SCHEMES = "certs.scheme.publish"
    RECORD = "certs.credential.record"


def access_certificate(session: Session, certificate_id: uuid.UUID) -> Certificate:
    """Return the certificate if the scope lets it through. Raises NotFound."""
    row = session.scalars(select(Certificate).where(Certificate.id == certificate_id)).first()
    if row is None:
        raise NotFound
    return row
