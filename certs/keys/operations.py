"""Issuing keys: made once, sealed at rest, unsealed only in the worker and kept parsed there."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from urllib.parse import urlsplit

from sqlalchemy import insert, select
from sqlalchemy.orm import Session

from certs.adapters.keyfiles import Ed25519PrivateKey, fingerprint, public_pem_of
from certs.adapters.pki import DemoPki, PkiSubjects, load_log_key, make_demo_pki
from certs.adapters.qr import QrKey
from certs.adapters.signing import SoftKeySigner
from certs.errors import NoKeys
from certs.models import IssuerKey, IssuerSecret
from lms.core import audit, clock
from lms.core.access import Actor
from lms.core.services import services_of

# The certificates of a demonstration begin this long ago, for the demo province lives its past months.
BACKDATED_BY = timedelta(days=400)
SUBJECTS = PkiSubjects(
    organisation="安证平台 Anzheng", root="安证演示根 CA", issuing="安证演示签发 CA", signer="电子证照签章"
)
# Of the newest and the older keys of a kind only the newest signs.
SIGNING_KINDS = ("pdf", "qr", "log")


@dataclass(frozen=True, slots=True)
class SigningKeys:
    """What the worker signs with. The ids name rows of ``certs_issuer_key``."""

    pdf: SoftKeySigner = field(repr=False)
    pdf_key_id: str
    qr: QrKey
    log: Ed25519PrivateKey = field(repr=False)
    log_key_id: str
    log_origin: str


_parsed: dict[tuple[str, ...], SigningKeys] = {}


def make_keys(session: Session, actor: Actor) -> bool:
    """Make root, issuing authority and signing keys unless there are some; tell whether they were made.

    Private keys enter the database sealed. A province with an authority of its own loads its keys
    in place of these.
    """
    if session.scalars(select(IssuerKey.key_id).where(IssuerKey.kind == "pdf").limit(1)).first():
        return False
    now = clock.now()
    pki = make_demo_pki(SUBJECTS, now - BACKDATED_BY)
    host = urlsplit(services_of(session).settings.base_url).netloc
    for key_id, row, secret in _rows(pki, f"{host}/registry", now):
        session.execute(insert(IssuerKey).values(row))
        sealed = services_of(session).vault.encrypt(secret, context=_context(key_id))
        session.execute(insert(IssuerSecret).values(key_id=key_id, private_sealed=sealed))
        audit.record(session, actor, "certs.key.made", subject_type="issuer_key", subject_id=key_id)
    return True


def signing_keys(session: Session) -> SigningKeys:
    """Return the keys in force, parsed once per process. Worker scope. Raises NoKeys."""
    usable = IssuerKey.kind.in_(SIGNING_KINDS) & IssuerKey.revoked_at.is_(None)
    query = select(IssuerKey).where(usable).order_by(IssuerKey.created_at)
    rows = session.scalars(query)
    newest = {row.kind: row for row in rows}
    if len(newest) != len(SIGNING_KINDS):
        raise NoKeys("run `anzheng certs init`: there are no keys to sign certificates with")
    place = tuple(newest[kind].key_id for kind in SIGNING_KINDS)
    if place not in _parsed:
        _parsed[place] = _parse(session, newest)
    return _parsed[place]


def root_pems(session: Session) -> list[str]:
    """Return the roots that certificates are checked against, the newest first."""
    query = select(IssuerKey.certificate_pem).where(IssuerKey.kind == "root").order_by(IssuerKey.created_at.desc())
    return [pem for pem in session.scalars(query) if pem]


def public_keys(session: Session, kind: str) -> list[IssuerKey]:
    """Return the public keys of a kind, the newest first."""
    query = select(IssuerKey).where(IssuerKey.kind == kind).order_by(IssuerKey.created_at.desc())
    return list(session.scalars(query))


def _parse(session: Session, newest: dict[str, IssuerKey]) -> SigningKeys:
    vault = services_of(session).vault
    wanted = IssuerSecret.key_id.in_([row.key_id for row in newest.values()])
    sealed = {row.key_id: row.private_sealed for row in session.scalars(select(IssuerSecret).where(wanted))}
    opened = {kind: vault.decrypt(sealed[row.key_id], context=_context(row.key_id)) for kind, row in newest.items()}
    pdf = newest["pdf"]
    return SigningKeys(
        pdf=SoftKeySigner(opened["pdf"], (pdf.certificate_pem or "").encode(), [(pdf.chain_pem or "").encode()]),
        pdf_key_id=pdf.key_id,
        qr=QrKey.from_pem(opened["qr"]),
        log=load_log_key(opened["log"]),
        log_key_id=newest["log"].key_id,
        log_origin=newest["log"].name,
    )


def _context(key_id: str) -> str:
    return f"certs.issuer_secret:{key_id}"


def _rows(pki: DemoPki, origin: str, now: datetime) -> list[tuple[str, dict[str, object], bytes]]:
    issuing = pki.issuing_certificate.decode()
    parts = (
        ("root", SUBJECTS.root, pki.root_certificate, pki.root_key, None),
        ("issuing", SUBJECTS.issuing, pki.issuing_certificate, pki.issuing_key, None),
        ("pdf", SUBJECTS.signer, pki.signer_certificate, pki.signer_key, issuing),
        ("qr", "qr", None, pki.qr_key, None),
        ("log", origin, None, pki.log_key, None),
    )
    public = {"qr": pki.qr_public_key, "log": pki.log_public_key}
    rows = []
    for kind, name, certificate, secret, chain in parts:
        public_pem = public[kind] if certificate is None else public_pem_of(certificate)
        key_id = fingerprint(public_pem)
        values: dict[str, object] = {
            "key_id": key_id,
            "kind": kind,
            "name": name,
            "public_pem": public_pem.decode(),
            "certificate_pem": certificate.decode() if certificate else None,
            "chain_pem": chain,
            "created_at": now,
        }
        rows.append((key_id, values, secret))
    return rows
