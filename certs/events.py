"""What this room announces."""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from datetime import datetime

from lms.core.events import Event


@dataclass(frozen=True, slots=True)
class CertificateIssued(Event):
    """A certificate was signed and stored, or entered as imported; exactly once per certificate.

    ``origin`` is "imported" for what an earlier system issued: its holder is certified, but nothing was issued here.
    """

    version: int
    person_id: uuid.UUID
    certificate_id: uuid.UUID
    tenant_id: uuid.UUID
    region_code: int
    industry_code: str
    scheme_code: str
    at: datetime
    origin: str = "issued"


@dataclass(frozen=True, slots=True)
class CertificateStatusChanged(Event):
    """A certificate was suspended, reinstated, revoked, cancelled or superseded."""

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
    origin: str = "issued"
