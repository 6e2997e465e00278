"""Permissions of the room, and the only ways to load its rows for a request."""

from __future__ import annotations

import uuid
from enum import StrEnum

from sqlalchemy import select
from sqlalchemy.orm import Session

import lms.accounts.api as accounts
from lms.accounts.api import Region
from lms.core.access import Actor
from lms.core.errors import NotFound
from supervision.figures.models import EnterpriseTotal
from supervision.warnings.models import WarningCase


class P(StrEnum):
    """What one may do with figures and warnings."""

    BOARD_READ = "supervision.board.read"
    BOARD_EXPORT = "supervision.board.export"
    WARNING_READ = "supervision.warning.read"
    WARNING_HANDLE = "supervision.warning.handle"
    TENANT_READ = "supervision.tenant.read"


def access_region(session: Session, actor: Actor, code: int | None) -> Region:
    """Return a division within the regulator's own; ``None`` is the root of what they oversee.

    Raises NotFound outside of it.
    """
    scope = actor.scope
    if scope.region_lo is None or scope.region_hi is None:
        raise NotFound
    found = accounts.region(session, scope.region_lo if code is None else code)
    if found.lo < scope.region_lo or found.hi > scope.region_hi:
        raise NotFound
    return found


def access_enterprise(session: Session, tenant_id: uuid.UUID) -> EnterpriseTotal:
    """Return how an enterprise within the scope stands. Raises NotFound."""
    row = session.get(EnterpriseTotal, tenant_id)
    if row is None:
        raise NotFound
    return row


def access_warning(session: Session, warning_id: uuid.UUID) -> WarningCase:
    """Return a case within the scope. Raises NotFound."""
    row = session.scalars(select(WarningCase).where(WarningCase.id == warning_id)).first()
    if row is None:
        raise NotFound
    return row
