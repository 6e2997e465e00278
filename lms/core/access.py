"""Who acts: roles, actors and permission checks. No Flask here."""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from enum import StrEnum

from lms.core.errors import Forbidden, Unauthenticated
from lms.core.tenancy import PUBLIC_SCOPE, WORKER_SCOPE, Scope


class Role(StrEnum):
    """The parts that a person can play (requirement T5)."""

    TRAINEE = "trainee"
    ENTERPRISE_ADMIN = "enterprise_admin"
    INSTRUCTOR = "instructor"
    EXPERT = "expert"
    EXAMINER = "examiner"
    INSTITUTION_ADMIN = "institution_admin"
    REGULATOR = "regulator"
    INSPECTOR = "inspector"
    AUDITOR = "auditor"
    OPERATOR = "operator"


@dataclass(frozen=True, slots=True)
class Actor:
    """One who acts, in one role. ``person_id`` is None for the public and for the system."""

    person_id: uuid.UUID | None
    role: Role | None
    tenant_id: uuid.UUID | None
    display_name: str
    tenant_name: str
    permissions: frozenset[str]
    scope: Scope
    session_digest: bytes | None = None
    other_roles: tuple[tuple[str, str, str], ...] = ()

    @property
    def is_signed_in(self) -> bool:
        return self.person_id is not None

    def can(self, permission: str) -> bool:
        """Tell whether the role in use carries ``permission``."""
        return permission in self.permissions


ANONYMOUS = Actor(None, None, None, "", "", frozenset(), PUBLIC_SCOPE)
SYSTEM = Actor(None, None, None, "system", "", frozenset(), WORKER_SCOPE)


def check(actor: Actor, permission: str) -> None:
    """Raise Unauthenticated or Forbidden unless ``actor`` carries ``permission``."""
    if actor.can(permission):
        return
    raise Forbidden if actor.is_signed_in else Unauthenticated
