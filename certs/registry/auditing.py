"""The outsider's audit: every published file fetched, every hash computed anew, nothing believed."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from certs.registry import rules as tree
from certs.registry import tiles
from certs.registry.notes import Cosigned, VerifierKey, cosignature_of
from certs.registry.outside import DistrustError, Remembered, check_not_shrunk, signed_checkpoint
from certs.registry.publishing import CHECKPOINT, WITNESSED
from certs.registry.rules import Checkpoint, StoredHash
from certs.registry.sources import Source, fetch_entries, fetch_hashes
from certs.registry.tiles import Tile, TileInvalidError

Progress = Callable[[int, int], None]
"""Told after each bundle how many entries were checked, of how many."""


@dataclass(frozen=True, slots=True)
class AuditReport:
    """What the audit came to. ``index`` is the first entry that differs, where it can be told.

    ``consistent_with`` is the size of the remembered log that this one continues; ``witnesses``
    are those whose co-signature of a consistent tree was found.
    """

    origin: str
    size: int
    root: str
    problem: str | None = None
    index: int | None = None
    consistent_with: int | None = None
    witnesses: tuple[str, ...] = ()

    @property
    def holds(self) -> bool:
        return self.problem is None


class _DiffersError(Exception):
    def __init__(self, text: str, index: int | None) -> None:
        super().__init__(text)
        self.index = index


def audit(
    source: Source,
    keys: Sequence[VerifierKey],
    remembered: Remembered | None,
    *,
    witnesses: Sequence[VerifierKey] = (),
    progress: Progress = lambda _done, _all: None,
) -> tuple[AuditReport, Remembered | None]:
    """Check the whole published log; return the report, and what to remember when it holds.

    Raises SourceError where the log cannot be read at all.
    """
    origin, checkpoint = keys[0].name, None
    try:
        expected: list[tuple[str, Checkpoint]] = []
        # Before the checkpoint: the log may grow meanwhile, and no tree that was co-signed is larger than a later one.
        cosigned = [(witness.name, _cosigned(source, keys, witness, expected)) for witness in witnesses]
        note, checkpoint, key = signed_checkpoint(source, keys, CHECKPOINT)
        if remembered:
            check_not_shrunk(checkpoint, remembered.checkpoint)
        expected.append((f"the {CHECKPOINT}", checkpoint))
        if remembered:
            expected.append(("the remembered checkpoint", remembered.checkpoint))
        walk = _Walk(source, checkpoint.size, remembered, expected)
        walk.run(progress)
    except (DistrustError, _DiffersError) as error:
        size, root = (checkpoint.size, checkpoint.root.hex()) if checkpoint else (0, "")
        return AuditReport(origin, size, root, str(error), getattr(error, "index", None)), None
    report = AuditReport(
        checkpoint.origin,
        checkpoint.size,
        checkpoint.root.hex(),
        consistent_with=remembered.checkpoint.size if remembered else None,
        witnesses=tuple(f"{name} {made.at:%Y-%m-%dT%H:%M:%SZ}" for name, made in cosigned),
    )
    return report, Remembered(key.text, note, bytes(walk.tile_roots), b"".join(walk.tail))


def _cosigned(
    source: Source, keys: Sequence[VerifierKey], witness: VerifierKey, expected: list[tuple[str, Checkpoint]]
) -> Cosigned:
    """Find the witness's co-signature, and have the tree that it speaks of recomputed as well."""
    for name in (CHECKPOINT, WITNESSED):
        if source.get(name) is None:
            continue
        note, checkpoint, _ = signed_checkpoint(source, keys, name)
        made = cosignature_of(*tree.split_note(note), witness)
        if made:
            expected.append((f"the checkpoint that {witness.name} co-signed", checkpoint))
            return made
    raise DistrustError(f"no co-signature of {witness.name} is published")


@dataclass(slots=True)
class _Walk:
    """Goes through the bundles from the first entry on."""

    source: Source
    size: int
    remembered: Remembered | None
    expected: list[tuple[str, Checkpoint]]
    tree: tree.GrowingTree = field(default_factory=tree.GrowingTree)
    uppers: dict[int, list[bytes]] = field(default_factory=dict)
    tile_roots: bytearray = field(default_factory=bytearray)
    tail: list[bytes] = field(default_factory=list)

    def run(self, progress: Progress) -> None:
        for name, checkpoint in self.expected:
            if checkpoint.size > self.size:
                raise DistrustError(f"{name} has {checkpoint.size} entries, published are {self.size}")
        for first in range(0, self.size, tiles.WIDTH):
            index, width = first // tiles.WIDTH, min(tiles.WIDTH, self.size - first)
            self._take(Tile(tiles.ENTRIES, index, width))
            progress(first + width, self.size)
        for level, hashes in sorted(self.uppers.items()):
            if hashes:
                self._compare(Tile(level, (self.size >> tiles.HEIGHT * level) // tiles.WIDTH, len(hashes)), hashes)
        for name, checkpoint in self.expected:
            if not self.size and checkpoint.root != tree.EMPTY_ROOT:
                raise _DiffersError(f"{name} has another root than an empty log", None)

    def _take(self, bundle: Tile) -> None:
        entries = self._entries(bundle)
        hashes = [tree.leaf_hash(entry) for entry in entries]
        self._compare(Tile(0, bundle.index, bundle.width), hashes)
        self._compare_with_memory(bundle, hashes)
        fresh = self.tree.append(hashes)
        self.tail = hashes
        for node in fresh:
            if node.level and node.level % tiles.HEIGHT == 0:
                self._complete(node)
        for name, checkpoint in self.expected:
            if bundle.first < checkpoint.size <= self.tree.size and self.tree.root(checkpoint.size) != checkpoint.root:
                raise _DiffersError(f"{name} has another root than the {checkpoint.size} entries published", None)

    def _complete(self, node: StoredHash) -> None:
        """Take the root of a tile that is full; a full row of such roots is itself a tile."""
        if node.level == tiles.HEIGHT:
            self.tile_roots += node.digest
            self.tail = []
        level = node.level // tiles.HEIGHT
        row = self.uppers.setdefault(level, [])
        row.append(node.digest)
        if len(row) == tiles.WIDTH:
            self._compare(Tile(level, node.index // tiles.WIDTH), row)
            row.clear()

    def _entries(self, bundle: Tile) -> Sequence[bytes]:
        try:
            found = fetch_entries(self.source, bundle)
        except TileInvalidError as error:
            raise _DiffersError(f"{bundle.path}: {error}", None) from error
        if found is None:
            raise _DiffersError(f"{bundle.path} is missing: entries from {bundle.first} on", bundle.first)
        return found

    def _compare(self, tile: Tile, hashes: Sequence[bytes]) -> None:
        """Compare what was computed with the published tile. Raises _DiffersError naming the first difference."""
        try:
            stated = fetch_hashes(self.source, tile)
        except TileInvalidError as error:
            raise _DiffersError(f"{tile.path}: {error}", None) from error
        if stated is None:
            raise _DiffersError(f"{tile.path} is missing", None)
        for place, ours in enumerate(hashes):
            if ours != stated[place]:
                raise self._differing(tile, place)
        if len(hashes) < tile.width:
            index = tile.first + len(hashes)
            raise _DiffersError(f"entry {index} is missing from its bundle", index)

    def _differing(self, tile: Tile, place: int) -> _DiffersError:
        index = tile.first + place
        if tile.level == 0:
            return _DiffersError(f"entry {index} is not the one that {tile.path} has the hash of", index)
        span = tiles.WIDTH**tile.level
        where = f"entries {index * span} to {(index + 1) * span - 1}"
        return _DiffersError(f"{where} are not those that {tile.path} has the hash of", None)

    def _compare_with_memory(self, bundle: Tile, hashes: Sequence[bytes]) -> None:
        """Name where a history that is consistent in itself departs from the one seen before."""
        known = self.remembered
        if known is None or not (known.tile_roots or known.tail):
            return
        place = bundle.index * tree.HASH_BYTES
        before = known.tile_roots[place : place + tree.HASH_BYTES]
        if before and (len(hashes) < tiles.WIDTH or tree.root_of(hashes) != before):
            last = bundle.first + tiles.WIDTH - 1
            raise _DiffersError(f"entries {bundle.first} to {last} are not those seen before", None)
        if bundle.index == len(known.tile_roots) // tree.HASH_BYTES:
            for offset, ours in enumerate(tiles.split_tile(known.tail, len(known.tail) // tree.HASH_BYTES)):
                if offset >= len(hashes) or hashes[offset] != ours:
                    index = bundle.first + offset
                    raise _DiffersError(f"entry {index} is not the one seen before", index)
