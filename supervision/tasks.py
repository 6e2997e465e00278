"""Periodic work of the room."""

from __future__ import annotations

import structlog

from lms.core.errors import Conflict
from lms.core.services import Services
from supervision import operations

FOLD_EVERY_S = 2.0
REBUILD_EVERY_S = 24 * 3600.0
log = structlog.get_logger()


def fold(services: Services) -> None:
    """Add up what waits; a deed so reaches boards and warnings within seconds."""
    done = operations.fold_all(services)
    if done.opened or done.closed:
        log.info("warnings_changed", opened=done.opened, closed=done.closed)


def rebuild(services: Services) -> None:
    """Count everything anew and say so when the folded figures were wrong."""
    try:
        corrected = operations.rebuild(services)
    except Conflict:
        log.info("figures_rebuild_postponed")
        return
    if corrected:
        log.error("figures_corrected", rows=corrected)
