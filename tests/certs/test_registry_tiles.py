"""Tiles are those of the specification, whatever steps the log grew by."""

from __future__ import annotations

import hashlib
import itertools
from functools import cache

import pytest
from hypothesis import given
from hypothesis import strategies as st

from certs.registry import rules as tree
from certs.registry import tiles
from certs.registry.tiles import ENTRIES, Tile, TileInvalidError, grown_tiles, hashes_from_tiles, tile_at

LARGEST = 65_536 + 300
BOUNDARIES = [1, 2, 255, 256, 257, 511, 512, 513, 65_535, 65_536, 65_537, LARGEST]


class Stored:
    """All hashes of a large tree, by level and index, and its tiles cut from them."""

    def __init__(self, size: int) -> None:
        self.leaves = [hashlib.sha256(b"%d" % number).digest() for number in range(size)]
        nodes = tree.append_leaves(0, self.leaves, lambda *_: b"")
        self.hashes = {(node.level, node.index): node.digest for node in nodes}

    def read(self, level: int, index: int) -> bytes:
        return self.hashes[level, index]

    def tile(self, tile: Tile) -> list[bytes]:
        level = tile.level * tiles.HEIGHT
        return [self.hashes[level, tile.first + offset] for offset in range(tile.width)]


@cache
def stored() -> Stored:
    """The largest tree, made when the first test asks for it."""
    return Stored(LARGEST)


sizes = st.integers(1, LARGEST) | st.sampled_from(BOUNDARIES)


def naive_root(leaves: list[bytes]) -> bytes:
    """Compute RFC 9162 section 2.1.1 over leaf hashes."""
    if len(leaves) == 1:
        return leaves[0]
    split = 1 << ((len(leaves) - 1).bit_length() - 1)
    return tree.node_hash(naive_root(leaves[:split]), naive_root(leaves[split:]))


def test_a_tree_of_70000_has_the_tiles_of_the_specification() -> None:
    found = [tile for tile in grown_tiles(0, 70_000) if tile.level != ENTRIES]
    full = [sum(tile.is_full for tile in found if tile.level == level) for level in range(4)]
    partial = [(tile.level, tile.width) for tile in found if not tile.is_full]
    assert full == [273, 1, 0, 0]
    assert partial == [(0, 112), (1, 17), (2, 1)]


def test_a_tree_of_256_has_a_full_tile_and_one_of_width_1() -> None:
    assert list(grown_tiles(0, 256)) == [Tile(ENTRIES, 0), Tile(0, 0), Tile(1, 0, 1)]


def test_an_empty_tree_has_no_tiles() -> None:
    assert list(grown_tiles(0, 0)) == []


@pytest.mark.parametrize("size", BOUNDARIES)
def test_tiles_give_the_root_computed_from_the_leaves(size: int) -> None:
    wanted: set[Tile] = set()

    def fetch(tile: Tile) -> list[bytes]:
        wanted.add(tile)
        return stored().tile(tile)

    assert tree.root(size, hashes_from_tiles(size, fetch)) == naive_root(stored().leaves[:size])
    assert wanted <= set(grown_tiles(0, size))


@pytest.mark.parametrize("size", BOUNDARIES)
def test_each_hash_of_a_tile_is_the_root_of_its_leaves(size: int) -> None:
    for tile in list(grown_tiles(0, size))[-6:]:
        if tile.level != ENTRIES:
            span = tiles.WIDTH**tile.level
            first = (tile.first + tile.width - 1) * span
            assert stored().tile(tile)[-1] == naive_root(stored().leaves[first : first + span])


@given(st.lists(sizes, min_size=1, max_size=5))
def test_however_a_log_grows_it_writes_the_same_tiles_and_a_full_one_once(steps: list[int]) -> None:
    written: list[Tile] = []
    ends = [0, *sorted(steps)]
    for old, new in itertools.pairwise(ends):
        written += grown_tiles(old, new)
    assert set(grown_tiles(0, ends[-1])) <= set(written)
    assert len(written) == len(set(written))


@given(st.data())
def test_proofs_from_tiles_are_those_from_stored_hashes(data: st.DataObject) -> None:
    size = data.draw(sizes)
    index = data.draw(st.integers(0, size - 1))
    old = data.draw(st.integers(1, size))
    read = hashes_from_tiles(size, stored().tile)
    inclusion = tree.inclusion_proof(index, size, read)
    assert inclusion == tree.inclusion_proof(index, size, stored().read)
    root, old_root = tree.root(size, stored().read), tree.root(old, stored().read)
    assert tree.verify_inclusion(stored().leaves[index], index, size, inclusion, root)
    consistency = tree.consistency_proof(old, size, read)
    assert tree.verify_consistency(old, size, consistency, old_root, root)
    assert old == size or not tree.verify_consistency(old, size, consistency, root, old_root)


@given(st.lists(st.integers(1, 700), min_size=1, max_size=6))
def test_a_tree_grown_in_steps_knows_every_root_within_the_last_step(steps: list[int]) -> None:
    grown = tree.GrowingTree()
    for step in steps:
        before = grown.size
        grown.append(stored().leaves[before : before + step])
        for size in {before + 1, before + step // 2 + 1, grown.size}:
            assert grown.root(size) == tree.root(size, stored().read)


def test_paths_are_those_of_the_specification() -> None:
    assert Tile(0, 1_234_067).path == "tile/0/x001/x234/067"
    assert Tile(ENTRIES, 0, 7).path == "tile/entries/000.p/7"
    assert Tile(63, 1000, 255).path == "tile/63/x001/000.p/255"


@given(st.integers(ENTRIES, 63), st.integers(0, 10**15), st.integers(1, 256))
def test_a_path_leads_back_to_its_tile(level: int, index: int, width: int) -> None:
    assert tile_at(Tile(level, index, width).path) == Tile(level, index, width)


@pytest.mark.parametrize(
    "path",
    [
        "tile/0/0",
        "tile/0/000.p/0",
        "tile/0/000.p/256",
        "tile/0/000.p/300",
        "tile/0/000.p/01",
        "tile/00/000",
        "tile/64/000",
        "tile/-1/000",
        "tile/0/x000/001",
        "tile/0/x001",
        "tile/0/001/002",
        "tile/0/../checkpoint",
        "tile/entries/000/",
        "tile/0/٠٠٠",
        "checkpoint",
        "",
    ],
)
def test_other_names_are_no_tiles(path: str) -> None:
    assert tile_at(path) is None


@given(st.lists(st.binary(max_size=300), max_size=256))
def test_a_bundle_is_read_back(entries: list[bytes]) -> None:
    assert tiles.decode_bundle(tiles.encode_bundle(entries)) == entries


def test_an_entry_too_long_for_its_length_is_refused() -> None:
    assert len(tiles.encode_bundle([bytes(65_535)])) == 65_537
    with pytest.raises(ValueError, match="too long"):
        tiles.encode_bundle([bytes(65_536)])


@pytest.mark.parametrize("cut", [1, 2, 3, 4])
def test_a_cut_bundle_is_refused(cut: int) -> None:
    whole = tiles.encode_bundle([b"one", b"two"])
    with pytest.raises(TileInvalidError):
        tiles.decode_bundle(whole[:-cut])


def test_a_tile_with_too_few_hashes_is_refused() -> None:
    assert tiles.split_tile(bytes(64), 2) == [bytes(32), bytes(32)]
    for data in (bytes(32), bytes(65)):
        with pytest.raises(TileInvalidError):
            tiles.split_tile(data, 2)
