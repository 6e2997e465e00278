"""What the enterprise's administrator sees of its own figures."""

from __future__ import annotations

import uuid

from flask import render_template
from flask.typing import ResponseReturnValue
from sqlalchemy.orm import Session

import lms.courses.api as courses
from lms.core import clock, web
from lms.core.errors import NotFound
from supervision.access import P
from supervision.boards import queries, rules
from supervision.boards.rules import Counts
from supervision.boards.views import PLOT_MONTHS, shown_with_figures
from supervision.figures.models import EnterpriseTotal
from supervision.figures.rules import months_back, period_of
from supervision.pages import blueprint
from supervision.warnings import queries as cases

RUNNING_SHOWN = 5


def _own(session: Session) -> tuple[uuid.UUID, EnterpriseTotal | None]:
    """Return the tenant and its standing, None in the seconds before its first fold."""
    tenant_id = web.actor().tenant_id
    if tenant_id is None:
        raise NotFound
    return tenant_id, session.get(EnterpriseTotal, tenant_id)


def _context(session: Session) -> dict[str, object]:
    tenant_id, total = _own(session)
    shown = (
        shown_with_figures(session, total.region_code, total.industry_code, total.size_class)
        if total
        else shown_with_figures(session, 0)
    )
    return {
        "counts": queries.counts_of(total) if total else Counts(),
        "standing": total,
        "cases": cases.cases_of(session, tenant_id),
        **shown,
    }


@blueprint.get("/tenant")
@web.requires(P.TENANT_READ)
def tenant_home() -> ResponseReturnValue:
    """The workbench: how the enterprise stands and what to do next."""
    session = web.db()
    tenant_id, _total = _own(session)
    running = courses.list_assignments(session, tenant_id, state="running", size=RUNNING_SHOWN)
    return render_template("supervision/tenant_home.html", running=running.items, **_context(session))


@blueprint.get("/tenant/figures")
@web.requires(P.TENANT_READ)
def tenant_figures() -> ResponseReturnValue:
    """Figures by month and every warning, the same that the regulator sees."""
    session = web.db()
    tenant_id, _total = _own(session)
    months = months_back(period_of(clock.today())[1], PLOT_MONTHS)
    by_month = queries.months_of(session, tenant_id, months)
    return render_template(
        "supervision/tenant_figures.html",
        bars=rules.plot(months, by_month),
        by_month=by_month,
        **_context(session),
    )
