"""The log as files: which tiles a tree has, how they are named and what is in them (C2SP tlog-tiles).

All functions are pure.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from certs.registry import rules as tree

HEIGHT: Final = 8
WIDTH: Final = 1 << HEIGHT
ENTRIES: Final = -1
"""The level of entry bundles, which lie beside the tiles of level 0 and are as wide."""
MAX_ENTRY_BYTES: Final = 0xFFFF
MAX_LEVEL: Final = 63
_PATH: Final = re.compile(
    r"tile/(?P<level>entries|[0-9]{1,2})/(?P<index>(?:x[0-9]{3}/){0,5}[0-9]{3})(?:\.p/(?P<width>[1-9][0-9]{0,2}))?",
    re.ASCII,
)


class TileInvalidError(ValueError):
    """The bytes are no tile or bundle of this width."""


@dataclass(frozen=True, slots=True)
class Tile:
    """`width` hashes (or entries) in a row; less than 256 while the tree has no more."""

    level: int
    index: int
    width: int = WIDTH

    @property
    def is_full(self) -> bool:
        return self.width == WIDTH

    @property
    def first(self) -> int:
        """Position of the first hash within the tile's level."""
        return self.index * WIDTH

    @property
    def path(self) -> str:
        """The name under the log's prefix."""
        return _path(self.level, self.index) + ("" if self.is_full else f".p/{self.width}")


def tile_at(path: str) -> Tile | None:
    """The tile of this name; None for any other text."""
    found = _PATH.fullmatch(path)
    if found is None:
        return None
    level = ENTRIES if found["level"] == "entries" else int(found["level"])
    index = int(found["index"].replace("x", "").replace("/", ""))
    tile = Tile(level, index, int(found["width"] or WIDTH))
    # Each tile has one name: what does not come out as it went in is another's.
    return tile if level <= MAX_LEVEL and tile.width <= WIDTH and tile.path == path else None


def grown_tiles(old_size: int, new_size: int) -> Iterator[Tile]:
    """The tiles and bundles that a tree of `new_size` leaves needs beyond those of `old_size`, leaves first."""
    for level in range(ENTRIES, MAX_LEVEL + 1):
        shift = HEIGHT * max(level, 0)
        have, want = old_size >> shift, new_size >> shift
        if not want:
            return
        if have < want:
            for index in range(have // WIDTH, -(-want // WIDTH)):
                yield Tile(level, index, min(WIDTH, want - index * WIDTH))


def encode_bundle(entries: Sequence[bytes]) -> bytes:
    """Entries, each after its length in two bytes. Raises ValueError for one of more than 65,535 bytes."""
    parts = []
    for entry in entries:
        if len(entry) > MAX_ENTRY_BYTES:
            raise ValueError(f"an entry of {len(entry)} bytes is too long for a bundle")
        parts += [len(entry).to_bytes(2, "big"), entry]
    return b"".join(parts)


def decode_bundle(data: bytes) -> list[bytes]:
    """The entries of a bundle. Raises TileInvalidError where the last one is cut."""
    entries, place = [], 0
    while place < len(data):
        end = place + 2 + int.from_bytes(data[place : place + 2], "big")
        if end > len(data) or place + 2 > len(data):
            raise TileInvalidError("the last entry is cut")
        entries.append(data[place + 2 : end])
        place = end
    return entries


def split_tile(data: bytes, width: int) -> list[bytes]:
    """The first `width` hashes of a tile. Raises TileInvalidError where there are fewer."""
    if len(data) % tree.HASH_BYTES or len(data) < width * tree.HASH_BYTES:
        raise TileInvalidError(f"the tile holds {len(data)} bytes, not {width * tree.HASH_BYTES}")
    return [data[place : place + tree.HASH_BYTES] for place in range(0, width * tree.HASH_BYTES, tree.HASH_BYTES)]


def hashes_from_tiles(size: int, fetch: Callable[[Tile], Sequence[bytes]]) -> tree.HashReader:
    """A reader of the tree of `size` leaves that knows it by its tiles; each is fetched once."""
    kept: dict[Tile, Sequence[bytes]] = {}

    def read(level: int, index: int) -> bytes:
        tile_level, above = divmod(level, HEIGHT)
        first = index << above
        tile_index = first // WIDTH
        tile = Tile(tile_level, tile_index, min(WIDTH, (size >> HEIGHT * tile_level) - tile_index * WIDTH))
        if tile not in kept:
            kept[tile] = fetch(tile)
        row = list(kept[tile][first - tile.first : first - tile.first + (1 << above)])
        while len(row) > 1:
            row = [tree.node_hash(left, right) for left, right in zip(row[::2], row[1::2], strict=True)]
        return row[0]

    return read


def _path(level: int, index: int) -> str:
    rest, last = divmod(index, 1000)
    name = f"{last:03d}"
    while rest:
        rest, part = divmod(rest, 1000)
        name = f"x{part:03d}/{name}"
    return f"tile/{'entries' if level == ENTRIES else level}/{name}"
