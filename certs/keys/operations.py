"""Issuing keys: made or adopted, sealed at rest, unsealed only in the worker and kept parsed there."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import urlsplit

from sqlalchemy import bindparam, func, insert, or_, select
from sqlalchemy.orm import Session

from certs.adapters import pki
from certs.adapters.keyfiles import Ed25519PrivateKey, fingerprint, public_pem_of
from certs.adapters.qr import QrKey
from certs.adapters.signing import Signer, SoftKeySigner, pem_to_der
from certs.adapters.token import TokenError, TokenSigner
from certs.errors import KeyRefused, NoKeys
from certs.models import IssuerKey, IssuerSecret
from lms.core import audit, clock
from lms.core.access import Actor
from lms.core.prepared import Prepared
from lms.core.services import Services, services_of

# The certificates of a demonstration begin this long ago, for the demo province lives its past months.
BACKDATED_BY = timedelta(days=400)
SUBJECTS = pki.PkiSubjects(
    organisation="安证平台 Anzheng", root="安证演示根 CA", issuing="安证演示签发 CA", signer="电子证照签章"
)
# Of the keys of a kind whose time has come only the newest signs; all of them stay believed.
SIGNING_KINDS = ("pdf", "qr", "log")


@dataclass(frozen=True, slots=True)
class SigningKeys:
    """What the worker signs with. The ids name rows of ``certs_issuer_key``; ``roots`` are PEM."""

    pdf: Signer = field(repr=False)
    pdf_key_id: str
    qr: QrKey
    log: Ed25519PrivateKey = field(repr=False)
    log_key_id: str
    log_origin: str
    valid_from: datetime
    valid_until: datetime
    roots: tuple[bytes, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Adopted:
    """A signing key of an authority outside, all PEM: the key itself, or its label in the PKCS#11 token."""

    certificate: bytes
    chain: bytes
    root: bytes
    key: bytes | None = field(repr=False, default=None)
    token_key: str | None = None


_parsed: dict[tuple[str, ...], SigningKeys] = {}


def make_keys(session: Session, actor: Actor) -> bool:
    """Make the signing keys that are missing; tell whether any were made. Worker scope.

    Outside production that is a demonstration's whole authority. In production it is the keys of QR
    payloads and of the log only: the province's authority signs documents (`adopt_key`).
    """
    services, now = services_of(session), clock.now()
    kinds = set(session.scalars(select(IssuerKey.kind).distinct()))
    made: list[tuple[dict[str, object], bytes | None]] = []
    if "pdf" not in kinds and not services.settings.is_production:
        made += _demo_rows(pki.make_demo_pki(SUBJECTS, now - BACKDATED_BY))
    if "qr" not in kinds:
        made.append(_bare_row("qr", "qr", pki.new_p256_key()))
    if "log" not in kinds:
        host = urlsplit(services.settings.base_url).netloc
        made.append(_bare_row("log", f"{host}/registry", pki.new_log_key()))
    for values, secret in made:
        _add(session, actor, values, secret, now)
    return bool(made)


def rotate_key(session: Session, actor: Actor, kind: str, signs_from: datetime | None = None) -> str:
    """Add a fresh key of a kind that signs from the moment on (at once by default); return its id. Worker scope.

    The older keys stay public and believed, so what they signed stays verifiable; a moment ahead gives
    phones time to fetch the new key. Raises KeyRefused when an authority outside issued the document key.
    """
    newest = public_keys(session, kind)
    if not newest:
        raise NoKeys(f"there is no {kind} key yet: run `anzheng certs init`")
    now = clock.now()
    if kind == "pdf":
        values, secret = _next_signer(session, now)
    else:
        made = pki.new_p256_key() if kind == "qr" else pki.new_log_key()
        values, secret = _bare_row(kind, newest[0].name, made)
    return _add(session, actor, {**values, "signs_from": signs_from}, secret, now)


def adopt_key(session: Session, actor: Actor, adopted: Adopted, signs_from: datetime | None = None) -> str:
    """Let a document key of an authority outside sign from the moment on; return its id. Worker scope.

    Raises KeyRefused when the certificates do not lead to the root, the key is not the certificate's, or
    the token has none of this name.
    """
    now = clock.now()
    try:
        issuers = pki.split_pems(adopted.chain) if adopted.chain.strip() else []
        pki.check_chain(adopted.certificate, issuers, adopted.root, now)
        signer_of(services_of(session), adopted)
    except (pki.ChainError, TokenError, ValueError, TypeError) as error:
        raise KeyRefused(str(error)) from error
    known = {row.key_id for row in public_keys(session, "root")}
    root = _certified_row("root", adopted.root)
    if root["key_id"] not in known:
        _add(session, actor, root, None, now)
    row = _certified_row("pdf", adopted.certificate)
    if session.get(IssuerKey, row["key_id"]):
        raise KeyRefused("this key is known already")
    values = {**row, "chain_pem": adopted.chain.decode(), "signs_from": signs_from, "token_key": adopted.token_key}
    return _add(session, actor, values, adopted.key, now)


_DUE = Prepared(
    select(*IssuerKey.__table__.c)
    .where(or_(*(IssuerKey.kind == kind for kind in SIGNING_KINDS)))
    # A key that no time was set for signs from the start, also in a demonstration's past.
    .where(or_(IssuerKey.signs_from.is_(None), IssuerKey.signs_from <= bindparam("now")))
    .order_by(func.coalesce(IssuerKey.signs_from, IssuerKey.created_at), IssuerKey.created_at, IssuerKey.key_id)
)


def signing_keys(session: Session) -> SigningKeys:
    """Return the keys in force, parsed once per process. Worker scope. Raises NoKeys."""
    now = clock.now()
    newest = {row.kind: row for row in _DUE.rows(session, now=now)}
    if len(newest) != len(SIGNING_KINDS):
        raise NoKeys("run `anzheng certs init`: there are no keys to sign certificates with")
    if newest["pdf"].revoked_at is not None:
        # The one before was retired, perhaps for a reason; it does not come back by itself.
        raise NoKeys("the document key was revoked: run `anzheng certs rotate-key pdf` or `anzheng certs adopt-key`")
    if newest["pdf"].is_demo and services_of(session).settings.is_production:
        raise NoKeys("the demonstration's key signs nothing in production: run `anzheng certs adopt-key`")
    place = tuple(newest[kind].key_id for kind in SIGNING_KINDS)
    if place not in _parsed:
        _parsed[place] = _parse(session, newest)
    keys = _parsed[place]
    if not keys.valid_from <= now <= keys.valid_until:
        raise NoKeys(f"the signing certificate is in force until {keys.valid_until}: run `anzheng certs rotate-key`")
    return keys


def root_pems(session: Session) -> list[str]:
    """Return the roots that certificates are checked against, the newest first."""
    query = select(IssuerKey.certificate_pem).where(IssuerKey.kind == "root").order_by(IssuerKey.created_at.desc())
    return [pem for pem in session.scalars(query) if pem]


def public_keys(session: Session, kind: str) -> list[IssuerKey]:
    """Return the public keys of a kind, the newest first."""
    query = select(IssuerKey).where(IssuerKey.kind == kind).order_by(IssuerKey.created_at.desc())
    return list(session.scalars(query))


def signer_of(services: Services, of: Adopted) -> Signer:
    """Return what signs with a key in memory or in the token. Raises WrongKeyError, TokenError."""
    chain = [pem_to_der(pem) for pem in pki.split_pems(of.chain)] if of.chain.strip() else []
    if of.token_key is None:
        return SoftKeySigner(of.key or b"", of.certificate, pki.split_pems(of.chain) if chain else [])
    signing = services.settings.signing
    if signing.pkcs11_module is None or signing.pkcs11_pin_file is None:
        raise NoKeys("a signing key is in a PKCS#11 token: set ANZHENG_PKCS11_MODULE and ANZHENG_PKCS11_PIN_FILE")
    return TokenSigner(
        module=str(signing.pkcs11_module),
        token=signing.pkcs11_token,
        pin=signing.pkcs11_pin_file.read_text("utf8").strip(),
        key=of.token_key,
        certificate=pem_to_der(of.certificate),
        chain=chain,
    )


def _parse(session: Session, newest: Mapping[str, Any]) -> SigningKeys:
    services, pdf = services_of(session), newest["pdf"]
    certificate = (pdf.certificate_pem or "").encode()
    valid_from, valid_until = pki.validity(certificate)
    of = Adopted(
        certificate=certificate,
        chain=(pdf.chain_pem or "").encode(),
        root=b"",
        key=None if pdf.token_key else _secret(session, pdf.key_id),
        token_key=pdf.token_key,
    )
    return SigningKeys(
        pdf=signer_of(services, of),
        pdf_key_id=pdf.key_id,
        qr=QrKey.from_pem(_secret(session, newest["qr"].key_id)),
        log=pki.load_log_key(_secret(session, newest["log"].key_id)),
        log_key_id=newest["log"].key_id,
        log_origin=newest["log"].name,
        valid_from=valid_from,
        valid_until=valid_until,
        roots=tuple(pem.encode() for pem in root_pems(session)),
    )


def _secret(session: Session, key_id: str) -> bytes:
    sealed = session.scalars(select(IssuerSecret.private_sealed).where(IssuerSecret.key_id == key_id)).one()
    return services_of(session).vault.decrypt(sealed, context=_context(key_id))


def _next_signer(session: Session, now: datetime) -> tuple[dict[str, object], bytes]:
    """Make the next document key, from the authority that certified the newest one."""
    issuing, newest = next(iter(public_keys(session, "issuing")), None), public_keys(session, "pdf")[0]
    if issuing is None or newest.chain_pem != issuing.certificate_pem:
        raise KeyRefused(
            "an authority outside issued the document key: adopt its next one with `anzheng certs adopt-key`"
        )
    authority = (issuing.certificate_pem or "").encode()
    certificate, key = pki.new_signer(SUBJECTS, authority, _secret(session, issuing.key_id), now)
    values = {**_certified_row("pdf", certificate), "chain_pem": issuing.certificate_pem, "is_demo": newest.is_demo}
    return values, key


def _add(session: Session, actor: Actor, values: dict[str, object], secret: bytes | None, now: datetime) -> str:
    key_id = str(values["key_id"])
    session.execute(insert(IssuerKey).values(**values, created_at=now))
    if secret is not None:
        sealed = services_of(session).vault.encrypt(secret, context=_context(key_id))
        session.execute(insert(IssuerSecret).values(key_id=key_id, private_sealed=sealed))
    audit.record(
        session,
        actor,
        "certs.key.made",
        subject_type="issuer_key",
        # The log's subjects are text; a key is named by its fingerprint.
        subject_id=key_id,
        data={"kind": values["kind"], "signs_from": str(values.get("signs_from") or now)},
    )
    return key_id


def _context(key_id: str) -> str:
    return f"certs.issuer_secret:{key_id}"


def _bare_row(kind: str, name: str, secret: bytes) -> tuple[dict[str, object], bytes]:
    public_pem = pki.public_half(secret)
    values = {"key_id": fingerprint(public_pem), "kind": kind, "name": name, "public_pem": public_pem.decode()}
    return {**values, "is_demo": False}, secret


def _certified_row(kind: str, certificate: bytes) -> dict[str, object]:
    public_pem = public_pem_of(certificate)
    return {
        "key_id": fingerprint(public_pem),
        "kind": kind,
        "name": pki.common_name(certificate),
        "public_pem": public_pem.decode(),
        "certificate_pem": certificate.decode(),
        "is_demo": False,
    }


def _demo_rows(made: pki.DemoPki) -> list[tuple[dict[str, object], bytes | None]]:
    rows = [
        (_certified_row("root", made.root_certificate), made.root_key),
        (_certified_row("issuing", made.issuing_certificate), made.issuing_key),
        (
            {**_certified_row("pdf", made.signer_certificate), "chain_pem": made.issuing_certificate.decode()},
            made.signer_key,
        ),
    ]
    return [({**values, "is_demo": True}, secret) for values, secret in rows]
