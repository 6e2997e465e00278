"""What a certificate's QR symbol carries: one address that any camera opens, and inside it a signed credential.

    HTTPS://HOST/C/<public id>/<base32 of a COSE_Sign1>

The web page answers `/C/<public id>` and ignores the last segment; an inspector's phone without network verifies that
segment. A path segment, not a fragment: `#` is not in the alphanumeric set of QR symbols and would cost a mode change,
and several scanner apps drop fragments. The price is that the segment reaches the server, so its access log must cut
the path after the public id (the segment holds the holder's name).

The COSE payload is a CBOR array without keys and without compression (deflate makes it longer), so that a symbol of
version 9-M suffices for usual names and hosts of up to 20 characters; longer ones get 10-M. The public id is
authenticated as external data: it costs no byte, and an address with another id does not verify.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import io
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, timedelta
from typing import Any, Final

import cbor2
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature, encode_dss_signature

from certs.adapters.pki import load_p256_key
from certs.adapters.qrmatrix import QrAlphabetError

_FORM: Final = 1
_EPOCH: Final = date(1970, 1, 1)
# RFC 9052/9053: header 1 is the algorithm, -7 is ES256, header 4 is the key id.
_PROTECTED: Final = cbor2.dumps({1: -7})
_KID: Final = 4
_KID_BYTES: Final = 4
_SIGNATURE_BYTES: Final = 64
_SCHEME: Final = ec.ECDSA(hashes.SHA256())
_BASE_URL: Final = re.compile(r"HTTPS?://[A-Z0-9.-]+(:[0-9]+)?")
_PUBLIC_ID: Final = re.compile(r"[0-9A-Z]{8,32}")
_ADDRESS: Final = re.compile(r"HTTPS?://[A-Z0-9.-]+(?::[0-9]+)?/C/([0-9A-Z]{8,32})/([A-Z2-7]+)")


class QrInvalidError(ValueError):
    """A scanned text is no genuine credential. `code` is malformed, unknown_key or bad_signature."""

    def __init__(self, code: str) -> None:
        self.code = code
        super().__init__(f"QR credential refused: {code}")


@dataclass(frozen=True, slots=True, kw_only=True)
class QrClaims:
    """What the credential states about a certificate. Codes are short: their texts are reference data of the phone.

    `id_number_tail` are the last four characters of the identity number; `status_index` is the certificate's place in
    the status list. Dates are inclusive days of the certificate. The issuer is whoever the key id belongs to.
    """

    number: str
    holder_name: str
    id_number_tail: str
    industry_code: str
    post_code: str
    valid_from: date
    valid_until: date
    status_index: int


@dataclass(frozen=True, slots=True)
class QrPayload:
    """A decoded symbol. From `decode_payload` nothing in it is proven; from `verify_payload` all of it is."""

    public_id: str
    claims: QrClaims
    kid: bytes
    cose: bytes


@dataclass(frozen=True, slots=True)
class QrKey:
    """The P-256 key that signs credentials, parsed once, with its four-byte id."""

    kid: bytes
    private_key: ec.EllipticCurvePrivateKey = field(repr=False)

    @staticmethod
    def from_pem(pem: bytes) -> QrKey:
        """A key from PKCS#8; its id is the beginning of SHA-256 over its public key's DER."""
        private_key = load_p256_key(pem)
        return QrKey(key_id(private_key.public_key()), private_key)


def key_id(public_key: ec.EllipticCurvePublicKey) -> bytes:
    """The four-byte id under which phones keep this public key."""
    der = public_key.public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
    return hashlib.sha256(der).digest()[:_KID_BYTES]


def certificate_url(base_url: str, public_id: str) -> str:
    """The short address of a certificate's page in capitals, which is how a QR symbol stores it most densely.

    `base_url` is scheme, host and port without a path. Raises `QrAlphabetError` for anything else.
    """
    base = base_url.rstrip("/").upper()
    if not _BASE_URL.fullmatch(base):
        raise QrAlphabetError("the base address must be scheme, host and port only")
    if not _PUBLIC_ID.fullmatch(public_id):
        raise QrAlphabetError("a public id is 8 to 32 capital letters and digits")
    return f"{base}/C/{public_id}"


def encode_payload(claims: QrClaims, *, base_url: str, public_id: str, key: QrKey) -> str:
    """The text of the QR symbol: the short address, then the credential signed with `key`."""
    cose = sign_claims(claims, public_id=public_id, key=key)
    encoded = base64.b32encode(cose).decode("ascii").rstrip("=")
    return f"{certificate_url(base_url, public_id)}/{encoded}"


def sign_claims(claims: QrClaims, *, public_id: str, key: QrKey) -> bytes:
    """An untagged COSE_Sign1 (RFC 9052, ES256) over the claims with the public id as external authenticated data."""
    payload = cbor2.dumps(_to_array(claims))
    signed = key.private_key.sign(_to_be_signed(payload, public_id), _SCHEME)
    r, s = decode_dss_signature(signed)
    signature = r.to_bytes(32, "big") + s.to_bytes(32, "big")
    return cbor2.dumps([_PROTECTED, {_KID: key.kid}, payload, signature])


def decode_payload(text: str) -> QrPayload:
    """The parts of a scanned text, unverified. Raises `QrInvalidError` (malformed)."""
    public_id, cose = _split_address(text)
    kid, payload, _signature = _open(cose)
    return QrPayload(public_id, _from_array(_loads(payload)), kid, cose)


def verify_payload(text: str, keys: Mapping[bytes, ec.EllipticCurvePublicKey]) -> QrPayload:
    """The proven content of a scanned text; `keys` by `key_id`. Raises `QrInvalidError`.

    Says nothing about the certificate's state: validity dates and the status list are the caller's to check.
    """
    public_id, cose = _split_address(text)
    kid, payload, signature = _open(cose)
    if kid not in keys:
        raise QrInvalidError("unknown_key")
    der = encode_dss_signature(int.from_bytes(signature[:32], "big"), int.from_bytes(signature[32:], "big"))
    try:
        keys[kid].verify(der, _to_be_signed(payload, public_id), _SCHEME)
    except InvalidSignature as error:
        raise QrInvalidError("bad_signature") from error
    return QrPayload(public_id, _from_array(_loads(payload)), kid, cose)


def external_data(public_id: str) -> bytes:
    """The external authenticated data of a credential: the path of its page."""
    return f"/C/{public_id}".encode("ascii")


def _to_be_signed(payload: bytes, public_id: str) -> bytes:
    return cbor2.dumps(["Signature1", _PROTECTED, external_data(public_id), payload])


def _split_address(text: str) -> tuple[str, bytes]:
    match = _ADDRESS.fullmatch(text.strip().upper())
    if match is None:
        raise QrInvalidError("malformed")
    encoded = match[2]
    try:
        return match[1], base64.b32decode(encoded + "=" * (-len(encoded) % 8))
    except binascii.Error as error:
        raise QrInvalidError("malformed") from error


def _open(cose: bytes) -> tuple[bytes, bytes, bytes]:
    """Key id, payload and signature of a COSE_Sign1 with exactly our headers."""
    parts = _loads(cose)
    if not isinstance(parts, list | tuple) or len(parts) != 4:
        raise QrInvalidError("malformed")
    protected, unprotected, payload, signature = parts
    kid = unprotected.get(_KID) if isinstance(unprotected, Mapping) else None
    if not (isinstance(kid, bytes) and isinstance(payload, bytes) and isinstance(signature, bytes)):
        raise QrInvalidError("malformed")
    if protected != _PROTECTED or len(signature) != _SIGNATURE_BYTES:
        raise QrInvalidError("malformed")
    return kid, payload, signature


def _loads(data: bytes) -> Any:
    stream = io.BytesIO(data)
    try:
        value = cbor2.load(stream)
    except (cbor2.CBORDecodeError, ValueError) as error:
        raise QrInvalidError("malformed") from error
    # Trailing bytes would let one credential have many spellings.
    if stream.tell() != len(data):
        raise QrInvalidError("malformed")
    return value


def _to_array(claims: QrClaims) -> list[int | str | bytes]:
    return [
        _FORM,
        _pack_number(claims.number),
        claims.holder_name,
        claims.id_number_tail,
        claims.industry_code,
        claims.post_code,
        (claims.valid_from - _EPOCH).days,
        (claims.valid_until - claims.valid_from).days,
        claims.status_index,
    ]


def _pack_number(number: str) -> bytes | str:
    """Six bits for each character of U+0020 to U+005F (the character's code less 32), which saves a quarter.

    The last byte is filled with zero bits. Numbers with other characters stay text.
    """
    if number != number.strip() or not all(" " <= char <= "_" for char in number):
        return number
    bits = "".join(f"{ord(char) - 32:06b}" for char in number)
    bits += "0" * (-len(bits) % 8)
    return int(bits or "0", 2).to_bytes(len(bits) // 8, "big")


def _unpack_number(packed: bytes | str) -> str:
    if isinstance(packed, str):
        return packed
    bits = "".join(f"{byte:08b}" for byte in packed)
    codes = (int(bits[start : start + 6], 2) for start in range(0, len(bits) - 5, 6))
    return "".join(chr(code + 32) for code in codes).rstrip(" ")


def _from_array(values: Any) -> QrClaims:
    kinds = (int, str | bytes, str, str, str, str, int, int, int)
    well_formed = isinstance(values, list | tuple) and len(values) == len(kinds) and values[0] == _FORM
    if not well_formed or not all(isinstance(value, kind) for value, kind in zip(values, kinds, strict=True)):
        raise QrInvalidError("malformed")
    _form, number, holder_name, id_number_tail, industry, post, start_day, days, status_index = values
    try:
        valid_from = _EPOCH + timedelta(days=start_day)
        valid_until = valid_from + timedelta(days=days)
    except OverflowError as error:
        raise QrInvalidError("malformed") from error
    return QrClaims(
        number=_unpack_number(number),
        holder_name=holder_name,
        id_number_tail=id_number_tail,
        industry_code=industry,
        post_code=post,
        valid_from=valid_from,
        valid_until=valid_until,
        status_index=status_index,
    )
