"""The append-only log of certificates: Merkle trees of RFC 9162 and signed checkpoints of C2SP tlog-checkpoint.

Only hashes of complete subtrees are stored: level 0 are the leaves, index n of level k covers leaves n·2^k to
(n+1)·2^k - 1. All functions are pure; storage comes in as `HashReader`.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Final

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ed25519

HASH_BYTES: Final = 32
EMPTY_ROOT: Final = hashlib.sha256(b"").digest()

HashReader = Callable[[int, int], bytes]
"""Returns the stored hash at (level, index); asked only for complete subtrees below the size in question."""

ED25519_KEY: Final = 0x01
"""Type of the log's own signatures in a note (C2SP signed-note)."""
# Whatever is read here fits the database's integers.
_SIZE: Final = re.compile(r"0|[1-9][0-9]{0,17}")


class CheckpointInvalidError(ValueError):
    """The text is not a checkpoint signed by the expected key."""


@dataclass(frozen=True, slots=True)
class StoredHash:
    """A complete subtree's hash, to be stored once and never changed."""

    level: int
    index: int
    digest: bytes


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """The state of the log named `origin`: `size` leaves with this root."""

    origin: str
    size: int
    root: bytes


def leaf_hash(data: bytes) -> bytes:
    """Hash of one entry (RFC 9162 section 2.1.1)."""
    return hashlib.sha256(b"\0" + data).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    """Hash over two subtrees (RFC 9162 section 2.1.1)."""
    return hashlib.sha256(b"\1" + left + right).digest()


def append_leaves(size: int, leaves: Sequence[bytes], read: HashReader) -> tuple[StoredHash, ...]:
    """The hashes to store when `leaves` (leaf hashes) follow the first `size` ones, in order of completion.

    Reads at most one stored hash per level; the new ones need not be visible to `read`.
    """
    fresh: dict[tuple[int, int], bytes] = {}
    for position, leaf in enumerate(leaves, start=size):
        level, index, digest = 0, position, leaf
        fresh[level, index] = digest
        while index & 1:
            sibling = fresh.get((level, index - 1)) or read(level, index - 1)
            level, index, digest = level + 1, index >> 1, node_hash(sibling, digest)
            fresh[level, index] = digest
    return tuple(StoredHash(level, index, digest) for (level, index), digest in fresh.items())


@dataclass(slots=True)
class GrowingTree:
    """A tree rebuilt from its leaves that keeps no more hashes than it still needs."""

    size: int = 0
    _known: dict[tuple[int, int], bytes] = field(default_factory=dict)

    def append(self, leaves: Sequence[bytes]) -> tuple[StoredHash, ...]:
        """Add leaf hashes; return the hashes of all subtrees that they complete."""
        self._known = {place: self._known[place] for place in _peaks(0, self.size)}
        fresh = append_leaves(self.size, leaves, self._read)
        self._known.update({(stored.level, stored.index): stored.digest for stored in fresh})
        self.size += len(leaves)
        return fresh

    def root(self, size: int) -> bytes:
        """The root over the first `size` leaves; not fewer than there were before the last `append`."""
        return root(size, self._read)

    def _read(self, level: int, index: int) -> bytes:
        return self._known[level, index]


def root(size: int, read: HashReader) -> bytes:
    """The root over the first `size` leaves."""
    return _range_hash(0, size, read) if size else EMPTY_ROOT


def root_of(leaves: Sequence[bytes]) -> bytes:
    """The root over these leaf hashes."""
    whole = GrowingTree()
    whole.append(leaves)
    return whole.root(len(leaves))


def inclusion_proof(index: int, size: int, read: HashReader) -> tuple[bytes, ...]:
    """Hashes that lead from leaf `index` to the root over `size` leaves (RFC 9162 section 2.1.3.1)."""
    if not 0 <= index < size:
        raise ValueError(f"leaf {index} is not in a tree of {size}")
    low, high, proof = 0, size, []
    while high - low > 1:
        middle = low + _split(high - low)
        if index < middle:
            proof.append(_range_hash(middle, high, read))
            high = middle
        else:
            proof.append(_range_hash(low, middle, read))
            low = middle
    return tuple(reversed(proof))


def verify_inclusion(leaf: bytes, index: int, size: int, proof: Sequence[bytes], expected_root: bytes) -> bool:
    """Whether `proof` shows that the leaf hash stands at `index` of the tree (RFC 9162 section 2.1.3.2)."""
    if not 0 <= index < size:
        return False
    place, last, digest = index, size - 1, leaf
    for step in proof:
        if last == 0:
            return False
        if place & 1 or place == last:
            digest = node_hash(step, digest)
            while not place & 1 and place:
                place, last = place >> 1, last >> 1
        else:
            digest = node_hash(digest, step)
        place, last = place >> 1, last >> 1
    return last == 0 and digest == expected_root


def consistency_proof(old_size: int, new_size: int, read: HashReader) -> tuple[bytes, ...]:
    """Hashes showing that the tree of `new_size` begins with the one of `old_size` (RFC 9162 section 2.1.4.1)."""
    if not 0 <= old_size <= new_size:
        raise ValueError(f"a tree of {old_size} cannot precede one of {new_size}")
    if old_size in (0, new_size):
        return ()
    low, high, whole, proof = 0, new_size, True, []
    while old_size != high:
        middle = low + _split(high - low)
        if old_size <= middle:
            proof.append(_range_hash(middle, high, read))
            high = middle
        else:
            proof.append(_range_hash(low, middle, read))
            low, whole = middle, False
    if not whole:
        proof.append(_range_hash(low, high, read))
    return tuple(reversed(proof))


def verify_consistency(old_size: int, new_size: int, proof: Sequence[bytes], old_root: bytes, new_root: bytes) -> bool:
    """Whether `proof` shows that nothing before `old_size` was changed (RFC 9162 section 2.1.4.2)."""
    if not 0 <= old_size <= new_size:
        return False
    if old_size == new_size:
        return not proof and old_root == new_root
    if old_size == 0:
        return not proof and old_root == EMPTY_ROOT
    path = [old_root, *proof] if old_size & (old_size - 1) == 0 else list(proof)
    return bool(path) and _follow(old_size, new_size, path, (old_root, new_root))


def sign_checkpoint(checkpoint: Checkpoint, key: ed25519.Ed25519PrivateKey) -> str:
    """The checkpoint as a signed note whose key is named like the log (C2SP signed-note, type Ed25519)."""
    body = _checkpoint_body(checkpoint)
    signature = note_key_id(checkpoint.origin, key.public_key()) + key.sign(body.encode())
    return f"{body}\n{signature_line(checkpoint.origin, signature)}"


def verify_checkpoint(note: str, origin: str, key: ed25519.Ed25519PublicKey) -> Checkpoint:
    """The checkpoint in `note` when the log `origin` signed it with `key`; signatures of others are passed over.

    Raises `CheckpointInvalidError` otherwise.
    """
    body, lines = split_note(note)
    signatures = list(signatures_of(lines, origin, note_key_id(origin, key)))
    try:
        for signature in signatures:
            key.verify(signature, body.encode())
    except InvalidSignature:
        signatures = []
    if not signatures:
        raise CheckpointInvalidError("the checkpoint carries no valid signature of the log")
    checkpoint = read_checkpoint(body)
    if checkpoint.origin != origin:
        raise CheckpointInvalidError("the checkpoint is of another log")
    return checkpoint


def read_checkpoint(body: str) -> Checkpoint:
    """What a checkpoint says, whoever signed it. Raises `CheckpointInvalidError` for another text."""
    lines = body.split("\n")
    if len(lines) < 4 or lines.pop() or not all(lines) or not _SIZE.fullmatch(lines[1]):
        raise CheckpointInvalidError("the checkpoint is not well formed")
    return Checkpoint(lines[0], int(lines[1]), _decoded_root(lines[2]))


def split_note(note: str) -> tuple[str, list[str]]:
    """Text and signature lines of a signed note. Raises `CheckpointInvalidError` where there are none."""
    body, blank, signatures = note.rpartition("\n\n")
    if not blank or not signatures.endswith("\n"):
        raise CheckpointInvalidError("this is not a signed note")
    return body + "\n", signatures.split("\n")[:-1]


def signature_line(name: str, signature: bytes) -> str:
    """One signature of a note; `signature` begins with the key's four bytes."""
    return f"\u2014 {name} {base64.b64encode(signature).decode('ascii')}\n"


def signatures_of(lines: Sequence[str], name: str, key_id: bytes) -> Iterator[bytes]:
    """The signatures, without the key's four bytes, that the named key is said to have made."""
    for line in lines:
        dash, _, rest = line.partition(" ")
        signer, _, encoded = rest.partition(" ")
        if dash != "\u2014" or signer != name:
            continue
        try:
            signature = base64.b64decode(encoded, validate=True)
        except binascii.Error:
            continue
        if signature[:4] == key_id:
            yield signature[4:]


def note_key_id(name: str, key: ed25519.Ed25519PublicKey, kind: int = ED25519_KEY) -> bytes:
    """The four bytes that point a signature line to its key (C2SP signed-note)."""
    raw = key.public_bytes(serialization.Encoding.Raw, serialization.PublicFormat.Raw)
    return hashlib.sha256(name.encode() + b"\n" + bytes([kind]) + raw).digest()[:4]


def _split(width: int) -> int:
    """The largest power of two below `width`."""
    return 1 << ((width - 1).bit_length() - 1)


def _peaks(low: int, high: int) -> Iterator[tuple[int, int]]:
    """The largest complete subtrees that together cover leaves low … high-1, from the left."""
    while low < high:
        level = (high - low).bit_length() - 1
        yield level, low >> level
        low += 1 << level


def _range_hash(low: int, high: int, read: HashReader) -> bytes:
    """Hash over leaves low … high-1, where `low` is a multiple of the smallest power of two ≥ the width."""
    peaks = [read(level, index) for level, index in _peaks(low, high)]
    digest = peaks.pop()
    while peaks:
        digest = node_hash(peaks.pop(), digest)
    return digest


def _follow(old_size: int, new_size: int, path: Sequence[bytes], roots: tuple[bytes, bytes]) -> bool:
    place, last = old_size - 1, new_size - 1
    while place & 1:
        place, last = place >> 1, last >> 1
    old_digest = new_digest = path[0]
    for step in path[1:]:
        if last == 0:
            return False
        if place & 1 or place == last:
            old_digest, new_digest = node_hash(step, old_digest), node_hash(step, new_digest)
            while not place & 1 and place:
                place, last = place >> 1, last >> 1
        else:
            new_digest = node_hash(new_digest, step)
        place, last = place >> 1, last >> 1
    return last == 0 and (old_digest, new_digest) == roots


def _checkpoint_body(checkpoint: Checkpoint) -> str:
    return f"{checkpoint.origin}\n{checkpoint.size}\n{base64.b64encode(checkpoint.root).decode('ascii')}\n"


def _decoded_root(encoded: str) -> bytes:
    try:
        decoded = base64.b64decode(encoded, validate=True)
    except binascii.Error as error:
        raise CheckpointInvalidError("the root is not base64") from error
    if len(decoded) != HASH_BYTES:
        raise CheckpointInvalidError("the root is not a SHA-256 hash")
    return decoded
