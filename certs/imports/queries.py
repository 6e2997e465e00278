"""Read-only lists of imports."""

from __future__ import annotations

import uuid
from collections.abc import Iterator

from sqlalchemy import Select, or_, select
from sqlalchemy.orm import Session

from certs.imports.models import CertificateImport
from certs.imports.texts import STATE_TEXTS
from lms.core.paging import Page, paginate


def import_page(
    session: Session, tenant_id: uuid.UUID, q: str, state: str, cursor: str | None
) -> Page[CertificateImport]:
    """Return the department's imports, the newest first; ``q`` is part of a file's or a source system's name."""
    keys = [CertificateImport.__table__.c.id]
    return paginate(
        session,
        _imports(tenant_id, q, state),
        keys=keys,
        key_of=lambda row: [row.id],
        cursor=cursor,
        descending=True,
    )


def all_imports(session: Session, tenant_id: uuid.UUID, q: str, state: str) -> Iterator[CertificateImport]:
    """Yield the whole of the list."""
    yield from session.scalars(_imports(tenant_id, q, state).order_by(CertificateImport.id.desc()))


def _imports(tenant_id: uuid.UUID, q: str, state: str) -> Select[CertificateImport]:
    query = select(CertificateImport).where(CertificateImport.tenant_id == tenant_id)
    if q:
        file_name, source = CertificateImport.file_name, CertificateImport.source_system
        query = query.where(or_(file_name.contains(q, autoescape=True), source.contains(q, autoescape=True)))
    return query.where(CertificateImport.state == state) if state in STATE_TEXTS else query
