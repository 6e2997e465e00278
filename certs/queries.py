"""Read-only lists of certificates."""

from __future__ import annotations

import uuid
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from sqlalchemy import Select, Uuid, bindparam, column, func, literal, or_, select, table
from sqlalchemy.dialects.postgresql import array
from sqlalchemy.orm import Session
from sqlalchemy.sql.elements import ColumnElement

from certs import rules
from certs.filters import ScopedFilter
from certs.models import Certificate, Scheme, StatusEvent
from certs.rules import Origin, Shown, Status
from lms.core.paging import Page, paginate
from lms.core.prepared import Prepared

EXPORT_BATCH = 2_000
# The present staff's certificates, whichever enterprise they were earned under (migration 0006).
_staff = table(
    "certs_staff_certificate",
    column("employer_id", Uuid()),
    column("person_id", Uuid()),
    column("certificate_id", Uuid()),
)


@dataclass(frozen=True, slots=True)
class CertificateView:
    """A certificate as lists, cards and other rooms see it. ``status`` is what a reader is told today.

    ``state`` is requested, issued or failed; ``failure`` says why it failed.
    """

    certificate_id: uuid.UUID
    person_id: uuid.UUID
    tenant_id: uuid.UUID
    number: str
    public_id: str
    scheme_code: str
    scheme_name_zh: str
    scheme_name_en: str
    state: str
    failure: str
    status: Shown
    decided_status: Status
    valid_from: date
    valid_until: date
    issued_at: datetime | None
    holder_name: str
    id_number_masked: str
    post_name: str
    enterprise_name: str
    origin: Origin
    source_system: str
    issued_on: date | None

    @property
    def is_imported(self) -> bool:
        return self.origin is Origin.IMPORTED


@dataclass(frozen=True, slots=True)
class Filter(ScopedFilter):
    """Which certificates a list shows. One of ``employer_id`` and the region's values says whose.

    ``origin`` is a value of Origin, ``batch`` the id of an import. ``shown`` is a value of Shown or
    ``failed``; ``q`` part of a name or number in an enterprise's list, the whole of either in a regulator's.
    """

    q: str = ""
    shown: str = ""
    scheme: str = ""
    origin: str = ""
    batch: str = ""
    employer_id: str = ""


def certificates_of(session: Session, person_id: uuid.UUID, today: date) -> list[CertificateView]:
    """Return a person's issued certificates within the scope, the newest first."""
    rows = _ISSUED_TO.rows(session, person_id=person_id)
    return [_view(row, today) for row in rows]


def earned_by(session: Session, person_id: uuid.UUID, attempt_id: uuid.UUID) -> Certificate | None:
    """Return the certificate that an attempt earned, in whatever state, or None."""
    mine = (Certificate.person_id == person_id, Certificate.attempt_id == attempt_id)
    return session.scalars(select(Certificate).where(*mine)).first()


def requested_of(session: Session, person_id: uuid.UUID, today: date) -> list[CertificateView]:
    """Return the certificates that are still being made for a person."""
    query = _base().where(Certificate.person_id == person_id, Certificate.state != "issued")
    return [_view(row, today) for row in session.execute(query.order_by(Certificate.id.desc())).all()]


def certificate_view(session: Session, row: Certificate, today: date) -> CertificateView:
    """Return a loaded certificate with the words of its scheme."""
    scheme = session.get_one(Scheme, (row.scheme_code, row.scheme_version))
    return view_of(row, scheme.name_zh, scheme.name_en, scheme.renewal_window_days, today)


def certificate_page(session: Session, wanted: Filter, today: date, cursor: str | None) -> Page[CertificateView]:
    """Return one page of a list, the newest first."""
    page = paginate(
        session,
        filtered(wanted, today),
        keys=[Certificate.__table__.c.id],
        key_of=lambda row: [row.id],
        cursor=cursor,
        descending=True,
    )
    return page.map(lambda row: _view(row, today))


def figures_of_staff(employer_id: str, today: date) -> ColumnElement[Any]:
    """Return what counts the certificates of the employer's present staff: a list as long as Shown, in its order."""
    counted = array([func.count().filter(*_shown(one, today)) for one in Shown])
    query = filtered(Filter(employer_id=employer_id), today)
    return query.with_only_columns(counted, maintain_column_froms=True).scalar_subquery()


def certificates_of_staff(
    session: Session, employer_id: uuid.UUID, people: Sequence[uuid.UUID], today: date
) -> dict[uuid.UUID, list[CertificateView]]:
    """Return by person the issued certificates of some of the employer's present staff, the longest lasting first."""
    query = filtered(Filter(employer_id=str(employer_id)), today)
    query = query.where(Certificate.person_id.in_(people), Certificate.state == "issued")
    found: dict[uuid.UUID, list[CertificateView]] = defaultdict(list)
    for row in session.execute(query.order_by(Certificate.valid_until.desc(), Certificate.id.desc())):
        found[row.person_id].append(_view(row, today))
    return found


def all_certificates(session: Session, wanted: Filter, today: date) -> Iterator[CertificateView]:
    """Yield the whole of a list, with memory staying flat."""
    query = filtered(wanted, today).order_by(Certificate.id.desc()).execution_options(yield_per=EXPORT_BATCH)
    with session.execute(query) as rows:
        for row in rows:
            yield _view(row, today)


def history_of(session: Session, certificate: Certificate) -> Sequence[StatusEvent]:
    """Return the steps of a certificate's life, the newest first."""
    return session.scalars(
        select(StatusEvent)
        .where(StatusEvent.person_id == certificate.person_id, StatusEvent.certificate_id == certificate.id)
        .order_by(StatusEvent.id.desc())
    ).all()


# A list shows a third of what a certificate says; the rest is not fetched for it.
_SHOWN = (
    Certificate.id,
    Certificate.person_id,
    Certificate.tenant_id,
    Certificate.number,
    Certificate.public_id,
    Certificate.scheme_code,
    Certificate.state,
    Certificate.failure,
    Certificate.status,
    Certificate.valid_from,
    Certificate.valid_until,
    Certificate.issued_at,
    Certificate.holder_name,
    Certificate.id_number_masked,
    Certificate.post_name,
    Certificate.enterprise_name,
    Certificate.origin,
    Certificate.source_system,
    Certificate.issued_on,
    Scheme.name_zh,
    Scheme.name_en,
    Scheme.renewal_window_days,
)


def _base() -> Select[Any]:
    columns: tuple[Any, ...] = _SHOWN
    return select(*columns).join(
        Scheme, (Scheme.code == Certificate.scheme_code) & (Scheme.version == Certificate.scheme_version)
    )


# Made once: the learner's home asks it, and putting a statement together costs as much as asking it.
_ISSUED_TO = Prepared(
    _base()
    .where(Certificate.person_id == bindparam("person_id"), Certificate.state == "issued")
    .order_by(Certificate.id.desc())
)


def filtered(wanted: Filter, today: date) -> Select[Any]:
    """Return the query of a list, without an order."""
    query = _base()
    if wanted.employer_id:
        query = query.join(
            _staff, (_staff.c.certificate_id == Certificate.id) & (_staff.c.person_id == Certificate.person_id)
        ).where(_staff.c.employer_id == uuid.UUID(wanted.employer_id))
    else:
        query = query.where(*wanted.in_scope(Certificate))
    if wanted.scheme:
        query = query.where(Certificate.scheme_code == wanted.scheme)
    if wanted.origin:
        query = query.where(Certificate.origin == wanted.origin)
    if wanted.batch:
        query = query.where(Certificate.import_id == uuid.UUID(wanted.batch))
    if wanted.q:
        query = query.where(_matches(wanted))
    return query.where(*_shown(wanted.shown, today))


def _matches(wanted: Filter) -> ColumnElement[bool]:
    if wanted.employer_id:
        return or_(
            Certificate.holder_name.contains(wanted.q, autoescape=True),
            Certificate.number.contains(wanted.q, autoescape=True),
        )
    # A whole province is searched by equality: pattern operators lose their index under row-level security.
    return or_(Certificate.holder_name == wanted.q, Certificate.number == wanted.q)


def _shown(shown: str, today: date) -> list[ColumnElement[bool]]:
    valid: list[ColumnElement[bool]] = [
        Certificate.state == "issued",
        Certificate.status == Status.VALID.value,
    ]
    begun = [*valid, Certificate.valid_from <= literal(today)]
    days_left = Certificate.valid_until - literal(today)
    found: dict[str, list[ColumnElement[bool]]] = {
        "": [],
        "failed": [Certificate.state == "failed"],
        Shown.VALID: [*begun, days_left > Scheme.renewal_window_days],
        Shown.EXPIRING: [*begun, days_left.between(0, Scheme.renewal_window_days)],
        Shown.EXPIRED: [*valid, days_left < 0],
        Shown.NOT_YET: [*valid, Certificate.valid_from > literal(today)],
        Shown.SUSPENDED: [Certificate.status == Status.SUSPENDED.value],
        Shown.REVOKED: [Certificate.status == Status.REVOKED.value],
        Shown.CANCELLED: [Certificate.status == Status.CANCELLED.value],
        Shown.SUPERSEDED: [Certificate.status == Status.SUPERSEDED.value],
    }
    return found.get(shown, [])


def _view(row: Any, today: date) -> CertificateView:
    return view_of(row, row.name_zh, row.name_en, row.renewal_window_days, today)


def shown_of(row: Any, window_days: int, today: date) -> Shown:
    """Return what a reader is told today of a certificate's status."""
    return rules.shown_status(Status(row.status), row.valid_from, row.valid_until, today, window_days)


def view_of(row: Any, name_zh: str, name_en: str, window_days: int, today: date) -> CertificateView:
    """Turn a certificate, or a row with its columns, into what others may hold."""
    return CertificateView(
        certificate_id=row.id,
        person_id=row.person_id,
        tenant_id=row.tenant_id,
        number=row.number,
        public_id=row.public_id,
        scheme_code=row.scheme_code,
        scheme_name_zh=name_zh,
        scheme_name_en=name_en,
        state=row.state,
        failure=row.failure,
        status=shown_of(row, window_days, today),
        decided_status=Status(row.status),
        valid_from=row.valid_from,
        valid_until=row.valid_until,
        issued_at=row.issued_at,
        holder_name=row.holder_name,
        id_number_masked=row.id_number_masked,
        post_name=row.post_name,
        enterprise_name=row.enterprise_name,
        origin=Origin(row.origin),
        source_system=row.source_system or "",
        issued_on=row.issued_on,
    )
