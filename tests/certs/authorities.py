"""Authorities outside the product: a CA that publishes revocation lists, OpenSSL's timestamp service, SoftHSM."""

from __future__ import annotations

import contextlib
import subprocess
import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from functools import cached_property
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID, ObjectIdentifier

SOFTHSM = "/usr/lib/softhsm/libsofthsm2.so"
PIN = "1234"
DOCUMENT_SIGNING = ObjectIdentifier("1.3.6.1.5.5.7.3.36")
TSA_CONFIG = """
[tsa]
default_tsa = here
[here]
dir = {folder}
serial = {folder}/serial
crypto_device = builtin
signer_cert = {folder}/tsa.pem
certs = {folder}/root.pem
signer_key = {folder}/tsa.key
signer_digest = sha256
default_policy = 1.2.3.4.1
digests = sha256, sha384, sha512
accuracy = secs:1
ordering = no
tsa_name = no
ess_cert_id_chain = no
ess_cert_id_alg = sha256
"""
Key = ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey


def pem_of(found: x509.Certificate | Key) -> bytes:
    if isinstance(found, x509.Certificate):
        return found.public_bytes(serialization.Encoding.PEM)
    return found.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )


class Authority:
    """A root of its own that certifies keys, publishes who is revoked and stamps times, all over HTTP."""

    def __init__(self, folder: Path, name: str = "Province root") -> None:
        self.folder, self.key = folder, ec.generate_private_key(ec.SECP256R1())
        self.name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        self.requests: list[str] = []
        self.revoked: list[int] = []
        self.is_broken = False
        handler = type("Handler", (_Handler,), {"authority": self})
        self.server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}"
        self.root = self.certify(self.key, self.name, authority=True)
        (folder / "root.pem").write_bytes(pem_of(self.root))
        stamping = ec.generate_private_key(ec.SECP256R1())
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "Province time")])
        usage = x509.ExtendedKeyUsage([ExtendedKeyUsageOID.TIME_STAMPING])
        (folder / "tsa.pem").write_bytes(pem_of(self.certify(stamping, subject, usage=usage, critical=True)))
        (folder / "tsa.key").write_bytes(pem_of(stamping))
        (folder / "serial").write_text("01")
        (folder / "tsa.cnf").write_text(TSA_CONFIG.format(folder=folder))

    def certify(
        self,
        key: Key,
        subject: x509.Name | None = None,
        *,
        authority: bool = False,
        usage: x509.ExtendedKeyUsage | None = None,
        critical: bool = False,
        ends: datetime | None = None,
    ) -> x509.Certificate:
        """Certify a key: a document signer unless told otherwise."""
        subject = subject or x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "Province seal")])
        now = datetime.now(UTC)
        point = x509.DistributionPoint([x509.UniformResourceIdentifier(f"{self.url}/crl")], None, None, None)
        builder = (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(self.name)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - timedelta(hours=1))
            .not_valid_after(ends or now + timedelta(days=365))
            .add_extension(x509.BasicConstraints(ca=authority, path_length=None), critical=True)
            .add_extension(_usage(authority=authority), critical=True)
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
            .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(self.key.public_key()), critical=False)
        )
        if not authority:
            usage = usage or x509.ExtendedKeyUsage([DOCUMENT_SIGNING, ExtendedKeyUsageOID.EMAIL_PROTECTION])
            builder = builder.add_extension(usage, critical=critical)
            builder = builder.add_extension(x509.CRLDistributionPoints([point]), critical=False)
        return builder.sign(self.key, hashes.SHA256())

    def crl(self) -> bytes:
        now = datetime.now(UTC)
        builder = x509.CertificateRevocationListBuilder().issuer_name(self.name)
        builder = builder.last_update(now - timedelta(minutes=5)).next_update(now + timedelta(days=1))
        builder = builder.add_extension(
            x509.AuthorityKeyIdentifier.from_issuer_public_key(self.key.public_key()), critical=False
        ).add_extension(x509.CRLNumber(1), critical=False)
        for serial in self.revoked:
            entry = x509.RevokedCertificateBuilder().serial_number(serial)
            builder = builder.add_revoked_certificate(entry.revocation_date(now - timedelta(minutes=2)).build())
        return builder.sign(self.key, hashes.SHA256()).public_bytes(serialization.Encoding.DER)

    def stamp(self, query: bytes) -> bytes:
        """Answer an RFC 3161 query by OpenSSL's own service."""
        with self._turn:
            (self.folder / "query").write_bytes(query)
            command = ["openssl", "ts", "-reply", "-config", "tsa.cnf", "-queryfile", "query", "-out", "reply"]
            subprocess.run(command, cwd=self.folder, check=True, capture_output=True)
            return (self.folder / "reply").read_bytes()

    @cached_property
    def _turn(self) -> threading.Lock:
        return threading.Lock()


class _Handler(BaseHTTPRequestHandler):
    authority: Authority

    def log_message(self, *_arguments: object) -> None:
        """Say nothing."""

    def do_GET(self) -> None:
        self.authority.requests.append("crl")
        self._answer("application/pkix-crl", self.authority.crl())

    def do_POST(self) -> None:
        self.authority.requests.append("stamp")
        query = self.rfile.read(int(self.headers["Content-Length"]))
        if self.authority.is_broken:
            self.send_error(503)
            return
        self._answer("application/timestamp-reply", self.authority.stamp(query))

    def _answer(self, kind: str, body: bytes) -> None:
        self.send_response(200)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


@contextlib.contextmanager
def serving(folder: Path, name: str = "Province root") -> Iterator[Authority]:
    """Run an authority on a port of the loopback."""
    folder.mkdir(exist_ok=True)
    found = Authority(folder, name)
    thread = threading.Thread(target=found.server.serve_forever, daemon=True)
    thread.start()
    try:
        yield found
    finally:
        found.server.shutdown()
        found.server.server_close()
        thread.join()


def import_into_token(folder: Path, label: str, key: Key) -> None:
    """Put a key into the SoftHSM token "anzheng", as an operator of a real module never could."""
    (folder / "key.pem").write_bytes(pem_of(key))
    serial = f"{abs(hash(label)) % 2**32:08x}"
    command = ["softhsm2-util", "--import", folder / "key.pem", "--token", "anzheng", "--label", label]
    subprocess.run([*command, "--id", serial, "--pin", PIN], check=True, capture_output=True)


def make_token(folder: Path) -> None:
    """Make the token "anzheng"; SOFTHSM2_CONF names its configuration already."""
    (folder / "tokens").mkdir()
    (folder / "softhsm2.conf").write_text(f"directories.tokendir = {folder / 'tokens'}\n")
    command = ["softhsm2-util", "--init-token", "--free", "--label", "anzheng", "--pin", PIN, "--so-pin", "5678"]
    subprocess.run(command, check=True, capture_output=True)


def _usage(*, authority: bool) -> x509.KeyUsage:
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
