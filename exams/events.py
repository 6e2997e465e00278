"""What this room announces."""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from datetime import date, datetime

from lms.core.events import Event


@dataclass(frozen=True, slots=True)
class AttemptGraded(Event):
    """An attempt has its final mark. ``score`` is out of 100; announced exactly once per attempt."""

    version: int
    person_id: uuid.UUID
    attempt_id: uuid.UUID
    enrolment_id: uuid.UUID
    tenant_id: uuid.UUID
    region_code: int
    industry_code: str
    programme_code: str
    score: int
    passed: bool
    due_on: date | None
    at: datetime
