"""Reading lesson questions from a file: the bank's JSON, or a spreadsheet of eight columns and more."""

from __future__ import annotations

import io
import json

import python_calamine
import xlsxwriter

from lms.accounts import api as accounts
from lms.core.i18n import gettext as _
from lms.courses.catalogue.rules import DraftQuestion, question_from
from lms.courses.errors import UnreadableQuestions

FILE_BYTES_MAX = 2 * 1024 * 1024
ROWS_MAX = 1000
LETTERS = "ABCDEFGH"
KINDS_BY_NAME = {
    "单选": "single",
    "单选题": "single",
    "single": "single",
    "多选": "multiple",
    "多选题": "multiple",
    "multiple": "multiple",
    "判断": "true_false",
    "判断题": "true_false",
    "true_false": "true_false",
}
HEADS = ["题型", "题干", "选项A", "选项B", "选项C", "选项D", "答案", "解析"]
EXAMPLES = [
    ["单选", "进入有限空间前应先做什么？", "通风", "照明", "休息", "拍照", "A", "先通风，再检测，后作业。"],
    ["多选", "下列哪些属于有限空间？", "污水井", "储罐", "会议室", "地窖", "ABD", ""],
    ["判断", "监护人可以中途离开。", "", "", "", "", "错误", ""],
]


def read_questions(data: bytes) -> tuple[DraftQuestion, ...]:
    """Read a file of questions by its content, not its name.

    Raises UnreadableQuestions, or what ``accounts.check_workbook`` says of a spreadsheet.
    """
    if not data or len(data) > FILE_BYTES_MAX:
        raise UnreadableQuestions
    return _read_sheet(data) if data[:4] == b"PK\x03\x04" else _read_json(data)


def _read_json(data: bytes) -> tuple[DraftQuestion, ...]:
    try:
        listed = json.loads(data.decode("utf-8-sig"))
        items = listed["questions"] if isinstance(listed, dict) else listed
        return tuple(question_from(item) for item in items[:ROWS_MAX])
    except (UnicodeDecodeError, ValueError, KeyError, TypeError, RecursionError):
        raise UnreadableQuestions from None


def _read_sheet(data: bytes) -> tuple[DraftQuestion, ...]:
    accounts.check_workbook(data)
    try:
        rows = python_calamine.load_workbook(io.BytesIO(data)).get_sheet_by_index(0).to_python()
    except (python_calamine.CalamineError, OSError):
        raise UnreadableQuestions from None
    table = [[str(cell).strip() for cell in row] for row in rows]
    heads = table[0] if table else []
    if heads[: len(HEADS)] != HEADS:
        raise UnreadableQuestions
    filled = [(number, row) for number, row in enumerate(table[1 : ROWS_MAX + 1], start=2) if any(row)]
    return tuple(_from_row(number, [*row, *[""] * len(HEADS)]) for number, row in filled)


def _from_row(number: int, row: list[str]) -> DraftQuestion:
    options = [(letter, text, "") for letter, text in zip(LETTERS, row[2:6], strict=False) if text]
    kind = KINDS_BY_NAME.get(row[0], row[0])
    answer = [letter for letter in LETTERS if letter in row[6].upper()]
    if kind == "true_false" and not options:
        options = [("A", "正确", "True"), ("B", "错误", "False")]
        answer = {"正确": ["A"], "对": ["A"], "错误": ["B"], "错": ["B"]}.get(row[6], answer)
    return DraftQuestion(
        code=_("第 %(row)s 行", row=number),
        kind=kind,
        stem_zh=row[1],
        stem_en="",
        options=tuple(options),
        answer=tuple(answer),
        explanation_zh=row[7],
    )


def template() -> bytes:
    """Make the spreadsheet that authors fill in, with one example of each kind."""
    buffer = io.BytesIO()
    book = xlsxwriter.Workbook(buffer, {"in_memory": True})
    sheet = book.add_worksheet("试题")
    sheet.write_row(0, 0, HEADS, book.add_format({"bold": True}))
    for number, row in enumerate(EXAMPLES, start=1):
        sheet.write_row(number, 0, row)
    sheet.set_column(1, 1, 48)
    sheet.set_column(2, 5, 16)
    book.close()
    return buffer.getvalue()
