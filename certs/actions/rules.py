"""Which actions there are, and on which certificates each can be carried out. No I/O, no clock."""

from __future__ import annotations

from enum import StrEnum

from certs.rules import Decision, Origin, Status, next_status


class Kind(StrEnum):
    """What is done to every chosen certificate."""

    FILES = "files"
    SUSPEND = "suspend"
    REVOKE = "revoke"


DECISIONS = {Kind.SUSPEND: Decision.SUSPEND, Kind.REVOKE: Decision.REVOKE}
"""The decision that an action carries out, or proposes; its coded reasons are those to choose from."""


def is_possible(kind: Kind, state: str, status: str, origin: str) -> bool:
    """Tell whether an action can be carried out on a certificate as it stands; a proposal may still be open."""
    if state != "issued":
        return False
    if kind is Kind.FILES:
        return origin == Origin.ISSUED
    return next_status(Status(status), DECISIONS[kind]) is not None
