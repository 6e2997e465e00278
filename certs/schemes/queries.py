"""Reading certificate types."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

from sqlalchemy import Select, bindparam, or_, select
from sqlalchemy.orm import Session, aliased

from certs.models import Scheme
from certs.schemes.models import Template
from lms.core.errors import NotFound
from lms.core.paging import Page, paginate
from lms.core.tenancy import ALL, Scope


@dataclass(frozen=True, slots=True)
class SchemeFilter:
    """Which certificate types a list shows; ``schemes`` are those of the scope, or ALL."""

    q: str = ""
    class_: str = ""
    schemes: tuple[str, ...] = ALL

    @staticmethod
    def within(scope: Scope, q: str, class_: str) -> SchemeFilter:
        """Return the filter bound to a region scope, so that a job sees the same rows."""
        return SchemeFilter(q, class_, scope.schemes)


# Asked for each certificate that is earned, so put together once.
_IN_FORCE = (
    select(Scheme)
    .where(Scheme.code == bindparam("code"), Scheme.effective_from <= bindparam("on"))
    .order_by(Scheme.version.desc())
    .limit(1)
)


def scheme_in_force(session: Session, code: str, on: date) -> Scheme:
    """Return the newest version of a scheme that is in force on the day. Raises NotFound."""
    row = session.scalars(_IN_FORCE, {"code": code, "on": on}).first()
    if row is None:
        raise NotFound
    return row


def scheme_version(session: Session, code: str, version: int) -> Scheme:
    """Return one version of a scheme. Raises NotFound."""
    row = session.get(Scheme, (code, version))
    if row is None:
        raise NotFound
    return row


def scheme_choices(session: Session) -> list[tuple[str, str, str]]:
    """Return code, Chinese and English name of every scheme, each in its newest version."""
    rows = session.execute(select(Scheme.code, Scheme.name_zh, Scheme.name_en).order_by(Scheme.code, Scheme.version))
    newest = {code: (code, name_zh, name_en) for code, name_zh, name_en in rows}
    return list(newest.values())


def schemes_in_force(session: Session, on: date) -> dict[str, Scheme]:
    """Return the newest version in force on the day of every scheme, by code."""
    rows = session.scalars(select(Scheme).where(Scheme.effective_from <= on).order_by(Scheme.code, Scheme.version))
    return {row.code: row for row in rows}


def access_versions(session: Session, scope: Scope, code: str) -> Sequence[Scheme]:
    """Return all versions of a scheme that the scope supervises, the newest first. Raises NotFound."""
    if scope.schemes != ALL and code not in scope.schemes:
        raise NotFound
    found = session.scalars(select(Scheme).where(Scheme.code == code).order_by(Scheme.version.desc())).all()
    if not found:
        raise NotFound
    return found


def in_force_of(versions: Sequence[Scheme], today: date) -> Scheme:
    """Return the version that is in force, else the oldest, which is still to come."""
    return next((row for row in versions if row.effective_from <= today), versions[-1])


def scheme_page(session: Session, wanted: SchemeFilter, cursor: str | None) -> Page[Scheme]:
    """Return one page of certificate types, each in its newest version, by code."""
    keys = [Scheme.__table__.c.code]
    return paginate(session, _newest(wanted), keys=keys, key_of=lambda row: [row.code], cursor=cursor)


def all_schemes(session: Session, wanted: SchemeFilter) -> Iterator[Scheme]:
    """Yield the whole list; there are dozens, not thousands."""
    yield from session.scalars(_newest(wanted).order_by(Scheme.code))


def _newest(wanted: SchemeFilter) -> Select[Any]:
    newer = aliased(Scheme)
    later = select(newer.code).where(newer.code == Scheme.code, newer.version > Scheme.version)
    query = select(Scheme).where(~later.exists())
    if wanted.schemes != ALL:
        query = query.where(Scheme.code.in_(wanted.schemes))
    if wanted.class_:
        query = query.where(Scheme.class_ == wanted.class_)
    if wanted.q:
        columns = (Scheme.name_zh, Scheme.name_en, Scheme.code)
        query = query.where(or_(*(column.icontains(wanted.q, autoescape=True) for column in columns)))
    return query


def template_versions(session: Session) -> Sequence[Template]:
    """Return all versions of all page templates, by code, the newest first."""
    return session.scalars(select(Template).order_by(Template.code, Template.version.desc())).all()
