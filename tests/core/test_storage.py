"""Objects: write once, read whole or in chunks, missing ones are told apart."""

from __future__ import annotations

from pathlib import Path

import pytest

from lms.core.storage import ObjectMissing, Storage


@pytest.fixture
def storage(tmp_path: Path) -> Storage:
    return Storage((tmp_path / "objects").as_uri())


def test_an_object_reads_back(storage: Storage, tmp_path: Path) -> None:
    storage.put("a/b.bin", b"one")
    storage.fetch_to("a/b.bin", tmp_path / "copy")
    assert storage.get("a/b.bin") == (tmp_path / "copy").read_bytes() == b"one"
    assert storage.size("a/b.bin") == 3


def test_write_once_keeps_the_first(storage: Storage) -> None:
    assert storage.put_once("a", b"first")
    assert not storage.put_once("a", b"second")
    assert storage.get("a") == b"first"


def test_a_large_object_streams_in_chunks(storage: Storage, tmp_path: Path) -> None:
    source = tmp_path / "large"
    source.write_bytes(b"x" * 5_000_000)
    storage.put("large", source)
    chunks = list(storage.stream("large", chunk_bytes=1 << 20))
    assert sum(map(len, chunks)) == 5_000_000
    assert len(chunks) > 1


@pytest.mark.parametrize("deed", ["get", "size"])
def test_a_missing_object_is_said_to_be_missing(storage: Storage, deed: str) -> None:
    with pytest.raises(ObjectMissing):
        getattr(storage, deed)("nothing/here")


def test_deleting_twice_is_fine(storage: Storage) -> None:
    storage.put("a", b"1")
    storage.delete("a")
    storage.delete("a")
    with pytest.raises(ObjectMissing):
        storage.get("a")
