"""Encryption at rest and keyed lookup of personal identifiers.

The only importer of ``cryptography`` beside ``certs/adapters``.
"""

from __future__ import annotations

import hashlib
import hmac
import os
from collections.abc import Mapping

from cryptography.exceptions import InvalidSignature, InvalidTag
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

NONCE_BYTES = 12  # NIST SP 800-38D, 8.2: 96 bits is the length GCM is made for


class Undecryptable(RuntimeError):
    """A stored value does not decrypt: wrong key, wrong owner, or altered bytes."""


class Vault:
    """Envelope of personal data: AES-256-GCM with key ids, HMAC-SHA-256 for lookup."""

    def __init__(self, *, data_keys: Mapping[str, bytes], active_key_id: str, lookup_key: bytes) -> None:
        self._ciphers = {key_id: AESGCM(key[:32]) for key_id, key in data_keys.items()}
        self._active = self._ciphers[active_key_id]
        key_id = active_key_id.encode()
        self._prefix = bytes([len(key_id)]) + key_id
        # Keyed once and copied: an import takes the digests of a hundred thousand numbers.
        self._lookup = hmac.new(lookup_key, digestmod="sha256")

    def encrypt(self, plain: bytes, *, context: str) -> bytes:
        """Encrypt ``plain``, bound to ``context`` (what it is and whose), readable by key id.

        Layout: length of key id (1 byte), key id, nonce (12 bytes), ciphertext with tag.
        """
        nonce = os.urandom(NONCE_BYTES)
        return self._prefix + nonce + self._active.encrypt(nonce, plain, context.encode())

    def decrypt(self, sealed: bytes, *, context: str) -> bytes:
        """Undo ``encrypt``; raises Undecryptable when key, context or bytes differ."""
        length = sealed[0]
        key_id = sealed[1 : 1 + length].decode("ascii", "replace")
        body = sealed[1 + length :]
        cipher = self._ciphers.get(key_id)
        if cipher is None:
            raise Undecryptable(f"no key {key_id!r}")
        try:
            return cipher.decrypt(body[:NONCE_BYTES], body[NONCE_BYTES:], context.encode())
        except InvalidTag:
            raise Undecryptable(f"value for {context!r} was altered or is another's") from None

    def digest(self, value: str, *, kind: str) -> bytes:
        """Return the keyed digest by which a personal value is found (32 bytes)."""
        state = self._lookup.copy()
        state.update(f"{kind}\x00{value}".encode())
        return state.digest()


class SealingKey:
    """Ed25519 key that signs checkpoints of the audit chain."""

    def __init__(self, seed: bytes) -> None:
        self._key = Ed25519PrivateKey.from_private_bytes(seed[:32])
        self.public_bytes = self._key.public_key().public_bytes_raw()
        self.key_id = hashlib.sha256(self.public_bytes).hexdigest()[:16]

    def sign(self, message: bytes) -> bytes:
        """Sign ``message`` (64 bytes)."""
        return self._key.sign(message)

    def verifies(self, signature: bytes, message: bytes) -> bool:
        """Tell whether ``signature`` is this key's over ``message``."""
        try:
            Ed25519PublicKey.from_public_bytes(self.public_bytes).verify(signature, message)
        except InvalidSignature:
            return False
        return True
