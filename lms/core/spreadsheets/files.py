"""Lists as spreadsheets and CSV texts, in and out. Calls calamine and xlsxwriter."""

from __future__ import annotations

import csv
import datetime as dt
import io
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import cast

import xlsxwriter
from python_calamine import CalamineError, CalamineWorkbook, PasswordError
from xlsxwriter.worksheet import Worksheet

from lms.core.i18n import lazy_gettext as _
from lms.core.spreadsheets.cells import Cell
from lms.core.spreadsheets.errors import CorruptFile, EmptyFile, EncryptedFile, WrongFileType

XLSX_MIMETYPE = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
BOM_CODECS = ((b"\xef\xbb\xbf", "utf-8-sig"), (b"\xff\xfe", "utf-16"), (b"\xfe\xff", "utf-16"))
DELIMITERS = ",\t;，"
MAX_FIELD_CHARS = 4_000
MAX_FIELDS = 52
TIMES = frozenset((dt.time, dt.timedelta))


def rows_of(data: bytes, kind: str) -> tuple[int, Iterator[Sequence[Cell]]]:
    """Return how many rows there are at most, and all of them: the n-th is row n, empty ones count.

    Raises SheetRefused subclasses.
    """
    return _xlsx_rows(data) if kind == "xlsx" else _csv_rows(data)


def _xlsx_rows(data: bytes) -> tuple[int, Iterator[Sequence[Cell]]]:
    try:
        book = CalamineWorkbook.from_filelike(io.BytesIO(data))
        sheet = book.get_sheet_by_index(0)
    except PasswordError:
        raise EncryptedFile from None
    except (CalamineError, OSError, ValueError):
        raise CorruptFile from None
    if sheet.end is None:
        raise EmptyFile
    return sheet.end[0] + 1, map(_plain, sheet.iter_rows())


def _plain(row: Sequence[object]) -> Sequence[Cell]:
    """Drop times of day, which mean nothing in our lists; the other types of a cell are ours."""
    if not TIMES.isdisjoint(map(type, row)):
        row = [None if type(cell) in TIMES else cell for cell in row]
    return cast("Sequence[Cell]", row)


def decode(data: bytes) -> str:
    """Return the text of a CSV file: by its byte order mark, else UTF-8, else GB 18030."""
    for mark, codec in BOM_CODECS:
        if data.startswith(mark):
            return _decoded(data, codec)
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError:
        return _decoded(data, "gb18030")


def _decoded(data: bytes, codec: str) -> str:
    try:
        return data.decode(codec)
    except UnicodeDecodeError:
        raise WrongFileType(kind=_("无法识别的文本编码")) from None


def _csv_rows(data: bytes) -> tuple[int, Iterator[Sequence[Cell]]]:
    text = decode(data)
    first_line = text.lstrip().split("\n", 1)[0]
    delimiter = max(DELIMITERS, key=first_line.count)
    return text.count("\n") + 1, _records(text, delimiter)


def _records(text: str, delimiter: str) -> Iterator[Sequence[Cell]]:
    try:
        for row in csv.reader(io.StringIO(text, newline=""), delimiter=delimiter):
            yield [cell[:MAX_FIELD_CHARS] for cell in row[:MAX_FIELDS]]
    except csv.Error:
        raise CorruptFile from None


def write_table(
    target: Path, sheet_name: str, heads: Sequence[str], rows: Iterable[Sequence[object]], notes: Sequence[str] = ()
) -> int:
    """Write one table with a fixed heading row, every cell as text, and a second sheet of notes.

    Rows are written as they come, so memory does not grow with them. Texts that begin like a
    formula stay texts. Returns how many rows there were.
    """
    number = 0
    options = {"constant_memory": True, "strings_to_formulas": False, "strings_to_urls": False}
    with xlsxwriter.Workbook(str(target), options) as book:
        sheet = book.add_worksheet(sheet_name)
        bold = book.add_format({"bold": True, "bg_color": "#E7F0FA", "bottom": 1})
        as_text = book.add_format({"num_format": "@"})
        for place, head in enumerate(heads):
            sheet.set_column(place, place, max(14, 2 * len(head) + 6), as_text)
            sheet.write_string(0, place, head, bold)
        sheet.freeze_panes(1, 1)
        for number, row in enumerate(rows, start=1):
            for place, cell in enumerate(row):
                sheet.write_string(number, place, "" if cell is None else str(cell))
        if notes:
            _write_notes(book.add_worksheet(str(_("填写说明"))), notes)
    return number


def table_bytes(
    sheet_name: str, heads: Sequence[str], rows: Iterable[Sequence[object]], notes: Sequence[str] = (), marked: int = 0
) -> bytes:
    """Return a small table as a file; the first ``marked`` headings are starred as required."""
    shown = [f"{head}*" if place < marked else head for place, head in enumerate(heads)]
    with tempfile.TemporaryDirectory() as folder:
        target = Path(folder) / "table.xlsx"
        write_table(target, sheet_name, shown, rows, notes)
        return target.read_bytes()


def _write_notes(sheet: Worksheet, notes: Sequence[str]) -> None:
    sheet.set_column(0, 0, 90)
    for number, note in enumerate(notes):
        sheet.write_string(number, 0, note)
