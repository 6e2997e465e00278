"""The only way to load an import for a request."""

from __future__ import annotations

import uuid

from sqlalchemy import select
from sqlalchemy.orm import Session

from certs.imports.models import CertificateImport
from lms.core.access import Actor
from lms.core.errors import NotFound


def access_import(session: Session, actor: Actor, import_id: uuid.UUID, *, lock: bool = False) -> CertificateImport:
    """Return an import of the actor's own department. Raises NotFound."""
    mine = (CertificateImport.tenant_id == actor.tenant_id, CertificateImport.id == import_id)
    query = select(CertificateImport).where(*mine).execution_options(populate_existing=True)
    row = session.scalars(query.with_for_update(key_share=True) if lock else query).first()
    if row is None:
        raise NotFound
    return row
