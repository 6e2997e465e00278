"""Scopes: whose rows a transaction may see. PostgreSQL enforces them (row-level security)."""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from enum import StrEnum

from sqlalchemy import TextClause, bindparam, text

ALL = ("*",)


class ScopeRole(StrEnum):
    """The database roles a transaction may take; ``NONE`` is the bare login."""

    NONE = "none"
    AUTH = "anzheng_auth"
    PUBLIC = "anzheng_public"
    PERSON = "anzheng_person"
    TENANT = "anzheng_tenant"
    REGION = "anzheng_region"
    AUDIT = "anzheng_audit"
    WORKER = "anzheng_worker"


WEB_ROLES = (ScopeRole.AUTH, ScopeRole.PUBLIC, ScopeRole.PERSON, ScopeRole.TENANT, ScopeRole.REGION)


@dataclass(frozen=True, slots=True)
class Scope:
    """What row-level security lets through. An unset value lets nothing through.

    ``region_lo`` (inclusive) and ``region_hi`` (exclusive) are GB/T 2260 codes;
    ``industries`` are GB/T 4754 divisions and ``schemes`` certificate types, or ``ALL``.
    """

    role: ScopeRole
    actor_id: uuid.UUID | None = None
    person_id: uuid.UUID | None = None
    tenant_id: uuid.UUID | None = None
    region_lo: int | None = None
    region_hi: int | None = None
    industries: tuple[str, ...] = ()
    schemes: tuple[str, ...] = ()


AUTH_SCOPE = Scope(ScopeRole.AUTH)
PUBLIC_SCOPE = Scope(ScopeRole.PUBLIC)
AUDIT_SCOPE = Scope(ScopeRole.AUDIT)
WORKER_SCOPE = Scope(ScopeRole.WORKER)

# One statement, one round trip. Every variable is set each time, also to nothing, so that a
# value can never outlive the transaction that it was meant for.
ENTER_SCOPE: TextClause = text(
    "select set_config('role', :role, true), set_config('app.actor_id', :actor_id, true),"
    " set_config('app.person_id', :person_id, true), set_config('app.tenant_id', :tenant_id, true),"
    " set_config('app.region_lo', :region_lo, true), set_config('app.region_hi', :region_hi, true),"
    " set_config('app.industries', :industries, true), set_config('app.schemes', :schemes, true),"
    " set_config('transaction_read_only', :read_only, true)"
).bindparams(bindparam("role"))


def parameters_of(scope: Scope, *, read_only: bool) -> dict[str, str]:
    """Return the bind values that carry ``scope`` into ENTER_SCOPE."""

    def shown(value: object) -> str:
        return "" if value is None else str(value)

    return {
        "role": scope.role.value,
        "actor_id": shown(scope.actor_id or scope.person_id),
        "person_id": shown(scope.person_id),
        "tenant_id": shown(scope.tenant_id),
        "region_lo": shown(scope.region_lo),
        "region_hi": shown(scope.region_hi),
        "industries": ",".join(scope.industries),
        "schemes": ",".join(scope.schemes),
        "read_only": "on" if read_only else "off",
    }
