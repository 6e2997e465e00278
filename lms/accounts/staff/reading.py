"""Turning a file's rows into good rows and faults, in chunks."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field

from lms.accounts.staff import rules
from lms.accounts.staff.errors import ColumnsMissing, ColumnTwice, EmptyFile, TooManyRows
from lms.accounts.staff.rules import Candidate, Cell, Context, Fault
from lms.accounts.staff.staging import BadRow
from lms.accounts.staff.texts import COLUMN_TEXTS


@dataclass(slots=True)
class Chunk:
    """Some rows of a file, judged."""

    good: list[Candidate] = field(default_factory=list)
    bad: list[BadRow] = field(default_factory=list)
    faults: list[Fault] = field(default_factory=list)

    @property
    def size(self) -> int:
        return len(self.good) + len(self.bad)


def find_columns(rows: Iterator[Sequence[Cell]]) -> tuple[int, dict[int, str]]:
    """Read up to the heading row; return its number and which column stands in which place.

    Titles above the heading are passed over. Raises ColumnsMissing, ColumnTwice, EmptyFile.
    """
    seen = 0
    for seen, row in enumerate(rows, start=1):
        if rules.is_heading(row):
            return seen, _places(row)
        if seen == rules.HEADER_SEARCH_ROWS:
            break
    if not seen:
        raise EmptyFile
    raise ColumnsMissing(columns=_labels(rules.REQUIRED))


def _places(heading: Sequence[Cell]) -> dict[int, str]:
    places: dict[int, str] = {}
    for place, cell in enumerate(heading):
        column = rules.column_of(cell)
        if column in places.values():
            raise ColumnTwice(column=_labels([column or ""]))
        if column:
            places[place] = column
    missing = [column for column in rules.REQUIRED if column not in places.values()]
    if missing:
        raise ColumnsMissing(columns=_labels(missing))
    return places


def _labels(columns: Sequence[str]) -> str:
    return "、".join(str(COLUMN_TEXTS[column]) for column in columns)


def chunks(rows: Iterator[Sequence[Cell]], context: Context) -> Iterator[Chunk]:
    """Judge the rows below the heading, skipping blank ones; yield them in chunks.

    Raises ColumnsMissing, ColumnTwice, EmptyFile, TooManyRows.
    """
    heading_row, places = find_columns(rows)
    chunk, total = Chunk(), 0
    for number, row in enumerate(rows, start=heading_row + 1):
        cells = {column: row[place] for place, column in places.items() if place < len(row)}
        if _is_blank(cells.values()):
            continue
        total += 1
        if total > context.limits.max_rows:
            raise TooManyRows(limit=context.limits.max_rows)
        _judge(chunk, number, cells, context)
        if chunk.size == context.limits.chunk_rows:
            yield chunk
            chunk = Chunk()
    if not total:
        raise EmptyFile
    if chunk.size:
        yield chunk


def _is_blank(cells: Iterable[Cell]) -> bool:
    return not any(cell is not None and (not isinstance(cell, str) or cell.strip()) for cell in cells)


def _judge(chunk: Chunk, number: int, cells: dict[str, Cell], context: Context) -> None:
    candidate, faults = rules.check_row(number, cells, context)
    if candidate:
        chunk.good.append(candidate)
        return
    chunk.faults += faults
    chunk.bad.append(BadRow(number, tuple(rules.text_of(cells.get(column)) for column in rules.COLUMNS)))
