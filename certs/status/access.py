"""The only way to load a proposal, correction or objection for a request."""

from __future__ import annotations

import uuid
from typing import TypeVar

from sqlalchemy import select
from sqlalchemy.orm import Session

from certs.status.models import Correction, Objection, Proposal
from lms.core.errors import NotFound

Case = TypeVar("Case", Proposal, Correction, Objection)


def access_case(session: Session, kind: type[Case], case_id: uuid.UUID) -> Case:
    """Return the case if the scope lets it through. Raises NotFound."""
    row = session.scalars(select(kind).where(kind.id == case_id).execution_options(populate_existing=True)).first()
    if row is None:
        raise NotFound
    return row
