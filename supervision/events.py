"""What supervision announces."""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from datetime import datetime

from lms.core.events import Event


@dataclass(frozen=True, slots=True)
class WarningOpened(Event):
    """A warning was raised; once per case."""

    version: int
    tenant_id: uuid.UUID
    warning_id: uuid.UUID
    kind: str
    level: str
    region_code: int
    industry_code: str
    at: datetime


@dataclass(frozen=True, slots=True)
class WarningClosed(Event):
    """A warning has ended: its cause is gone, or its check on site has been recorded."""

    version: int
    tenant_id: uuid.UUID
    warning_id: uuid.UUID
    kind: str
    level: str
    region_code: int
    industry_code: str
    at: datetime
