"""Searching the audit log; audit scope, which the web login cannot take."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, time
from typing import Any

from sqlalchemy import Select, func, select
from sqlalchemy.orm import Session
from sqlalchemy.sql.elements import ColumnElement

from lms.accounts.models import Person, Tenant
from lms.core import clock
from lms.core.audit import AuditCheckpoint, AuditRow
from lms.core.paging import Page, paginate

PAGE_ROWS = 50


@dataclass(frozen=True, slots=True)
class AuditFilter:
    """What to look for; empty parts do not narrow. ``actor`` is a whole name or an id."""

    actor: str = ""
    action: str = ""
    subject: str = ""
    since: date | None = None
    until: date | None = None


@dataclass(frozen=True, slots=True)
class LogState:
    """How far the log is sealed."""

    waiting: int
    sealed_upto: int
    signed_at: datetime | None


def search(session: Session, wanted: AuditFilter, *, cursor: str | None) -> Page[AuditRow]:
    """Return one page of rows, the newest first. Raises BadCursor."""
    query = _narrowed(session, select(AuditRow), wanted)
    keys: list[ColumnElement[Any]] = [AuditRow.__table__.c.id]
    return paginate(
        session, query, keys=keys, key_of=lambda row: [row.id], cursor=cursor, size=PAGE_ROWS, descending=True
    )


def _narrowed(session: Session, query: Select[AuditRow], wanted: AuditFilter) -> Select[AuditRow]:
    if wanted.actor:
        query = query.where(AuditRow.actor_id.in_(_actors(session, wanted.actor)))
    if wanted.action:
        query = query.where(AuditRow.action.startswith(wanted.action, autoescape=True))
    if wanted.subject:
        query = query.where(AuditRow.subject_id == wanted.subject)
    if wanted.since:
        query = query.where(AuditRow.at >= datetime.combine(wanted.since, time(), clock.ZONE))
    if wanted.until:
        query = query.where(AuditRow.at <= datetime.combine(wanted.until, time.max, clock.ZONE))
    return query


def _actors(session: Session, text: str) -> list[uuid.UUID]:
    try:
        return [uuid.UUID(text)]
    except ValueError:
        return list(session.scalars(select(Person.id).where(Person.name == text).limit(100)))


def names_of(session: Session, rows: Sequence[AuditRow]) -> dict[uuid.UUID, str]:
    """Return the names of the people and organisations that the rows mention by column."""
    people = {row.actor_id for row in rows if row.actor_id}
    tenants = {row.tenant_id for row in rows if row.tenant_id}
    names: dict[uuid.UUID, str] = {}
    for found in (
        session.execute(select(Person.id, Person.name).where(Person.id.in_(people))),
        session.execute(select(Tenant.id, Tenant.name).where(Tenant.id.in_(tenants))),
    ):
        names.update({key: name for key, name in found})  # noqa: C416 - rows are not pairs to dict()
    return names


def state(session: Session) -> LogState:
    """Return how many rows wait for their seal and how far the signed chain reaches."""
    waiting = session.scalars(select(func.count()).select_from(AuditRow).where(AuditRow.seal_seq.is_(None))).one()
    newest = session.scalars(select(AuditCheckpoint).order_by(AuditCheckpoint.upto_seq.desc()).limit(1)).first()
    return LogState(waiting, newest.upto_seq if newest else 0, newest.signed_at if newest else None)
