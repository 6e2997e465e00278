"""The demo's archive: what a county has downloaded of its valid certificates."""

from __future__ import annotations

from datetime import date, timedelta

from certs.actions.operations import NewAction, limit_of, order
from certs.actions.queries import found_by
from certs.actions.rules import Kind
from certs.queries import Filter
from certs.rules import Shown
from lms.accounts.demo import moment_of
from lms.core import clock, ids
from lms.core.access import Actor
from lms.core.bootstrap import worker_conninfo
from lms.core.services import Services
from lms.core.worker import drain


def make(services: Services, county: Actor, today: date) -> None:
    """Let the county take all its valid certificates as one archive."""
    wanted = Filter(shown=Shown.VALID).within(county.scope)
    with clock.travelling_to(moment_of(today - timedelta(days=1), 21, 30)):
        with services.db.transaction(county.scope) as session:
            confirmed = len(found_by(session, wanted, limit_of(Kind.FILES)))
            order(session, county, NewAction(ids.new_id(), Kind.FILES, wanted=wanted, confirmed=confirmed))
        drain(services, worker_conninfo(services.settings))
