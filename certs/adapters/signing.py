"""Signs certificates: PAdES baseline B-B or B-T (ETSI EN 319 142-1), DocMDP without changes, in the reserved slot.

The CMS of one signer differs between documents only in the message digest and the signature value, so it is assembled
once per signer and the two are spliced in. A general PDF library re-reads the file and appends a revision, which costs
a hundred times more and makes "one revision, whole file" harder to insist on; it stays the judge of the result.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache
from typing import Final, Protocol

from asn1crypto import core, x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509 import load_pem_x509_certificate

from certs.adapters.pdfparts import text_string
from certs.adapters.pki import WrongKeyError, load_p256_key

# Room for the CMS with two or three certificates; the issuing chain of the demonstration takes 1.7 kB.
CMS_BYTES_MAX: Final = 4096
# A timestamp brings the authority's own signature and chain: 2 kB with P-256, 7 kB with three RSA-4096 certificates.
STAMPED_CMS_BYTES_MAX: Final = 16384
_HEAD_BYTES_MAX: Final = 1024
_UNSIGNED: Final = b"<< /Type /Sig /Anzheng /Unsigned"
_BYTE_RANGE_WIDTH: Final = 40

_DATA: Final = "1.2.840.113549.1.7.1"
_SIGNED_DATA: Final = "1.2.840.113549.1.7.2"
_CONTENT_TYPE: Final = "1.2.840.113549.1.9.3"
_MESSAGE_DIGEST: Final = "1.2.840.113549.1.9.4"
_SIGNING_CERTIFICATE_V2: Final = "1.2.840.113549.1.9.16.2.47"
_TIME_STAMP_TOKEN: Final = "1.2.840.113549.1.9.16.2.14"  # noqa: S105 - an object identifier (RFC 3161)

# Takes a signature value, returns the RFC 3161 token over it as DER.
Stamp = Callable[[bytes], bytes]


@dataclass(frozen=True, slots=True)
class Algorithm:
    """How documents are digested and signed: `digest` is hashlib's name, the others are object identifiers.

    `null_parameters` writes the explicit NULL that RSA's identifiers carry (RFC 4055).
    """

    digest: str
    digest_oid: str
    signature_oid: str
    null_parameters: bool = False


# By JOSE name. Another one is a line here and a signer that speaks it (SM2: sm3, 1.2.156.10197.1.401 and .501).
ALGORITHMS: Final = {
    "ES256": Algorithm("sha256", "2.16.840.1.101.3.4.2.1", "1.2.840.10045.4.3.2"),
    "ES384": Algorithm("sha384", "2.16.840.1.101.3.4.2.2", "1.2.840.10045.4.3.3"),
    "RS256": Algorithm("sha256", "2.16.840.1.101.3.4.2.1", "1.2.840.113549.1.1.11", null_parameters=True),
}


class UnsignableError(ValueError):
    """The document has no empty signature slot, or the signature does not fit into it."""


class Signer(Protocol):
    """A key that signs documents: a file by default, a PKCS#11 token or a remote service behind the same three values.

    `alg` is a name from `ALGORITHMS`; `certificate` and `chain` are DER, the chain without the root;
    `sign` takes the bytes to be signed and returns the signature as CMS wants it (for ECDSA: DER of r and s).
    """

    @property
    def alg(self) -> str: ...

    @property
    def certificate(self) -> bytes: ...

    @property
    def chain(self) -> Sequence[bytes]: ...

    def sign(self, tbs: bytes) -> bytes: ...


class SoftKeySigner:
    """A P-256 key held in memory, parsed once. Safe to share between threads."""

    alg: Final = "ES256"

    def __init__(self, key_pem: bytes, certificate_pem: bytes, chain_pems: Sequence[bytes]) -> None:
        # Not Ed25519: pdfsig and MuPDF call such signatures corrupt. Not RSA: it signs thirty times slower.
        self._key = key = load_p256_key(key_pem)
        self._scheme = ec.ECDSA(hashes.SHA256())
        self.certificate = pem_to_der(certificate_pem)
        self.chain: Sequence[bytes] = tuple(pem_to_der(pem) for pem in chain_pems)
        own = key.public_key().public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
        if public_key_of(self.certificate) != own:
            raise WrongKeyError("the certificate belongs to another key")

    def sign(self, tbs: bytes) -> bytes:
        """The ECDSA signature of SHA-256 of `tbs`, DER encoded."""
        return self._key.sign(tbs, self._scheme)


def pem_to_der(pem: bytes) -> bytes:
    """The DER bytes of a PEM certificate."""
    return load_pem_x509_certificate(pem).public_bytes(serialization.Encoding.DER)


def public_key_of(certificate: bytes) -> bytes:
    """The SubjectPublicKeyInfo that a DER certificate names, as DER."""
    return bytes(x509.Certificate.load(certificate).public_key.dump())


def empty_slot(cms_bytes_max: int = CMS_BYTES_MAX) -> bytes:
    """The body of an unsigned signature object with room for a CMS of so many bytes."""
    return _UNSIGNED.ljust(2 * cms_bytes_max + _HEAD_BYTES_MAX - 2) + b">>"


def sign_pdf(
    pdf: bytes, signer: Signer, *, reason: str, location: str, signed_at: datetime, stamp: Stamp | None = None
) -> bytes:
    """`pdf` from `Renderer.render` with its slot filled; nothing else changes and the length stays.

    `signed_at` (aware) is the time that the signer claims; `stamp` has an authority witness it (PAdES B-T) and what it
    raises passes through. Raises `UnsignableError` when there is no single empty slot or the CMS does not fit.
    """
    if signed_at.tzinfo is None:
        raise ValueError("signed_at needs a time zone")
    start, slot_end = _find_slot(pdf)
    cms_bytes_max = (slot_end - start - _HEAD_BYTES_MAX) // 2
    head = _dictionary_head(reason, location, signed_at)
    contents_at = start + len(head) + _BYTE_RANGE_WIDTH + len(b"] /Contents ")
    contents_end = contents_at + 2 * cms_bytes_max + 2
    filler = slot_end - contents_end - len(b">>")
    if filler < 0:
        raise UnsignableError("reason and location are too long for the signature slot")
    byte_range = b"0 %d %d %d" % (contents_at, contents_end, len(pdf) - contents_end)
    before = b"".join((pdf[:start], head, byte_range.ljust(_BYTE_RANGE_WIDTH), b"] /Contents "))
    after = b" " * filler + b">>" + pdf[slot_end:]
    digest = hashlib.new(ALGORITHMS[signer.alg].digest, before)
    digest.update(after)
    signature = build_cms(signer, digest.digest(), stamp)
    if len(signature) > cms_bytes_max:
        raise UnsignableError(f"the signature takes {len(signature)} bytes, {cms_bytes_max} are reserved")
    return b"".join((before, b"<", signature.hex().ljust(2 * cms_bytes_max, "0").encode("ascii"), b">", after))


def build_cms(signer: Signer, digest: bytes, stamp: Stamp | None = None) -> bytes:
    """A detached CAdES SignedData (RFC 5652, RFC 5035) over content with this digest, with the stamp's token if any."""
    form = _cms_form(signer.alg, signer.certificate, tuple(signer.chain))
    attributes = form.attributes.replace(form.digest_mark, digest)
    value = signer.sign(_der(0x31, attributes))
    signer_info = [form.signer_head, _der(0xA0, attributes), form.algorithm, _der(0x04, value)]
    if stamp is not None:
        signer_info.append(_der(0xA1, _der(0x30, _oid(_TIME_STAMP_TOKEN), _der(0x31, stamp(value)))))
    signers = _der(0x31, _der(0x30, *signer_info))
    return _der(0x30, form.content_type, _der(0xA0, _der(0x30, form.signed_data_head, signers)))


def _find_slot(pdf: bytes) -> tuple[int, int]:
    """Where the only empty slot begins and ends."""
    start = pdf.rfind(_UNSIGNED)
    end = pdf.find(b">>", start) + 2
    if start < 0 or pdf.find(_UNSIGNED) != start or pdf[start + len(_UNSIGNED) : end - 2].strip(b" "):
        raise UnsignableError("the document has no empty signature slot")
    return start, end


class _CmsForm:
    """The parts of a signer's CMS that every document shares, as DER."""

    def __init__(self, alg: str, certificate: bytes, chain: Sequence[bytes]) -> None:
        algorithm = ALGORITHMS[alg]
        parsed = x509.Certificate.load(certificate)
        digest_algorithm = _der(0x30, _oid(algorithm.digest_oid))
        serial = parsed["tbs_certificate"]["serial_number"].dump()
        # ESSCertIDv2 with the default digest SHA-256 leaves the algorithm out (RFC 5035 section 4).
        named = _der(0x30, _der(0x30, _der(0x30, _der(0x04, hashlib.sha256(certificate).digest()))))
        self.digest_mark = bytes(range(0xA0, 0xA0 + hashlib.new(algorithm.digest).digest_size))
        attributes = (
            _der(0x30, _oid(_CONTENT_TYPE), _der(0x31, _oid(_DATA))),
            _der(0x30, _oid(_MESSAGE_DIGEST), _der(0x31, _der(0x04, self.digest_mark))),
            _der(0x30, _oid(_SIGNING_CERTIFICATE_V2), _der(0x31, named)),
        )
        self.attributes = b"".join(sorted(attributes))
        self.signer_head = b"\x02\x01\x01" + _der(0x30, parsed.issuer.dump(), serial) + digest_algorithm
        null = b"\x05\x00" if algorithm.null_parameters else b""
        self.algorithm = _der(0x30, _oid(algorithm.signature_oid), null)
        self.content_type = _oid(_SIGNED_DATA)
        certificates = _der(0xA0, certificate, *chain)
        self.signed_data_head = b"\x02\x01\x01" + _der(0x31, digest_algorithm) + _der(0x30, _oid(_DATA)) + certificates


@lru_cache(maxsize=16)
def _cms_form(alg: str, certificate: bytes, chain: tuple[bytes, ...]) -> _CmsForm:
    return _CmsForm(alg, certificate, chain)


def _dictionary_head(reason: str, location: str, signed_at: datetime) -> bytes:
    moment = signed_at.astimezone(UTC).strftime("D:%Y%m%d%H%M%S+00'00'").encode("ascii")
    return (
        b"<< /Type /Sig /Filter /Adobe.PPKLite /SubFilter /ETSI.CAdES.detached /M (%s) /Reason %s /Location %s "
        b"/Reference [<< /Type /SigRef /TransformMethod /DocMDP "
        b"/TransformParams << /Type /TransformParams /P 1 /V /1.2 >> >>] /ByteRange ["
    ) % (moment, text_string(reason), text_string(location))


def _oid(dotted: str) -> bytes:
    return bytes(core.ObjectIdentifier(dotted).dump())


def _der(tag: int, *parts: bytes) -> bytes:
    body = b"".join(parts)
    size = len(body)
    if size < 0x80:
        return bytes((tag, size)) + body
    length = size.to_bytes((size.bit_length() + 7) // 8, "big")
    return bytes((tag, 0x80 | len(length))) + length + body
