"""Events: inline hearers stand in the transaction, later ones hear once it is committed."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime

import pytest
from sqlalchemy.orm import Session

from lms.core import events
from lms.core.events import Event
from lms.core.services import Services
from lms.core.tenancy import PUBLIC_SCOPE
from tests.conftest import Worker


@dataclass(frozen=True, slots=True)
class Told(Event):
    """All kinds of fields that events carry."""

    version: int
    who: uuid.UUID
    whom: uuid.UUID | None
    on: date
    at: datetime
    codes: tuple[str, ...]
    score: float


HEARD: list[tuple[str, Told]] = []
EVENT = Told(1, uuid.uuid4(), None, date(2026, 3, 4), datetime(2026, 3, 4, 5, 6, 7, 8, tzinfo=UTC), ("a", "b"), 80.5)


@pytest.fixture
def hearers(services: Services) -> Iterator[None]:
    """One inline and one later hearer of this test's own event."""

    def hear(kind: str) -> object:
        def note(_session: Session, event: Told) -> None:
            HEARD.append((kind, event))

        return note

    HEARD.clear()
    services.kernel.subscribe(Told, hear("inline"), name="tests.inline", inline=True)  # type: ignore[arg-type]
    services.kernel.subscribe(Told, hear("later"), name="tests.later")  # type: ignore[arg-type]
    yield
    del services.kernel.subscriptions["Told"], services.kernel.events["Told"]


def test_an_event_comes_back_from_the_queue_as_it_was(hearers: None, services: Services, queue_worker: Worker) -> None:
    with services.db.transaction(PUBLIC_SCOPE) as session:
        events.publish(session, EVENT)
        assert HEARD == [("inline", EVENT)]
    queue_worker.drain()
    assert HEARD == [("inline", EVENT), ("later", EVENT)]


def test_a_rolled_back_event_is_never_heard_later(hearers: None, services: Services, queue_worker: Worker) -> None:
    with pytest.raises(ZeroDivisionError), services.db.transaction(PUBLIC_SCOPE) as session:
        events.publish(session, EVENT)
        _ = 1 / 0
    queue_worker.drain()
    assert [kind for kind, _ in HEARD] == ["inline"]
