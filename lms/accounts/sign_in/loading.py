"""From a session's stored row to the one who acts."""

from __future__ import annotations

import json
import uuid
from collections.abc import Mapping
from typing import Any

from lms.accounts.sign_in.operations import digest_of
from lms.core import clock
from lms.core.access import Actor, Role
from lms.core.services import Kernel
from lms.core.tenancy import Scope, ScopeRole

TENANT_ROLES = frozenset({Role.ENTERPRISE_ADMIN, Role.INSTRUCTOR, Role.INSTITUTION_ADMIN, Role.EXAMINER})
REGION_ROLES = frozenset({Role.REGULATOR, Role.INSPECTOR})


class StoredSessions:
    """The sessions of this room, as the kernel asks for them (``lms.core.recognition``)."""

    def __init__(self, kernel: Kernel) -> None:
        self._kernel = kernel

    def question(self, token: str) -> str:
        """Return SQL that tells all about the live session of ``token``; a digest and a time need no quoting."""
        moment = clock.now().isoformat()
        call = f"accounts_open_session('\\x{digest_of(token).hex()}', '{moment}')"
        return f"select to_jsonb(found)::text from {call} as found"  # noqa: S608 - hexadecimal digits and a time

    def actor_of(self, token: str, answer: bytes) -> Actor:
        """Return whose session it is, in the role that it has now."""
        row = json.loads(answer)
        role, tenant_id = Role(row["role"]), uuid.UUID(row["tenant_id"])
        return Actor(
            person_id=uuid.UUID(row["person_id"]),
            role=role,
            tenant_id=tenant_id,
            display_name=row["display_name"],
            tenant_name=row["tenant_name"],
            permissions=self._kernel.permissions_of(role),
            scope=_scope(role, row),
            session_digest=digest_of(token),
            other_roles=tuple((tenant, other, name) for tenant, other, name in row["other_roles"]),
        )


def _scope(role: Role, row: Mapping[str, Any]) -> Scope:
    """Return what the role in use sees.

    Auditors get the person's scope here: the web login must not be able to read the log, which
    has a login of its own (``lms.accounts.auditing``).
    """
    person_id, tenant_id = uuid.UUID(row["person_id"]), uuid.UUID(row["tenant_id"])
    if role in TENANT_ROLES:
        return Scope(ScopeRole.TENANT, actor_id=person_id, tenant_id=tenant_id)
    if role in REGION_ROLES:
        return Scope(
            ScopeRole.REGION,
            actor_id=person_id,
            tenant_id=tenant_id,
            region_lo=row["region_lo"],
            region_hi=row["region_hi"],
            industries=tuple(row["industries"] or ()),
            schemes=tuple(row["schemes"] or ()),
        )
    return Scope(ScopeRole.PERSON, person_id=person_id, tenant_id=tenant_id)
