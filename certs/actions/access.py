"""The only way to load an action for a request."""

from __future__ import annotations

import uuid

from sqlalchemy import select
from sqlalchemy.orm import Session

from certs.actions.models import Action
from lms.core.errors import NotFound


def access_action(session: Session, action_id: uuid.UUID) -> Action:
    """Return the action if the scope lets it through. Raises NotFound."""
    row = session.scalars(
        select(Action).where(Action.id == action_id).execution_options(populate_existing=True)
    ).first()
    if row is None:
        raise NotFound
    return row
