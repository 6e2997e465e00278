"""What boards read: the folded tables alone, never people's rows."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any, cast

from sqlalchemy import Integer, Select, and_, case, func, literal, select
from sqlalchemy.orm import Session
from sqlalchemy.sql.elements import ColumnElement

from lms.core.paging import Page, paginate
from supervision.boards.rules import Counts
from supervision.figures.models import Definition, EnterpriseMonth, EnterpriseTotal, RegionMonth, RegionTotal

SORTS = ("completion", "pass_rate", "coverage", "staff", "certificates")
FLOWS = ("due", "completed", "attempts", "passed", "certificates")
# Sorts after every share (which end at 1000 per mille) and every count of staff.
NO_FIGURE = 2_000_000_000


@dataclass(frozen=True, slots=True)
class Filter:
    """What a board is narrowed to. ``month`` None is the period: this year so far."""

    lo: int
    hi: int
    period_from: date
    period_to: date
    month: date | None = None
    industry_code: str = ""
    size_class: str = ""
    risk_class: str = ""
    q: str = ""
    sort: str = "completion"
    descending: bool = False

    @property
    def months(self) -> tuple[date, date]:
        return (self.month, self.month) if self.month else (self.period_from, self.period_to)


@dataclass(frozen=True, slots=True)
class EnterpriseLine:
    """One enterprise on a county's board."""

    tenant_id: uuid.UUID
    name: str
    region_code: int
    industry_code: str
    risk_class: str
    size_class: str
    counts: Counts


@dataclass(frozen=True, slots=True)
class DefinitionView:
    """What a figure means, as shown behind it."""

    figure: str
    version: int
    effective_from: date
    name_zh: str
    name_en: str
    text_zh: str
    text_en: str


def _groups(table: Any, wanted: Filter) -> list[ColumnElement[bool]]:
    """Return the conditions of region and groups on one of the folded tables."""
    conditions = [table.region_code >= wanted.lo, table.region_code < wanted.hi]
    if wanted.industry_code:
        conditions.append(table.industry_code == wanted.industry_code)
    if wanted.size_class:
        conditions.append(table.size_class == wanted.size_class)
    if wanted.risk_class:
        conditions.append(table.risk_class == wanted.risk_class)
    return conditions


def by_county(session: Session, wanted: Filter) -> dict[int, Counts]:
    """Return the sums of each county within the range, in one statement over the region tables."""
    first, last = wanted.months
    flows = (
        select(
            RegionMonth.region_code,
            *(func.sum(getattr(RegionMonth, name)).cast(Integer).label(name) for name in FLOWS),
            literal(0).label("enterprises"),
            literal(0).label("staff"),
            literal(0).label("covered"),
        )
        .where(*_groups(RegionMonth, wanted), RegionMonth.month.between(first, last))
        .group_by(RegionMonth.region_code)
    )
    standing = (
        select(
            RegionTotal.region_code,
            *(literal(0).label(name) for name in FLOWS),
            func.sum(RegionTotal.enterprises).cast(Integer),
            func.sum(RegionTotal.staff).cast(Integer),
            func.sum(RegionTotal.covered).cast(Integer),
        )
        .where(*_groups(RegionTotal, wanted))
        .group_by(RegionTotal.region_code)
    )
    found: dict[int, Counts] = {}
    for region_code, *numbers in session.execute(flows.union_all(standing)):
        found[region_code] = found.get(region_code, Counts()) + Counts(*numbers)
    return found


def _flow_columns(wanted: Filter) -> dict[str, ColumnElement[int]]:
    source: Any = EnterpriseMonth if wanted.month else EnterpriseTotal
    return {name: func.coalesce(getattr(source, name), 0) for name in FLOWS}


def _share(part: ColumnElement[int], whole: ColumnElement[int]) -> ColumnElement[int]:
    return case((whole > 0, part * 1000 / whole), else_=NO_FIGURE).cast(Integer)


def _order(wanted: Filter, flows: dict[str, ColumnElement[int]]) -> ColumnElement[int]:
    figures: dict[str, ColumnElement[int]] = {
        "completion": _share(flows["completed"], flows["due"]),
        "pass_rate": _share(flows["passed"], flows["attempts"]),
        "coverage": _share(EnterpriseTotal.covered, EnterpriseTotal.staff),  # type: ignore[arg-type]  # mapped columns
        "staff": EnterpriseTotal.staff,  # type: ignore[dict-item]  # a mapped column
        "certificates": flows["certificates"],
    }
    return figures[wanted.sort if wanted.sort in figures else "completion"]


def _enterprises(wanted: Filter, order: ColumnElement[int], flows: dict[str, ColumnElement[int]]) -> Select[Any]:
    total = EnterpriseTotal
    columns = [
        total.tenant_id,
        total.name,
        total.region_code,
        total.industry_code,
        total.risk_class,
        total.size_class,
        *(column.label(name) for name, column in flows.items()),
        total.staff,
        total.covered,
        order.label("sort"),
    ]
    query = cast("Select[Any]", select(*columns))  # paginate takes any row; the type of rows is variadic
    query = query.where(*_groups(total, wanted))
    if wanted.month:
        query = query.outerjoin(
            EnterpriseMonth,
            and_(EnterpriseMonth.tenant_id == total.tenant_id, EnterpriseMonth.month == wanted.month),
        )
    if wanted.q:
        query = query.where(total.name.contains(wanted.q, autoescape=True))
    return query


def _line(row: Any) -> EnterpriseLine:
    return EnterpriseLine(
        tenant_id=row.tenant_id,
        name=row.name,
        region_code=row.region_code,
        industry_code=row.industry_code,
        risk_class=row.risk_class,
        size_class=row.size_class,
        counts=Counts(row.due, row.completed, row.attempts, row.passed, row.certificates, 1, row.staff, row.covered),
    )


def enterprise_page(session: Session, wanted: Filter, cursor: str | None) -> Page[EnterpriseLine]:
    """Return a page of the enterprises in a range, worst completion first unless asked otherwise."""
    flows = _flow_columns(wanted)
    order = _order(wanted, flows)
    page = paginate(
        session,
        _enterprises(wanted, order, flows),
        keys=[order, EnterpriseTotal.tenant_id],  # type: ignore[list-item]  # a mapped column is one
        key_of=lambda row: [row.sort, row.tenant_id],
        cursor=cursor,
        descending=wanted.descending,
    )
    return page.map(_line)


def all_enterprises(session: Session, wanted: Filter, limit: int) -> list[EnterpriseLine]:
    """Return the same enterprises at once, for an export of at most ``limit`` lines."""
    flows = _flow_columns(wanted)
    order = _order(wanted, flows)
    query = _enterprises(wanted, order, flows).order_by(order.desc() if wanted.descending else order)
    return [_line(row) for row in session.execute(query.order_by(EnterpriseTotal.tenant_id).limit(limit))]


def counts_of(row: EnterpriseTotal) -> Counts:
    """Return the figures of an enterprise's standing."""
    return Counts(row.due, row.completed, row.attempts, row.passed, row.certificates, 1, row.staff, row.covered)


def months_of(session: Session, tenant_id: uuid.UUID, months: Sequence[date]) -> dict[date, Counts]:
    """Return an enterprise's figures by month."""
    query = select(EnterpriseMonth).where(
        EnterpriseMonth.tenant_id == tenant_id, EnterpriseMonth.month.between(months[0], months[-1])
    )
    return {
        row.month: Counts(row.due, row.completed, row.attempts, row.passed, row.certificates)
        for row in session.scalars(query)
    }


def industries_in(session: Session, lo: int, hi: int) -> list[str]:
    """Return the industries that have enterprises in the range."""
    query = select(RegionTotal.industry_code).where(RegionTotal.region_code >= lo, RegionTotal.region_code < hi)
    return [code for code in session.scalars(query.distinct().order_by(RegionTotal.industry_code)) if code]


def definitions(session: Session, on: date) -> dict[str, DefinitionView]:
    """Return the definition of each figure in force on a day."""
    rows = session.scalars(
        select(Definition).where(Definition.effective_from <= on).order_by(Definition.figure, Definition.version)
    )
    return {
        row.figure: DefinitionView(
            row.figure, row.version, row.effective_from, row.name_zh, row.name_en, row.text_zh, row.text_en
        )
        for row in rows
    }
