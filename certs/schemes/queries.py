"""Reading certificate types, page templates and drafts."""

from __future__ import annotations

import uuid
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

from sqlalchemy import ColumnElement, Select, bindparam, func, null, or_, select
from sqlalchemy.orm import Session, aliased

from certs.adapters.face import TemplateSpec
from certs.errors import SchemeNotInForce
from certs.models import Scheme
from certs.schemes.models import Draft, Template
from lms.core.errors import NotFound
from lms.core.paging import Page, paginate
from lms.core.tenancy import ALL, Scope

STATES = ("issuing", "coming", "ended")
STANDARD_PALETTE = TemplateSpec().palette


@dataclass(frozen=True, slots=True)
class SchemeFilter:
    """Which certificate types a list shows; ``schemes`` are those of the scope, or ALL.

    ``state`` is coming, issuing or ended on ``today`` (ISO 8601), empty for all.
    """

    q: str = ""
    class_: str = ""
    schemes: tuple[str, ...] = ALL
    state: str = ""
    today: str = ""

    @staticmethod
    def within(scope: Scope, q: str, class_: str, state: str, today: date) -> SchemeFilter:
        """Return the filter bound to a region scope, so that a job sees the same rows."""
        return SchemeFilter(q, class_, scope.schemes, state, today.isoformat())


@dataclass(frozen=True, slots=True)
class TemplateFilter:
    """Which page templates a list shows."""

    q: str = ""
    palette: str = ""


@dataclass(frozen=True, slots=True)
class DraftFilter:
    """Which drafts of one department a list shows; ``state`` is alive (not ended) or one of a draft's."""

    tenant_id: str
    q: str = ""
    kind: str = ""
    state: str = ""


# Asked for each certificate that is earned, so put together once.
_IN_FORCE = (
    select(Scheme)
    .where(Scheme.code == bindparam("code"), Scheme.effective_from <= bindparam("on"))
    .order_by(Scheme.version.desc())
    .limit(1)
)


def scheme_in_force(session: Session, code: str, on: date) -> Scheme:
    """Return the newest version of a scheme that is in force on the day. Raises SchemeNotInForce."""
    row = session.scalars(_IN_FORCE, {"code": code, "on": on}).first()
    if row is None:
        raise SchemeNotInForce
    return row


def scheme_version(session: Session, code: str, version: int) -> Scheme:
    """Return one version of a scheme. Raises NotFound."""
    row = session.get(Scheme, (code, version))
    if row is None:
        raise NotFound
    return row


def scheme_choices(session: Session) -> list[tuple[str, str, str]]:
    """Return code, Chinese and English name of every scheme, each in its newest version."""
    return scheme_choices_and(session, null())[0]


def scheme_choices_and(session: Session, value: ColumnElement[Any]) -> tuple[list[tuple[str, str, str]], Any]:
    """Return the same, and one value more that the page needs, in a single statement; None while there is no scheme."""
    query = select(Scheme.code, Scheme.name_zh, Scheme.name_en, value.label("value"))
    rows = session.execute(query.order_by(Scheme.code, Scheme.version)).all()
    newest = {row.code: (row.code, row.name_zh, row.name_en) for row in rows}
    return list(newest.values()), rows[0].value if rows else None


def schemes_in_force(session: Session, on: date) -> dict[str, Scheme]:
    """Return the newest version in force on the day of every scheme, by code."""
    rows = session.scalars(select(Scheme).where(Scheme.effective_from <= on).order_by(Scheme.code, Scheme.version))
    return {row.code: row for row in rows}


def access_versions(session: Session, scope: Scope, code: str) -> Sequence[Scheme]:
    """Return all versions of a scheme that the scope supervises, the newest first. Raises NotFound."""
    found = versions_in(session, scope, code)
    if not found:
        raise NotFound
    return found


def versions_in(session: Session, scope: Scope, code: str) -> Sequence[Scheme]:
    """Return all versions of a scheme that the scope supervises, the newest first; none for a code only drafted."""
    return versions_of(session, code) if scope.schemes == ALL or code in scope.schemes else ()


def versions_of(session: Session, code: str) -> Sequence[Scheme]:
    """Return all versions of a scheme, the newest first; none for an unknown code."""
    return session.scalars(select(Scheme).where(Scheme.code == code).order_by(Scheme.version.desc())).all()


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
    if wanted.state:
        query = query.where(_in_state(wanted.state, date.fromisoformat(wanted.today)))
    return query.where(_names(wanted.q, Scheme.name_zh, Scheme.name_en, Scheme.code))


def _in_state(state: str, today: date) -> ColumnElement[bool]:
    """Tell types by what their newest version and the one in force say: one may issue while its next is to come."""
    coming = Scheme.effective_from > today
    present = aliased(Scheme)
    last_issue_on = (
        select(func.coalesce(present.rules["last_issue_on"].astext, "9999"))
        .where(present.code == Scheme.code, present.effective_from <= today)
        .order_by(present.version.desc())
        .limit(1)
        .scalar_subquery()
    )
    # ISO days come in the order of their letters; a type without a last day goes on.
    issuing = last_issue_on >= today.isoformat()
    return {"coming": coming, "ended": ~coming & ~issuing, "issuing": issuing}[state]


def _names(q: str, *columns: Any) -> ColumnElement[bool]:
    return or_(*(column.icontains(q, autoescape=True) for column in columns))


def template_versions(session: Session) -> Sequence[Template]:
    """Return all versions of all page templates, by code, the newest first."""
    return session.scalars(select(Template).order_by(Template.code, Template.version.desc())).all()


def versions_of_template(session: Session, code: str) -> Sequence[Template]:
    """Return all versions of a page template, the newest first; none for an unknown code."""
    return session.scalars(select(Template).where(Template.code == code).order_by(Template.version.desc())).all()


def template_page(session: Session, wanted: TemplateFilter, cursor: str | None) -> Page[Template]:
    """Return one page of page templates, each in its newest version, by code."""
    keys = [Template.__table__.c.code]
    return paginate(session, _newest_templates(wanted), keys=keys, key_of=lambda row: [row.code], cursor=cursor)


def all_templates(session: Session, wanted: TemplateFilter) -> Iterator[Template]:
    """Yield the whole list; there are dozens, not thousands."""
    yield from session.scalars(_newest_templates(wanted).order_by(Template.code))


def _newest_templates(wanted: TemplateFilter) -> Select[Any]:
    newer = aliased(Template)
    later = select(newer.code).where(newer.code == Template.code, newer.version > Template.version)
    query = select(Template).where(~later.exists(), _names(wanted.q, Template.name_zh, Template.name_en, Template.code))
    if wanted.palette:
        # Only what differs from the standard page is stored.
        query = query.where(func.coalesce(Template.spec["palette"].astext, STANDARD_PALETTE) == wanted.palette)
    return query


def draft_page(session: Session, wanted: DraftFilter, cursor: str | None) -> Page[Draft]:
    """Return one page of a department's drafts, the newest first."""
    keys = [Draft.__table__.c.id]
    return paginate(
        session, _drafts(wanted), keys=keys, key_of=lambda row: [row.id], cursor=cursor, descending=True
    )  # fmt: skip


def all_drafts(session: Session, wanted: DraftFilter) -> Iterator[Draft]:
    """Yield the whole of a department's drafts."""
    yield from session.scalars(_drafts(wanted).order_by(Draft.id.desc()).execution_options(yield_per=1_000))


def waiting_drafts(session: Session, tenant_id: uuid.UUID | None) -> int:
    """Return how many drafts of a department wait for another official."""
    mine = (Draft.tenant_id == tenant_id, Draft.state == "asked")
    return session.scalar(select(func.count()).select_from(Draft).where(*mine)) or 0


def _drafts(wanted: DraftFilter) -> Select[Any]:
    names = (Draft.content["name_zh"].astext, Draft.content["name_en"].astext, Draft.code)
    query = select(Draft).where(Draft.tenant_id == uuid.UUID(wanted.tenant_id), _names(wanted.q, *names))
    if wanted.kind:
        query = query.where(Draft.kind == wanted.kind)
    if wanted.state:
        query = query.where(Draft.ended_at.is_(None) if wanted.state == "alive" else Draft.state == wanted.state)
    return query
