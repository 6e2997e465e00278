"""Queue entry points of bulk issue."""

from __future__ import annotations

import uuid
from datetime import timedelta

from certs.issue import bulk
from certs.issue.operations import request_certificate
from certs.issue.tasks import make, read_order
from lms.core import clock
from lms.core.access import SYSTEM
from lms.core.services import Services
from lms.core.tenancy import WORKER_SCOPE

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
        entries = bulk.chunk_entries(session, found, number)
        for person_id, attempt_id in entries:
            request_certificate(session, SYSTEM, person_id=person_id, attempt_id=attempt_id, queued=False)
    if not entries:
        return
    with services.db.transaction(WORKER_SCOPE, read_only=True) as session:
        orders = [read_order(services, session, *one) for one in bulk.requested_of(session, entries)]
    made = [make(services, order) for order in orders if order]
    with services.db.transaction(WORKER_SCOPE) as session:
        won = [one.enter(session) for one in made]
        failed = sum(bool(one.refusal) for one in made)
        issued = sum(won) - failed
        bulk.finish_chunk(session, found, number, people=len(entries), issued=issued, failed=failed)
    for one, mine in zip(made, won, strict=True):
        if not mine:
            one.withdraw(services)


def requeue_stalled(services: Services) -> None:
    """Queue orders again in which nothing has moved for ten minutes (ticker)."""
    with services.db.transaction(WORKER_SCOPE) as session:
        bulk.requeue_stalled(session, clock.now() - STALLED_AFTER)
