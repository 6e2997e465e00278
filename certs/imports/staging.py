"""The sealed files of an import: the list, the photos, its good rows and its bad rows, in chunks.

A photo is kept under its row; once the row is taken over, that file is the certificate's own.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import uuid
from collections.abc import Collection, Mapping, Sequence
from datetime import date

from certs.errors import FileAltered
from certs.imports.rules import Candidate
from certs.models import Certificate
from lms.core.crypto import Undecryptable
from lms.core.services import Services
from lms.core.spreadsheets.staging import SealedParts
from lms.core.spreadsheets.tables import BadRow
from lms.core.storage import ObjectMissing

PHOTOS = "photos"
_DAYS = ("issued_on", "valid_from", "valid_until", "first_issued_on")
_TEXTS = ("name", "id_number", "number", "scheme_code", "issuer_name")


def parts(services: Services, import_id: uuid.UUID) -> SealedParts:
    """Return where the files of an import are."""
    return SealedParts(services, "certs/imports", "certs.import", import_id)


def as_bad(candidate: Candidate) -> BadRow:
    """Return a good row that does not fit the register, as a row to put right."""
    days = [str(getattr(candidate, name) or "") for name in _DAYS]
    name, id_number, number, scheme_code, issuer = (getattr(candidate, text) for text in _TEXTS)
    return BadRow(candidate.row, (name, "", id_number, number, scheme_code, issuer, *days, candidate.photo))


def keep_good(files: SealedParts, chunk: int, rows: Sequence[Candidate], photos: Mapping[int, bytes]) -> None:
    """Keep one chunk of good rows with their photos."""
    for row in rows:
        if row.photo_sha256:
            files.put(photo_part(row.row), photos[row.row])
    plain = [
        (
            row.row,
            *(getattr(row, name) for name in _TEXTS),
            *(str(getattr(row, name) or "") for name in _DAYS),
            row.photo,
            row.photo_sha256,
        )
        for row in rows
    ]
    files.put_rows(f"good-{chunk}", plain)


def good(files: SealedParts, chunk: int) -> list[Candidate]:
    """Return one chunk of good rows; none once they are forgotten."""
    try:
        rows = json.loads(files.get(f"good-{chunk}"))
    except ObjectMissing:
        return []
    return [_candidate(*row) for row in rows]


def _candidate(row: int, *values: str) -> Candidate:
    texts, days, (photo, sha256) = values[:5], values[5:9], values[9:]
    issued_on, valid_from, valid_until, first = (date.fromisoformat(day) if day else None for day in days)
    if issued_on is None or valid_from is None or valid_until is None:
        raise ValueError(f"row {row} was kept without its days")
    name, id_number, number, scheme_code, issuer = texts
    return Candidate(
        row, name, id_number, number, scheme_code, issuer, issued_on, valid_from, valid_until, first, photo, sha256
    )


def photo_of(services: Services, row: Certificate) -> bytes | None:
    """Return the JPEG of an imported certificate, None where it has none. Raises FileAltered for another one."""
    if row.photo_key is None or row.photo_sha256 is None or row.import_id is None:
        return None
    try:
        data = parts(services, row.import_id).get(row.photo_key.rsplit("/", 1)[-1])
    except (ObjectMissing, Undecryptable):
        raise FileAltered from None
    if not hmac.compare_digest(hashlib.sha256(data).digest(), row.photo_sha256):
        raise FileAltered
    return data


def photo_part(row: int) -> str:
    """Return the name of a row's photo."""
    return f"photo-{row}"


def forget(files: SealedParts, chunks: int, *, kept: Collection[str], bad_too: bool) -> None:
    """Delete the upload, the good rows, the photos but those in ``kept`` (storage keys), and the bad rows if asked."""
    for chunk in range(chunks):
        for row in good(files, chunk):
            if row.photo_sha256 and files.key(photo_part(row.row)) not in kept:
                files.delete(photo_part(row.row))
    files.delete(PHOTOS)
    if bad_too:
        files.forget_all(chunks)
    else:
        files.forget_good(chunks)
