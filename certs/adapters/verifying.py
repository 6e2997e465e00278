"""Judges certificate files more strictly than PDF readers do.

Readers call a file valid that was appended to after signing ("not total document signed" stands in small print), and
some do not look at the signing certificate attribute. A certificate here is one revision, signed from first to last
byte, by a chain that ends in a pinned root.
"""

from __future__ import annotations

import hashlib
import io
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from asn1crypto import pem, x509
from pyhanko.pdf_utils.reader import PdfFileReader
from pyhanko.sign.fields import MDPPerm
from pyhanko.sign.validation import EmbeddedPdfSignature, SignatureCoverageLevel, validate_pdf_signature
from pyhanko_certvalidator import ValidationContext

_SUBFILTER: Final = "/ETSI.CAdES.detached"
_DIGESTS: Final = frozenset({"sha256", "sha384", "sha512"})
_HEX: Final = frozenset(b"0123456789abcdefABCDEF")


@dataclass(frozen=True, slots=True, kw_only=True)
class PdfVerdict:
    """What a file proves. `problems` are codes in English, empty exactly when the certificate is genuine.

    `signer_subject` and `signed_at` (claimed by the signer) mean nothing unless `genuine`.
    """

    intact: bool
    trusted: bool
    covers_whole_file: bool
    single_revision: bool
    signer_subject: str | None
    signed_at: datetime | None
    problems: tuple[str, ...]

    @property
    def genuine(self) -> bool:
        """No problem of any kind was found."""
        return not self.problems


def verify_pdf(pdf: bytes, roots: Sequence[bytes], at: datetime) -> PdfVerdict:
    """Checks the file against the pinned `roots` (PEM or DER) as of the moment `at` (aware).

    Never raises for a bad file. No network is used: revocation of the signing certificate is the registry's to know.
    Problem codes: unreadable, signature_count, subfilter, byte_range, revisions, certification, digest_algorithm,
    signing_certificate, not_intact, not_trusted.
    """
    try:
        return _verdict(pdf, roots, at)
    except Exception:  # noqa: BLE001 - parsers of hostile files fail in unlisted ways; each of them is a refusal
        return _refused("unreadable")


def _verdict(pdf: bytes, roots: Sequence[bytes], at: datetime) -> PdfVerdict:
    reader = PdfFileReader(io.BytesIO(pdf))
    signatures = reader.embedded_signatures
    if len(signatures) != 1:
        return _refused("signature_count")
    signature = signatures[0]
    context = ValidationContext(
        trust_roots=[_certificate(root) for root in roots],
        moment=at,
        allow_fetching=False,
        revocation_mode="soft-fail",
    )
    status = validate_pdf_signature(signature, context)
    intact = bool(status.intact and status.valid)
    single = reader.xrefs.total_revisions == 1
    whole = status.coverage == SignatureCoverageLevel.ENTIRE_FILE and _range_is_whole(pdf, signature)
    found = (
        ("subfilter", signature.sig_object.get("/SubFilter") != _SUBFILTER),
        ("byte_range", not whole),
        ("revisions", not single),
        ("certification", not _forbids_changes(reader, signature) or not status.docmdp_ok),
        ("digest_algorithm", signature.md_algorithm.lower() not in _DIGESTS),
        ("signing_certificate", not _names_its_certificate(signature)),
        ("not_intact", not intact),
        ("not_trusted", not status.trusted),
    )
    return PdfVerdict(
        intact=intact,
        trusted=bool(status.trusted),
        covers_whole_file=whole,
        single_revision=single,
        signer_subject=str(signature.signer_cert.subject.human_friendly),
        signed_at=signature.self_reported_timestamp,
        problems=tuple(code for code, wrong in found if wrong),
    )


def _refused(code: str) -> PdfVerdict:
    return PdfVerdict(
        intact=False,
        trusted=False,
        covers_whole_file=False,
        single_revision=False,
        signer_subject=None,
        signed_at=None,
        problems=(code,),
    )


def _certificate(data: bytes) -> x509.Certificate:
    der = pem.unarmor(data)[2] if pem.detect(data) else data
    return x509.Certificate.load(der)


def _range_is_whole(pdf: bytes, signature: EmbeddedPdfSignature) -> bool:
    """The signed ranges are the file without one hexadecimal string, and that string hides nothing behind the CMS."""
    values = [int(value) for value in signature.byte_range]
    if len(values) != 4:
        return False
    start, length, resumed, rest = values
    gap = pdf[length:resumed]
    if start != 0 or resumed + rest != len(pdf) or gap[:1] != b"<" or gap[-1:] != b">":
        return False
    if not _HEX.issuperset(gap[1:-1]):
        return False
    return not bytes.fromhex(gap[1:-1].decode("ascii"))[_der_length(gap[1:-1]) :].strip(b"\0")


def _der_length(hexadecimal: bytes) -> int:
    """Length of the DER value at the beginning, header included."""
    head = bytes.fromhex(hexadecimal[:20].decode("ascii"))
    if head[1] < 0x80:
        return 2 + head[1]
    count = head[1] & 0x7F
    return 2 + count + int.from_bytes(head[2 : 2 + count], "big")


def _forbids_changes(reader: PdfFileReader, signature: EmbeddedPdfSignature) -> bool:
    permissions = reader.root.get("/Perms")
    if permissions is None or "/DocMDP" not in permissions:
        return False
    certified = permissions.raw_get("/DocMDP") == signature.sig_field.raw_get("/V")
    return certified and signature.docmdp_level == MDPPerm.NO_CHANGES


def _names_its_certificate(signature: EmbeddedPdfSignature) -> bool:
    """The signed attribute signing-certificate-v2 (RFC 5035) names the certificate that is shown."""
    named = next(_attribute_values(signature.signer_info, "signing_certificate_v2"), None)
    if named is None:
        return False
    first = named["certs"][0]
    algorithm = first["hash_algorithm"]["algorithm"].native
    shown: bytes = signature.signer_cert.dump()
    return algorithm in _DIGESTS and first["cert_hash"].native == hashlib.new(algorithm, shown).digest()


# asn1crypto's objects carry no types.
def _attribute_values(signer_info: Any, kind: str) -> Iterator[Any]:
    for attribute in signer_info["signed_attrs"]:
        if attribute["type"].native == kind:
            yield from attribute["values"]
