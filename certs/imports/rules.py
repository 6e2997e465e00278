"""What is right about a row of a list of earlier certificates. Pure: no I/O, no clock."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from string import Formatter
from typing import Final

import lms.accounts.api as accounts
from certs.imports.limits import Limits
from lms.core.spreadsheets.cells import MAX_SHOWN_CHARS, Cell, Fault, folded, read_date, text_of, tidy_text
from lms.core.spreadsheets.tables import NameBook

COLUMNS: Final = (
    *("name", "id_kind", "id_number", "number", "scheme", "issuer"),
    *("issued_on", "valid_from", "valid_until", "first_issued_on", "photo"),
)
REQUIRED: Final = ("name", "id_number", "number", "scheme", "issuer", "issued_on", "valid_from", "valid_until")
MAX_NUMBER_CHARS = 60
MAX_ISSUER_CHARS = 120
MAX_PHOTO_NAME_CHARS = 120
ALIASES: Final[Mapping[str, Sequence[str]]] = {
    "name": ("姓名", "持证人", "持证人姓名", "人员姓名", "name", "full name", "holder", "holder name"),
    "id_kind": ("证件类型", "身份证件类型", "有效证件类型", "id kind", "id type", "kind of id", "identity document"),
    "id_number": (
        "证件号码", "证件号", "身份证号", "身份证号码", "公民身份号码", "居民身份证号",
        "id number", "id no", "id card number", "resident id number",
    ),
    "number": ("证书编号", "证书号", "证号", "证书号码", "certificate number", "certificate no", "number"),
    "scheme": ("证书类型", "证书类别", "证书名称", "证书种类", "certificate type", "type", "scheme", "certificate"),
    "issuer": ("发证机关", "发证单位", "签发机关", "颁发机关", "issuing authority", "issuer", "issued by"),
    "issued_on": ("发证日期", "签发日期", "颁发日期", "issued on", "issue date", "date of issue"),
    "valid_from": ("有效期自", "有效期起", "有效期开始", "有效期起始日期", "valid from", "valid since"),
    "valid_until": ("有效期至", "有效期止", "有效期截止", "有效期截止日期", "valid until", "valid to", "expires on"),
    "first_issued_on": ("初次发证日期", "初次领证日期", "首次发证日期", "first issued on", "first issue date"),
    "photo": ("照片", "照片文件名", "照片文件", "photo", "photo file", "photo file name"),
}  # fmt: skip
_RESIDENT_ID: Final = {
    folded(kind) for kind in ("居民身份证", "身份证", "二代身份证", "ID card", "resident ID card", "1", "01")
}
_NUMBER = re.compile(r"[0-9A-Za-z\u3400-\u9fff][0-9A-Za-z\u3400-\u9fff()（）\[\]〔〕【】/.·_ -]*")
_PATH_SIGNS = re.compile(r"[/\\:\x00-\x1f]")


@dataclass(frozen=True, slots=True)
class Candidate:
    """A good row, normalised. ``photo`` is the file's name as the list gives it, empty where it gives none.

    ``photo_sha256`` (hex) is of the photo that was found and decoded; empty where there is none. ``photo_jpeg`` is
    that photo until it is kept; a row that is read back has it no more.
    """

    row: int
    name: str
    id_number: str
    number: str
    scheme_code: str
    issuer_name: str
    issued_on: date
    valid_from: date
    valid_until: date
    first_issued_on: date | None
    photo: str = ""
    photo_sha256: str = ""
    photo_jpeg: bytes = b""

    def is_expired(self, today: date) -> bool:
        """Tell whether the last day of validity is over."""
        return self.valid_until < today


@dataclass(slots=True)
class Context:
    """What the rows of one file are judged against; remembers the numbers that it has seen."""

    today: date
    limits: Limits
    schemes: NameBook
    own_numbers: Sequence[re.Pattern[str]]
    first_row_of: dict[str, int] = field(default_factory=dict)


def own_number(pattern: str) -> re.Pattern[str]:
    """Return what the numbers look like that a scheme's pattern gives: nobody else's may, lest a later one meet it."""
    parts = []
    for text, name, _spec, _conversion in Formatter().parse(pattern):
        parts.append(re.escape(text))
        if name is not None:
            parts.append({"year": r"\d{4}", "serial": r"\d+", "check": "[0-9X]"}.get(name, ".{1,12}"))
    return re.compile("".join(parts))


def check_row(row: int, cells: Mapping[str, Cell], context: Context) -> tuple[Candidate | None, list[Fault]]:
    """Judge one row: the normalised candidate, or None with every fault of the row.

    The first row of a certificate number stands, later ones of the same number are duplicates.
    """
    faults: list[Fault] = []
    name = accounts.check_name(row, cells.get("name"), faults)
    id_number = _check_id(row, cells, context, faults)
    number = _check_number(row, cells.get("number"), context, faults)
    scheme_code = context.schemes.read(row, "scheme", cells.get("scheme"), faults)
    issuer = _check_issuer(row, cells.get("issuer"), faults)
    days = _check_days(row, cells, id_number, context, faults)
    photo = _check_photo(row, cells.get("photo"), faults)
    if faults or days is None:
        return None, faults
    issued_on, valid_from, valid_until, first = days
    good = Candidate(
        row, name, id_number, number, scheme_code, issuer, issued_on, valid_from, valid_until, first, photo
    )
    return good, []


def _check_id(row: int, cells: Mapping[str, Cell], context: Context, faults: list[Fault]) -> str:
    kind = tidy_text(cells.get("id_kind"))
    if kind and folded(kind) not in _RESIDENT_ID:
        faults.append(Fault(row, "id_kind", "id_kind", kind[:MAX_SHOWN_CHARS]))
    return accounts.check_id_number(row, cells.get("id_number"), context.today, faults)


def _check_number(row: int, cell: Cell, context: Context, faults: list[Fault]) -> str:
    number = tidy_text(cell)
    if not number:
        faults.append(Fault(row, "number", "number_missing"))
    elif len(number) > MAX_NUMBER_CHARS or not _NUMBER.fullmatch(number):
        faults.append(Fault(row, "number", "number_characters", number[:MAX_SHOWN_CHARS]))
    elif any(pattern.fullmatch(number) for pattern in context.own_numbers):
        faults.append(Fault(row, "number", "number_ours", number[:MAX_SHOWN_CHARS]))
    else:
        first = context.first_row_of.setdefault(number, row)
        if first != row:
            faults.append(Fault(row, "number", "number_duplicate", str(first)))
    return number


def _check_issuer(row: int, cell: Cell, faults: list[Fault]) -> str:
    issuer = tidy_text(cell)
    if not issuer:
        faults.append(Fault(row, "issuer", "issuer_missing"))
    elif len(issuer) > MAX_ISSUER_CHARS:
        faults.append(Fault(row, "issuer", "issuer_long", issuer[:MAX_SHOWN_CHARS]))
    return issuer


def _check_days(
    row: int, cells: Mapping[str, Cell], id_number: str, context: Context, faults: list[Fault]
) -> tuple[date, date, date, date | None] | None:
    """Read the four days; the order is judged only where all that the row gives can be read."""
    names = ("issued_on", "valid_from", "valid_until", "first_issued_on")
    days = {name: _check_day(row, name, cells.get(name), faults) for name in names}
    issued_on, valid_from, valid_until, first = (days[name] for name in names)
    if issued_on is None or valid_from is None or valid_until is None:
        return None
    if issued_on > context.today:
        faults.append(Fault(row, "issued_on", "issued_future", issued_on.isoformat()))
    if valid_until <= valid_from:
        faults.append(Fault(row, "valid_until", "valid_order", valid_from.isoformat()))
    elif valid_until.year - valid_from.year > context.limits.max_validity_years:
        faults.append(Fault(row, "valid_until", "valid_long", valid_until.isoformat()))
    elif issued_on > valid_until:
        faults.append(Fault(row, "issued_on", "issued_after_end", valid_until.isoformat()))
    if first and first > issued_on:
        faults.append(Fault(row, "first_issued_on", "first_order", issued_on.isoformat()))
    earliest = first or issued_on
    if id_number and earliest < accounts.years_after_birth(id_number, context.limits.min_holder_age_years):
        column = "first_issued_on" if first else "issued_on"
        faults.append(Fault(row, column, "under_age", earliest.isoformat()))
    return issued_on, valid_from, valid_until, first


def _check_day(row: int, column: str, cell: Cell, faults: list[Fault]) -> date | None:
    if not text_of(cell):
        if column in REQUIRED:
            faults.append(Fault(row, column, "date_missing"))
        return None
    day = read_date(cell)
    if day is None:
        faults.append(Fault(row, column, "date", tidy_text(cell)[:MAX_SHOWN_CHARS]))
    return day


def _check_photo(row: int, cell: Cell, faults: list[Fault]) -> str:
    photo = text_of(cell)
    if photo and (len(photo) > MAX_PHOTO_NAME_CHARS or _PATH_SIGNS.search(photo) or not photo.isprintable()):
        faults.append(Fault(row, "photo", "photo_name"))
    return photo
