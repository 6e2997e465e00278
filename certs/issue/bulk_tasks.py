"""Queue entry points of bulk issue."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from dataclasses import asdict
from datetime import timedelta
from typing import Any

from sqlalchemy.orm import Session

from certs.issue import bulk
from certs.issue.drawing import IssueOrder
from certs.issue.operations import request_certificate
from certs.issue.tasks import Made, make, read_order
from certs.labels import BULK_EXPORT_HEADS, BULK_EXPORT_STATES, SHEET
from certs.models import Bulk
from certs.schemes.queries import scheme_choices
from lms.core import audit, clock, exports, jobs, queue
from lms.core.access import SYSTEM, Actor
from lms.core.errors import DomainError
from lms.core.i18n import gettext as _
from lms.core.services import Services
from lms.core.tenancy import WORKER_SCOPE, Scope

EXPORT = "certs.bulk_export"
STALLED_AFTER = timedelta(minutes=10)


def start(services: Services, *, bulk_id: str) -> None:
    """Cut an order into chunks, or go on with those that are not done."""
    bulk.start(services, uuid.UUID(bulk_id))


def chunk(services: Services, *, bulk_id: str, number: int) -> None:
    """Issue to the people of one chunk: request, then draw outside any transaction, then write all down at once.

    Killed anywhere, the next run finds the same requests, and counts come with the checkpoint only.
    """
    found = uuid.UUID(bulk_id)
    with services.db.transaction(WORKER_SCOPE) as session:
        scheme_code, entries = bulk.chunk_entries(session, found, number)
        refused = _request_all(session, scheme_code, entries)
    if not entries:
        return
    with services.db.transaction(WORKER_SCOPE, read_only=True) as session:
        orders = [read_order(services, session, *one) for one in bulk.requested_of(session, scheme_code, entries)]
    made = _make_all(services, [order for order in orders if order])
    with services.db.transaction(WORKER_SCOPE) as session:
        won = [one.enter(session) for one in made]
        failed = sum(mine and bool(one.refusal) for one, mine in zip(made, won, strict=True))
        issued = sum(won) - failed
        bulk.finish_chunk(session, found, number, people=len(entries), issued=issued, failed=failed, refused=refused)
    for one, mine in zip(made, won, strict=True):
        if not mine:
            one.withdraw(services)


def _request_all(session: Session, scheme_code: str, entries: bulk.Entries) -> dict[uuid.UUID, str]:
    """Request the certificates of the scheme; return why not, by attempt, of those that are refused."""
    try:
        with session.begin_nested():
            for person_id, attempt_id in entries:
                request_certificate(
                    session, SYSTEM, person_id=person_id, attempt_id=attempt_id, scheme_code=scheme_code, queued=False
                )
    except DomainError as error:
        if len(entries) == 1:
            return {entries[0][1]: error.text()}
        # One spoils it for all that share its savepoint. Halves find it, and cost the usual chunk nothing.
        half = len(entries) // 2
        return _request_all(session, scheme_code, entries[:half]) | _request_all(session, scheme_code, entries[half:])
    return {}


def _make_all(services: Services, orders: Sequence[IssueOrder]) -> list[Made]:
    """Make them all; where one cannot be made now, leave no files of the others behind for the next run makes anew."""
    made: list[Made] = []
    try:
        for order in orders:
            made.append(make(services, order))  # noqa: PERF401 - those made before an error are wanted
    except BaseException:
        for one in made:
            one.withdraw(services)
        raise
    return made


def requeue_stalled(services: Services) -> None:
    """Queue orders again in which nothing has moved for ten minutes (ticker)."""
    with services.db.transaction(WORKER_SCOPE) as session:
        bulk.requeue_stalled(session, clock.now() - STALLED_AFTER)


def start_export(session: Session, actor: Actor, wanted: bulk.Wanted) -> uuid.UUID:
    """Queue the export of the list of orders as it is filtered; return the job to watch."""
    job_id = jobs.start(session, actor, EXPORT, _("导出批量制证记录"))
    audit.record(session, actor, "certs.bulk.exported", subject_type="job", subject_id=job_id)
    queue.enqueue(session, EXPORT, job_id=str(job_id), scope=actor.scope.to_data(), wanted=asdict(wanted))
    return job_id


def export(services: Services, *, job_id: str, scope: dict[str, Any], wanted: dict[str, str]) -> None:
    """Write the list to storage, seen through the scope of whoever asked, and name the file in the job."""
    with services.db.transaction(Scope.from_data(scope), read_only=True) as session:
        names = {code: zh for code, zh, _en in scheme_choices(session)}
        rows = (_row(row, names) for row in bulk.all_bulks(session, bulk.Wanted(**wanted)))
        exports.publish_table(services, uuid.UUID(job_id), SHEET, BULK_EXPORT_HEADS, rows, "bulk.xlsx")


def _row(row: Bulk, names: dict[str, str]) -> list[str]:
    return [
        names.get(row.scheme_code, row.scheme_code),
        *map(str, (row.people, row.people_done, row.issued, row.failed)),
        BULK_EXPORT_STATES[row.state],
        row.ordered_by_name,
        exports.moment(row.ordered_at),
        exports.moment(row.ended_at),
    ]
