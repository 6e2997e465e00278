"""Turning a file's rows into good rows and faults, in chunks."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from lms.accounts.staff import rules
from lms.accounts.staff.rules import Candidate, Context
from lms.accounts.staff.texts import COLUMN_TEXTS
from lms.core.spreadsheets.cells import Cell, Fault, text_of
from lms.core.spreadsheets.tables import BadRow, Headings

HEADINGS = Headings(rules.ALIASES, rules.REQUIRED, COLUMN_TEXTS)


@dataclass(slots=True)
class Chunk:
    """Some rows of a file, judged."""

    good: list[Candidate] = field(default_factory=list)
    bad: list[BadRow] = field(default_factory=list)
    faults: list[Fault] = field(default_factory=list)

    @property
    def size(self) -> int:
        return len(self.good) + len(self.bad)


def chunks(rows: Iterator[Sequence[Cell]], context: Context) -> Iterator[Chunk]:
    """Judge the rows below the heading, skipping blank ones; yield them in chunks.

    Raises ColumnsMissing, ColumnTwice, EmptyFile, TooManyRows.
    """
    chunk = Chunk()
    for number, cells in HEADINGS.rows(rows, context.limits.max_rows):
        _judge(chunk, number, cells, context)
        if chunk.size == context.limits.chunk_rows:
            yield chunk
            chunk = Chunk()
    if chunk.size:
        yield chunk


def _judge(chunk: Chunk, number: int, cells: dict[str, Cell], context: Context) -> None:
    candidate, faults = rules.check_row(number, cells, context)
    if candidate:
        chunk.good.append(candidate)
        return
    chunk.faults += faults
    chunk.bad.append(BadRow(number, tuple(text_of(cells.get(column)) for column in rules.COLUMNS)))
