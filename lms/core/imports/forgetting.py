"""Files of imports go when nobody needs them: the good rows at the end, the rest after the retention period."""

from __future__ import annotations

import uuid
from datetime import timedelta

from sqlalchemy import select

from lms.core import clock
from lms.core.imports import queries
from lms.core.imports.kinds import C, I, ImportKind
from lms.core.services import Services
from lms.core.tenancy import WORKER_SCOPE


def forget_files(kind: ImportKind[I, C], services: Services, row: I, *, bad_too: bool) -> None:
    """Delete the files of an import; bad rows may stay for download."""
    parts = kind.parts(services, row.id)
    with services.db.transaction(WORKER_SCOPE, read_only=True) as session:
        kind.forget_more(session, parts, row.chunks_total)
    parts.forget(row.chunks_total, bad_too=bad_too)


def forget_old_files(kind: ImportKind[I, C], services: Services) -> None:
    """Delete the files of imports that are over, or wait for nobody, and are older than the retention period."""
    before, imports = clock.now() - timedelta(days=kind.limits.keep_files_days), kind.imports
    with services.db.transaction(WORKER_SCOPE, read_only=True) as session:
        old = session.scalars(
            select(imports.id).where(
                imports.created_at < before,
                imports.files_forgotten_at.is_(None),
                imports.state.not_in(kind.busy_states),
            )
        ).all()
    for import_id in old:
        _forget_one(kind, services, import_id)


def _forget_one(kind: ImportKind[I, C], services: Services, import_id: uuid.UUID) -> None:
    with services.db.transaction(WORKER_SCOPE) as session:
        row = queries.import_row(session, kind, import_id, lock=True)
        if row is None or row.state in kind.busy_states:
            return
        # A check or preview that nobody ever confirmed loses its file with this, so nobody may confirm it now.
        row.state = "cancelled" if row.state in {"checking", "ready"} else row.state
    forget_files(kind, services, row, bad_too=True)
    with services.db.transaction(WORKER_SCOPE) as session:
        row = queries.import_row(session, kind, import_id, lock=True)
        if row is not None:
            row.files_forgotten_at = clock.now()
