"""A whole verification of an issued file, beside pyHanko's own validation of its signature."""

from __future__ import annotations

import io
import statistics
import time
from collections.abc import Callable
from datetime import datetime

from asn1crypto import pem, x509
from pyhanko.pdf_utils.reader import PdfFileReader
from pyhanko.sign.validation import validate_pdf_signature
from pyhanko_certvalidator import ValidationContext
from sqlalchemy import select

from bench.instance import Instance
from bench.results import Result, measured
from certs.check.queries import Visitor
from certs.keys.operations import root_pems
from certs.models import Certificate
from certs.verify.operations import verify_file
from certs.verify.rules import Outcome
from lms.core import clock
from lms.core.tenancy import WORKER_SCOPE

ROUNDS = 60
VISITOR = Visitor(b"bench", "other")


def verify_pdf(instance: Instance) -> Result:
    """Register, bytes, signature, chain, log proof, status and the record of the check, by the web's login."""
    pdf, root = _issued(instance)

    def ours() -> None:
        report = verify_file(instance.web, pdf, VISITOR)
        if report.outcome is not Outcome.TRUSTED:
            raise RuntimeError(f"an issued file is {report.outcome}: {report.findings}")

    def theirs() -> None:
        if not _validated(pdf, root, clock.now()):
            raise RuntimeError("pyHanko does not accept an issued file")

    ours(), theirs()
    # In turns, so that both see the same machine.
    pairs = [(_ms(ours), _ms(theirs)) for _ in range(ROUNDS)]
    value, baseline = (statistics.median(side) for side in zip(*pairs, strict=True))
    return measured("verify_pdf", value, "ms", baseline, ROUNDS, better="lower")


def _issued(instance: Instance) -> tuple[bytes, x509.Certificate]:
    with instance.jobs.db.transaction(WORKER_SCOPE, read_only=True) as session:
        issued = select(Certificate.pdf_key).where(Certificate.state == "issued", Certificate.status == "valid")
        key = session.scalars(issued.order_by(Certificate.id).limit(1)).one()
        root = root_pems(session)[0]
    return instance.jobs.storage.get(key or ""), x509.Certificate.load(pem.unarmor(root.encode())[2])


def _validated(pdf: bytes, root: x509.Certificate, at: datetime) -> bool:
    context = ValidationContext(trust_roots=[root], moment=at, allow_fetching=False)
    status = validate_pdf_signature(PdfFileReader(io.BytesIO(pdf)).embedded_signatures[0], context)
    return bool(status.bottom_line)


def _ms(work: Callable[[], object]) -> float:
    start = time.perf_counter()
    work()
    return (time.perf_counter() - start) * 1000
