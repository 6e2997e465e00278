"""Keys and certificates for a demonstration or a first installation, as PEM. Where they are kept is not known here.

Root and issuing authority, the document signer, and two keys apart: one for QR payloads (P-256, so that a lost QR key
does not touch documents) and one for log checkpoints (Ed25519, never inside a PDF: readers cannot check it there).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID, ObjectIdentifier

_ROOT_DAYS: Final = 20 * 365
_ISSUING_DAYS: Final = 10 * 365
_SIGNER_DAYS: Final = 3 * 365
# RFC 9336. Poppler's NSS trusts a document signer only with e-mail protection beside it.
_DOCUMENT_SIGNING: Final = ObjectIdentifier("1.3.6.1.5.5.7.3.36")


class WrongKeyError(ValueError):
    """The key is of another kind than its use needs."""


class ChainError(ValueError):
    """Certificates do not lead to their root; the text says which."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PkiSubjects:
    """Names in the certificates."""

    organisation: str
    root: str
    issuing: str
    signer: str
    country: str = "CN"


@dataclass(frozen=True, slots=True, kw_only=True)
class DemoPki:
    """Certificates and unencrypted PKCS#8 keys, all PEM. The private ones do not show in a repr."""

    root_certificate: bytes
    root_key: bytes = field(repr=False)
    issuing_certificate: bytes
    issuing_key: bytes = field(repr=False)
    signer_certificate: bytes
    signer_key: bytes = field(repr=False)


def make_demo_pki(subjects: PkiSubjects, now: datetime) -> DemoPki:
    """Fresh keys, and certificates valid from an hour before `now` (aware): root 20, issuing 10, signer 3 years."""
    root_key, issuing_key, signer_key = (ec.generate_private_key(ec.SECP256R1()) for _ in range(3))
    root_name, issuing_name = _name(subjects, subjects.root), _name(subjects, subjects.issuing)
    start = now - timedelta(hours=1)
    root = _authority(root_name, root_name, root_key, root_key, start, _ROOT_DAYS, path_length=1)
    issuing = _authority(issuing_name, root_name, issuing_key, root_key, start, _ISSUING_DAYS, path_length=0)
    signer = _document_signer(_name(subjects, subjects.signer), issuing_name, signer_key, issuing_key, start)
    return DemoPki(
        root_certificate=_certificate_pem(root),
        root_key=_key_pem(root_key),
        issuing_certificate=_certificate_pem(issuing),
        issuing_key=_key_pem(issuing_key),
        signer_certificate=_certificate_pem(signer),
        signer_key=_key_pem(signer_key),
    )


def new_signer(
    subjects: PkiSubjects, issuing_certificate: bytes, issuing_key: bytes, now: datetime
) -> tuple[bytes, bytes]:
    """A fresh document signing key and its certificate from this authority, valid three years: (certificate, key)."""
    authority_key, key = load_p256_key(issuing_key), ec.generate_private_key(ec.SECP256R1())
    issuer = x509.load_pem_x509_certificate(issuing_certificate).subject
    start = now - timedelta(hours=1)
    certificate = _document_signer(_name(subjects, subjects.signer), issuer, key, authority_key, start)
    return _certificate_pem(certificate), _key_pem(key)


def new_p256_key() -> bytes:
    """A fresh P-256 key, for QR payloads."""
    return _key_pem(ec.generate_private_key(ec.SECP256R1()))


def new_log_key() -> bytes:
    """A fresh Ed25519 key, for checkpoints."""
    return _key_pem(ed25519.Ed25519PrivateKey.generate())


def public_half(private_pem: bytes) -> bytes:
    """The public key of a P-256 or Ed25519 private key."""
    key = serialization.load_pem_private_key(private_pem, password=None)
    if not isinstance(key, ec.EllipticCurvePrivateKey | ed25519.Ed25519PrivateKey):
        raise WrongKeyError("expected a P-256 or Ed25519 private key")
    return _public_pem(key.public_key())


def check_chain(certificate: bytes, issuers: Sequence[bytes], root: bytes, now: datetime) -> None:
    """Raise `ChainError` unless the first certificate (PEM) may sign, and each is in force and issued by the next."""
    path = [x509.load_pem_x509_certificate(pem) for pem in (certificate, *issuers, root)]
    for item in path:
        if not item.not_valid_before_utc <= now <= item.not_valid_after_utc:
            raise ChainError(f"not in force now: {item.subject.rfc4514_string()}")
    usages = [one.value for one in path[0].extensions if isinstance(one.value, x509.KeyUsage)]
    if not any(usage.content_commitment for usage in usages):
        raise ChainError("the certificate's key usage lacks non-repudiation, without which readers refuse signatures")
    for item, issuer in zip(path, (*path[1:], path[-1]), strict=True):
        try:
            item.verify_directly_issued_by(issuer)
        except (ValueError, TypeError, InvalidSignature) as error:
            raise ChainError(f"{item.subject.rfc4514_string()} is not issued by the next certificate") from error


def validity(certificate: bytes) -> tuple[datetime, datetime]:
    """The first and the last moment (aware) of a PEM certificate."""
    parsed = x509.load_pem_x509_certificate(certificate)
    return parsed.not_valid_before_utc, parsed.not_valid_after_utc


def common_name(certificate: bytes) -> str:
    """The common name that a PEM certificate is issued to, or its whole subject."""
    subject = x509.load_pem_x509_certificate(certificate).subject
    names = subject.get_attributes_for_oid(NameOID.COMMON_NAME)
    return str(names[0].value) if names else subject.rfc4514_string()


def split_pems(pems: bytes) -> list[bytes]:
    """The certificates of a PEM file, one by one, each PEM again. Raises `ChainError` when there is none."""
    try:
        return [_certificate_pem(found) for found in x509.load_pem_x509_certificates(pems)]
    except ValueError as error:
        raise ChainError("the file holds no PEM certificate") from error


def load_p256_key(pem: bytes) -> ec.EllipticCurvePrivateKey:
    """A P-256 private key; `WrongKeyError` for any other."""
    key = serialization.load_pem_private_key(pem, password=None)
    if not isinstance(key, ec.EllipticCurvePrivateKey) or not isinstance(key.curve, ec.SECP256R1):
        raise WrongKeyError("expected a P-256 private key")
    return key


def load_p256_public_key(pem: bytes) -> ec.EllipticCurvePublicKey:
    """A P-256 public key; `WrongKeyError` for any other."""
    key = serialization.load_pem_public_key(pem)
    if not isinstance(key, ec.EllipticCurvePublicKey) or not isinstance(key.curve, ec.SECP256R1):
        raise WrongKeyError("expected a P-256 public key")
    return key


def load_log_key(pem: bytes) -> ed25519.Ed25519PrivateKey:
    """The Ed25519 key that signs checkpoints; `WrongKeyError` for any other."""
    key = serialization.load_pem_private_key(pem, password=None)
    if not isinstance(key, ed25519.Ed25519PrivateKey):
        raise WrongKeyError("expected an Ed25519 private key")
    return key


def load_log_public_key(pem: bytes) -> ed25519.Ed25519PublicKey:
    """The Ed25519 key that checks checkpoints; `WrongKeyError` for any other."""
    key = serialization.load_pem_public_key(pem)
    if not isinstance(key, ed25519.Ed25519PublicKey):
        raise WrongKeyError("expected an Ed25519 public key")
    return key


def _name(subjects: PkiSubjects, common_name: str) -> x509.Name:
    parts = (
        (NameOID.COUNTRY_NAME, subjects.country),
        (NameOID.ORGANIZATION_NAME, subjects.organisation),
        (NameOID.COMMON_NAME, common_name),
    )
    return x509.Name([x509.NameAttribute(oid, value) for oid, value in parts])


def _authority(
    subject: x509.Name,
    issuer: x509.Name,
    key: ec.EllipticCurvePrivateKey,
    issuer_key: ec.EllipticCurvePrivateKey,
    start: datetime,
    days: int,
    *,
    path_length: int,
) -> x509.Certificate:
    builder = _builder(subject, issuer, key, issuer_key, start, days)
    builder = builder.add_extension(x509.BasicConstraints(ca=True, path_length=path_length), critical=True)
    builder = builder.add_extension(_key_usage(authority=True), critical=True)
    return builder.sign(issuer_key, hashes.SHA256())


def _document_signer(
    subject: x509.Name,
    issuer: x509.Name,
    key: ec.EllipticCurvePrivateKey,
    issuer_key: ec.EllipticCurvePrivateKey,
    start: datetime,
) -> x509.Certificate:
    builder = _builder(subject, issuer, key, issuer_key, start, _SIGNER_DAYS)
    builder = builder.add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
    builder = builder.add_extension(_key_usage(authority=False), critical=True)
    usages = x509.ExtendedKeyUsage([_DOCUMENT_SIGNING, ExtendedKeyUsageOID.EMAIL_PROTECTION])
    return builder.add_extension(usages, critical=False).sign(issuer_key, hashes.SHA256())


def _builder(
    subject: x509.Name,
    issuer: x509.Name,
    key: ec.EllipticCurvePrivateKey,
    issuer_key: ec.EllipticCurvePrivateKey,
    start: datetime,
    days: int,
) -> x509.CertificateBuilder:
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(start)
        .not_valid_after(start + timedelta(days=days))
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(issuer_key.public_key()), critical=False)
    )


def _key_usage(*, authority: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not authority,
        content_commitment=not authority,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=authority,
        crl_sign=authority,
        encipher_only=False,
        decipher_only=False,
    )


def _certificate_pem(certificate: x509.Certificate) -> bytes:
    return certificate.public_bytes(serialization.Encoding.PEM)


def _key_pem(key: ec.EllipticCurvePrivateKey | ed25519.Ed25519PrivateKey) -> bytes:
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )


def _public_pem(key: ec.EllipticCurvePublicKey | ed25519.Ed25519PublicKey) -> bytes:
    return key.public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
