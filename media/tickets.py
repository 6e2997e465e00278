"""Playback tickets: a signed right to fetch the segments of one video, checked without a database."""

from __future__ import annotations

import uuid
from dataclasses import dataclass

from itsdangerous import BadData, URLSafeTimedSerializer
from itsdangerous.timed import TimestampSigner

from lms.core import clock
from media.errors import TicketExpired

SALT = "media.playback"
LIFETIME_S = 6 * 3600  # longer than any sitting with a lesson of 15 minutes, pauses included
STEP_S = 3600


class _HourlySigner(TimestampSigner):
    """Signs with the present hour, so that the addresses stay cacheable while it lasts."""

    def get_timestamp(self) -> int:
        return int(clock.now().timestamp()) // STEP_S * STEP_S


@dataclass(frozen=True, slots=True)
class Ticket:
    """Who may fetch which video's segments, and in which folder they stand."""

    asset_id: uuid.UUID
    run_id: uuid.UUID
    person_id: uuid.UUID


def _serializer(key: bytes) -> URLSafeTimedSerializer:
    return URLSafeTimedSerializer(key, salt=SALT, signer=_HourlySigner)


def write_ticket(key: bytes, ticket: Ticket) -> str:
    """Sign ``ticket``; it lasts between five and six hours."""
    return _serializer(key).dumps([ticket.asset_id.hex, ticket.run_id.hex, ticket.person_id.hex])


def read_ticket(key: bytes, text: str, asset_id: uuid.UUID) -> Ticket:
    """Return the ticket for ``asset_id``; raises TicketExpired when forged, old or another's."""
    try:
        values = _serializer(key).loads(text, max_age=LIFETIME_S)
        ticket = Ticket(*(uuid.UUID(hex=value) for value in values))
    except (BadData, ValueError, TypeError):
        raise TicketExpired from None
    if ticket.asset_id != asset_id:
        raise TicketExpired
    return ticket
