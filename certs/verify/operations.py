"""Verifying a file: register, signature, verdict, record."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime

import structlog
from sqlalchemy.exc import InterfaceError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolExhausted

from certs.adapters.longterm import adds_only_proofs, signed_part
from certs.adapters.verdict import PdfVerdict
from certs.adapters.verifying import verify_pdf
from certs.check import queries as checks
from certs.check.queries import PublicFacts, Visitor
from certs.errors import GuessingTooOften
from certs.keys.operations import root_pems
from certs.rules import Shown
from certs.verify import rules
from certs.verify.queries import register_of
from certs.verify.rules import Finding, Outcome, Register
from lms.core import clock
from lms.core.services import Services
from lms.core.tenancy import PUBLIC_SCOPE

# A file that is no certificate of ours leaves a check of nothing, by which guessing is slowed down.
REFUSED_FILE = "file_refused"
NOT_AVAILABLE = (OperationalError, InterfaceError, PoolExhausted)
_PUBLIC_ID_CHARS = 32
log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Report:
    """What came out, for page, script and command line. ``facts`` and ``shown`` only for a certificate of ours.

    ``signer`` and ``signed_at`` are given only where the signature holds. ``is_available`` tells whether the register
    could be asked.
    """

    outcome: Outcome
    findings: tuple[Finding, ...]
    sha256: str
    size_bytes: int
    checked_at: datetime
    signer: str | None
    signed_at: datetime | None
    public_id: str | None
    facts: PublicFacts | None
    shown: Shown | None
    is_available: bool


def verify_file(services: Services, pdf: bytes, visitor: Visitor, *, throttle: bool = True) -> Report:
    """Verify a file against the register and write down that it was asked.

    The file is judged between two short transactions, in none. Without a database the report says so check by check.
    Raises GuessingTooOften, if ``throttle``, for an address that brings one unknown file after the other.
    """
    digest = hashlib.sha256(pdf).digest()
    register, roots = None, list[bytes]()
    try:
        with services.db.transaction(PUBLIC_SCOPE, read_only=True) as session:
            if throttle and checks.has_guessed_too_often(session, visitor):
                raise GuessingTooOften
            roots = [root.encode() for root in root_pems(session)]
            # Last: with half of the answers a genuine file would be called false.
            register = register_of(session, digest)
    except NOT_AVAILABLE:
        log.warning("verification_without_register")
    verdict = _judge(pdf, roots, register)
    checked = None
    if register:
        try:
            checked = _record(services, register, visitor, digest)
        except NOT_AVAILABLE:
            log.warning("verification_without_register")
    return _report(pdf, digest, verdict, register, checked)


def verify_alone(pdf: bytes, roots: Sequence[bytes]) -> Report:
    """Verify a file against given roots (PEM or DER) without any register: the signature alone."""
    verdict, signed = verify_pdf(pdf, roots, clock.now()), signed_part(pdf)
    if len(signed) < len(pdf):
        of_signed = verify_pdf(signed, roots, clock.now())
        if of_signed.genuine and adds_only_proofs(pdf, signed):
            verdict = of_signed
    return _report(pdf, hashlib.sha256(pdf).digest(), verdict, None, None, alone=True)


def _judge(pdf: bytes, roots: Sequence[bytes], register: Register | None) -> PdfVerdict:
    """Judge the file; of one with proofs behind its signature (PAdES B-LT), what was signed.

    The register's digest is of the whole file: behind the signature of a file that it knows stands what we put there,
    and behind any other nothing may stand. So nobody's additions are parsed. While the register is away, nobody knows.
    """
    signed = signed_part(pdf)
    if len(signed) == len(pdf) or (register and register.entry is None):
        return verify_pdf(pdf, roots, clock.now())
    verdict = verify_pdf(signed, roots, clock.now())
    return verdict if register else replace(verdict, problems=(*verdict.problems, "addition_unknown"))


def _record(services: Services, register: Register, visitor: Visitor, digest: bytes) -> checks.Checked | None:
    """Ask for the status and record the check, as the page behind the QR code does: not recorded, not told."""
    if register.entry:
        today = clock.today()
        return checks.check_now(services.db, visitor, register.entry.public_id, today)
    with services.db.transaction(PUBLIC_SCOPE) as session:
        asked = digest.hex()[:_PUBLIC_ID_CHARS]
        checks.record_check(session, visitor, asked, certificate_id=None, outcome=REFUSED_FILE)
    return None


def _report(
    pdf: bytes,
    digest: bytes,
    verdict: PdfVerdict,
    register: Register | None,
    checked: checks.Checked | None,
    *,
    alone: bool = False,
) -> Report:
    shown = checked.shown if checked else None
    # Roots in hand without a register: an unknown authority is then unknown, not unavailable.
    known_keys = register.keys if register else {} if alone else None
    findings = (*rules.file_findings(verdict, known_keys), *rules.register_findings(verdict, register, shown))
    sound = verdict.intact and verdict.covers_whole_file
    return Report(
        outcome=rules.outcome(findings),
        findings=findings,
        sha256=digest.hex(),
        size_bytes=len(pdf),
        checked_at=clock.now(),
        signer=verdict.signer_subject if sound else None,
        signed_at=verdict.signed_at if sound else None,
        public_id=register.entry.public_id if register and register.entry else None,
        facts=checked.facts if checked else None,
        shown=shown,
        is_available=alone or register is not None,
    )
