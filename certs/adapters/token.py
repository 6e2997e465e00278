"""Signs with a key that never leaves its PKCS#11 token (a hardware module, or SoftHSM)."""

from __future__ import annotations

import contextlib
import hashlib
import threading
from collections.abc import Sequence
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


# One session for the process and token, which refuses a second login. Worker processes are started, not forked.
_sessions: dict[tuple[str, str, str], Any] = {}
_turn = threading.RLock()


def _session(place: tuple[str, str, str]) -> Any:
    if place not in _sessions:
        _sessions[place] = _open(*place)
    return _sessions[place]


def _open(module: str, token_label: str, pin: str) -> Any:
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
        self._place, self._label = (module, token, pin), key
        with _turn:
            self._find()
        kind = pkcs11.KeyType.RSA if self.alg == "RS256" else pkcs11.KeyType.EC
        if self._key.key_type != kind:
            raise WrongKeyError("the certificate belongs to another key")
        self._prove(public)

    def sign(self, tbs: bytes) -> bytes:
        """The signature of `tbs` as CMS wants it: DER of r and s, or RSA's PKCS#1 block. Raises `TokenError`."""
        with _turn:
            try:
                return self._sign(tbs)
            except PKCS11Error:
                # A token that was started anew knows neither session nor key any more.
                self._find_anew()
            try:
                return self._sign(tbs)
            except PKCS11Error as error:
                raise TokenError(f"the PKCS#11 token does not sign: {error!r}") from error

    def _sign(self, tbs: bytes) -> bytes:
        if self.alg == "RS256":
            return bytes(self._key.sign(tbs, mechanism=pkcs11.Mechanism.SHA256_RSA_PKCS))
        # Tokens differ in which hashing mechanisms they know for ECDSA; the bare one they all know.
        digest = hashlib.new(ALGORITHMS[self.alg].digest, tbs).digest()
        raw = bytes(self._key.sign(digest, mechanism=pkcs11.Mechanism.ECDSA))
        half = len(raw) // 2
        return encode_dss_signature(int.from_bytes(raw[:half], "big"), int.from_bytes(raw[half:], "big"))

    def _find(self) -> None:
        self._session: Any = _session(self._place)
        token = self._place[1]
        try:
            self._key = self._session.get_key(object_class=pkcs11.ObjectClass.PRIVATE_KEY, label=self._label)
        except (NoSuchKey, MultipleObjectsReturned) as error:
            raise TokenError(f"the PKCS#11 token {token} holds no single key called {self._label}") from error
        except PKCS11Error as error:
            raise TokenError(f"the PKCS#11 token {token} does not answer: {error!r}") from error
        if not isinstance(self._key, pkcs11.SignMixin):
            raise TokenError(f"the key {self._label} in the PKCS#11 token {token} may not sign")

    def _find_anew(self) -> None:
        # Unless another signer has opened a new session already.
        if self._place in _sessions and _sessions[self._place] is self._session:
            del _sessions[self._place]
            with contextlib.suppress(PKCS11Error):
                self._session.close()
        self._find()

    def _prove(self, public: rsa.RSAPublicKey | ec.EllipticCurvePublicKey) -> None:
        try:
            signature = self.sign(_PROBE)
            if isinstance(public, rsa.RSAPublicKey):
                public.verify(signature, _PROBE, padding.PKCS1v15(), hashes.SHA256())
            else:
                public.verify(signature, _PROBE, ec.ECDSA(_HASHES[self.alg]))
        except InvalidSignature as error:
            raise WrongKeyError("the certificate belongs to another key") from error
