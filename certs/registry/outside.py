"""What outsiders keep of a log between two visits, and the first look at its checkpoint.

Auditor and witness need nothing but the published files and the log's public key.
"""

from __future__ import annotations

import base64
import contextlib
import fcntl
import json
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from certs.registry import rules as tree
from certs.registry.notes import KeyTextInvalidError, VerifierKey, read_verifier_key
from certs.registry.rules import Checkpoint, CheckpointInvalidError
from certs.registry.sources import Source

MAX_NOTE_BYTES = 65_536


class DistrustError(Exception):
    """What is published cannot be the honest continuation of the log; the text says why."""


class StateInvalidError(ValueError):
    """The state file is not one that this command wrote."""


@dataclass(frozen=True, slots=True)
class Remembered:
    """What was found to hold at the last visit.

    ``tile_roots`` are the roots of the full tiles of level 0 and ``tail`` the leaf hashes after
    them: 32 bytes for 256 entries, so that a rewritten history can be told where it begins.
    """

    key: str
    note: str
    tile_roots: bytes = b""
    tail: bytes = b""

    @property
    def checkpoint(self) -> Checkpoint:
        return tree.read_checkpoint(tree.split_note(self.note)[0])


@contextlib.contextmanager
def alone_with(state: Path) -> Iterator[None]:
    """Keep others from using the same state file meanwhile: two forks shown at once must not both pass."""
    with state.with_name(f"{state.name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def recall(state: Path) -> Remembered | None:
    """Return what the state file holds; None where there is none yet. Raises StateInvalidError."""
    if not state.exists():
        return None
    try:
        data = json.loads(state.read_text("utf8"))
        found = Remembered(
            str(data["key"]),
            str(data["checkpoint"]),
            base64.b64decode(data.get("tile_roots", ""), validate=True),
            base64.b64decode(data.get("tail", ""), validate=True),
        )
        read_verifier_key(found.key)
        _check_whole(found)
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise StateInvalidError(f"{state} is not a state file of this command: {error}") from error
    return found


def _check_whole(found: Remembered) -> None:
    full, rest = divmod(found.checkpoint.size, 256)
    hashes = (len(found.tile_roots), len(found.tail))
    if hashes not in {(0, 0), (full * tree.HASH_BYTES, rest * tree.HASH_BYTES)}:
        raise StateInvalidError("its hashes do not belong to its checkpoint")


def remember(state: Path, found: Remembered) -> None:
    """Write the state file, whole or not at all, and wait until it is on disk."""
    data = {
        "key": found.key,
        "checkpoint": found.note,
        "tile_roots": base64.b64encode(found.tile_roots).decode(),
        "tail": base64.b64encode(found.tail).decode(),
    }
    beside = state.with_name(f"{state.name}.new")
    with beside.open("w", encoding="utf8") as file:
        json.dump(data, file, ensure_ascii=False, indent=1)
        file.flush()
        os.fsync(file.fileno())
    beside.replace(state)
    # The new name is the folder's to keep.
    folder = os.open(state.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def read_key(given: str) -> VerifierKey:
    """Return the public key that is written in ``given``, or in the file of this name. Raises KeyTextInvalidError."""
    with contextlib.suppress(OSError, ValueError):
        if Path(given).is_file():
            given = Path(given).read_text("utf8").strip()
    if "+" not in given:
        raise KeyTextInvalidError(f"{given[:80]} is neither a key of the form name+id+base64 nor a file with one")
    return read_verifier_key(given)


def signed_checkpoint(source: Source, keys: Sequence[VerifierKey], name: str) -> tuple[str, Checkpoint, VerifierKey]:
    """Return a published checkpoint with the key that signed it. Raises DistrustError, SourceError."""
    data = source.get(name)
    if data is None:
        raise DistrustError(f"there is no {name}")
    try:
        note = data[: MAX_NOTE_BYTES + 1].decode()
        if len(data) > MAX_NOTE_BYTES:
            raise CheckpointInvalidError("it is too long")
        for key in keys:
            with contextlib.suppress(CheckpointInvalidError):
                return note, tree.verify_checkpoint(note, key.name, key.key), key
        tree.verify_checkpoint(note, keys[0].name, keys[0].key)
    except ValueError as error:
        raise DistrustError(f"the {name} does not hold: {error}") from error
    raise AssertionError


def check_not_shrunk(now: Checkpoint, before: Checkpoint) -> None:
    """Refuse a checkpoint that is older than one already seen. Raises DistrustError."""
    if now.origin != before.origin:
        raise DistrustError(f"this is the log {now.origin}, remembered is {before.origin}")
    if now.size < before.size:
        raise DistrustError(f"the log was rolled back: {before.size} entries were seen, {now.size} are published")
