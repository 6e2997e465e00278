"""A published log as outsiders see it: an address on the web, or a folder with the same files."""

from __future__ import annotations

import contextlib
import http.client
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol
from urllib.parse import SplitResult, urlsplit

from certs.registry import tiles
from certs.registry.tiles import Tile, TileInvalidError

TIMEOUT_S = 30.0
TRIES = 3
# 256 entries of 65,535 bytes, each after its length: the largest file that a log can have.
MAX_BYTES = tiles.WIDTH * (2 + tiles.MAX_ENTRY_BYTES)
_CONNECTIONS = {"http": http.client.HTTPConnection, "https": http.client.HTTPSConnection}


class SourceError(RuntimeError):
    """The log cannot be read at all; says nothing about what it holds."""


class Source(Protocol):
    """Where the files of a log come from."""

    def get(self, path: str) -> bytes | None:
        """Return the file; None where there is none. Raises SourceError."""


@dataclass(frozen=True, slots=True)
class Folder:
    """An export, or any copy of the files."""

    root: Path

    def get(self, path: str) -> bytes | None:
        """Read a file of the folder."""
        try:
            return (self.root / path).read_bytes()
        except FileNotFoundError:
            return None
        except OSError as error:
            raise SourceError(f"{self.root / path}: {error}") from error


@dataclass(slots=True)
class Website:
    """A log's address; one connection is kept for all files."""

    address: SplitResult
    _connection: http.client.HTTPConnection | None = field(default=None, repr=False)

    def get(self, path: str) -> bytes | None:
        """Fetch a file; a connection that broke is opened again."""
        for attempt in range(TRIES):
            try:
                return self._ask(path)
            except (OSError, http.client.HTTPException) as error:
                self.close()
                if attempt == TRIES - 1:
                    raise SourceError(f"{self.address.geturl()}: {error!r}") from error
        raise AssertionError

    def close(self) -> None:
        """Give the connection up."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def _ask(self, path: str) -> bytes | None:
        if self._connection is None:
            self._connection = _CONNECTIONS[self.address.scheme](self.address.netloc, timeout=TIMEOUT_S)
        target = f"{self.address.path.rstrip('/')}/{path}"
        self._connection.request("GET", target, headers={"Accept-Encoding": "gzip", "User-Agent": "anzheng-audit"})
        answer = self._connection.getresponse()
        data = answer.read(MAX_BYTES + 1)
        if len(data) > MAX_BYTES:
            self.close()
            raise SourceError(f"{target} is larger than a log's files can be")
        if answer.status == http.client.NOT_FOUND:
            return None
        if answer.status != http.client.OK:
            raise SourceError(f"{target} answers {answer.status}")
        return _unpacked(data, target) if answer.getheader("Content-Encoding") == "gzip" else data


def _unpacked(data: bytes, target: str) -> bytes:
    # gzip.decompress has no limit; what unpacks to more than a log's file is refused.
    unpacking = zlib.decompressobj(wbits=16 + zlib.MAX_WBITS)
    try:
        plain = unpacking.decompress(data, MAX_BYTES + 1)
    except zlib.error as error:
        raise SourceError(f"{target} is badly compressed") from error
    if len(plain) > MAX_BYTES or not unpacking.eof:
        raise SourceError(f"{target} is cut or larger than a log's files can be")
    return plain


@contextlib.contextmanager
def source_at(place: str) -> Iterator[Source]:
    """Open the source at an http(s) address or in a folder. Raises SourceError for anything else."""
    parts = urlsplit(place)
    if parts.scheme in _CONNECTIONS and parts.netloc:
        with contextlib.closing(Website(parts)) as website:
            yield website
    elif Path(place).is_dir():
        yield Folder(Path(place))
    else:
        raise SourceError(f"{place} is neither an http(s) address nor a folder")


def fetch_hashes(source: Source, tile: Tile) -> Sequence[bytes] | None:
    """Return a tile's hashes; None where it is gone. Raises TileInvalidError."""
    data = _fetch(source, tile)
    return None if data is None else tiles.split_tile(data, tile.width)


def fetch_entries(source: Source, tile: Tile) -> Sequence[bytes] | None:
    """Return a bundle's entries, at most as many as the tile is wide; None where it is gone."""
    data = _fetch(source, tile)
    return None if data is None else tiles.decode_bundle(data)[: tile.width]


def _fetch(source: Source, tile: Tile) -> bytes | None:
    """A partial tile may be outgrown since the checkpoint was read; the full one begins with it."""
    found = source.get(tile.path)
    return source.get(Tile(tile.level, tile.index).path) if found is None and not tile.is_full else found


def hashes_of(source: Source, tile: Tile) -> Sequence[bytes]:
    """Return a tile's hashes. Raises TileInvalidError also where it is gone."""
    found = fetch_hashes(source, tile)
    if found is None:
        raise TileInvalidError(f"{tile.path} is missing")
    return found
