"""Judging the rows of one file, each good one with its photo."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from sqlalchemy import select
from sqlalchemy.orm import Session

from certs.imports import rules, staging
from certs.imports.adapters.photos import Album, PhotoRefused
from certs.imports.limits import limits
from certs.imports.models import CertificateImport
from certs.imports.rules import Candidate, Context
from certs.models import Scheme
from certs.schemes.queries import schemes_in_force
from lms.core import clock
from lms.core.imports.kinds import Judge
from lms.core.services import Services
from lms.core.spreadsheets.cells import MAX_SHOWN_CHARS, Cell, Fault
from lms.core.spreadsheets.tables import NameBook
from lms.core.tenancy import ALL, WORKER_SCOPE


def judge(services: Services, batch: CertificateImport) -> Judge[Candidate]:
    """Make ready to judge the rows of a list. Raises PhotosRefused."""
    with services.db.transaction(WORKER_SCOPE, read_only=True) as session:
        context = _context(session, batch)
    packed = staging.parts(services, batch.id).get(staging.PHOTOS) if batch.photos_name else b""
    album = Album(packed, limits()) if packed else None

    def judge_row(row: int, cells: dict[str, Cell]) -> tuple[Candidate | None, Sequence[Fault]]:
        candidate, faults = rules.check_row(row, cells, context)
        try:
            return candidate and _with_photo(candidate, album), faults
        except PhotoRefused as refusal:
            shown = candidate.photo[:MAX_SHOWN_CHARS] if candidate else ""
            return None, [Fault(row, "photo", refusal.code, shown)]

    return judge_row


def _context(session: Session, batch: CertificateImport) -> Context:
    today = clock.today()
    schemes = schemes_in_force(session, today).values()
    allowed = [one for one in schemes if tuple(batch.schemes) == ALL or one.code in batch.schemes]
    book = NameBook.of((one.code, one.name_zh, one.name_en) for one in allowed)
    # Of every version, those still to come among them: a number of ours must find its place free.
    patterns = session.scalars(select(Scheme.number_pattern).distinct())
    return Context(today, limits(), book, [rules.own_number(pattern) for pattern in sorted(patterns)])


def _with_photo(candidate: Candidate, album: Album | None) -> Candidate:
    """Find the photo that the row names, or the one called by its certificate or id number. Raises PhotoRefused."""
    if album is None:
        if candidate.photo:
            raise PhotoRefused("photo_no_zip")
        return candidate
    found = album.find(candidate.photo) if candidate.photo else album.find_any(candidate.number, candidate.id_number)
    return replace(candidate, photo_sha256=found.sha256, photo_jpeg=found.jpeg) if found else candidate
