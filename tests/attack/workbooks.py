"""Spreadsheets that are not what they seem."""

from __future__ import annotations

import io
import struct
import zipfile

import xlsxwriter

SHEET = "xl/worksheets/sheet1.xml"
# One cell in the last column of the last row: a reader that lays out the rectangle needs 17 thousand million cells.
FAR_CELL = b'<c r="XFD1048576" t="n"><v>1</v></c>'


def workbook(rows: list[list[str]]) -> bytes:
    """Return an honest workbook."""
    buffer = io.BytesIO()
    with xlsxwriter.Workbook(buffer, {"in_memory": True}) as book:
        sheet = book.add_worksheet("sheet")
        for number, row in enumerate(rows):
            sheet.write_row(number, 0, row)
    return buffer.getvalue()


def _edited(data: bytes, name: str, part: bytes) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(data)) as old, zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as new:
        for entry in old.namelist():
            if entry != name:
                new.writestr(entry, old.read(entry))
        new.writestr(name, part)
    return out.getvalue()


def stray(data: bytes) -> bytes:
    """Return the workbook with one more cell, as far away as cells can be."""
    sheet = zipfile.ZipFile(io.BytesIO(data)).read(SHEET)
    row = b'<row r="1048576">' + FAR_CELL + b"</row></sheetData>"
    return _edited(data, SHEET, sheet.replace(b"</sheetData>", row))


def bomb(data: bytes, size_bytes: int) -> bytes:
    """Return the workbook with a part that unpacks to ``size_bytes`` and says so."""
    return _edited(data, "xl/worksheets/sheet9.xml", b"<worksheet>" + b" " * size_bytes)


def lying_bomb(data: bytes, size_bytes: int) -> bytes:
    """Return the bomb with a directory that claims a kilobyte."""
    lying = bytearray(bomb(data, size_bytes))
    claimed = struct.pack("<L", size_bytes + len(b"<worksheet>"))
    at = lying.find(claimed)
    while at >= 0:
        lying[at : at + 4] = struct.pack("<L", 1000)
        at = lying.find(claimed, at + 4)
    return bytes(lying)


def ratio_bytes(size_bytes: int) -> bytes:
    """Return an archive of zeros that is no workbook at all."""
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("a.bin", bytes(size_bytes))
    return packed.getvalue()
