"""The sealed files of an import: the upload, its good rows and its bad rows, in chunks.

What a roster says of people is at rest only encrypted. Good rows are kept from the check to the
end of the import, so that a restarted job goes on at a chunk instead of reading the file again.
"""

from __future__ import annotations

import json
import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

from lms.accounts.staff.rules import Candidate
from lms.core.services import Services
from lms.core.storage import ObjectMissing


@dataclass(frozen=True, slots=True)
class BadRow:
    """A row as it stood in the file, for its owner to put right."""

    row: int
    cells: tuple[str, ...]


def as_bad(candidate: Candidate) -> BadRow:
    """Return a good row that does not fit the register, as a row to put right."""
    hired_on = candidate.hired_on.isoformat() if candidate.hired_on else ""
    cells = (candidate.name, candidate.id_number, candidate.post_code, candidate.department, candidate.phone, hired_on)
    return BadRow(candidate.row, cells)


def _key(import_id: uuid.UUID, part: str) -> str:
    return f"imports/{import_id}/{part}"


def _put(services: Services, import_id: uuid.UUID, part: str, plain: bytes) -> None:
    sealed = services.vault.encrypt(plain, context=f"import:{import_id}:{part}")
    services.storage.put(_key(import_id, part), sealed)


def _get(services: Services, import_id: uuid.UUID, part: str) -> bytes:
    return services.vault.decrypt(services.storage.get(_key(import_id, part)), context=f"import:{import_id}:{part}")


def keep_source(services: Services, import_id: uuid.UUID, data: bytes) -> None:
    """Keep the uploaded file."""
    _put(services, import_id, "source", data)


def source(services: Services, import_id: uuid.UUID) -> bytes:
    """Return the uploaded file. Raises ObjectMissing."""
    return _get(services, import_id, "source")


def keep_good(services: Services, import_id: uuid.UUID, chunk: int, rows: Sequence[Candidate]) -> None:
    """Keep one chunk of good rows."""
    plain = [
        (c.row, c.name, c.id_number, c.post_code, c.department, c.phone, c.hired_on and c.hired_on.isoformat())
        for c in rows
    ]
    _put(services, import_id, f"good-{chunk}", json.dumps(plain, ensure_ascii=False).encode())


def good(services: Services, import_id: uuid.UUID, chunk: int) -> list[Candidate]:
    """Return one chunk of good rows. Raises ObjectMissing."""
    rows = json.loads(_get(services, import_id, f"good-{chunk}"))
    return [
        Candidate(row, name, number, post, department, phone, date.fromisoformat(day) if day else None)
        for row, name, number, post, department, phone, day in rows
    ]


def keep_bad(services: Services, import_id: uuid.UUID, chunk: int, rows: Sequence[BadRow]) -> None:
    """Keep the bad rows of one chunk."""
    plain = [(bad.row, bad.cells) for bad in rows]
    _put(services, import_id, f"bad-{chunk}", json.dumps(plain, ensure_ascii=False).encode())


def bad(services: Services, import_id: uuid.UUID, chunk: int) -> list[BadRow]:
    """Return the bad rows of one chunk; none when there were none."""
    try:
        rows = json.loads(_get(services, import_id, f"bad-{chunk}"))
    except ObjectMissing:
        return []
    return [BadRow(row, tuple(cells)) for row, cells in rows]


def forget_good(services: Services, import_id: uuid.UUID, chunks: int) -> None:
    """Delete the upload and the good rows; bad rows stay for download."""
    services.storage.delete(_key(import_id, "source"))
    for chunk in range(chunks):
        services.storage.delete(_key(import_id, f"good-{chunk}"))


def forget_all(services: Services, import_id: uuid.UUID, chunks: int) -> None:
    """Delete every file of an import."""
    forget_good(services, import_id, chunks)
    for chunk in range(chunks):
        services.storage.delete(_key(import_id, f"bad-{chunk}"))
