"""Giving and taking back the parts that people play."""

from __future__ import annotations

import uuid

from sqlalchemy import delete
from sqlalchemy.dialects.postgresql import insert as upsert
from sqlalchemy.orm import Session

from lms.accounts.sign_in.models import RoleGrant
from lms.core import audit, clock
from lms.core.access import Actor, Role
from lms.core.errors import NotFound


def grant_role(session: Session, actor: Actor, *, person_id: uuid.UUID, tenant_id: uuid.UUID, role: Role) -> None:
    """Let a person play a part for a tenant; the second time changes nothing.

    A tenant may only make its own staff trainees; every other role needs the worker scope.
    """
    added = session.execute(
        upsert(RoleGrant)
        .values(person_id=person_id, tenant_id=tenant_id, role=role.value, granted_at=clock.now())
        .on_conflict_do_nothing()
        .returning(RoleGrant.person_id)
    ).first()
    if added is None:
        return
    audit.record(
        session,
        actor,
        "accounts.role.granted",
        subject_type="person",
        subject_id=person_id,
        tenant_id=tenant_id,
        data={"role": role.value},
    )


def revoke_role(session: Session, actor: Actor, *, person_id: uuid.UUID, tenant_id: uuid.UUID, role: Role) -> None:
    """Take a part back; the sessions that use it end at once. Raises NotFound."""
    gone = session.execute(
        delete(RoleGrant)
        .where(
            RoleGrant.person_id == person_id,
            RoleGrant.tenant_id == tenant_id,
            RoleGrant.role == role.value,
        )
        .returning(RoleGrant.person_id)
    ).first()
    if gone is None:
        raise NotFound
    audit.record(
        session,
        actor,
        "accounts.role.revoked",
        subject_type="person",
        subject_id=person_id,
        tenant_id=tenant_id,
        data={"role": role.value},
    )
