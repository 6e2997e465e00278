"""The log as public files: tiles, entry bundles and checkpoint in storage (C2SP tlog-tiles).

The checkpoint is written after everything that it speaks of, so that whatever moment the worker
dies at, the published files are those of a whole log: the older one.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from sqlalchemy import select
from sqlalchemy.orm import Session

from certs.models import Leaf, LogCheckpoint, TreeNode
from certs.registry import rules as tree
from certs.registry import tiles
from certs.registry.queries import SignedCheckpoint, latest_checkpoint, log_size, witnessed_checkpoint
from certs.registry.tiles import Tile
from lms.core.services import Services
from lms.core.storage import ObjectMissing, Storage
from lms.core.tenancy import WORKER_SCOPE

PREFIX = "registry/"
CHECKPOINT = "checkpoint"
WITNESSED = "witnessed"
_TILES_AT_ONCE = 32
_WRITERS = 8


class ForkedError(RuntimeError):
    """The published log and the database tell different stories; going on would prove the log false for ever."""


def published(storage: Storage, name: str = CHECKPOINT) -> str | None:
    """Return the published checkpoint (or the newest witnessed one); None before the first."""
    try:
        # What is no text any more is no checkpoint either, and is refused as such.
        return storage.get(PREFIX + name).decode(errors="replace")
    except ObjectMissing:
        return None


def size_of(note: str) -> int:
    """Return how many entries a published checkpoint covers."""
    return tree.read_checkpoint(tree.split_note(note)[0]).size


def known_checkpoint(services: Services) -> str | None:
    """Return the published checkpoint, after comparing it with the database. Raises ForkedError.

    A database restored from an old copy would give old numbers to new entries; this stands before it.
    """
    note = published(services.storage)
    if note is None:
        return None
    stated = tree.read_checkpoint(tree.split_note(note)[0])
    with services.db.transaction(WORKER_SCOPE, read_only=True) as session:
        root = session.scalar(select(LogCheckpoint.root).where(LogCheckpoint.tree_size == stated.size))
        if root is None or bytes(root) != stated.root:
            raise ForkedError(
                f"the published checkpoint of {stated.size} entries is not in the database, which has"
                f" {log_size(session)}: restore the newest copy of the database"
            )
    return note


def publish(services: Services, before: str | None) -> None:
    """Bring the public files from the published checkpoint up to the newest one and its co-signatures.

    May be repeated and broken off at any point. Runs one at a time (`sequence_all`).
    """
    storage, old_size = services.storage, size_of(before) if before else 0
    with services.db.transaction(WORKER_SCOPE, read_only=True) as session:
        newest, witnessed = latest_checkpoint(session), witnessed_checkpoint(session)
    if newest is None:
        return
    if newest.note == before and _is_witnessed_there(storage, newest, witnessed):
        return
    grown = tiles.grown_tiles(old_size, newest.size)
    while chunk := list(itertools.islice(grown, _TILES_AT_ONCE)):
        with services.db.transaction(WORKER_SCOPE, read_only=True) as session:
            made = [(tile, _content(session, tile)) for tile in chunk]
        # Side by side, for each waits for the disk or the network.
        with ThreadPoolExecutor(_WRITERS) as writers:
            list(writers.map(lambda one: storage.put(PREFIX + one[0].path, one[1]), made))
    for name, checkpoint in ((WITNESSED, witnessed), (CHECKPOINT, newest)):
        if checkpoint:
            _put_newer(storage, name, checkpoint)
    _drop_outgrown(services, old_size, newest.size)


def _is_witnessed_there(storage: Storage, newest: SignedCheckpoint, witnessed: SignedCheckpoint | None) -> bool:
    # Of one tree both files say the same, and the one with the newest is written last.
    if witnessed is None or witnessed.size == newest.size:
        return True
    return published(storage, WITNESSED) == witnessed.note


def _put_newer(storage: Storage, name: str, checkpoint: SignedCheckpoint) -> None:
    """Write a checkpoint unless a larger tree is published, as when another took over from this process meanwhile."""
    note = published(storage, name)
    if note != checkpoint.note and (note is None or size_of(note) <= checkpoint.size):
        storage.put(PREFIX + name, checkpoint.note.encode())


def _content(session: Session, tile: Tile) -> bytes:
    end = tile.first + tile.width
    if tile.level == tiles.ENTRIES:
        rows = session.scalars(select(Leaf.leaf_data).where(Leaf.seq >= tile.first, Leaf.seq < end).order_by(Leaf.seq))
        make: Callable[[list[bytes]], bytes] = tiles.encode_bundle
    else:
        at_level = (TreeNode.level == tile.level * tiles.HEIGHT, TreeNode.position >= tile.first)
        query = select(TreeNode.digest).where(*at_level, TreeNode.position < end).order_by(TreeNode.position)
        rows, make = session.scalars(query), b"".join
    found = [bytes(row) for row in rows]
    if len(found) != tile.width:
        raise LookupError(f"{tile.path} has {len(found)} stored rows; run `anzheng registry verify`")
    return make(found)


def _drop_outgrown(services: Services, old_size: int, new_size: int) -> None:
    """Remove the partial forerunners of tiles that became full: readers take the full one instead."""
    for tile in tiles.grown_tiles(old_size, new_size):
        shift = tiles.HEIGHT * max(tile.level, 0)
        # Of each level only the tile in which the older log ended was published before.
        if not tile.is_full or tile.index != (old_size >> shift) // tiles.WIDTH:
            continue
        low, high = tile.first << shift, (tile.first + tile.width) << shift
        with services.db.transaction(WORKER_SCOPE, read_only=True) as session:
            width = LogCheckpoint.tree_size // (1 << shift) - tile.first
            query = select(width).where(LogCheckpoint.tree_size > low, LogCheckpoint.tree_size < high).distinct()
            widths = [found for found in session.scalars(query) if found]
        for found in widths:
            services.storage.delete(PREFIX + Tile(tile.level, tile.index, found).path)


def read_tile(storage: Storage, tile: Tile) -> bytes:
    """Return a published tile or bundle. Raises ObjectMissing."""
    return storage.get(PREFIX + tile.path)


def export(storage: Storage, folder: Path) -> int:
    """Copy the published log into a folder, the checkpoint last; return how many entries it has.

    What a former export left there is kept where it cannot have changed. Raises ObjectMissing
    where a published file is gone.
    """
    notes = [(name, published(storage, name)) for name in (WITNESSED, CHECKPOINT)]
    note = notes[-1][1]
    if note is None:
        return 0
    size = size_of(note)
    for tile in tiles.grown_tiles(0, size):
        target = folder / tile.path
        if not target.exists():
            target.parent.mkdir(parents=True, exist_ok=True)
            _write(target, _tile_or_its_start(storage, tile))
    for name, text in notes:
        if text is not None:
            _write(folder / name, text.encode())
    return size


def _tile_or_its_start(storage: Storage, tile: Tile) -> bytes:
    """A partial tile may be outgrown while the export runs; the full one begins with it."""
    try:
        return read_tile(storage, tile)
    except ObjectMissing:
        if tile.is_full:
            raise
    full = read_tile(storage, Tile(tile.level, tile.index))
    if tile.level == tiles.ENTRIES:
        return tiles.encode_bundle(tiles.decode_bundle(full)[: tile.width])
    return b"".join(tiles.split_tile(full, tile.width))


def _write(target: Path, data: bytes) -> None:
    beside = target.with_name(f"{target.name}.new")
    beside.write_bytes(data)
    beside.replace(target)
