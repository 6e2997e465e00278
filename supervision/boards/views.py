"""The regulator's board: their root region, drill-down to the county and the enterprise."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from dataclasses import dataclass

from flask import redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from sqlalchemy.orm import Session

import lms.accounts.api as accounts
from lms.accounts.api import Region
from lms.core import clock, web
from lms.core.i18n import is_english
from lms.core.i18n import lazy_gettext as _
from lms.core.remembered import Remembered
from supervision.access import P, access_enterprise, access_region
from supervision.boards import queries, rules, tasks
from supervision.boards.queries import Filter
from supervision.boards.rules import Counts
from supervision.figures.rules import months_back, period_of
from supervision.pages import KINDS, LEVEL_NAMES, RISKS, SIZES, blueprint, chosen, chosen_month
from supervision.warnings import queries as cases
from supervision.warnings import rules as warning_rules
from supervision.warnings.rules import RuleView

CHILD_LEVEL = {"province": "city", "city": "county"}
PLOT_MONTHS = 12
SORTS = (
    ("completion", _("完成率低在前")),
    ("-completion", _("完成率高在前")),
    ("pass_rate", _("合格率低在前")),
    ("-pass_rate", _("合格率高在前")),
    ("coverage", _("覆盖率低在前")),
    ("-coverage", _("覆盖率高在前")),
    ("-staff", _("员工多在前")),
    ("-certificates", _("证书多在前")),
)
RULES = Remembered(lambda session: tuple(cases.rules_in_force(session, clock.today())))
DEFINITIONS = Remembered(lambda session: queries.definitions(session, clock.today()))
INDUSTRIES = Remembered(lambda session: tuple(accounts.industries(session)))


@dataclass(frozen=True, slots=True)
class RegionLine:
    """One division on the board of its parent."""

    region: Region
    counts: Counts
    warnings: Mapping[str, int]


def wanted_from_request(region: Region) -> Filter:
    """Return what the address narrows the board to."""
    period_from, period_to = period_of(clock.today())
    industry = request.args.get("industry", "")
    sort = chosen("sort", tuple(key for key, _label in SORTS), "completion")
    return Filter(
        lo=region.lo,
        hi=region.hi,
        period_from=period_from,
        period_to=period_to,
        month=chosen_month(),
        industry_code=industry if len(industry) == 2 and industry.isalnum() else "",
        size_class=chosen("size", dict(SIZES)),
        risk_class=chosen("risk", dict(RISKS)),
        q=request.args.get("q", "").strip()[:60],
        sort=sort.removeprefix("-"),
        descending=sort.startswith("-"),
    )


@blueprint.get("/board")
@web.requires(P.BOARD_READ)
def board() -> ResponseReturnValue:
    """Show the figures of everything that the regulator oversees."""
    return _board(None)


@blueprint.get("/board/<int:region_code>")
@web.requires(P.BOARD_READ)
def board_region(region_code: int) -> ResponseReturnValue:
    """Show the figures of one division within it."""
    return _board(region_code)


def _board(region_code: int | None) -> ResponseReturnValue:
    session = web.db()
    region = access_region(session, web.actor(), region_code)
    wanted = wanted_from_request(region)
    by_county = queries.by_county(session, wanted)
    open_cases = cases.count_open(session, region.lo, region.hi)
    names = industry_names(session)
    context = {
        "region": region,
        "path": _path(session, region),
        "wanted": wanted,
        "total": rules.total(by_county.values()),
        "open_count": sum(_sum_levels(open_cases, region).values()),
        "names": names,
        "sorts": SORTS,
        "industries": [(code, names.get(code, code)) for code in queries.industries_in(session, region.lo, region.hi)],
        **shown_with_figures(session, region.code),
    }
    if region.level in CHILD_LEVEL:
        lines = _region_lines(session, region, wanted, by_county, open_cases)
        return render_template("supervision/board.html", lines=lines, **context)
    page = queries.enterprise_page(session, wanted, request.args.get("cursor"))
    levels = cases.open_levels(session, [line.tenant_id for line in page.items])
    return render_template("supervision/board.html", page=page, levels=levels, **context)


def _path(session: Session, region: Region) -> list[Region]:
    """Return the divisions from the regulator's own down to the parent of ``region``."""
    lo = web.actor().scope.region_lo or 0
    hi = web.actor().scope.region_hi or 0
    above = [warning_rules.places(region.code)[place] for place in (2, 1)]
    return [accounts.region(session, code) for code in dict.fromkeys(above) if lo <= code < hi and code != region.code]


def _sum_levels(open_cases: Mapping[int, Mapping[str, int]], region: Region) -> dict[str, int]:
    found: dict[str, int] = {}
    for county, levels in open_cases.items():
        if region.lo <= county < region.hi:
            for level, count in levels.items():
                found[level] = found.get(level, 0) + count
    return found


def _region_lines(
    session: Session,
    region: Region,
    wanted: Filter,
    by_county: Mapping[int, Counts],
    open_cases: Mapping[int, Mapping[str, int]],
) -> list[RegionLine]:
    children = accounts.regions_under(session, region.lo, region.hi, CHILD_LEVEL[region.level])
    lines = [
        RegionLine(
            child,
            rules.total(counts for code, counts in by_county.items() if child.lo <= code < child.hi),
            _sum_levels(open_cases, child),
        )
        for child in children
        if not wanted.q or wanted.q in child.name
    ]
    lines.sort(key=lambda line: line.region.code)
    # Divisions without the figure stand last in either direction.
    sign = -1 if wanted.descending else 1
    unknown = float("inf")
    keys = {line.region.code: rules.sort_key(line.counts, wanted.sort) for line in lines}
    lines.sort(key=lambda line: unknown if keys[line.region.code] == unknown else sign * keys[line.region.code])
    return lines


def shown_with_figures(session: Session, region_code: int, industry: str = "", size: str = "") -> dict[str, object]:
    """Return what stands beside and behind figures: targets, warning lines, definitions, names."""
    today = clock.today()
    found = warning_rules.applicable(
        RULES.get(session), region_code=region_code, industry_code=industry, size_class=size
    )
    targets: dict[str, RuleView | None] = {
        figure: warning_rules.target_for(found, figure) for figure in ("coverage", "completion", "certificates")
    }
    limits = {rule.figure: rule.threshold_pct for rule in found.values() if rule.purpose == "warning"}
    return {
        "targets": targets,
        "limits": limits,
        "definitions": DEFINITIONS.get(session),
        "sizes": SIZES,
        "risks": RISKS,
        "kinds": KINDS,
        "level_names": LEVEL_NAMES,
        "months": list(reversed(months_back(period_of(today)[1], PLOT_MONTHS))),
        "tone": rules.tone,
    }


def industry_names(session: Session) -> dict[str, str]:
    """Return the names of industries in the reader's language."""
    english = is_english()
    return {code: en if english else zh for code, zh, en in INDUSTRIES.get(session)}


@blueprint.get("/board/enterprises/<uuid:tenant_id>")
@web.requires(P.BOARD_READ)
def enterprise(tenant_id: uuid.UUID) -> ResponseReturnValue:
    """Show one enterprise: who it is, its figures by month, its warnings."""
    session = web.db()
    total = access_enterprise(session, tenant_id)
    region = access_region(session, web.actor(), total.region_code)
    months = months_back(period_of(clock.today())[1], PLOT_MONTHS)
    by_month = queries.months_of(session, tenant_id, months)
    return render_template(
        "supervision/enterprise.html",
        enterprise=accounts.enterprise(session, tenant_id),
        standing=total,
        counts=queries.counts_of(total),
        region=region,
        path=_path(session, region),
        industry=industry_names(session).get(total.industry_code, total.industry_code),
        bars=rules.plot(months, by_month),
        by_month=by_month,
        cases=cases.cases_of(session, tenant_id),
        **shown_with_figures(session, total.region_code, total.industry_code, total.size_class),
    )


@blueprint.post("/board/<int:region_code>/export")
@web.requires(P.BOARD_EXPORT)
def export(region_code: int) -> ResponseReturnValue:
    """Write the enterprises of a division to a spreadsheet, by a job."""
    region = access_region(web.db(), web.actor(), region_code)
    job_id = tasks.start_export(web.db(), web.actor(), region, wanted_from_request(region))
    return redirect(url_for("core.job", job_id=job_id))
