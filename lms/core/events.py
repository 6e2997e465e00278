"""What one room announces and others hear. Lower rooms never know the upper ones."""

from __future__ import annotations

import dataclasses
import uuid
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any, get_type_hints

from sqlalchemy.orm import Session

from lms.core import queue
from lms.core.services import Services, services_of
from lms.core.tenancy import WORKER_SCOPE

DELIVER = "core.deliver"


@dataclass(frozen=True, slots=True)
class Event:
    """Base of events: frozen dataclasses of ids and plain values, with a ``version``."""


def publish(session: Session, event: Event) -> None:
    """Announce ``event`` in the transaction of ``session``.

    Inline hearers run now and may only insert into their own insert-only table; each other
    hearer gets one job, on the same connection, so that both stand or fall with the change.
    """
    name = type(event).__name__
    for subscription in services_of(session).kernel.subscriptions.get(name, ()):
        if subscription.inline:
            subscription.handler(session, event)
        else:
            queue.enqueue(session, DELIVER, event=name, subscriber=subscription.name, payload=to_payload(event))


def deliver(services: Services, *, event: str, subscriber: str, payload: dict[str, Any]) -> None:
    """Hand a queued event to its hearer, in a worker transaction. May run twice for one event."""
    event_type = services.kernel.events[event]
    for subscription in services.kernel.subscriptions[event]:
        if subscription.name == subscriber:
            with services.db.transaction(WORKER_SCOPE) as session:
                subscription.handler(session, from_payload(event_type, payload))


def to_payload(event: Event) -> dict[str, Any]:
    """Turn an event into plain JSON values."""

    def plain(value: object) -> object:
        if isinstance(value, uuid.UUID):
            return str(value)
        if isinstance(value, datetime | date):
            return value.isoformat()
        if isinstance(value, tuple | list):
            return [plain(item) for item in value]
        return value

    return {f.name: plain(getattr(event, f.name)) for f in dataclasses.fields(event)}


def from_payload(event_type: type[Event], payload: dict[str, Any]) -> Event:
    """Undo ``to_payload`` by the event's own annotations."""
    hints = get_type_hints(event_type)

    def typed(name: str, value: Any) -> Any:
        hint = str(hints[name])
        if value is None:
            return None
        if "UUID" in hint:
            return tuple(map(uuid.UUID, value)) if isinstance(value, list) else uuid.UUID(value)
        if "datetime.datetime" in hint:
            return datetime.fromisoformat(value)
        if "datetime.date" in hint:
            return date.fromisoformat(value)
        return tuple(value) if isinstance(value, list) else value

    return event_type(**{name: typed(name, value) for name, value in payload.items()})
