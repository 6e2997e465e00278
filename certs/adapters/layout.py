"""Where everything stands on the certificate: A4 landscape, measured in points from the lower left corner."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import date
from typing import Final

from certs.adapters.face import CertificateFace

MM: Final = 72 / 25.4
PAGE_WIDTH: Final = 297 * MM
PAGE_HEIGHT: Final = 210 * MM


@dataclass(frozen=True, slots=True)
class Box:
    """A rectangle; `x` and `y` are its lower left corner."""

    x: float
    y: float
    width: float
    height: float


@dataclass(frozen=True, slots=True)
class FieldRow:
    """One labelled line of the page: its words, the value it prints and where the line runs."""

    label_zh: str
    label_en: str
    value: Callable[[CertificateFace], str]
    y: float
    label_x: float
    value_x: float
    value_end: float


# Two-inch portrait proportion (5:7). The QR is 34 mm so that a module of version 9 stays above 0.6 mm, below
# which photographed office prints stop decoding reliably.
PORTRAIT: Final = Box(27.5 * MM, 96 * MM, 30 * MM, 42 * MM)
QR: Final = Box(25.5 * MM, 48 * MM, 34 * MM, 34 * MM)
SEAL_RADIUS: Final = 20.5 * MM
SEAL_CENTRE: Final = (237 * MM, 68 * MM)
SEAL: Final = Box(SEAL_CENTRE[0] - SEAL_RADIUS, SEAL_CENTRE[1] - SEAL_RADIUS, 2 * SEAL_RADIUS, 2 * SEAL_RADIUS)
# The issuer's name passes between arc and star of the seal, the date between star and lower line: both stay legible.
ISSUER_BASELINE: Final = SEAL_CENTRE[1] + 8.2 * MM
ISSUED_BASELINE: Final = SEAL_CENTRE[1] - 8.7 * MM
STATEMENT: Final = Box(197 * MM, 98 * MM, 76 * MM, 40 * MM)
DOCUMENT_ID: Final = (22 * MM, 20.8 * MM)
DOCUMENT_ID_WIDTH: Final = 150 * MM

_LABEL_X: Final = 70 * MM
_VALUE_X: Final = 97 * MM
_VALUE_END: Final = 184 * MM
_FIRST_ROW_Y: Final = 133.4 * MM
_ROW_PITCH: Final = 10.55 * MM


def date_zh(day: date) -> str:
    """A date as certificates write it: 2026年4月18日."""
    return f"{day.year}年{day.month}月{day.day}日"


def _row(index: int, label_zh: str, label_en: str, value: Callable[[CertificateFace], str]) -> FieldRow:
    y = _FIRST_ROW_Y - index * _ROW_PITCH
    return FieldRow(label_zh, label_en, value, y, _LABEL_X, _VALUE_X, _VALUE_END)


FIELD_ROWS: Final = (
    FieldRow("姓名", "Name", lambda f: f.holder_name, _FIRST_ROW_Y, _LABEL_X, _VALUE_X, 145 * MM),
    FieldRow("性别", "Sex", lambda f: f.sex, _FIRST_ROW_Y, 150 * MM, 166 * MM, _VALUE_END),
    _row(1, "身份证号", "ID number", lambda f: f.id_number_masked),
    _row(2, "工作单位", "Employer", lambda f: f.enterprise_name or "—"),
    _row(3, "许可证号", "Employer's licence", lambda f: f.licence_number or "—"),
    _row(4, "行业类别", "Industry", lambda f: f.industry),
    _row(5, "人员类型", "Post", lambda f: f.post),
    _row(6, "证书编号", "Certificate number", lambda f: f.number),
    _row(7, "初领日期", "First issued on", lambda f: date_zh(f.first_issued_on)),
    _row(8, "有效期限", "Valid", lambda f: f"{date_zh(f.valid_from)} 至 {date_zh(f.valid_until)}"),
)
# What a department may leave out; the others say whose certificate it is, and for how long.
OPTIONAL_ROWS: Final = {
    "employer": "工作单位",
    "licence": "许可证号",
    "industry": "行业类别",
    "first_issued": "初领日期",
}


def rows_without(hidden: tuple[str, ...]) -> tuple[FieldRow, ...]:
    """Return the rows of a page that leaves some out; the rest move up to the lines above."""
    gone = {OPTIONAL_ROWS[name] for name in hidden}
    lines = sorted({row.y for row in FIELD_ROWS}, reverse=True)
    kept = [row for row in FIELD_ROWS if row.label_zh not in gone]
    places = {y: lines[place] for place, y in enumerate(sorted({row.y for row in kept}, reverse=True))}
    return tuple(replace(row, y=places[row.y]) for row in kept)
