"""Permissions of the staff pages, and the only ways to load their rows for a request."""

from __future__ import annotations

import uuid
from enum import StrEnum

from sqlalchemy.orm import Session

from lms.accounts.models import Employment
from lms.core.access import Actor
from lms.core.errors import NotFound


class P(StrEnum):
    """What one may do with an organisation's staff."""

    READ = "accounts.staff.read"
    EDIT = "accounts.staff.edit"
    REVEAL = "accounts.staff.reveal"
    IMPORT = "accounts.staff.import"
    CONFIRM = "accounts.identity.confirm"


def tenant_of(actor: Actor) -> uuid.UUID:
    """Return the organisation in whose name ``actor`` works. Raises NotFound for none."""
    if actor.tenant_id is None:
        raise NotFound
    return actor.tenant_id


def access_employment(session: Session, actor: Actor, employment_id: uuid.UUID) -> Employment:
    """Return an employment, present or past, with the actor's own organisation. Raises NotFound."""
    row = session.get(Employment, (tenant_of(actor), employment_id))
    if row is None:
        raise NotFound
    return row
