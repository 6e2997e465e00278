"""The sealed files of an import: the upload, its good rows and its bad rows, in chunks.

Good rows are kept from the check to the end of the import, so that a restarted job goes on at a
chunk instead of reading the file again.
"""

from __future__ import annotations

import json
import uuid
from collections.abc import Sequence
from datetime import date

from lms.accounts.staff.rules import Candidate
from lms.core.services import Services
from lms.core.spreadsheets.staging import SealedParts
from lms.core.spreadsheets.tables import BadRow


def parts(services: Services, import_id: uuid.UUID) -> SealedParts:
    """Return where the files of an import are."""
    return SealedParts(services, "imports", "import", import_id)


def as_bad(candidate: Candidate) -> BadRow:
    """Return a good row that does not fit the register, as a row to put right."""
    hired_on = candidate.hired_on.isoformat() if candidate.hired_on else ""
    cells = (candidate.name, candidate.id_number, candidate.post_code, candidate.department, candidate.phone, hired_on)
    return BadRow(candidate.row, cells)


def keep_good(services: Services, import_id: uuid.UUID, chunk: int, rows: Sequence[Candidate]) -> None:
    """Keep one chunk of good rows."""
    plain = [
        (c.row, c.name, c.id_number, c.post_code, c.department, c.phone, c.hired_on and c.hired_on.isoformat())
        for c in rows
    ]
    parts(services, import_id).put_rows(f"good-{chunk}", plain)


def good(services: Services, import_id: uuid.UUID, chunk: int) -> list[Candidate]:
    """Return one chunk of good rows. Raises ObjectMissing."""
    rows = json.loads(parts(services, import_id).get(f"good-{chunk}"))
    return [
        Candidate(row, name, number, post, department, phone, date.fromisoformat(day) if day else None)
        for row, name, number, post, department, phone, day in rows
    ]
