"""Pure rules: what a certificate is called, which state may follow which, what the log says of it."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from enum import StrEnum
from typing import Any, Final


class Status(StrEnum):
    """What a certificate is worth by decision; dates come on top of it."""

    VALID = "valid"
    SUSPENDED = "suspended"
    REVOKED = "revoked"
    CANCELLED = "cancelled"
    SUPERSEDED = "superseded"


class Shown(StrEnum):
    """What a reader is told: the decided status joined with the day's date."""

    VALID = "valid"
    EXPIRING = "expiring"
    EXPIRED = "expired"
    NOT_YET = "not_yet"
    SUSPENDED = "suspended"
    REVOKED = "revoked"
    CANCELLED = "cancelled"
    SUPERSEDED = "superseded"


class Origin(StrEnum):
    """Who issued a certificate: this platform, or an earlier system from whose list it was entered here."""

    ISSUED = "issued"
    IMPORTED = "imported"


class Decision(StrEnum):
    """What leads a certificate from one status to another."""

    SUSPEND = "suspend"
    REINSTATE = "reinstate"
    REVOKE = "revoke"
    CANCEL = "cancel"
    SUPERSEDE = "supersede"


class ProposalKind(StrEnum):
    """What takes two officials (four eyes)."""

    REVOKE = "revoke"
    BAN = "ban"


class CorrectionKind(StrEnum):
    """What a correction replaces."""

    NAME = "name"
    PHOTO = "photo"
    EMPLOYER = "employer"


class Outcome(StrEnum):
    """What the department answers to an objection."""

    UPHELD = "upheld"
    REJECTED = "rejected"


# Who has asked for more unknown certificates than are allowed waits until a window has gone by.
GUESSING_WINDOW: Final = timedelta(minutes=10)
# What has ended, by a decision or by its day, is not corrected.
CORRECTABLE: Final = (Shown.VALID, Shown.EXPIRING, Shown.NOT_YET)
# Decisions against the holder; to a reinstatement or a correction nobody needs to object.
OBJECTIONABLE: Final = (Status.SUSPENDED.value, Status.REVOKED.value, Status.CANCELLED.value)
DECIDED_BY_ONE: Final = (Decision.SUSPEND, Decision.REINSTATE, Decision.CANCEL)
# Only a suspension is taken back. Revoked, cancelled and superseded are final: whoever is to hold
# a certificate again earns a new one. The history's constraint in the database says the same.
TRANSITIONS: Final[Mapping[tuple[Status, Decision], Status]] = {
    (Status.VALID, Decision.SUSPEND): Status.SUSPENDED,
    (Status.VALID, Decision.REVOKE): Status.REVOKED,
    (Status.VALID, Decision.CANCEL): Status.CANCELLED,
    (Status.VALID, Decision.SUPERSEDE): Status.SUPERSEDED,
    (Status.SUSPENDED, Decision.REINSTATE): Status.VALID,
    (Status.SUSPENDED, Decision.REVOKE): Status.REVOKED,
    (Status.SUSPENDED, Decision.CANCEL): Status.CANCELLED,
}


def next_status(status: Status, decision: Decision) -> Status | None:
    """Return the status that ``decision`` leads to, None where it is not allowed."""
    return TRANSITIONS.get((status, decision))


def allowed_decisions(status: Status) -> tuple[Decision, ...]:
    """Return the decisions that one official may take in ``status``."""
    return tuple(decision for decision in DECIDED_BY_ONE if (status, decision) in TRANSITIONS)


def oversees(upper: tuple[int | None, int | None], lower: tuple[int, int]) -> bool:
    """Tell whether one range of regions [lo, hi) holds the other: a department of the same or a higher level."""
    lo, hi = upper
    return lo is not None and hi is not None and lo <= lower[0] and hi >= lower[1]


def shown_status(status: Status, valid_from: date, valid_until: date, today: date, window_days: int) -> Shown:
    """Join the decided status with the calendar. Both dates of validity are inclusive days."""
    if status is not Status.VALID:
        return Shown(status.value)
    if today > valid_until:
        return Shown.EXPIRED
    if today < valid_from:
        return Shown.NOT_YET
    return Shown.EXPIRING if (valid_until - today).days <= window_days else Shown.VALID


def last_valid_day(valid_from: date, months: int) -> date:
    """Return the last day of a validity of ``months``, both ends included (to 28 or 29 February where needed)."""
    year, month = divmod(valid_from.year * 12 + valid_from.month - 1 + months, 12)
    try:
        end = date(year, month + 1, valid_from.day)
    except ValueError:
        return (date(year, month + 1, 28) + timedelta(days=4)).replace(day=1) - timedelta(days=1)
    return end - timedelta(days=1)


def certificate_number(pattern: str, *, province: str, year: int, serial: int) -> str:
    """Fill a scheme's pattern, e.g. ``{province}危管{year}{serial:07d}{check}``; ``{check}`` can only be the end."""
    number = pattern.format(province=province, year=year, serial=serial, check="")
    return number + check_character(number) if pattern.endswith("{check}") else number


def check_character(number: str) -> str:
    """Return the check character of the digits in a number (ISO/IEC 7064, MOD 11-2, as in GB 11643)."""
    total = 0
    for digit in filter(str.isdecimal, number):
        total = (total + int(digit)) * 2 % 11
    return "0123456789X"[(12 - total) % 11]


def issuer_name(pattern: str, *, province: str) -> str:
    """Fill a scheme's issuer, e.g. ``{province}应急管理厅``; a name without the place stands as it is."""
    return pattern.format(province=province)


def mask_name(name: str) -> str:
    """Hide all of a name but its last character; of long names the number of stars does not tell the length."""
    if len(name) < 2:
        return "*" * len(name)
    return "*" * (min(len(name), 4) - 1) + name[-1]


_PUBLIC_ID = re.compile(r"[0-9A-Z]{8,32}")
_READ_ALIKE = str.maketrans("OIL", "011")


def clean_public_id(typed: str) -> str | None:
    """Return a public id as it is stored, whatever case it was typed in and with confused letters put right."""
    wanted = typed.strip().upper().replace("-", "").translate(_READ_ALIKE)
    return wanted if _PUBLIC_ID.fullmatch(wanted) else None


def agent_family(user_agent: str) -> str:
    """Return a coarse family of the browser: enough for statistics, too little to know a device again."""
    families = (
        # WeCom calls itself WeChat as well.
        ("wxwork", "wecom"),
        ("MicroMessenger", "wechat"),
        ("DingTalk", "dingtalk"),
        ("Edg", "edge"),
        ("Firefox", "firefox"),
        ("Chrome", "chrome"),
        ("Safari", "safari"),
    )
    return next((family for mark, family in families if mark in user_agent), "other")


def with_tuples(data: Mapping[str, Any]) -> dict[str, Any]:
    """Return values as they were before JSON made lists of their tuples."""
    return {key: tuple(value) if isinstance(value, list) else value for key, value in data.items()}


def canonical(data: Mapping[str, Any]) -> bytes:
    """Return the one spelling of ``data`` that is hashed: sorted keys, UTF-8, no blanks."""
    return json.dumps(data, sort_keys=True, ensure_ascii=False, separators=(",", ":"), default=_plain).encode()


def _plain(value: object) -> str:
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat(timespec="microseconds")
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, bytes):
        return value.hex()
    return str(value)


@dataclass(frozen=True, slots=True)
class Facts:
    """The names of what an entry's digest is taken over. Fixed for ever: old entries must come out the same.

    ``names`` always stand in it, an empty one as null; ``later`` were added after the first entries
    were made, so they stand in it only where there is a value. What a new column states is for the
    next version of the entries to say.
    """

    names: tuple[str, ...]
    later: tuple[str, ...]

    def of(self, row: Mapping[str, Any]) -> dict[str, Any]:
        """Return what ``row`` states under these names."""
        return {name: row[name] for name in self.names} | {
            name: row[name] for name in self.later if row[name] is not None
        }


_CERTIFICATE: Final = (
    "person_id id tenant_id region_code industry_code scheme_code scheme_version cycle enrolment_id attempt_id"
    " number public_id status_index holder_name holder_name_masked id_number_masked sex post_code post_name"
    " industry_name enterprise_name licence_number licence_valid_until issuer_name valid_from valid_until"
    " requested_at issued_at pdf_key pdf_sha256 signer_key_id"
)
_IMPORT: Final = "origin import_id source_system issued_on first_issued_on photo_key photo_sha256"
# What may change after the issue is not among the facts: each change of status has an entry of its own.
ISSUE_FACTS: Final = Facts(tuple(_CERTIFICATE.split()), later=("decision",))
IMPORT_FACTS: Final = Facts((*_CERTIFICATE.split(), *_IMPORT.split()), later=("decision",))
STATUS_FACTS: Final = Facts(
    (
        *("person_id", "id", "certificate_id", "tenant_id", "region_code", "industry_code", "scheme_code"),
        *("old_status", "new_status", "reason", "actor_id", "actor_name", "at"),
    ),
    later=("reason_code", "reason_version", "proposal_id"),
)


def issue_leaf(facts: Mapping[str, Any], *, event_id: object, at: datetime) -> bytes:
    """Return the log entry of an issue: codes, and the digest of everything that the certificate states.

    ``facts`` are those of `ISSUE_FACTS`. They enter as a digest only, so that the log can be handed
    to anyone.
    """
    return canonical(
        {
            "v": 1,
            "kind": "issue",
            "id": event_id,
            "certificate": facts["id"],
            "number": facts["number"],
            "status_index": facts["status_index"],
            "facts_sha256": hashlib.sha256(canonical(facts)).digest(),
            "pdf_sha256": facts["pdf_sha256"],
            "at": at,
        }
    )


def import_leaf(facts: Mapping[str, Any], *, event_id: object, at: datetime) -> bytes:
    """Return the log entry of an imported certificate: of a kind of its own, and without the digest of a file of ours.

    ``facts`` are those of `IMPORT_FACTS`, authority and source system among them; they enter as a digest only.
    """
    return canonical(
        {
            "v": 1,
            "kind": "import",
            "id": event_id,
            "certificate": facts["id"],
            "number": facts["number"],
            "status_index": facts["status_index"],
            "import": facts["import_id"],
            "facts_sha256": hashlib.sha256(canonical(facts)).digest(),
            "at": at,
        }
    )


def status_leaf(event: Mapping[str, Any]) -> bytes:
    """Return the log entry of a change of status; ``event`` is what `STATUS_FACTS` names of the history row."""
    return canonical(
        {
            "v": 1,
            "kind": "status",
            "id": event["id"],
            "certificate": event["certificate_id"],
            "old": event["old_status"],
            "new": event["new_status"],
            "event_sha256": hashlib.sha256(canonical(event)).digest(),
            "at": event["at"],
        }
    )
