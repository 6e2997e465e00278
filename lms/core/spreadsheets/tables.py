"""Finding a table's heading and reading the rows below it, whatever order and names its columns have."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from lms.core.spreadsheets.cells import MAX_SHOWN_CHARS, Cell, Fault, folded, text_of, tidy_text
from lms.core.spreadsheets.errors import ColumnsMissing, ColumnTwice, EmptyFile, TooManyRows

HEADER_SEARCH_ROWS = 10
NEAR_ENOUGH = 0.4


@dataclass(frozen=True, slots=True)
class BadRow:
    """A row as it stood in the file, for its owner to put right."""

    row: int
    cells: tuple[str, ...]


@dataclass(slots=True)
class NameBook:
    """Finds what has a code by any of its names, and the nearest one to a name that is none."""

    codes: dict[str, str]
    labels: tuple[str, ...]

    @classmethod
    def of(cls, named: Iterable[tuple[str, str, str]]) -> NameBook:
        """Make a book of (code, Chinese name, English name)."""
        rows = list(named)
        codes = {folded(text): code for code, zh, en in rows for text in (code, en, zh)}
        return cls(codes, tuple(zh for _code, zh, _en in rows))

    def read(self, row: int, column: str, cell: Cell, faults: list[Fault]) -> str:
        """Return the code of what a cell names; an empty text, with its fault, where it names nothing that is known."""
        text = tidy_text(cell)
        code = self.find(text) if text else None
        if not text:
            faults.append(Fault(row, column, f"{column}_missing"))
        elif code is None:
            faults.append(Fault(row, column, f"{column}_unknown", text[:MAX_SHOWN_CHARS], self.nearest(text)))
        return code or ""

    def find(self, text: str) -> str | None:
        """Return the code of the name, or None."""
        return self.codes.get(folded(text))

    def nearest(self, text: str) -> str:
        """Return the label that shares most characters with ``text`` (Dice), or an empty text."""
        wanted = set(text)
        best, score = "", 0.0
        for label in self.labels:
            have = set(label)
            likeness = 2 * len(wanted & have) / (len(wanted) + len(have)) if wanted else 0.0
            if likeness > score:
                best, score = label, likeness
        return best if score >= NEAR_ENOUGH else ""


class Headings:
    """The columns of one kind of list: by which names each is known, which must be there, what screens call them."""

    def __init__(
        self, aliases: Mapping[str, Sequence[str]], required: Sequence[str], texts: Mapping[str, object]
    ) -> None:
        self._column_of = {folded(alias): column for column, names in aliases.items() for alias in names}
        self._required = required
        self._texts = texts

    def column_of(self, heading: Cell) -> str | None:
        """Return the column that a heading names in Chinese or English, or None."""
        return self._column_of.get(folded(text_of(heading)))

    def is_heading(self, cells: Sequence[Cell]) -> bool:
        """Tell whether a row is the heading: it names at least two of the columns."""
        return len({column for cell in cells if (column := self.column_of(cell))}) >= 2

    def rows(self, rows: Iterator[Sequence[Cell]], max_rows: int) -> Iterator[tuple[int, dict[str, Cell]]]:
        """Yield the rows below the heading by their number in the file, cells by column; blank ones are skipped.

        Titles above the heading are passed over. Raises ColumnsMissing, ColumnTwice, EmptyFile, TooManyRows.
        """
        heading_row, places = self._find(rows)
        total = 0
        for number, row in enumerate(rows, start=heading_row + 1):
            cells = {column: row[place] for place, column in places.items() if place < len(row)}
            if _is_blank(cells.values()):
                continue
            total += 1
            if total > max_rows:
                raise TooManyRows(limit=max_rows)
            yield number, cells
        if not total:
            raise EmptyFile

    def _find(self, rows: Iterator[Sequence[Cell]]) -> tuple[int, dict[int, str]]:
        seen = 0
        for seen, row in enumerate(rows, start=1):
            if self.is_heading(row):
                return seen, self._places(row)
            if seen == HEADER_SEARCH_ROWS:
                break
        if not seen:
            raise EmptyFile
        raise ColumnsMissing(columns=self._labels(self._required))

    def _places(self, heading: Sequence[Cell]) -> dict[int, str]:
        places: dict[int, str] = {}
        for place, cell in enumerate(heading):
            column = self.column_of(cell)
            if column in places.values():
                raise ColumnTwice(column=self._labels([column or ""]))
            if column:
                places[place] = column
        missing = [column for column in self._required if column not in places.values()]
        if missing:
            raise ColumnsMissing(columns=self._labels(missing))
        return places

    def _labels(self, columns: Sequence[str]) -> str:
        return "、".join(str(self._texts[column]) for column in columns)


def _is_blank(cells: Iterable[Cell]) -> bool:
    return not any(cell is not None and (not isinstance(cell, str) or cell.strip()) for cell in cells)
