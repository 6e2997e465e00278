"""Periodic work of the room."""

from __future__ import annotations

from datetime import timedelta

import structlog

from lms.core import clock
from lms.core.errors import Conflict
from lms.core.services import Services
from lms.core.tenancy import WORKER_SCOPE
from supervision import operations
from supervision.figures import operations as figures

FOLD_EVERY_S = 2.0
LOOK_EVERY_S = 600.0
REBUILD_AFTER = timedelta(hours=24)
log = structlog.get_logger()


def fold(services: Services) -> None:
    """Add up what waits; a deed so reaches boards and warnings within seconds."""
    done = operations.fold_all(services)
    if done.opened or done.closed:
        log.info("warnings_changed", opened=done.opened, closed=done.closed)


def rebuild(services: Services) -> None:
    """Count everything anew once a day and say so when the folded figures were wrong.

    Whether a day has passed stands in the figures themselves, so that restarts neither skip nor
    repeat it.
    """
    with services.db.transaction(WORKER_SCOPE, read_only=True) as session:
        counted_at = figures.oldest_count(session)
    if counted_at is None or clock.now() - counted_at < REBUILD_AFTER:
        return
    try:
        corrected = operations.rebuild(services)
    except Conflict:
        log.info("figures_rebuild_postponed")
        return
    if corrected:
        log.error("figures_corrected", rows=corrected)
