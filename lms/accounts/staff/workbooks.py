"""Lists of other rooms: their workbooks pass the same guard as rosters, their id numbers the same rules."""

from __future__ import annotations

from datetime import date

from lms.accounts import rules as base
from lms.accounts.staff import rules
from lms.accounts.staff.limits import limits
from lms.core.spreadsheets import guard
from lms.core.spreadsheets.cells import Cell, Fault


def check_workbook(data: bytes) -> None:
    """Look at a spreadsheet before any reader does.

    Raises a DomainError that tells the person why: no workbook, damaged, locked, with macros,
    unpacking to too much, or with cells so far away that laying them out would fill the memory.
    """
    guard.check_workbook(data, limits())


def check_id_number(row: int, cell: Cell, today: date, faults: list[Fault]) -> str:
    """Return the id number in a cell, normalised; an empty text, with a roster's fault, where it is none."""
    return rules.check_id_number(row, cell, today, limits(), faults)


def years_after_birth(id_number: str, years: int) -> date:
    """Return the birthday on which the holder of a valid id number becomes ``years`` old."""
    return rules.years_later(base.birth_date_of(id_number), years)
