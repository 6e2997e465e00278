"""What accounts announces."""

from __future__ import annotations

import uuid
from dataclasses import dataclass

from lms.core.events import Event


@dataclass(frozen=True, slots=True)
class EmploymentStarted(Event):
    """A person began to work for an organisation."""

    version: int
    tenant_id: uuid.UUID
    employment_id: uuid.UUID
    person_id: uuid.UUID
    post_code: str
    region_code: int
    industry_code: str | None


@dataclass(frozen=True, slots=True)
class EmploymentEnded(Event):
    """A person left an organisation; certificates and learning stay with the person."""

    version: int
    tenant_id: uuid.UUID
    employment_id: uuid.UUID
    person_id: uuid.UUID
    post_code: str
    region_code: int
    industry_code: str | None


@dataclass(frozen=True, slots=True)
class EnterpriseRegistered(Event):
    """An enterprise entered the register."""

    version: int
    tenant_id: uuid.UUID
    region_code: int
    industry_code: str
    risk_class: str
    size_class: str


@dataclass(frozen=True, slots=True)
class EmploymentsStarted(Event):
    """Many people began to work for one organisation at once, as an import does."""

    version: int
    tenant_id: uuid.UUID
    region_code: int
    industry_code: str | None
    post_codes: tuple[str, ...]
    count: int
