"""The chosen certificates as one archive: their signed files, and a list of all with what has none and why."""

from __future__ import annotations

import hashlib
import hmac
import re
import uuid
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from zipfile import ZIP_STORED, ZipFile

from certs.actions.operations import Order
from certs.actions.queries import Seen, certificates_in
from certs.actions.texts import LIST_HEADS, refusal_text, status_text
from certs.errors import FileAltered, NotIssuedYet, NotSignedHere
from certs.labels import SHEET
from certs.models import Certificate
from certs.rules import Origin
from lms.core.errors import NotFound
from lms.core.services import Services
from lms.core.spreadsheets import files
from lms.core.storage import ObjectMissing

LIST_NAME = "清单.xlsx"
ROWS_AT_ONCE = 200
_UNSAFE = re.compile(r"[^\w.()（）〔〕\[\]-]")


class Stopped(Exception):
    """The order was stopped while its archive was being made."""


def build(
    services: Services, ordered: Order, chosen: Sequence[uuid.UUID], folder: Path, report: Callable[[int], bool]
) -> tuple[Path, dict[uuid.UUID, str]]:
    """Write the archive into ``folder``; return where, and the code of why which certificate has no file in it.

    Memory stays flat: a file at a time. ``report`` is told how many are done and tells whether to go on.
    Raises Stopped.
    """
    target, lines = folder / "certificates.zip", folder / "list.xlsx"
    refused: dict[uuid.UUID, str] = {}
    with ZipFile(target, "w", ZIP_STORED) as archive:
        files.write_table(lines, SHEET, LIST_HEADS, _written(services, ordered, chosen, archive, refused, report))
        archive.write(lines, LIST_NAME)
    return target, refused


def _written(
    services: Services,
    ordered: Order,
    chosen: Sequence[uuid.UUID],
    archive: ZipFile,
    refused: dict[uuid.UUID, str],
    report: Callable[[int], bool],
) -> Iterator[list[str]]:
    """Yield the list's lines, having put each certificate's file into the archive."""
    for start in range(0, len(chosen), ROWS_AT_ONCE):
        some = chosen[start : start + ROWS_AT_ONCE]
        # Through the department's own walls, so that nothing beyond them gets into the archive.
        with services.db.transaction(ordered.actor.scope, read_only=True) as session:
            found = {seen.certificate.id: seen for seen in certificates_in(session, some)}
        for place, certificate_id in enumerate(some, start=start):
            seen = found.get(certificate_id)
            data, code = _file_of(services, seen.certificate if seen else None)
            name = f"{_UNSAFE.sub('_', seen.certificate.number)}.pdf" if seen and data else ""
            if data:
                archive.writestr(name, data)
            else:
                refused[certificate_id] = code
            if not report(place + 1):
                raise Stopped
            yield _line(certificate_id, seen, name, code)


def _file_of(services: Services, row: Certificate | None) -> tuple[bytes, str]:
    """Return the stored bytes, or the code of what speaks against handing them out."""
    if row is None:
        return b"", NotFound.code
    if row.origin == Origin.IMPORTED:
        return b"", NotSignedHere.code
    if row.pdf_key is None or row.pdf_sha256 is None:
        return b"", NotIssuedYet.code
    try:
        data = services.storage.get(row.pdf_key)
    except ObjectMissing:
        data = b""
    if not hmac.compare_digest(hashlib.sha256(data).digest(), row.pdf_sha256):
        return b"", FileAltered.code
    return data, ""


def _line(certificate_id: uuid.UUID, seen: Seen | None, name: str, code: str) -> list[str]:
    if seen is None:
        return [str(certificate_id), "", "", "", "", refusal_text(code)]
    row, status = seen.certificate, status_text(seen.shown)
    return [row.number, row.holder_name, row.id_number_masked, status, name, refusal_text(code)]
