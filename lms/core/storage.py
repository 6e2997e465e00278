"""Object storage behind obstore: a local folder by default, S3 by setting."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import unquote, urlsplit

import obstore
from obstore.exceptions import AlreadyExistsError, NotFoundError
from obstore.store import LocalStore, S3Store


class ObjectMissing(LookupError):
    """There is no object under this key."""


class Storage:
    """Keys are slash-separated paths made by us, never names from users."""

    def __init__(self, url: str) -> None:
        parts = urlsplit(url)
        self._folder: Path | None = None
        self._store: LocalStore | S3Store
        if parts.scheme == "file":
            self._folder = Path(unquote(parts.path))
            self._folder.mkdir(parents=True, exist_ok=True)
            self._store = LocalStore(self._folder)
        else:
            self._store = S3Store.from_url(url)

    def put(self, key: str, data: bytes | Path) -> None:
        """Store ``data`` under ``key``, replacing what was there."""
        obstore.put(self._store, key, data)
        self._make_durable(key)

    def put_once(self, key: str, data: bytes) -> bool:
        """Store ``data`` unless the key exists; tell whether it was stored."""
        try:
            obstore.put(self._store, key, data, mode="create")
        except AlreadyExistsError:
            return False
        self._make_durable(key)
        return True

    def get(self, key: str) -> bytes:
        """Return the whole object; raises ObjectMissing."""
        try:
            return bytes(obstore.get(self._store, key).bytes())
        except (NotFoundError, FileNotFoundError):
            raise ObjectMissing(key) from None

    def size(self, key: str) -> int:
        """Return the object's size in bytes; raises ObjectMissing."""
        try:
            return int(obstore.head(self._store, key)["size"])
        except (NotFoundError, FileNotFoundError):
            raise ObjectMissing(key) from None

    def stream(self, key: str, chunk_bytes: int = 1 << 20) -> Iterator[bytes]:
        """Yield the object in chunks, so that memory stays flat; raises ObjectMissing."""
        try:
            result = obstore.get(self._store, key)
        except (NotFoundError, FileNotFoundError):
            raise ObjectMissing(key) from None
        for chunk in result.stream(min_chunk_size=chunk_bytes):
            yield bytes(chunk)

    def fetch_to(self, key: str, target: Path) -> None:
        """Write the object to a local file; raises ObjectMissing."""
        with target.open("wb") as file:
            for chunk in self.stream(key):
                file.write(chunk)

    def delete(self, key: str) -> None:
        """Remove the object; a missing one is fine."""
        try:
            obstore.delete(self._store, key)
        except (NotFoundError, FileNotFoundError):
            return

    def _make_durable(self, key: str) -> None:
        """Sync a local file to disk: a row that names it must not outlive it after a power cut."""
        if self._folder is None:
            return
        descriptor = os.open(self._folder / key, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
