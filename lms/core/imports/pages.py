"""What the pages of every kind of import do alike."""

from __future__ import annotations

import uuid

from flask import Response, current_app, render_template, request
from sqlalchemy.orm import Session

from lms.core import jobs, web
from lms.core.imports import queries
from lms.core.imports.access import access_import
from lms.core.imports.kinds import C, I, ImportKind
from lms.core.spreadsheets.errors import refusal_text


def shown(session: Session, kind: ImportKind[I, C], one: I) -> dict[str, object]:
    """Return what the template of an import shows of its job, refusal and faults. Raises BadCursor."""
    kept = {"column": request.args.get("column", ""), "code": request.args.get("code", "")}
    faults = queries.fault_page(session, kind, one, **kept, cursor=request.args.get("cursor"))
    return {
        **kept,
        "one": one,
        "job": jobs.access_job(session, one.job_id),
        "refusal": refusal_text(one.refusal_code, one.refusal_data) if one.refusal_code else "",
        "faults": faults,
        "counts": queries.fault_counts(session, kind, one),
        "columns": [(name, str(kind.words.columns[name])) for name in kind.columns],
    }


def progress(kind: ImportKind[I, C], import_id: uuid.UUID, template: str) -> Response:
    """Return how far the job is; once it is over the page loads itself again. Raises NotFound."""
    session = web.db()
    one = access_import(session, web.actor(), kind, import_id)
    response = current_app.make_response(render_template(template, one=one, job=jobs.access_job(session, one.job_id)))
    if one.state not in {"checking", *kind.busy_states}:
        response.headers["HX-Refresh"] = "true"
    return response
