"""What an uploaded list says of people is at rest only encrypted: its parts, sealed in storage.

Good rows are kept from the check to the end of the import, so that a restarted job goes on at a
chunk instead of reading the file again; bad rows until the files are forgotten.
"""

from __future__ import annotations

import json
import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from lms.core.services import Services
from lms.core.spreadsheets.tables import BadRow
from lms.core.storage import ObjectMissing

SOURCE = "source"


@dataclass(frozen=True, slots=True)
class SealedParts:
    """The files of one import. ``folder`` is of its kind; each part is sealed for its own place."""

    services: Services
    folder: str
    context: str
    import_id: uuid.UUID

    def put(self, part: str, plain: bytes) -> None:
        """Keep a part, replacing an older one."""
        sealed = self.services.vault.encrypt(plain, context=self._context(part))
        self.services.storage.put(self.key(part), sealed)

    def get(self, part: str) -> bytes:
        """Return a part. Raises ObjectMissing."""
        return self.services.vault.decrypt(self.services.storage.get(self.key(part)), context=self._context(part))

    def delete(self, part: str) -> None:
        """Delete a part that may be gone already."""
        self.services.storage.delete(self.key(part))

    def keep_good(self, chunk: int, rows: Sequence[Sequence[object]]) -> None:
        """Keep the good rows of one chunk as plain values."""
        self._put_rows(f"good-{chunk}", rows)

    def good(self, chunk: int) -> list[list[Any]]:
        """Return the good rows of one chunk as they were kept. Raises ObjectMissing."""
        rows: list[list[Any]] = json.loads(self.get(f"good-{chunk}"))
        return rows

    def keep_bad(self, chunk: int, rows: Sequence[BadRow]) -> None:
        """Keep the bad rows of one chunk."""
        self._put_rows(f"bad-{chunk}", [(bad.row, bad.cells) for bad in rows])

    def bad(self, chunk: int) -> list[BadRow]:
        """Return the bad rows of one chunk; none when there were none."""
        try:
            rows = json.loads(self.get(f"bad-{chunk}"))
        except ObjectMissing:
            return []
        return [BadRow(row, tuple(cells)) for row, cells in rows]

    def forget(self, chunks: int, *, bad_too: bool) -> None:
        """Delete the upload, its good rows, and its bad rows if asked."""
        self.delete(SOURCE)
        for chunk in range(chunks):
            self.delete(f"good-{chunk}")
            if bad_too:
                self.delete(f"bad-{chunk}")

    def key(self, part: str) -> str:
        """Return where storage keeps a part."""
        return f"{self.folder}/{self.import_id}/{part}"

    def _put_rows(self, part: str, rows: Sequence[Sequence[object]]) -> None:
        self.put(part, json.dumps(rows, ensure_ascii=False).encode())

    def _context(self, part: str) -> str:
        return f"{self.context}:{self.import_id}:{part}"
