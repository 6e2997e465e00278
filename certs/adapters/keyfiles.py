"""Small helpers over key files, so that no other file needs the cryptography library."""

from __future__ import annotations

import hashlib

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.x509 import load_pem_x509_certificate

__all__ = ["Ed25519PrivateKey", "fingerprint", "public_pem_of"]


def public_pem_of(certificate_pem: bytes) -> bytes:
    """The public key that a certificate names, as PEM."""
    key = load_pem_x509_certificate(certificate_pem).public_key()
    return key.public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)


def fingerprint(public_pem: bytes) -> str:
    """Thirty-two hexadecimal digits of SHA-256 over the key's DER, by which the key is named."""
    der = serialization.load_pem_public_key(public_pem).public_bytes(
        serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    return hashlib.sha256(der).hexdigest()[:32]
