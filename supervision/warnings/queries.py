"""Reading rules and cases."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any, cast

from sqlalchemy import Select, func, select
from sqlalchemy.orm import Session

from lms.core.paging import Page, paginate
from supervision.figures.models import EnterpriseTotal
from supervision.warnings import rules
from supervision.warnings.models import Rule, WarningCase, WarningNote
from supervision.warnings.rules import RuleView

LEVELS = ("red", "orange", "yellow")


@dataclass(frozen=True, slots=True)
class CaseView:
    """A case as lists and pages show it."""

    warning_id: uuid.UUID
    tenant_id: uuid.UUID
    enterprise_name: str
    kind: str
    level: str
    state: str
    subject_id: uuid.UUID
    region_code: int
    industry_code: str
    period_from: date
    period_to: date
    rule_code: str
    rule_region_code: int
    rule_version: int
    figures: dict[str, Any]
    latest: dict[str, Any]
    told: list[dict[str, Any]]
    opened_at: datetime
    closed_at: datetime | None
    closing_figures: dict[str, Any] | None


@dataclass(frozen=True, slots=True)
class NoteView:
    """What an official said about a case."""

    kind: str
    text: str
    author_id: uuid.UUID
    author_name: str
    organisation: str
    at: datetime


def rules_in_force(session: Session, on: date) -> list[RuleView]:
    """Return every rule in force on a day, of all regions."""
    return rules.in_force([_rule(row) for row in session.scalars(select(Rule))], on)


def rule_of(session: Session, case: CaseView) -> RuleView | None:
    """Return the version of the rule that raised a case."""
    row = session.get(Rule, (case.rule_code, case.rule_region_code, case.rule_version))
    return _rule(row) if row else None


def _rule(row: Rule) -> RuleView:
    return RuleView(
        code=row.code,
        region_code=row.region_code,
        version=row.version,
        effective_from=row.effective_from,
        purpose=row.purpose,
        figure=row.figure,
        level=row.level,
        threshold_pct=row.threshold_pct,
        size_classes=tuple(row.size_classes),
        industries=tuple(row.industries),
        legal_basis_zh=row.legal_basis_zh,
        legal_basis_en=row.legal_basis_en,
    )


def case_view(case: WarningCase, enterprise_name: str) -> CaseView:
    """Return what pages show of a case's row."""
    return CaseView(
        warning_id=case.id,
        tenant_id=case.tenant_id,
        enterprise_name=enterprise_name,
        kind=case.kind,
        level=case.level,
        state=case.state,
        subject_id=case.subject_id,
        region_code=case.region_code,
        industry_code=case.industry_code,
        period_from=case.period_from,
        period_to=case.period_to,
        rule_code=case.rule_code,
        rule_region_code=case.rule_region_code,
        rule_version=case.rule_version,
        figures=case.figures,
        latest=case.latest,
        told=list(case.told),
        opened_at=case.opened_at,
        closed_at=case.closed_at,
        closing_figures=case.closing_figures,
    )


def case_page(
    session: Session,
    *,
    state: str = "",
    level: str = "",
    q: str = "",
    cursor: str | None = None,
) -> Page[CaseView]:
    """Return cases within the scope, the newest first; ``q`` looks in the enterprise's name."""
    query = cast(
        "Select[Any]",  # paginate takes any row; the type of rows is variadic
        select(WarningCase, EnterpriseTotal.name).join(
            EnterpriseTotal, EnterpriseTotal.tenant_id == WarningCase.tenant_id
        ),
    )
    if state:
        query = query.where(WarningCase.state == state)
    if level:
        query = query.where(WarningCase.level == level)
    if q:
        query = query.where(EnterpriseTotal.name.contains(q, autoescape=True))
    total = session.execute(select(func.count()).select_from(query.subquery())).scalar_one()
    page = paginate(
        session,
        query,
        keys=[WarningCase.id],  # type: ignore[list-item]  # a mapped column is one
        key_of=lambda row: [row[0].id],
        cursor=cursor,
        descending=True,
        total=total,
    )
    return page.map(lambda row: case_view(row[0], row[1]))


def cases_of(session: Session, tenant_id: uuid.UUID, *, limit: int = 50) -> list[CaseView]:
    """Return an enterprise's newest cases."""
    query = (
        select(WarningCase, EnterpriseTotal.name)
        .join(EnterpriseTotal, EnterpriseTotal.tenant_id == WarningCase.tenant_id)
        .where(WarningCase.tenant_id == tenant_id)
        .order_by(WarningCase.id.desc())
        .limit(limit)
    )
    return [case_view(case, name) for case, name in session.execute(query)]


def notes_of(session: Session, case: CaseView) -> list[NoteView]:
    """Return what was said about a case, oldest first."""
    query = (
        select(WarningNote)
        .where(WarningNote.tenant_id == case.tenant_id, WarningNote.warning_id == case.warning_id)
        .order_by(WarningNote.id)
    )
    return [
        NoteView(row.kind, row.text, row.author_id, row.author_name, row.organisation, row.at)
        for row in session.scalars(query)
    ]


def open_levels(session: Session, tenant_ids: Sequence[uuid.UUID]) -> dict[uuid.UUID, list[str]]:
    """Return the levels of the enterprises' open cases, the worst first."""
    query = (
        select(WarningCase.tenant_id, WarningCase.level)
        .where(WarningCase.tenant_id.in_(tenant_ids), WarningCase.state == "open")
        .distinct()
    )
    found: dict[uuid.UUID, list[str]] = {}
    for tenant_id, level in session.execute(query):
        found.setdefault(tenant_id, []).append(level)
    return {tenant_id: sorted(levels, key=LEVELS.index) for tenant_id, levels in found.items()}


def count_open(session: Session, lo: int, hi: int) -> dict[int, dict[str, int]]:
    """Return how many cases are open, by county and level, with codes in [lo, hi)."""
    query = (
        select(WarningCase.region_code, WarningCase.level, func.count())
        .where(WarningCase.state == "open", WarningCase.region_code >= lo, WarningCase.region_code < hi)
        .group_by(WarningCase.region_code, WarningCase.level)
    )
    found: dict[int, dict[str, int]] = {}
    for region_code, level, count in session.execute(query):
        found.setdefault(region_code, {})[level] = count
    return found
