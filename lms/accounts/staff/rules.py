"""What is right about a row of a roster. Pure: no I/O, no clock."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date

from lms.accounts import rules as base
from lms.accounts.staff.limits import Limits
from lms.core.spreadsheets.cells import MAX_SHOWN_CHARS, SCIENTIFIC, Cell, Fault, read_date, text_of, tidy_text
from lms.core.spreadsheets.tables import NameBook

COLUMNS = ("name", "id_number", "post", "department", "phone", "hired_on")
REQUIRED = ("name", "id_number", "post")
MAX_DEPARTMENT_CHARS = 80

ALIASES: Mapping[str, Sequence[str]] = {
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
class Context:
    """What the rows of one file are judged against; remembers the numbers that it has seen."""

    today: date
    limits: Limits
    posts: NameBook
    first_row_of: dict[str, int] = field(default_factory=dict)


def id_fault(cell: Cell, number: str, *, today: date, limits: Limits) -> str | None:
    """Return the code of what is wrong with an id number (GB 11643), or None; ``number`` is the cell normalised.

    Codes: ``id_missing``, ``id_as_number``, ``id_length``, ``id_characters``, ``id_birth_date``,
    ``id_check_digit``.
    """
    if not number:
        return "id_missing"
    # Beyond 2^53 a spreadsheet's number has lost its last digits: they cannot be guessed back.
    if (isinstance(cell, float | int) and abs(cell) >= 2**53) or SCIENTIFIC.fullmatch(number):
        return "id_as_number"
    fault = base.id_number_fault(number)
    if fault:
        return fault
    born = base.birth_date_of(number)
    return None if today.year - limits.max_age_years <= born.year and born <= today else "id_birth_date"


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
    name = check_name(row, cells.get("name"), faults)
    number = check_id_number(row, cells.get("id_number"), context.today, context.limits, faults)
    first = context.first_row_of.setdefault(number, row) if number else row
    if first != row:
        faults.append(Fault(row, "id_number", "id_duplicate", str(first)))
    post_code = context.posts.read(row, "post", cells.get("post"), faults)
    department = tidy_text(cells.get("department"))
    if len(department) > MAX_DEPARTMENT_CHARS:
        faults.append(Fault(row, "department", "department_long", department[:MAX_SHOWN_CHARS]))
    phone = _check_phone(row, cells.get("phone"), faults)
    hired_on = _check_hired_on(row, cells.get("hired_on"), number, context, faults)
    if faults:
        return None, faults
    return Candidate(row, name, number, post_code, department, phone, hired_on), []


def check_name(row: int, cell: Cell, faults: list[Fault]) -> str:
    """Return the name in a cell, normalised; what is wrong with it joins the faults."""
    name = base.normalise_name(text_of(cell))
    fault = base.name_fault(name)
    if fault:
        faults.append(Fault(row, "name", fault))
    return name


def check_id_number(row: int, cell: Cell, today: date, limits: Limits, faults: list[Fault]) -> str:
    """Return the id number in a cell, normalised; an empty text, with its fault, where it is none."""
    number = base.normalise_id_number(text_of(cell))
    fault = id_fault(cell, number, today=today, limits=limits)
    if fault:
        faults.append(Fault(row, "id_number", fault, str(len(number)) if fault == "id_length" else ""))
        return ""
    return number


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
        faults.append(Fault(row, "hired_on", "date", tidy_text(cell)[:MAX_SHOWN_CHARS]))
        return None
    if day > context.today:
        faults.append(Fault(row, "hired_on", "date_future", day.isoformat()))
    elif number and day < years_later(base.birth_date_of(number), context.limits.min_hire_age_years):
        faults.append(Fault(row, "hired_on", "date_under_age", day.isoformat()))
    return day
