"""Cells of uploaded tables, as their readers see them. Pure: no I/O, no clock."""

from __future__ import annotations

import functools
import math
import re
import unicodedata
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import TypeVar

T = TypeVar("T")
Cell = str | float | int | bool | date | None

MAX_SHOWN_CHARS = 40
MAX_REMEMBERED_CHARS = 80
EXCEL_DAY_ZERO = date(1899, 12, 30)
"""Day 0 of spreadsheet serial dates, with the leap day of 1900 that never was (ECMA-376, 18.17.4.1)."""
SERIAL_DAYS = range(18_264, 73_051)
"""Serial dates from 1950 to 2099; a smaller or larger number is no day of ours."""
_DATE = re.compile(r"(\d{4})\s*[-/.年]\s*(\d{1,2})\s*[-/.月]\s*(\d{1,2})\s*日?(?:\s+\d{1,2}:\d{2}(?::\d{2})?)?")
_COMPACT_DATE = re.compile(r"(\d{4})(\d{2})(\d{2})")
SCIENTIFIC = re.compile(r"\d(?:\.\d+)?[eE]\+?\d+")


@dataclass(frozen=True, slots=True)
class Fault:
    """What is wrong in one cell. ``shown`` is safe to show: never a number or name of a person."""

    row: int
    column: str
    code: str
    shown: str = ""
    hint: str = ""


def remembered(read: Callable[[str], T]) -> Callable[[str], T]:
    """Keep what has been read of texts: kinds, places and days repeat through a list.

    Few and short ones only, so that a strange file cannot fill the memory.
    """
    kept = functools.lru_cache(maxsize=4_096)(read)
    return lambda text: kept(text) if len(text) <= MAX_REMEMBERED_CHARS else read(text)


@remembered
def folded(text: str) -> str:
    """Return a text as headings and names of kinds are compared: one width, one case, no blanks or brackets."""
    return re.sub(r"[\s()（）*＊:：/、_-]+", "", unicodedata.normalize("NFKC", text)).casefold()


def text_of(cell: Cell) -> str:
    """Return a cell as its reader sees it; a spreadsheet keeps 12 as 12.0."""
    if isinstance(cell, str):
        text = cell.strip()
        # Some programs guard long digits by an apostrophe or as the formula ="…".
        return text.removeprefix("'").removeprefix('="').removesuffix('"').strip() if text[:1] in "'=" else text
    if cell is None:
        return ""
    if isinstance(cell, float) and cell.is_integer():
        return str(int(cell))
    return cell.date().isoformat() if isinstance(cell, datetime) else str(cell)


def read_date(cell: Cell) -> date | None:
    """Return the day that a cell tells, however it was typed, or None."""
    if isinstance(cell, str):
        return _day_of(text_of(cell))
    if isinstance(cell, datetime):
        return cell.date()
    if isinstance(cell, date):
        return cell
    if isinstance(cell, float | int) and math.isfinite(cell) and int(cell) in SERIAL_DAYS:
        return EXCEL_DAY_ZERO + timedelta(days=int(cell))
    return _day_of(text_of(cell))


@remembered
def _day_of(text: str) -> date | None:
    text = unicodedata.normalize("NFKC", text)
    found = _DATE.fullmatch(text) or _COMPACT_DATE.fullmatch(text)
    try:
        return date(*map(int, found.groups())) if found else None
    except ValueError:
        return None


def tidy_text(cell: Cell) -> str:
    """Return a cell's text with single blanks and without control characters."""
    return _tidied(text_of(cell))


@remembered
def _tidied(text: str) -> str:
    text = " ".join(text.split())
    return text if text.isprintable() else "".join(sign for sign in text if sign.isprintable())
