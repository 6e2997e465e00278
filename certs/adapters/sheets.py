"""Lists of certificates as spreadsheets."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

import xlsxwriter


def write_list(path: Path, heads: Sequence[str], rows: Iterable[Sequence[str]]) -> int:
    """Write one sheet row by row with constant memory; return the number of rows."""
    book = xlsxwriter.Workbook(str(path), {"constant_memory": True, "strings_to_formulas": False})
    sheet = book.add_worksheet("certificates")
    bold = book.add_format({"bold": True})
    for column, head in enumerate(heads):
        sheet.set_column(column, column, 18)
        sheet.write_string(0, column, head, bold)
    count = 0
    for count, row in enumerate(rows, start=1):
        for column, value in enumerate(row):
            sheet.write_string(count, column, value)
    book.close()
    return count
