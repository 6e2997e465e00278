"""A log in a folder, made by the letter of the specifications and not by the product's own functions."""

from __future__ import annotations

import base64
import hashlib
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from certs.registry.notes import VerifierKey
from certs.registry.rules import ED25519_KEY, note_key_id

ORIGIN = "log.example.gov.cn/registry"


def naive_root(entries: list[bytes]) -> bytes:
    """RFC 9162 section 2.1.1, word for word."""
    if not entries:
        return hashlib.sha256().digest()
    if len(entries) == 1:
        return hashlib.sha256(b"\0" + entries[0]).digest()
    split = 1
    while split * 2 < len(entries):
        split *= 2
    return hashlib.sha256(b"\1" + naive_root(entries[:split]) + naive_root(entries[split:])).digest()


def entry_list(count: int) -> list[bytes]:
    """Make entries of different lengths."""
    return [b'{"n":%d,"x":"%s"}' % (number, b"y" * (number % 7)) for number in range(count)]


def write_log(folder: Path, entries: list[bytes], key: Ed25519PrivateKey, origin: str = ORIGIN) -> Path:
    """Write checkpoint, tiles and bundles of a log with these entries (C2SP tlog-tiles)."""
    level = 0
    while len(entries) >> (8 * level):
        span = 256**level
        hashes = [naive_root(entries[at * span : (at + 1) * span]) for at in range(len(entries) // span)]
        for at in range(0, len(hashes), 256):
            _write(folder, f"tile/{level}", at // 256, len(hashes[at : at + 256]), b"".join(hashes[at : at + 256]))
        level += 1
    for at in range(0, len(entries), 256):
        part = entries[at : at + 256]
        bundle = b"".join(len(one).to_bytes(2, "big") + one for one in part)
        _write(folder, "tile/entries", at // 256, len(part), bundle)
    write_checkpoint(folder, entries, key, origin)
    return folder


def _write(folder: Path, kind: str, index: int, width: int, data: bytes) -> None:
    assert index < 1000
    name = folder / kind / (f"{index:03d}" if width == 256 else f"{index:03d}.p/{width}")
    name.parent.mkdir(parents=True, exist_ok=True)
    name.write_bytes(data)


def write_checkpoint(folder: Path, entries: list[bytes], key: Ed25519PrivateKey, origin: str = ORIGIN) -> None:
    """Sign the end of the log (C2SP tlog-checkpoint)."""
    body = f"{origin}\n{len(entries)}\n{base64.b64encode(naive_root(entries)).decode()}\n"
    signature = note_key_id(origin, key.public_key()) + key.sign(body.encode())
    note = f"{body}\n— {origin} {base64.b64encode(signature).decode()}\n"
    (folder / "checkpoint").write_text(note, encoding="utf8")


def verifier_key(key: Ed25519PrivateKey, origin: str = ORIGIN) -> str:
    """Return the log's public key as outsiders are given it."""
    return VerifierKey(origin, ED25519_KEY, key.public_key()).text
