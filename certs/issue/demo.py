"""The demo's bulk issue: on the evening of the last exams a county orders what is due, before any job has run."""

from __future__ import annotations

from datetime import date, timedelta

from sqlalchemy import select

from certs.issue import bulk, bulk_tasks
from certs.models import BulkChunk
from lms.accounts.demo import moment_of
from lms.accounts.demo_cast import SCHEME
from lms.core import clock
from lms.core.access import Actor
from lms.core.bootstrap import worker_conninfo
from lms.core.services import Services
from lms.core.tenancy import WORKER_SCOPE
from lms.core.worker import drain


def make(services: Services, county: Actor, today: date) -> None:
    """Let the county order; what is due elsewhere is then issued as always, person by person."""
    with clock.travelling_to(moment_of(today - timedelta(days=1), 18, 20)):
        with services.db.transaction(county.scope) as session:
            bulk_id = bulk.order_bulk(session, county, SCHEME)
        bulk.start(services, bulk_id)
        with services.db.transaction(WORKER_SCOPE, read_only=True) as session:
            numbers = session.scalars(select(BulkChunk.number).where(BulkChunk.bulk_id == bulk_id)).all()
        for number in sorted(numbers):
            bulk_tasks.chunk(services, bulk_id=str(bulk_id), number=number)
        drain(services, worker_conninfo(services.settings))
