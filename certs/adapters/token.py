"""Signs with a key that never leaves its PKCS#11 token (a hardware module, or SoftHSM)."""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Sequence
from functools import lru_cache
from typing import Any, Final

import pkcs11
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature
from cryptography.x509 import load_der_x509_certificate
from pkcs11.exceptions import MultipleObjectsReturned, NoSuchKey, NoSuchToken, PKCS11Error

from certs.adapters.pki import WrongKeyError
from certs.adapters.signing import ALGORITHMS

_CURVES: Final = {"secp256r1": "ES256", "secp384r1": "ES384"}
_HASHES: Final = {"ES256": hashes.SHA256(), "ES384": hashes.SHA384()}
_PROBE: Final = b"Whose key is this?"


class TokenError(RuntimeError):
    """The token, its PIN or the key in it is not there; the text says which."""


@lru_cache(maxsize=4)
def _session(module: str, token_label: str, pin: str) -> Any:
    # One for the process: a token refuses a second login. Worker processes are started, not forked.
    try:
        return pkcs11.lib(module).get_token(token_label=token_label).open(user_pin=pin)
    except NoSuchToken as error:
        raise TokenError(f"no PKCS#11 token is called {token_label}") from error
    except (PKCS11Error, RuntimeError, OSError) as error:
        raise TokenError(f"the PKCS#11 token {token_label} cannot be opened: {error!r}") from error


class TokenSigner:
    """A P-256, P-384 or RSA key in a token, found by its label. Safe to share between threads: they take turns.

    Raises `TokenError` when token or key are not there, `WrongKeyError` when the certificate belongs to another key.
    """

    def __init__(
        self, *, module: str, token: str, pin: str, key: str, certificate: bytes, chain: Sequence[bytes]
    ) -> None:
        public = load_der_x509_certificate(certificate).public_key()
        if isinstance(public, rsa.RSAPublicKey):
            self.alg = "RS256"
        elif isinstance(public, ec.EllipticCurvePublicKey) and public.curve.name in _CURVES:
            self.alg = _CURVES[public.curve.name]
        else:
            raise WrongKeyError("expected a P-256, P-384 or RSA key")
        self.certificate = certificate
        self.chain: Sequence[bytes] = tuple(chain)
        self._turn = threading.Lock()
        try:
            self._key = _session(module, token, pin).get_key(object_class=pkcs11.ObjectClass.PRIVATE_KEY, label=key)
        except (NoSuchKey, MultipleObjectsReturned) as error:
            raise TokenError(f"the PKCS#11 token {token} holds no single key called {key}") from error
        self._prove(public)

    def sign(self, tbs: bytes) -> bytes:
        """The signature of `tbs` as CMS wants it: DER of r and s, or RSA's PKCS#1 block. Raises `TokenError`."""
        try:
            with self._turn:
                if self.alg == "RS256":
                    return bytes(self._key.sign(tbs, mechanism=pkcs11.Mechanism.SHA256_RSA_PKCS))
                # Tokens differ in which hashing mechanisms they know for ECDSA; the bare one they all know.
                digest = hashlib.new(ALGORITHMS[self.alg].digest, tbs).digest()
                raw = bytes(self._key.sign(digest, mechanism=pkcs11.Mechanism.ECDSA))
        except PKCS11Error as error:
            raise TokenError(f"the PKCS#11 token does not sign: {error!r}") from error
        half = len(raw) // 2
        return encode_dss_signature(int.from_bytes(raw[:half], "big"), int.from_bytes(raw[half:], "big"))

    def _prove(self, public: rsa.RSAPublicKey | ec.EllipticCurvePublicKey) -> None:
        try:
            signature = self.sign(_PROBE)
            if isinstance(public, rsa.RSAPublicKey):
                public.verify(signature, _PROBE, padding.PKCS1v15(), hashes.SHA256())
            else:
                public.verify(signature, _PROBE, ec.ECDSA(_HASHES[self.alg]))
        except (InvalidSignature, TokenError) as error:
            raise WrongKeyError("the certificate belongs to another key") from error
