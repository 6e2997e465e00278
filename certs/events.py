"""What this room announces."""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from datetime import datetime

from lms.core.events import Event


@dataclass(frozen=True, slots=True)
class CertificateIssued(Event):
    """A certificate was signed and stored; exactly once per certificate."""

    version: int
    person_id: uuid.UUID
    certificate_id: uuid.UUID
    tenant_id: uuid.UUID
    region_code: int
    industry_code: str
    scheme_code: str
    at: datetime


@dataclass(frozen=True, slots=True)
class CertificateStatusChanged(Event):
    """A certificate was suspended, reinstated or revoked."""

    version: int
    person_id: uuid.UUID
    certificate_id: uuid.UUID
    tenant_id: uuid.UUID
    region_code: int
    industry_code: str
    scheme_code: str
    old_status: str
    new_status: str
    at: datetime
