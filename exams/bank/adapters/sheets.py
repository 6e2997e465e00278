"""Questions in spreadsheets and JSON files, in and out."""

from __future__ import annotations

import io
import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import xlsxwriter
from python_calamine import CalamineError, CalamineWorkbook

from exams.errors import UnreadableFile

LETTERS = "ABCDEFGH"
COLUMNS: tuple[tuple[str, str], ...] = (
    ("code", "编号"),
    ("type", "题型"),
    ("knowledge_point", "知识点"),
    ("difficulty", "难度"),
    ("stem_zh", "题干"),
    ("stem_en", "题干（英文）"),
    *(
        (f"{side}_{letter}", f"选项{letter}{label}")
        for letter in LETTERS
        for side, label in (("zh", ""), ("en", "（英文）"))
    ),
    ("answer", "答案"),
    ("basis_zh", "法规依据"),
    ("explanation_zh", "解析"),
    ("explanation_en", "解析（英文）"),
)
KINDS = {"单选题": "single", "多选题": "multiple", "判断题": "true_false"}
XLSX_SIGNATURE = b"PK\x03\x04"
MAX_ROWS = 20_000
WIDE = {"题干", "题干（英文）", "法规依据", "解析", "解析（英文）"}


def read_file(data: bytes) -> list[tuple[str, dict[str, Any]]]:
    """Read questions from a spreadsheet or a JSON document as (place, question as the document has it).

    The place is a row's number or a question's code. Raises UnreadableFile.
    """
    try:
        return _read_xlsx(data) if data.startswith(XLSX_SIGNATURE) else read_document(json.loads(data))
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError, CalamineError):
        raise UnreadableFile from None


def read_document(document: Mapping[str, Any]) -> list[tuple[str, dict[str, Any]]]:
    """Return the ``questions`` of a bank's JSON document; the place of each is its code."""
    return [(str(raw["code"]), dict(raw)) for raw in document["questions"]]


def _read_xlsx(data: bytes) -> list[tuple[str, dict[str, Any]]]:
    rows = CalamineWorkbook.from_filelike(io.BytesIO(data)).get_sheet_by_index(0).to_python(skip_empty_area=False)
    if not rows or len(rows) > MAX_ROWS:
        raise UnreadableFile
    names = {label: name for name, label in COLUMNS}
    head = [names.get(str(cell).strip(), "") for cell in rows[0]]
    if not {"code", "type", "stem_zh", "answer"} <= set(head):
        raise UnreadableFile
    found = []
    for number, row in enumerate(rows[1:], start=2):
        cells = {name: _text(cell) for name, cell in zip(head, row, strict=False) if name}
        if any(cells.values()):
            found.append((str(number), _as_document(cells)))
    return found


def _text(cell: object) -> str:
    """Return a cell as text; a spreadsheet turns the code 12 into 12.0."""
    if isinstance(cell, float) and cell.is_integer():
        return str(int(cell))
    return str(cell).strip()


def _as_document(cells: Mapping[str, str]) -> dict[str, Any]:
    options = [
        {"key": letter, "zh": cells.get(f"zh_{letter}", ""), "en": cells.get(f"en_{letter}", "")}
        for letter in LETTERS
        if cells.get(f"zh_{letter}") or cells.get(f"en_{letter}")
    ]
    answer = [sign for sign in cells.get("answer", "").upper() if sign.isalnum()]
    plain = {name: cells.get(name, "") for name, _label in COLUMNS if "_" not in name or name.endswith(("_zh", "_en"))}
    kind = cells.get("type", "")
    return {
        **plain,
        "knowledge_point": cells.get("knowledge_point", ""),
        "type": KINDS.get(kind, kind),
        "options": options,
        "answer": answer,
    }


def write_xlsx(documents: Iterable[Mapping[str, Any]]) -> bytes:
    """Write questions as the spreadsheet that ``read_file`` reads; without questions it is the template."""
    buffer = io.BytesIO()
    options = {"in_memory": True, "strings_to_formulas": False, "strings_to_urls": False}
    with xlsxwriter.Workbook(buffer, options) as book:
        sheet = book.add_worksheet("题库")
        bold = book.add_format({"bold": True, "bg_color": "#E7F0FA"})
        for place, (_name, label) in enumerate(COLUMNS):
            sheet.set_column(place, place, 44 if label in WIDE else 16)
            sheet.write_string(0, place, label, bold)
        sheet.freeze_panes(1, 1)
        for number, document in enumerate(documents, start=1):
            for place, cell in enumerate(_cells(document)):
                sheet.write(number, place, cell)
    return buffer.getvalue()


def _cells(document: Mapping[str, Any]) -> Sequence[str | int]:
    labels = {kind: label for label, kind in KINDS.items()}
    flat = dict(document)
    for option in document["options"]:
        flat[f"zh_{option['key']}"], flat[f"en_{option['key']}"] = option["zh"], option["en"]
    flat["type"] = labels.get(document["type"], document["type"])
    flat["answer"] = "".join(document["answer"])
    return [flat.get(name, "") for name, _label in COLUMNS]
