"""Pages of bulk issue: order, watch, pause, resume, cancel."""

from __future__ import annotations

import uuid

from flask import Blueprint, current_app, flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue

from certs.access import P
from certs.issue import bulk_tasks
from certs.issue.bulk import Wanted, access_bulk, bulk_page, order_bulk, steer_bulk
from certs.labels import BULK_STATES
from certs.schemes.queries import scheme_choices, schemes_in_force
from lms.core import clock, web
from lms.core.i18n import gettext as _
from lms.core.i18n import in_language
from lms.core.tenancy import ALL

blueprint = Blueprint("certs_bulk", __name__, template_folder="../templates")


def _schemes() -> dict[str, str]:
    return {code: in_language(zh, en) for code, zh, en in scheme_choices(web.db())}


def _offered() -> dict[str, str]:
    """Return the types that the department may order now."""
    mine, today = web.actor().scope.schemes, clock.today()
    found = schemes_in_force(web.db(), today)
    return {code: in_language(row.name_zh, row.name_en) for code, row in found.items() if mine == ALL or code in mine}


@blueprint.get("/regulator/bulk")
@web.requires(P.DECIDE)
def bulk_list() -> ResponseReturnValue:
    """List the department's orders."""
    wanted, schemes = _wanted(), _schemes()
    page = bulk_page(web.db(), wanted, request.args.get("cursor"))
    return render_template(
        "certs/bulk_list.html",
        page=page,
        wanted=wanted,
        schemes=schemes,
        offered=_offered(),
        states=BULK_STATES,
        scheme_filters=[("", _("全部类型")), *schemes.items()],
        state_filters=[("", _("全部状态")), *((code, name) for code, (name, _tone) in BULK_STATES.items())],
    )


def _wanted() -> Wanted:
    state = request.args.get("state", "")
    return Wanted(
        q=request.args.get("q", "").strip()[:60],
        state=state if state in BULK_STATES else "",
        scheme=request.args.get("scheme", "")[:60],
    )


@blueprint.post("/regulator/bulk/export")
@web.requires(P.DECIDE)
def export() -> ResponseReturnValue:
    """Export the list by a job."""
    return redirect(url_for("core.job", job_id=bulk_tasks.start_export(web.db(), web.actor(), _wanted())))


@blueprint.post("/regulator/bulk")
@web.requires(P.DECIDE)
def order() -> ResponseReturnValue:
    """Order everything that is due of one scheme."""
    bulk_id = order_bulk(web.db(), web.actor(), request.form.get("scheme", "")[:60])
    flash(_("已开始批量制证"), "ok")
    return redirect(url_for(".bulk", bulk_id=bulk_id))


@blueprint.get("/regulator/bulk/<uuid:bulk_id>")
@web.requires(P.DECIDE)
def bulk(bulk_id: uuid.UUID) -> ResponseReturnValue:
    """Show one order."""
    one = access_bulk(web.db(), bulk_id)
    return render_template("certs/bulk.html", one=one, schemes=_schemes(), states=BULK_STATES)


@blueprint.get("/regulator/bulk/<uuid:bulk_id>/progress")
@web.requires(P.DECIDE)
def progress(bulk_id: uuid.UUID) -> ResponseReturnValue:
    """Show how far an order is, for the page that polls it; once it is over the page loads itself again."""
    one = access_bulk(web.db(), bulk_id)
    page = render_template("certs/_bulk_progress.html", one=one, schemes=_schemes(), states=BULK_STATES)
    response = current_app.make_response(page)
    if one.state not in ("preparing", "running"):
        response.headers["HX-Refresh"] = "true"
    return response


@blueprint.post("/regulator/bulk/<uuid:bulk_id>/<any(pause, resume, cancel):step>")
@web.requires(P.DECIDE)
def steer(bulk_id: uuid.UUID, step: str) -> ResponseReturnValue:
    """Pause, resume or cancel."""
    steer_bulk(web.db(), web.actor(), bulk_id, step)
    return redirect(url_for(".bulk", bulk_id=bulk_id))
