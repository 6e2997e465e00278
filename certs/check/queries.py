"""What anyone may learn about a certificate, and the record that they asked."""

from __future__ import annotations

import json
import uuid
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from sqlalchemy import text
from sqlalchemy.orm import Session

from certs.rules import GUESSING_WINDOW, Shown
from lms.core import clock, ids
from lms.core.db import Database

# One index look-up for each: the page is the hottest of all, and the public role reads no table.
_LOOK_UP = text("select * from certs_lookup(:public_id)")
_FIND = text("select certs_find(:number, :name)")
_RECORD = text(
    "insert into certs_check (id, at, public_id, certificate_id, outcome, address_digest, agent_family)"
    " values (:id, :at, :public_id, :certificate_id, :outcome, :address_digest, :agent_family)"
)
_COUNT_UNKNOWN = text("select certs_count_unknown(:address, :since)")
ADDRESS_DIGEST = "certs.check.address"
"""The kind of digest under which addresses are written down."""
GUESSES_ALLOWED = 30
UNKNOWN = "unknown"
MALFORMED = "malformed"


@dataclass(frozen=True, slots=True)
class PublicFacts:
    """What the public sees: the holder masked, no id number, no portrait."""

    certificate_id: uuid.UUID
    number: str
    holder_name_masked: str
    scheme_name_zh: str
    scheme_name_en: str
    status: str
    valid_from: date
    valid_until: date
    issued_at: datetime
    issuer_name: str
    enterprise_name: str
    licence_number: str
    licence_valid_until: date | None
    renewal_window_days: int
    leaf_seq: int | None


@dataclass(frozen=True, slots=True)
class Decided:
    """Why a certificate is not in force: the reason's name, when, and the number of what replaces it (or empty)."""

    at: datetime
    reason_zh: str
    reason_en: str
    successor: str


@dataclass(frozen=True, slots=True)
class Imported:
    """An earlier system issued the certificate, on this day; it was entered here only."""

    issued_on: date


@dataclass(frozen=True, slots=True)
class Checked:
    """The answer to one check. ``facts`` and ``shown`` are None for what does not exist.

    ``unknown`` then says how often this visitor lately asked for what does not exist. ``decided``
    stands where a decision, not the calendar, took the certificate out of force; ``imported`` where it is not ours.
    """

    facts: PublicFacts | None
    shown: Shown | None
    unknown: int = 0
    decided: Decided | None = None
    imported: Imported | None = None

    @property
    def is_guessing(self) -> bool:
        return self.unknown > GUESSES_ALLOWED


@dataclass(frozen=True, slots=True)
class Visitor:
    """Who asks: a keyed digest of the address and the browser's family."""

    address_digest: bytes
    agent_family: str


def check_now(database: Database, visitor: Visitor, public_id: str, today: date) -> Checked:
    """Look a certificate up and write down that it was asked, together with all checks of the same moment.

    ``public_id`` must have gone through ``rules.clean_public_id``: it stands in the statement, and
    so do only digits, letters and dates of our own.
    """
    now = clock.now()
    call = (
        f"certs_check_now('{public_id}', '{ids.new_id()}', '{now.isoformat()}', '{today}',"
        f" '\\x{visitor.address_digest.hex()}', '{visitor.agent_family}', '{(now - GUESSING_WINDOW).isoformat()}')"
    )
    answer = database.ask(f"select {call}")
    found = json.loads(answer or b"{}")
    if "facts" not in found:
        return Checked(None, None, found["unknown"])
    given = found.get("imported")
    imported = Imported(date.fromisoformat(given["issued_on"])) if given else None
    return Checked(_facts(found["facts"]), Shown(found["shown"]), 0, _decided(found.get("decided")), imported)


def _decided(given: dict[str, Any] | None) -> Decided | None:
    if given is None:
        return None
    names = (given[key] or "" for key in ("reason_zh", "reason_en", "successor"))
    return Decided(datetime.fromisoformat(given["at"]), *names)


def _facts(given: dict[str, Any]) -> PublicFacts:
    until = given["licence_valid_until"]
    dates = {name: date.fromisoformat(given[name]) for name in ("valid_from", "valid_until")}
    return PublicFacts(
        **given
        | dates
        | {
            "certificate_id": uuid.UUID(given["certificate_id"]),
            "issued_at": datetime.fromisoformat(given["issued_at"]),
            "licence_valid_until": date.fromisoformat(until) if until else None,
        }
    )


def look_up(session: Session, public_id: str) -> PublicFacts | None:
    """Return the facts of the certificate with this public id; one statement, any scope."""
    row = session.connection().execute(_LOOK_UP, {"public_id": public_id}).first()
    return PublicFacts(*row) if row else None


def find_public_id(session: Session, number: str, name: str) -> str | None:
    """Return the public id of the certificate with this number and holder; both must match whole."""
    found: str | None = session.execute(_FIND, {"number": number, "name": name}).scalar()
    return found


def has_guessed_too_often(session: Session, visitor: Visitor) -> bool:
    """Tell whether this address asked for too many certificates that do not exist (robots).

    Scanning real ones is not limited: a gate may check a whole shift through one address.
    """
    since = clock.now() - GUESSING_WINDOW
    count = session.execute(_COUNT_UNKNOWN, {"address": visitor.address_digest, "since": since}).scalar_one()
    return int(count) > GUESSES_ALLOWED


def record_check(
    session: Session, visitor: Visitor, public_id: str, *, certificate_id: uuid.UUID | None, outcome: str
) -> None:
    """Write down one check; every scope may add, none but worker and auditor read."""
    session.connection().execute(
        _RECORD,
        {
            "id": ids.new_id(),
            "at": clock.now(),
            "public_id": public_id,
            "certificate_id": certificate_id,
            "outcome": outcome,
            "address_digest": visitor.address_digest,
            "agent_family": visitor.agent_family,
        },
    )
