"""From a cookie's token to the one who acts, in one query."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Row, text
from sqlalchemy.orm import Session

from lms.accounts.sign_in.operations import digest_of
from lms.core import clock
from lms.core.access import Actor, Role
from lms.core.services import services_of
from lms.core.tenancy import Scope, ScopeRole

OPEN_SESSION = text("select * from accounts_open_session(:digest, :moment)")
TENANT_ROLES = frozenset({Role.ENTERPRISE_ADMIN, Role.INSTRUCTOR, Role.INSTITUTION_ADMIN, Role.EXAMINER})
REGION_ROLES = frozenset({Role.REGULATOR, Role.INSPECTOR})


def load_actor(session: Session, token: str) -> Actor | None:
    """Return who the live session of ``token`` belongs to, or None; bare web login."""
    digest = digest_of(token)
    row = session.connection().execute(OPEN_SESSION, {"digest": digest, "moment": clock.now()}).first()
    if row is None:
        return None
    role = Role(row.role)
    return Actor(
        person_id=row.person_id,
        role=role,
        tenant_id=row.tenant_id,
        display_name=row.display_name,
        tenant_name=row.tenant_name,
        permissions=services_of(session).kernel.permissions_of(role),
        scope=_scope(role, row),
        session_digest=digest,
        other_roles=tuple((tenant_id, other, name) for tenant_id, other, name in row.other_roles),
    )


def _scope(role: Role, row: Row[Any]) -> Scope:
    """Return what the role in use sees.

    Auditors get the person's scope here: the web login must not be able to read the log, which
    has a login of its own (``lms.accounts.auditing``).
    """
    person_id, tenant_id = row.person_id, row.tenant_id
    if role in TENANT_ROLES:
        return Scope(ScopeRole.TENANT, actor_id=person_id, tenant_id=tenant_id)
    if role in REGION_ROLES:
        return Scope(
            ScopeRole.REGION,
            actor_id=person_id,
            tenant_id=tenant_id,
            region_lo=row.region_lo,
            region_hi=row.region_hi,
            industries=tuple(row.industries or ()),
            schemes=tuple(row.schemes or ()),
        )
    return Scope(ScopeRole.PERSON, person_id=person_id, tenant_id=tenant_id)
