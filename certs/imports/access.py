"""The only way to load an import for a request."""

from __future__ import annotations

import uuid

from sqlalchemy.orm import Session

from certs.imports.earlier import EARLIER_CERTIFICATES
from certs.imports.models import CertificateImport
from lms.core.access import Actor
from lms.core.imports import queries as imports


def access_import(session: Session, actor: Actor, import_id: uuid.UUID, *, lock: bool = False) -> CertificateImport:
    """Return an import of the actor's own department. Raises NotFound."""
    return imports.access_import(session, EARLIER_CERTIFICATES, actor.tenant_id, import_id, lock=lock)
