"""Judges certificate files more strictly than PDF readers do, and lets no stranger's file near a parser of PDF.

Readers call a file valid that was appended to after signing ("not total document signed" stands in small print), and
some do not look at the signing certificate attribute. A certificate here is one revision, signed from first to last
byte, by a chain that ends in a pinned root.

The order is the defence: bytes first, then the signature over them, then its chain. Only what one of our own issuers
has signed whole is read as a document, so nobody else's nested objects or packed streams are ever followed.
"""

from __future__ import annotations

import asyncio
import hashlib
import io
import logging
from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any, Final

import structlog
from asn1crypto import cms, pem, x509
from pyhanko.pdf_utils.reader import PdfFileReader
from pyhanko.sign.ades.report import AdESFailure, AdESIndeterminate
from pyhanko.sign.fields import MDPPerm
from pyhanko.sign.validation import (
    EmbeddedPdfSignature,
    SignatureCoverageLevel,
    StandardCMSSignatureStatus,
    async_validate_detached_cms,
)
from pyhanko_certvalidator import ValidationContext

from certs.adapters.filebytes import SignedBytes, look_at
from certs.adapters.verdict import PdfVerdict, Step

__all__ = ["PdfVerdict", "Step", "verify_pdf"]

_SUBFILTER: Final = "/ETSI.CAdES.detached"
_DIGESTS: Final = frozenset({"sha256", "sha384", "sha512"})
# Signer, issuing authority and root, twice over. Paths are searched among all of them, so few there must be.
_CERTIFICATES_MAX: Final = 6
# Clocks of signer and verifier may differ by this much.
_CLOCK_TOLERANCE: Final = timedelta(minutes=5)
_OUTSIDE_VALIDITY: Final = frozenset(
    {
        AdESIndeterminate.EXPIRED,
        AdESIndeterminate.NOT_YET_VALID,
        AdESIndeterminate.OUT_OF_BOUNDS_NO_POE,
        AdESIndeterminate.OUT_OF_BOUNDS_NOT_REVOKED,
        AdESFailure.NOT_YET_VALID,
    }
)

log = structlog.get_logger()
# pyHanko logs a traceback for each untrusted chain; here those are ordinary answers, and strangers' files make them.
logging.getLogger("pyhanko.sign.validation").setLevel(logging.CRITICAL)


def verify_pdf(pdf: bytes, roots: Sequence[bytes], at: datetime) -> PdfVerdict:
    """Checks the file against the pinned `roots` (PEM, several in one allowed, or DER) as of the moment `at` (aware).

    The chain is judged at the time that the signature claims, which must not lie after `at`; without one, at `at`.
    Never raises for a bad file; ValueError for a root that is no certificate. No network is used: revocation of the
    signing key is the registry's to know. So are the CMS's unsigned attributes (a timestamp): of files that differ only
    there the registry's digest names the issued one.
    Problem codes, by step: unreadable | signature_count, byte_range, revisions | cms, digest_algorithm,
    signing_certificate | not_intact, not_valid | unknown_root, not_trusted, outside_validity, signed_in_future |
    structure, subfilter, certification.
    """
    found = look_at(pdf)
    if not found.is_pdf:
        return PdfVerdict(problems=("unreadable",), reached=Step.FILE)
    # A file without any table is no document; the parser says so.
    single = found.revisions <= 1
    problems = () if single else ("revisions",)
    signed = found.signed
    if signed is None:
        return PdfVerdict(single_revision=single, problems=("signature_count", *problems), reached=Step.BYTES)
    if not signed.covers_whole_file:
        problems = ("byte_range", *problems)
    so_far = PdfVerdict(
        covers_whole_file=signed.covers_whole_file,
        single_revision=single,
        signed_at=signed.claimed_at,
        problems=problems,
        reached=Step.BYTES,
    )
    if not signed.cms:
        return so_far
    # Ours, so one that cannot be read is no fault of the file's.
    trusted = [each for root in roots for each in _certificates(root)]
    try:
        verdict = _signature(signed, so_far, trusted, at)
    except Exception as error:  # noqa: BLE001 - parsers of hostile structures fail in unlisted ways; all are refusals
        log.info("signature_unreadable", error=type(error).__name__)
        return _with(so_far, Step.CMS, "cms")
    return _document(pdf, signed, verdict) if verdict.genuine else verdict


def _with(verdict: PdfVerdict, reached: Step, *problems: str, **more: Any) -> PdfVerdict:
    return replace(verdict, reached=reached, problems=(*verdict.problems, *problems), **more)


def _certificates(data: bytes) -> list[x509.Certificate]:
    ders = [der for _name, _headers, der in pem.unarmor(data, multiple=True)] if pem.detect(data) else [data]
    return [x509.Certificate.load(der, strict=True) for der in ders]


def _signature(signed: SignedBytes, so_far: PdfVerdict, roots: Sequence[x509.Certificate], at: datetime) -> PdfVerdict:
    """The signature over its bytes and the chain behind it."""
    content = cms.ContentInfo.load(signed.cms, strict=True)
    if content["content_type"].native != "signed_data":
        return _with(so_far, Step.CMS, "cms")
    data = content["content"]
    if len(data["signer_infos"]) != 1 or len(data["certificates"]) > _CERTIFICATES_MAX:
        return _with(so_far, Step.CMS, "cms")
    context = ValidationContext(
        trust_roots=list(roots),
        moment=min(signed.claimed_at or at, at),
        allow_fetching=False,
        revocation_mode="soft-fail",
    )
    status = asyncio.run(async_validate_detached_cms(signed.content, data, context))
    signer_info = data["signer_infos"][0]
    structure = (
        ("digest_algorithm", status.md_algorithm.lower() not in _DIGESTS),
        ("signing_certificate", not _names_its_certificate(signer_info, status.signing_cert)),
        ("not_intact", not status.intact),
        ("not_valid", not status.valid),
    )
    verdict = _with(
        so_far,
        Step.SIGNATURE,
        *(code for code, wrong in structure if wrong),
        intact=bool(status.intact and status.valid),
        signer_subject=", ".join(map(str, reversed(status.signing_cert.subject.native.values()))),
        signer_key_id=hashlib.sha256(status.signing_cert.public_key.dump()).hexdigest()[:32],
    )
    return _trust(verdict, status, at) if verdict.intact else verdict


def _trust(verdict: PdfVerdict, status: StandardCMSSignatureStatus, at: datetime) -> PdfVerdict:
    claimed = verdict.signed_at
    early = ("signed_in_future",) if claimed and claimed > at + _CLOCK_TOLERANCE else ()
    if status.trusted:
        return _with(verdict, Step.TRUST, *early, trusted=not early)
    problem = status.trust_problem_indic
    if problem is AdESIndeterminate.NO_CERTIFICATE_CHAIN_FOUND:
        # Somebody else's authority: nothing can be said of it, so this step was not taken.
        return _with(verdict, Step.SIGNATURE, "unknown_root")
    return _with(verdict, Step.TRUST, *early, "outside_validity" if problem in _OUTSIDE_VALIDITY else "not_trusted")


def _document(pdf: bytes, signed: SignedBytes, verdict: PdfVerdict) -> PdfVerdict:
    """Holds the document as a strict parser reads it against what the bytes said."""
    try:
        reader = PdfFileReader(io.BytesIO(pdf), strict=True)
        signatures = reader.embedded_signatures
        if len(signatures) != 1:
            return _with(verdict, Step.STRUCTURE, "signature_count")
        signature = signatures[0]
        found = (
            ("structure", not (_is_the_same(signature, signed) and _is_framed_as_ours(pdf, signed))),
            ("revisions", reader.xrefs.total_revisions != 1),
            ("subfilter", signature.sig_object.get("/SubFilter") != _SUBFILTER),
            ("certification", not _forbids_changes(reader, signature)),
        )
    except Exception as error:  # noqa: BLE001 - as above; an issuer's own file that cannot be read is refused too
        log.warning("genuine_file_unreadable", error=type(error).__name__)
        return _with(verdict, Step.STRUCTURE, "structure")
    return _with(verdict, Step.STRUCTURE, *(code for code, wrong in found if wrong))


def _is_the_same(signature: EmbeddedPdfSignature, signed: SignedBytes) -> bool:
    """The parser and the search of the bytes mean one and the same signature."""
    same_range = tuple(int(value) for value in signature.byte_range) == signed.byte_range
    return same_range and signature.evaluate_signature_coverage() == SignatureCoverageLevel.ENTIRE_FILE


def _is_framed_as_ours(pdf: bytes, signed: SignedBytes) -> bool:
    """What no signature covers, the frame of the signature itself, is as our writer makes it, byte for byte."""
    start, length, resumed, _rest = signed.byte_range
    digits = pdf[start + length : resumed]
    content = cms.ContentInfo.load(signed.cms)
    data = content["content"]
    signer, certificates = data["signer_infos"][0], [each.chosen for each in data["certificates"]]
    named = signer["sid"].chosen.dump()
    return (
        digits == digits.lower()
        and all(each.contents == b"".join(each[name].dump() for name in each) for each in (content, data, signer))
        and data["version"].native == signer["version"].native == "v1"
        and [each.dump() for each in data["digest_algorithms"]] == [signer["digest_algorithm"].dump()]
        and named in [_identifier(each).dump() for each in certificates]
        # A bit string's first byte says how many of its last bits mean nothing.
        and all(each["signature_value"].contents[:1] == b"\0" for each in certificates)
    )


def _identifier(certificate: x509.Certificate) -> cms.IssuerAndSerialNumber:
    values = {"issuer": certificate.issuer, "serial_number": certificate.serial_number}
    return cms.IssuerAndSerialNumber(values)


def _forbids_changes(reader: PdfFileReader, signature: EmbeddedPdfSignature) -> bool:
    permissions = reader.root.get("/Perms")
    if permissions is None or "/DocMDP" not in permissions:
        return False
    certified = permissions.raw_get("/DocMDP") == signature.sig_field.raw_get("/V")
    return certified and signature.docmdp_level == MDPPerm.NO_CHANGES


# asn1crypto's objects carry no types.
def _names_its_certificate(signer_info: Any, shown: Any) -> bool:
    """The signed attribute signing-certificate-v2 (RFC 5035) names the certificate that is shown."""
    named = next(_attribute_values(signer_info, "signing_certificate_v2"), None)
    if named is None:
        return False
    first = named["certs"][0]
    algorithm = first["hash_algorithm"]["algorithm"].native
    return algorithm in _DIGESTS and first["cert_hash"].native == hashlib.new(algorithm, shown.dump()).digest()


def _attribute_values(signer_info: Any, kind: str) -> Iterator[Any]:
    for attribute in signer_info["signed_attrs"]:
        if attribute["type"].native == kind:
            yield from attribute["values"]
