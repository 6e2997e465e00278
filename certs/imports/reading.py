"""Turning a file's rows into good rows and faults, in chunks, each good one with its photo."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace

from certs.imports import rules
from certs.imports.adapters.photos import Album, PhotoRefused
from certs.imports.rules import Candidate, Context
from certs.imports.texts import COLUMN_TEXTS
from lms.core.spreadsheets.cells import MAX_SHOWN_CHARS, Cell, Fault, text_of
from lms.core.spreadsheets.tables import BadRow, Headings

HEADINGS = Headings(rules.ALIASES, rules.REQUIRED, COLUMN_TEXTS)


@dataclass(slots=True)
class Chunk:
    """Some rows of a file, judged. ``photos`` are JPEG files of good rows, by row."""

    good: list[Candidate] = field(default_factory=list)
    bad: list[BadRow] = field(default_factory=list)
    faults: list[Fault] = field(default_factory=list)
    photos: dict[int, bytes] = field(default_factory=dict)

    @property
    def size(self) -> int:
        return len(self.good) + len(self.bad)


def chunks(rows: Iterator[Sequence[Cell]], context: Context, album: Album | None) -> Iterator[Chunk]:
    """Judge the rows below the heading, skipping blank ones; yield them in chunks.

    Raises ColumnsMissing, ColumnTwice, EmptyFile, TooManyRows.
    """
    chunk = Chunk()
    for number, cells in HEADINGS.rows(rows, context.limits.max_rows):
        _judge(chunk, number, cells, context, album)
        if chunk.size == context.limits.chunk_rows:
            yield chunk
            chunk = Chunk()
    if chunk.size:
        yield chunk


def _judge(chunk: Chunk, number: int, cells: dict[str, Cell], context: Context, album: Album | None) -> None:
    candidate, faults = rules.check_row(number, cells, context)
    if candidate:
        try:
            candidate = _with_photo(chunk, candidate, album)
        except PhotoRefused as refusal:
            shown = candidate.photo[:MAX_SHOWN_CHARS]
            candidate, faults = None, [Fault(number, "photo", refusal.code, shown)]
    if candidate:
        chunk.good.append(candidate)
        return
    chunk.faults += faults
    chunk.bad.append(BadRow(number, tuple(text_of(cells.get(column)) for column in rules.COLUMNS)))


def _with_photo(chunk: Chunk, candidate: Candidate, album: Album | None) -> Candidate:
    """Find the photo that the row names, or the one called by its certificate or id number."""
    if album is None:
        if candidate.photo:
            raise PhotoRefused("photo_no_zip")
        return candidate
    found = album.find(candidate.photo) if candidate.photo else album.find_any(candidate.number, candidate.id_number)
    if found is None:
        return candidate
    chunk.photos[candidate.row] = found.jpeg
    return replace(candidate, photo_sha256=found.sha256)
