"""What is right about a row of a roster. Pure: no I/O, no clock."""

from __future__ import annotations

import functools
import math
import re
import unicodedata
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from typing import TypeVar

from lms.accounts import rules as base
from lms.accounts.staff.limits import Limits

T = TypeVar("T")
Cell = str | float | int | bool | date | None

COLUMNS = ("name", "id_number", "post", "department", "phone", "hired_on")
REQUIRED = ("name", "id_number", "post")
HEADER_SEARCH_ROWS = 10
MAX_DEPARTMENT_CHARS = 80
MAX_SHOWN_CHARS = 40
EXCEL_DAY_ZERO = date(1899, 12, 30)
"""Day 0 of spreadsheet serial dates, with the leap day of 1900 that never was (ECMA-376, 18.17.4.1)."""
SERIAL_DAYS = range(18_264, 73_051)
"""Serial dates from 1950 to 2099; a smaller or larger number is not a hiring date."""
NEAR_ENOUGH = 0.4

_ALIASES: Mapping[str, Sequence[str]] = {
    "name": ("姓名", "员工姓名", "人员姓名", "name", "full name", "employee name"),
    "id_number": (
        "身份证号", "身份证号码", "身份证", "公民身份号码", "公民身份证号码", "证件号码", "证件号", "居民身份证号",
        "id number", "id no", "id", "id card", "id card number", "resident id", "resident id number",
    ),
    "post": ("岗位", "岗位名称", "工种", "职务", "从业岗位", "岗位工种", "post", "position", "job", "job title"),
    "department": ("部门", "所属部门", "部门名称", "车间", "部门车间", "department", "dept", "team"),
    "phone": ("手机号", "手机", "手机号码", "联系电话", "联系方式", "电话", "phone", "mobile", "phone number"),
    "hired_on": (
        "入职日期", "入职时间", "入厂日期", "入厂时间", "到岗日期", "聘用日期",
        "hire date", "hired on", "date of hire", "start date", "hired",
    ),
}  # fmt: skip
_COLUMN_OF = {alias: column for column, aliases in _ALIASES.items() for alias in aliases}
_DATE = re.compile(r"(\d{4})\s*[-/.年]\s*(\d{1,2})\s*[-/.月]\s*(\d{1,2})\s*日?(?:\s+\d{1,2}:\d{2}(?::\d{2})?)?")
_COMPACT_DATE = re.compile(r"(\d{4})(\d{2})(\d{2})")
_SCIENTIFIC = re.compile(r"\d(?:\.\d+)?[eE]\+?\d+")


@dataclass(frozen=True, slots=True)
class Fault:
    """What is wrong in one cell. ``shown`` is safe to show: never a number or name of a person."""

    row: int
    column: str
    code: str
    shown: str = ""
    hint: str = ""


@dataclass(frozen=True, slots=True)
class Candidate:
    """A good row, normalised. ``hired_on`` None and empty texts mean that the file does not say."""

    row: int
    name: str
    id_number: str
    post_code: str
    department: str
    phone: str
    hired_on: date | None


@dataclass(slots=True)
class PostBook:
    """Finds posts by any of their names and the nearest one to a name that is none."""

    codes: dict[str, str]
    labels: tuple[str, ...]

    @classmethod
    def of(cls, posts: Iterable[tuple[str, str, str]]) -> PostBook:
        """Make a book of (code, Chinese name, English name)."""
        rows = list(posts)
        codes = {_folded(text): code for code, zh, en in rows for text in (code, en, zh)}
        return cls(codes, tuple(zh for _code, zh, _en in rows))

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


@dataclass(slots=True)
class Context:
    """What the rows of one file are judged against; remembers the numbers that it has seen."""

    today: date
    limits: Limits
    posts: PostBook
    first_row_of: dict[str, int] = field(default_factory=dict)


def _remembered(read: Callable[[str], T]) -> Callable[[str], T]:
    """Keep what has been read of texts: posts, departments and days repeat through a roster.

    Few and short ones only, so that a strange file cannot fill the memory.
    """
    kept = functools.lru_cache(maxsize=4_096)(read)
    return lambda text: kept(text) if len(text) <= MAX_DEPARTMENT_CHARS else read(text)


@_remembered
def _folded(text: str) -> str:
    return re.sub(r"[\s()（）*＊:：/、_-]+", "", unicodedata.normalize("NFKC", text)).casefold()


_FOLDED_COLUMN_OF = {_folded(alias): column for alias, column in _COLUMN_OF.items()}


def column_of(heading: Cell) -> str | None:
    """Return the column that a heading names in Chinese or English, or None."""
    return _FOLDED_COLUMN_OF.get(_folded(text_of(heading)))


def is_heading(cells: Sequence[Cell]) -> bool:
    """Tell whether a row is the heading: it names at least two of the columns."""
    return len({column for cell in cells if (column := column_of(cell))}) >= 2


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


def id_fault(cell: Cell, number: str, *, today: date, limits: Limits) -> str | None:
    """Return the code of what is wrong with an id number (GB 11643), or None; ``number`` is the cell normalised.

    Codes: ``id_missing``, ``id_as_number``, ``id_length``, ``id_characters``, ``id_birth_date``,
    ``id_check_digit``.
    """
    if not number:
        return "id_missing"
    # Beyond 2^53 a spreadsheet's number has lost its last digits: they cannot be guessed back.
    if (isinstance(cell, float | int) and abs(cell) >= 2**53) or _SCIENTIFIC.fullmatch(number):
        return "id_as_number"
    fault = base.id_number_fault(number)
    if fault:
        return fault
    born = base.birth_date_of(number)
    return None if today.year - limits.max_age_years <= born.year and born <= today else "id_birth_date"


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


@_remembered
def _day_of(text: str) -> date | None:
    text = unicodedata.normalize("NFKC", text)
    found = _DATE.fullmatch(text) or _COMPACT_DATE.fullmatch(text)
    try:
        return date(*map(int, found.groups())) if found else None
    except ValueError:
        return None


def years_later(day: date, years: int) -> date:
    """Return the same day ``years`` later; 29 February becomes 1 March."""
    try:
        return day.replace(year=day.year + years)
    except ValueError:
        return date(day.year + years, 3, 1)


def check_row(row: int, cells: Mapping[str, Cell], context: Context) -> tuple[Candidate | None, list[Fault]]:
    """Judge one row: the normalised candidate, or None with every fault of the row.

    The first row of an id number stands, later ones of the same number are duplicates.
    """
    faults: list[Fault] = []
    name = _check_name(row, cells.get("name"), faults)
    number = _check_id_number(row, cells.get("id_number"), context, faults)
    post_code = _check_post(row, cells.get("post"), context, faults)
    department = base_text(cells.get("department"))
    if len(department) > MAX_DEPARTMENT_CHARS:
        faults.append(Fault(row, "department", "department_long", department[:MAX_SHOWN_CHARS]))
    phone = _check_phone(row, cells.get("phone"), faults)
    hired_on = _check_hired_on(row, cells.get("hired_on"), number, context, faults)
    if faults:
        return None, faults
    return Candidate(row, name, number, post_code, department, phone, hired_on), []


def base_text(cell: Cell) -> str:
    """Return a cell's text with single blanks and without control characters."""
    return _tidied(text_of(cell))


@_remembered
def _tidied(text: str) -> str:
    text = " ".join(text.split())
    return text if text.isprintable() else "".join(sign for sign in text if sign.isprintable())


def _check_name(row: int, cell: Cell, faults: list[Fault]) -> str:
    name = base.normalise_name(text_of(cell))
    fault = base.name_fault(name)
    if fault:
        faults.append(Fault(row, "name", fault))
    return name


def _check_id_number(row: int, cell: Cell, context: Context, faults: list[Fault]) -> str:
    number = base.normalise_id_number(text_of(cell))
    fault = id_fault(cell, number, today=context.today, limits=context.limits)
    if fault:
        shown = str(len(number)) if fault == "id_length" else ""
        faults.append(Fault(row, "id_number", fault, shown))
        return ""
    first = context.first_row_of.setdefault(number, row)
    if first != row:
        faults.append(Fault(row, "id_number", "id_duplicate", str(first)))
    return number


def _check_post(row: int, cell: Cell, context: Context, faults: list[Fault]) -> str:
    text = base_text(cell)
    code = context.posts.codes.get(_folded(text)) if text else None
    if not text:
        faults.append(Fault(row, "post", "post_missing"))
    elif code is None:
        faults.append(Fault(row, "post", "post_unknown", text[:MAX_SHOWN_CHARS], context.posts.nearest(text)))
    return code or ""


def _check_phone(row: int, cell: Cell, faults: list[Fault]) -> str:
    phone = base.normalise_phone(text_of(cell))
    fault = base.phone_fault(phone)
    if fault:
        faults.append(Fault(row, "phone", fault))
    return phone


def _check_hired_on(row: int, cell: Cell, number: str, context: Context, faults: list[Fault]) -> date | None:
    text = text_of(cell)
    if not text:
        return None
    day = read_date(cell)
    if day is None:
        faults.append(Fault(row, "hired_on", "date", base_text(cell)[:MAX_SHOWN_CHARS]))
        return None
    if day > context.today:
        faults.append(Fault(row, "hired_on", "date_future", day.isoformat()))
    elif number and day < years_later(base.birth_date_of(number), context.limits.min_hire_age_years):
        faults.append(Fault(row, "hired_on", "date_under_age", day.isoformat()))
    return day
