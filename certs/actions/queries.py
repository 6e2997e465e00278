"""Read-only lists of actions and of what became of the certificates in them."""

from __future__ import annotations

import uuid
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

from sqlalchemy import Select, func, select
from sqlalchemy.orm import Session

from certs.actions.models import Action, ActionItem
from certs.actions.rules import Kind, is_possible
from certs.models import Certificate, Scheme
from certs.queries import Filter, filtered, shown_of
from certs.rules import Shown
from lms.core import clock
from lms.core.paging import Page, paginate

EXPORT_BATCH = 2_000
_OF_SCHEME = (Scheme.code == Certificate.scheme_code) & (Scheme.version == Certificate.scheme_version)


@dataclass(frozen=True, slots=True)
class Seen:
    """A certificate within the scope, and what a reader is told of it today: None while it is not issued."""

    certificate: Certificate
    shown: Shown | None


@dataclass(frozen=True, slots=True)
class Chosen:
    """What an official has chosen: how many certificates, on how many of them the action is possible now, the first."""

    certificates: int
    possible: int
    first: Sequence[Seen]


def found_by(session: Session, wanted: Filter, limit: int) -> list[uuid.UUID]:
    """Return the ids of what a list shows, the newest first, ``limit`` of them at most."""
    query = filtered(wanted, clock.today())
    newest = query.with_only_columns(Certificate.id).order_by(Certificate.id.desc()).limit(limit)
    return list(session.scalars(newest))


def chosen_of(session: Session, kind: Kind, chosen: Sequence[uuid.UUID], shown: int) -> Chosen:
    """Return what is known within the scope of the chosen certificates; others count as not possible."""
    mine = Certificate.id.in_(chosen)
    counted = session.execute(
        select(Certificate.state, Certificate.status, Certificate.origin, func.count())
        .where(mine)
        .group_by(Certificate.state, Certificate.status, Certificate.origin)
    )
    possible = sum(number for state, status, origin, number in counted if is_possible(kind, state, status, origin))
    return Chosen(len(chosen), possible, certificates_in(session, chosen, limit=shown))


def certificates_in(session: Session, chosen: Sequence[uuid.UUID], limit: int | None = None) -> list[Seen]:
    """Return those of the certificates that the scope lets through, the newest first."""
    columns: tuple[Any, ...] = (Certificate, Scheme.renewal_window_days)
    query = select(*columns).join(Scheme, _OF_SCHEME).where(Certificate.id.in_(chosen))
    today = clock.today()
    rows = session.execute(query.order_by(Certificate.id.desc()).limit(limit))
    return [_seen(row, window_days, today) for row, window_days in rows]


def _seen(row: Certificate, window_days: int, today: date) -> Seen:
    return Seen(row, shown_of(row, window_days, today) if row.state == "issued" else None)


def action_page(session: Session, kind: str, state: str, cursor: str | None) -> Page[Action]:
    """Return the department's actions, the newest first; an empty filter means all."""
    keys = [Action.__table__.c.id]
    query = _actions(kind, state)
    return paginate(session, query, keys=keys, key_of=lambda row: [row.id], cursor=cursor, descending=True)


def all_actions(session: Session, kind: str, state: str) -> Iterator[Action]:
    """Yield the whole of the department's list."""
    query = _actions(kind, state).order_by(Action.id.desc())
    yield from session.scalars(query.execution_options(yield_per=EXPORT_BATCH))


def _actions(kind: str, state: str) -> Select[Action]:
    query = select(Action)
    if kind:
        query = query.where(Action.kind == kind)
    return query.where(Action.state == state) if state else query


def item_page(session: Session, action: Action, state: str, cursor: str | None) -> Page[Any]:
    """Return one page of pairs of an item and its certificate as Seen, None where the walls hide it."""
    keys, today = [ActionItem.__table__.c.certificate_id], clock.today()
    page = paginate(
        session,
        _items(action, state),
        keys=keys,
        key_of=lambda row: [row[0].certificate_id],
        cursor=cursor,
        descending=True,
    )
    return page.map(lambda row: _pair(row, today))


def all_items(session: Session, action: Action, state: str) -> Iterator[tuple[ActionItem, Seen | None]]:
    """Return the whole of an action's result one by one, seen through the scope of the session."""
    query, today = _items(action, state).order_by(ActionItem.certificate_id.desc()), clock.today()
    return (_pair(row, today) for row in session.execute(query.execution_options(yield_per=EXPORT_BATCH)))


def _pair(row: Any, today: date) -> tuple[ActionItem, Seen | None]:
    item, certificate, window_days = row
    return item, _seen(certificate, window_days, today) if certificate else None


def _items(action: Action, state: str) -> Select[Any]:
    columns: tuple[Any, ...] = (ActionItem, Certificate, Scheme.renewal_window_days)
    query = select(*columns).outerjoin(Certificate, Certificate.id == ActionItem.certificate_id)
    query = query.outerjoin(Scheme, _OF_SCHEME)
    query = query.where(ActionItem.tenant_id == action.tenant_id, ActionItem.action_id == action.id)
    return query.where(ActionItem.state == state) if state else query


def counts_of(session: Session, tenant_id: uuid.UUID, action_id: uuid.UUID) -> dict[str, int]:
    """Return how many certificates of an action are open, done and refused."""
    rows = session.execute(
        select(ActionItem.state, func.count())
        .where(ActionItem.tenant_id == tenant_id, ActionItem.action_id == action_id)
        .group_by(ActionItem.state)
    )
    return {"open": 0, "done": 0, "refused": 0} | {row[0]: row[1] for row in rows}


def open_items(session: Session, tenant_id: uuid.UUID, action_id: uuid.UUID) -> list[uuid.UUID]:
    """Return the certificates of an action about which nothing has been done, in a fixed order."""
    return list(
        session.scalars(
            select(ActionItem.certificate_id)
            .where(ActionItem.tenant_id == tenant_id, ActionItem.action_id == action_id, ActionItem.state == "open")
            .order_by(ActionItem.certificate_id)
        )
    )
