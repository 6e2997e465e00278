"""The auditor's pages."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterator
from dataclasses import replace
from datetime import date

from flask import current_app, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from sqlalchemy.orm import Session

from lms.accounts.access import P
from lms.accounts.auditing import queries, tasks
from lms.accounts.auditing.queries import AuditFilter
from lms.accounts.blueprint import bp
from lms.accounts.labels import role_name
from lms.core import bootstrap, jobs, queue, web
from lms.core.i18n import gettext as _
from lms.core.services import Services
from lms.core.tenancy import AUDIT_SCOPE

READER = "anzheng.audit_reader"
_making = threading.Lock()


@contextlib.contextmanager
def _reading() -> Iterator[Session]:
    """Open a transaction of the auditor's login: the web login cannot take the log's scope.

    The page is rare, so its connections are closed again rather than kept.
    """
    extensions = current_app.extensions
    with _making:
        if READER not in extensions:
            own = web.services()
            settings = replace(own.settings, pool_size=2)
            extensions[READER] = bootstrap.build_services(settings, own.kernel, login="auditor")
        reader: Services = extensions[READER]
    try:
        with reader.db.transaction(AUDIT_SCOPE, read_only=True) as session:
            yield session
    finally:
        reader.db.dispose()


def _day(name: str) -> date | None:
    try:
        return date.fromisoformat(request.args.get(name, ""))
    except ValueError:
        return None


@bp.get("/audit")
@web.requires(P.AUDIT_READ)
def audit_log() -> ResponseReturnValue:
    """Search the log by actor, action, subject and time."""
    wanted = AuditFilter(
        actor=request.args.get("actor", "").strip()[:80],
        action=request.args.get("action", "").strip()[:80],
        subject=request.args.get("subject", "").strip()[:80],
        since=_day("since"),
        until=_day("until"),
    )
    kept = {name: value for name, value in request.args.items() if name != "cursor" and value}
    with _reading() as session:
        page = queries.search(session, wanted, cursor=request.args.get("cursor"))
        names = queries.names_of(session, page.items)
        state = queries.state(session)
    web.note_personal_read("audit_log", "search", filters=kept)
    return render_template(
        "accounts/audit.html", page=page, names=names, state=state, wanted=wanted, role_name=role_name
    )


@bp.post("/audit/verify")
@web.requires(P.AUDIT_VERIFY)
def verify_audit() -> ResponseReturnValue:
    """Have the whole log checked by a job; its page shows the verdict."""
    session, actor = web.db(), web.actor()
    job_id = jobs.start(session, actor, tasks.VERIFY, _("审计日志校验"))
    queue.enqueue(session, tasks.VERIFY, job_id=str(job_id))
    return redirect(url_for("core.job", job_id=job_id))
