"""How the rows of an import are kept, and the photos beside them.

A photo is kept under its row; once the row is taken over, that file is the certificate's own.
"""

from __future__ import annotations

import contextlib
import hashlib
import hmac
import uuid
from collections.abc import Sequence
from datetime import date

from sqlalchemy import select
from sqlalchemy.orm import Session

from certs.errors import FileAltered
from certs.imports.rules import Candidate
from certs.models import Certificate
from lms.core.crypto import Undecryptable
from lms.core.imports.parts import SealedParts
from lms.core.services import Services
from lms.core.spreadsheets.tables import BadRow
from lms.core.storage import ObjectMissing

FOLDER = "certs/imports"
SEALING_CONTEXT = "certs.import"
PHOTOS = "photos"
_DAYS = ("issued_on", "valid_from", "valid_until", "first_issued_on")
_TEXTS = ("name", "id_number", "number", "scheme_code", "issuer_name")


def parts(services: Services, import_id: uuid.UUID) -> SealedParts:
    """Return where the files of an import are."""
    return SealedParts(services, FOLDER, SEALING_CONTEXT, import_id)


def as_bad(candidate: Candidate) -> BadRow:
    """Return a good row that does not fit the register, as a row to put right."""
    days = [str(getattr(candidate, name) or "") for name in _DAYS]
    name, id_number, number, scheme_code, issuer = (getattr(candidate, text) for text in _TEXTS)
    return BadRow(candidate.row, (name, "", id_number, number, scheme_code, issuer, *days, candidate.photo))


def to_plain(one: Candidate) -> Sequence[object]:
    """Return a good row as it is kept, its photo apart."""
    texts, days = (getattr(one, name) for name in _TEXTS), (str(getattr(one, name) or "") for name in _DAYS)
    return (one.row, *texts, *days, one.photo, one.photo_sha256)


def of_plain(row: int, *values: str) -> Candidate:
    """Return a good row from what was kept."""
    texts, days, (photo, sha256) = values[:5], values[5:9], values[9:]
    issued_on, valid_from, valid_until, first = (date.fromisoformat(day) if day else None for day in days)
    if issued_on is None or valid_from is None or valid_until is None:
        raise ValueError(f"row {row} was kept without its days")
    name, id_number, number, scheme_code, issuer = texts
    return Candidate(
        row, name, id_number, number, scheme_code, issuer, issued_on, valid_from, valid_until, first, photo, sha256
    )


def keep_photos(files: SealedParts, rows: Sequence[Candidate]) -> None:
    """Keep the photos of good rows."""
    for one in rows:
        if one.photo_sha256:
            files.put(photo_part(one.row), one.photo_jpeg)


def forget_photos(session: Session, files: SealedParts, chunks: int) -> None:
    """Delete the archive, and the photos of good rows that no certificate has as its own."""
    mine = (Certificate.import_id == files.import_id, Certificate.photo_key.is_not(None))
    kept = set(session.scalars(select(Certificate.photo_key).where(*mine)))
    for chunk in range(chunks):
        with contextlib.suppress(ObjectMissing):
            for one in (of_plain(*values) for values in files.good(chunk)):
                if one.photo_sha256 and files.key(photo_part(one.row)) not in kept:
                    files.delete(photo_part(one.row))
    files.delete(PHOTOS)


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
