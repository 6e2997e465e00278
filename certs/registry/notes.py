"""Keys and co-signatures of signed notes (C2SP signed-note, tlog-cosignature). All functions are pure.

A witness states: at this second, the largest tree that I have seen of this log has this root, and
all that I saw before is its beginning.
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Final

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ed25519

from certs.registry.rules import ED25519_KEY, note_key_id, signature_line, signatures_of

WITNESS_KEY: Final = 0x04
_KINDS: Final = (ED25519_KEY, WITNESS_KEY)
_SECRET_MARK: Final = "PRIVATE+KEY+"  # noqa: S105 - what stands before a key, none itself
# Of a length that the audit log takes as a subject.
_NAME: Final = re.compile(r"[^\s+]{1,80}")
_KEY_BYTES: Final = 32
_TIME_BYTES: Final = 8
# The end of the year 9999: what a calendar can still show.
_LAST_S: Final = 253_402_300_799


class KeyTextInvalidError(ValueError):
    """The text is not a key of the form name+id+base64."""


@dataclass(frozen=True, slots=True)
class VerifierKey:
    """A named public key; `kind` is that of a log or of a witness."""

    name: str
    kind: int
    key: ed25519.Ed25519PublicKey

    @property
    def key_id(self) -> bytes:
        return note_key_id(self.name, self.key, self.kind)

    @property
    def text(self) -> str:
        """The key in one line, as tools for such logs take it (C2SP signed-note, verifier keys)."""
        raw = self.key.public_bytes(serialization.Encoding.Raw, serialization.PublicFormat.Raw)
        return _written(self.name, self.key_id, self.kind, raw)


@dataclass(frozen=True, slots=True)
class SignerKey:
    """A witness's private key; the text is for its own file only."""

    name: str
    key: ed25519.Ed25519PrivateKey = field(repr=False)

    @property
    def verifier(self) -> VerifierKey:
        return VerifierKey(self.name, WITNESS_KEY, self.key.public_key())

    @property
    def text(self) -> str:
        raw = self.key.private_bytes(
            serialization.Encoding.Raw, serialization.PrivateFormat.Raw, serialization.NoEncryption()
        )
        return _SECRET_MARK + _written(self.name, self.verifier.key_id, WITNESS_KEY, raw)


def new_witness_key(name: str) -> SignerKey:
    """A fresh key for the witness of this name. Raises KeyTextInvalidError for a name with blanks or plus signs."""
    if not _NAME.fullmatch(name):
        raise KeyTextInvalidError("a name has no blanks and no plus signs, for example witness.example.gov.cn")
    return SignerKey(name, ed25519.Ed25519PrivateKey.generate())


def read_verifier_key(text: str) -> VerifierKey:
    """The public key in `text`. Raises KeyTextInvalidError."""
    name, key_id, kind, raw = _read(text)
    found = VerifierKey(name, kind, ed25519.Ed25519PublicKey.from_public_bytes(raw))
    if found.key_id != key_id:
        raise KeyTextInvalidError("the key's id does not belong to it: it was not copied whole")
    return found


def read_signer_key(text: str) -> SignerKey:
    """The witness's private key in `text`. Raises KeyTextInvalidError."""
    if not text.startswith(_SECRET_MARK):
        raise KeyTextInvalidError("this is not a private key of a witness")
    name, key_id, kind, raw = _read(text.removeprefix(_SECRET_MARK))
    found = SignerKey(name, ed25519.Ed25519PrivateKey.from_private_bytes(raw))
    if kind != WITNESS_KEY or found.verifier.key_id != key_id:
        raise KeyTextInvalidError("this is not a private key of a witness")
    return found


def cosign(body: str, signer: SignerKey, at_s: int) -> str:
    """The witness's signature line for the checkpoint `body` at a POSIX time in seconds."""
    signature = signer.key.sign(_message(body, at_s))
    return signature_line(signer.name, signer.verifier.key_id + at_s.to_bytes(_TIME_BYTES, "big") + signature)


@dataclass(frozen=True, slots=True)
class Cosigned:
    """One co-signature that holds: its line in the note, and when it was made."""

    line: str
    at: datetime


def cosignature_of(body: str, lines: Sequence[str], key: VerifierKey) -> Cosigned | None:
    """The witness's co-signature of the checkpoint `body` among the signature lines; None where none holds."""
    for stamped in signatures_of(lines, key.name, key.key_id):
        at_s = int.from_bytes(stamped[:_TIME_BYTES], "big")
        if at_s > _LAST_S:
            continue
        try:
            key.key.verify(stamped[_TIME_BYTES:], _message(body, at_s))
        except InvalidSignature:
            continue
        return Cosigned(signature_line(key.name, key.key_id + stamped), datetime.fromtimestamp(at_s, UTC))
    return None


def _message(body: str, at_s: int) -> bytes:
    return f"cosignature/v1\ntime {at_s}\n{body}".encode()


def _written(name: str, key_id: bytes, kind: int, raw: bytes) -> str:
    return f"{name}+{key_id.hex()}+{base64.b64encode(bytes([kind]) + raw).decode('ascii')}"


def _read(text: str) -> tuple[str, bytes, int, bytes]:
    # The base64 part may hold plus signs of its own.
    name, _, rest = text.strip().partition("+")
    key_id, _, encoded = rest.partition("+")
    try:
        raw, identity = base64.b64decode(encoded, validate=True), bytes.fromhex(key_id)
    except (binascii.Error, ValueError):
        raise KeyTextInvalidError("a key is written name+id+base64") from None
    if not _NAME.fullmatch(name) or len(raw) != 1 + _KEY_BYTES or raw[0] not in _KINDS:
        raise KeyTextInvalidError("a key is written name+id+base64")
    return name, identity, raw[0], raw[1:]
