"""Read-only lists: cases for officials, and what holders and officials see on a certificate's page."""

from __future__ import annotations

import uuid
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from typing import Any

from sqlalchemy import Select, func, select, text
from sqlalchemy.orm import Session

from certs.filters import ScopedFilter
from certs.models import Certificate, StatusEvent
from certs.status.models import Ban, Correction, Objection, Proposal, Reason
from lms.core import clock
from lms.core.paging import Page, paginate

Model = type[Proposal] | type[Correction] | type[Objection]
MODELS: dict[str, Model] = {"proposals": Proposal, "corrections": Correction, "objections": Objection}
STATES = {
    "proposals": ("open", "approved", "refused", "withdrawn"),
    "corrections": ("open", "approved", "done", "refused"),
    "objections": ("open", "answered"),
}
EXPORT_BATCH = 2_000
CHECKS_SHOWN = timedelta(days=90)
WAITING_MAX = 100
_CHECKS = text("select * from certs_checks_of(:certificate, :since, :zone)")


@dataclass(frozen=True, slots=True)
class Wanted(ScopedFilter):
    """Which cases a list shows: ``what`` is a key of MODELS, ``state`` one of its STATES or empty for all."""

    what: str
    state: str = ""
    q: str = ""


def case_page(session: Session, wanted: Wanted, cursor: str | None) -> Page[Any]:
    """Return one page of (case, certificate) pairs, the newest first."""
    model = MODELS[wanted.what]
    return paginate(
        session,
        _cases(wanted),
        keys=[model.__table__.c.id],
        key_of=lambda row: [row[0].id],
        cursor=cursor,
        descending=True,
    )


def all_cases(session: Session, wanted: Wanted) -> Iterator[tuple[Any, Certificate]]:
    """Yield the whole of a list, with memory staying flat."""
    query = _cases(wanted).order_by(MODELS[wanted.what].id.desc()).execution_options(yield_per=EXPORT_BATCH)
    for row in session.execute(query):
        yield row[0], row[1]


def waiting(session: Session, wanted: Wanted) -> dict[str, int]:
    """Return how many cases of each kind are open in the scope, counted up to WAITING_MAX."""
    found = {}
    for what in MODELS:
        some = _cases(replace(wanted, what=what, state="open", q="")).limit(WAITING_MAX).subquery()
        found[what] = int(session.execute(select(func.count()).select_from(some)).scalar_one())
    return found


def _cases(wanted: Wanted) -> Select[Any]:
    model = MODELS[wanted.what]
    columns: tuple[Any, ...] = (model, Certificate)
    query: Select[Any] = select(*columns).join(
        Certificate, (Certificate.person_id == model.person_id) & (Certificate.id == model.certificate_id)
    )
    conditions = wanted.in_scope(model)
    if wanted.state:
        conditions.append(model.state == wanted.state)
    if wanted.q:
        # Equality, as in the list of certificates: pattern operators lose their index under row-level security.
        conditions.append((Certificate.number == wanted.q) | (Certificate.holder_name == wanted.q))
    return query.where(*conditions)


def reasons_by_key(session: Session, rows: Sequence[Any]) -> dict[tuple[str | None, int | None], Reason]:
    """Return the coded reasons that rows with ``reason_code`` and ``reason_version`` refer to."""
    keys = {(row.reason_code, row.reason_version) for row in rows if row.reason_code}
    found = session.scalars(select(Reason).where(Reason.code.in_([code for code, _ in keys]))) if keys else ()
    return {(row.code, row.version): row for row in found}


def cases_of(session: Session, model: Model, certificate: Certificate) -> Sequence[Any]:
    """Return a certificate's cases of one kind within the scope, the newest first."""
    mine = (model.person_id == certificate.person_id, model.certificate_id == certificate.id)
    return session.scalars(select(model).where(*mine).order_by(model.id.desc())).all()


def bans_of(session: Session, certificate: Certificate) -> Sequence[Ban]:
    """Return the bans that were decided on with this certificate, the newest first."""
    mine = (Ban.person_id == certificate.person_id, Ban.certificate_id == certificate.id)
    return session.scalars(select(Ban).where(*mine).order_by(Ban.id.desc())).all()


def step_of(session: Session, objection: Objection) -> StatusEvent | Ban | None:
    """Return what an objection speaks against."""
    key = (objection.person_id, objection.subject_id)
    if objection.subject == "ban":
        return session.get(Ban, key)
    return session.get(StatusEvent, key)


def number_of(session: Session, certificate_id: uuid.UUID | None) -> str:
    """Return a certificate's number within the scope, empty when there is none."""
    query = select(Certificate.number).where(Certificate.id == certificate_id, Certificate.state == "issued")
    return (session.scalar(query) or "") if certificate_id else ""


@dataclass(frozen=True, slots=True)
class CheckLine:
    """How often a certificate was looked up on one day by one family of browsers, with one answer."""

    day: date
    agent_family: str
    outcome: str
    checks: int
    last_at: datetime


def checks_of(session: Session, certificate_id: uuid.UUID) -> list[CheckLine]:
    """Return the look-ups of one's own certificate in the last 90 days, the newest day first. Person scope."""
    since = clock.now() - CHECKS_SHOWN
    asked = {"certificate": certificate_id, "since": since, "zone": clock.ZONE.key}
    rows = session.connection().execute(_CHECKS, asked)
    return [CheckLine(*row) for row in rows]
