"""The only way to load an import for a request."""

from __future__ import annotations

import uuid

from sqlalchemy.orm import Session

from lms.core.access import Actor
from lms.core.errors import NotFound
from lms.core.imports.kinds import C, I, ImportKind
from lms.core.imports.queries import one_import


def access_import(
    session: Session, actor: Actor, kind: ImportKind[I, C], import_id: uuid.UUID, *, lock: bool = False
) -> I:
    """Return an import of the actor's own organisation. Raises NotFound."""
    query = one_import(kind, import_id, lock=lock).where(kind.imports.tenant_id == actor.tenant_id)
    row = session.scalars(query).first()
    if row is None:
        raise NotFound
    return row
