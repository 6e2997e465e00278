"""Figures of enterprises as a spreadsheet."""

from __future__ import annotations

import io
from collections.abc import Iterable, Mapping

import xlsxwriter

from supervision.boards.queries import EnterpriseLine

HEADS = (
    "企业名称", "行政区划", "行业", "风险类别", "规模", "在册员工", "已覆盖", "覆盖率 %",
    "应完成", "已完成", "完成率 %", "考试次数", "合格次数", "合格率 %", "证书",
)  # fmt: skip


def write_enterprises(
    lines: Iterable[EnterpriseLine],
    regions: Mapping[int, str],
    industries: Mapping[str, str],
    classes: Mapping[str, str],
) -> bytes:
    """Return an .xlsx with one row for each line; names are looked up, unknown codes stand as they are."""
    buffer = io.BytesIO()
    options = {"in_memory": True, "strings_to_formulas": False, "strings_to_urls": False}
    with xlsxwriter.Workbook(buffer, options) as book:
        sheet = book.add_worksheet("企业培训数据")
        bold = book.add_format({"bold": True, "bg_color": "#E7F0FA"})
        sheet.write_row(0, 0, HEADS, bold)
        sheet.set_column(0, 0, 36)
        sheet.set_column(1, len(HEADS) - 1, 13)
        sheet.freeze_panes(1, 1)
        for number, line in enumerate(lines, start=1):
            sheet.write_row(number, 0, _cells(line, regions, industries, classes))
    return buffer.getvalue()


def _cells(
    line: EnterpriseLine, regions: Mapping[int, str], industries: Mapping[str, str], classes: Mapping[str, str]
) -> list[str | int | float | None]:
    counts = line.counts
    return [
        line.name,
        regions.get(line.region_code, str(line.region_code)),
        industries.get(line.industry_code, line.industry_code),
        classes.get(line.risk_class, line.risk_class),
        classes.get(line.size_class, line.size_class),
        counts.staff,
        counts.covered,
        counts.coverage_pct,
        counts.due,
        counts.completed,
        counts.completion_pct,
        counts.attempts,
        counts.passed,
        counts.pass_rate_pct,
        counts.certificates,
    ]
