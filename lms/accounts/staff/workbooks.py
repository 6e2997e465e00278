"""Workbooks of other rooms pass the same guard as rosters."""

from __future__ import annotations

from lms.accounts.staff.limits import limits
from lms.core.spreadsheets import guard


def check_workbook(data: bytes) -> None:
    """Look at a spreadsheet before any reader does.

    Raises a DomainError that tells the person why: no workbook, damaged, locked, with macros,
    unpacking to too much, or with cells so far away that laying them out would fill the memory.
    """
    guard.check_workbook(data, limits())
