"""Pure rules: from what a file proves and what the registry says to one verdict with its reasons.

Three answers are kept apart in every line: it holds, it does not hold, it cannot be checked. What cannot be checked
makes a file neither genuine nor forged.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Final

from certs.adapters.verdict import PdfVerdict, Step
from certs.rules import Shown


class Outcome(StrEnum):
    """What the file is worth: genuine and in force; genuine only; not genuine; nobody can tell here and now."""

    TRUSTED = "trusted"
    NOT_IN_FORCE = "not_in_force"
    REFUSED = "refused"
    UNDETERMINED = "undetermined"


class State(StrEnum):
    """How one check came out."""

    OK = "ok"
    FAILED = "failed"
    UNCHECKED = "unchecked"


class Check(StrEnum):
    """What is checked, in the order in which it is shown."""

    FILE = "file"
    COVERAGE = "coverage"
    REVISIONS = "revisions"
    STRUCTURE = "structure"
    DIGEST = "digest"
    SIGNATURE = "signature"
    CHAIN = "chain"
    PERIOD = "period"
    CERTIFICATION = "certification"
    KEY = "key"
    REGISTRY = "registry"
    LOG = "log"
    STATUS = "status"


class LogState(StrEnum):
    """What the registry log says of a file: proven, entered but not yet numbered, otherwise than the register."""

    PROVEN = "proven"
    PENDING = "pending"
    DIFFERS = "differs"


@dataclass(frozen=True, slots=True)
class Finding:
    """One check with its state; ``reason`` is a code that says why it is not ``ok``, else empty."""

    check: Check
    state: State
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Entry:
    """The certificate whose issued file this is."""

    public_id: str
    signer_key_id: str
    issued_at: datetime
    log: LogState


@dataclass(frozen=True, slots=True)
class Register:
    """What the register knows. ``keys`` are those that sign documents, each with the moment of its revocation."""

    keys: Mapping[str, datetime | None]
    entry: Entry | None


# Which check a problem belongs to, and at which step a check is answered.
_CHECK_OF: Final[Mapping[str, Check]] = {
    "unreadable": Check.FILE,
    "signature_count": Check.COVERAGE,
    "byte_range": Check.COVERAGE,
    "revisions": Check.REVISIONS,
    "addition_unknown": Check.REVISIONS,
    "cms": Check.STRUCTURE,
    "digest_algorithm": Check.STRUCTURE,
    "signing_certificate": Check.STRUCTURE,
    "structure": Check.STRUCTURE,
    "subfilter": Check.STRUCTURE,
    "not_intact": Check.DIGEST,
    "not_valid": Check.SIGNATURE,
    "unknown_root": Check.CHAIN,
    "not_trusted": Check.CHAIN,
    "outside_validity": Check.PERIOD,
    "signed_in_future": Check.PERIOD,
    "certification": Check.CERTIFICATION,
}
_ANSWERED_AT: Final[Mapping[Check, Step]] = {
    Check.FILE: Step.FILE,
    Check.COVERAGE: Step.BYTES,
    Check.REVISIONS: Step.BYTES,
    Check.STRUCTURE: Step.CMS,
    Check.DIGEST: Step.SIGNATURE,
    Check.SIGNATURE: Step.SIGNATURE,
    Check.CHAIN: Step.TRUST,
    Check.PERIOD: Step.TRUST,
    Check.CERTIFICATION: Step.STRUCTURE,
}
NOT_REACHED: Final = "not_reached"
UNAVAILABLE: Final = "unavailable"
IN_FORCE: Final = frozenset({Shown.VALID, Shown.EXPIRING})


def file_findings(verdict: PdfVerdict, known_keys: Mapping[str, object] | None) -> list[Finding]:
    """Tell check by check what the file proves by itself.

    ``known_keys`` are the register's, None when it cannot be asked: then there are no roots to trust either. An
    unknown authority makes the chain uncheckable, but one of our own keys under it is a chain that was tampered with.
    """
    reasons = {_CHECK_OF[problem]: problem for problem in reversed(verdict.problems)}
    found = []
    for check, step in _ANSWERED_AT.items():
        reason = reasons.get(check, "")
        if reason == "unknown_root":
            found.append(_chain(verdict, known_keys))
        elif reason == "addition_unknown":
            found.append(Finding(check, State.UNCHECKED, UNAVAILABLE))
        elif reason:
            found.append(Finding(check, State.FAILED, reason))
        elif step > verdict.reached:
            found.append(Finding(check, State.UNCHECKED, NOT_REACHED))
        else:
            found.append(Finding(check, State.OK))
    return found


def _chain(verdict: PdfVerdict, known_keys: Mapping[str, object] | None) -> Finding:
    if known_keys is None:
        return Finding(Check.CHAIN, State.UNCHECKED, UNAVAILABLE)
    if verdict.signer_key_id in known_keys:
        return Finding(Check.CHAIN, State.FAILED, "not_trusted")
    return Finding(Check.CHAIN, State.UNCHECKED, "unknown_root")


def register_findings(verdict: PdfVerdict, register: Register | None, shown: Shown | None) -> list[Finding]:
    """Tell what the register says; ``register`` is None when it cannot be asked, ``shown`` when it did not answer."""
    if register is None:
        return [Finding(check, State.UNCHECKED, UNAVAILABLE) for check in _OF_REGISTER]
    return [
        _key(verdict, register),
        _entry(verdict, register.entry),
        _log(register.entry),
        _status(register.entry, shown),
    ]


_OF_REGISTER: Final = (Check.KEY, Check.REGISTRY, Check.LOG, Check.STATUS)


def _key(verdict: PdfVerdict, register: Register) -> Finding:
    if not verdict.trusted or verdict.signer_key_id is None:
        return Finding(Check.KEY, State.UNCHECKED, NOT_REACHED)
    if verdict.signer_key_id not in register.keys:
        return Finding(Check.KEY, State.FAILED, "key_unknown")
    revoked_at = register.keys[verdict.signer_key_id]
    # Only the register proves when something was signed; the time in the file is what the key's thief says.
    if revoked_at and (register.entry is None or register.entry.issued_at >= revoked_at):
        return Finding(Check.KEY, State.FAILED, "key_revoked")
    return Finding(Check.KEY, State.OK)


def _entry(verdict: PdfVerdict, entry: Entry | None) -> Finding:
    if entry is None:
        # A sound file of somebody else's is not ours to deny.
        foreign = "unknown_root" in verdict.problems
        return Finding(Check.REGISTRY, State.UNCHECKED if foreign else State.FAILED, "not_entered")
    if verdict.trusted and entry.signer_key_id != verdict.signer_key_id:
        return Finding(Check.REGISTRY, State.FAILED, "other_key")
    return Finding(Check.REGISTRY, State.OK)


def _log(entry: Entry | None) -> Finding:
    if entry is None:
        return Finding(Check.LOG, State.UNCHECKED, NOT_REACHED)
    if entry.log is LogState.PROVEN:
        return Finding(Check.LOG, State.OK)
    if entry.log is LogState.PENDING:
        return Finding(Check.LOG, State.UNCHECKED, "log_pending")
    return Finding(Check.LOG, State.FAILED, "log_differs")


def _status(entry: Entry | None, shown: Shown | None) -> Finding:
    if entry is None:
        return Finding(Check.STATUS, State.UNCHECKED, NOT_REACHED)
    if shown is None:
        return Finding(Check.STATUS, State.UNCHECKED, UNAVAILABLE)
    return Finding(Check.STATUS, State.OK) if shown in IN_FORCE else Finding(Check.STATUS, State.FAILED, shown.value)


def outcome(findings: Sequence[Finding]) -> Outcome:
    """Sum the findings up. A certificate not in force is still genuine; anything else that fails refuses the file."""
    failed = {finding.check for finding in findings if finding.state is State.FAILED}
    if failed - {Check.STATUS}:
        return Outcome.REFUSED
    if any(finding.state is State.UNCHECKED for finding in findings):
        return Outcome.UNDETERMINED
    return Outcome.NOT_IN_FORCE if failed else Outcome.TRUSTED
