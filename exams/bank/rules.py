"""Rules of the bank: what a sound question is, what changed, what a blueprint needs. Pure."""

from __future__ import annotations

import hashlib
import re
import unicodedata
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from enum import StrEnum
from typing import Any
from uuid import UUID

from exams.errors import Problem
from lms.core.i18n import lazy_gettext as _

FULL_SCORE = 100
MIN_OPTIONS, MAX_OPTIONS = 2, 8
DIFFICULTIES = (1, 2, 3)
CODE = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,59}")


class Kind(StrEnum):
    """How a question is answered."""

    SINGLE = "single"
    MULTIPLE = "multiple"
    TRUE_FALSE = "true_false"


@dataclass(frozen=True, slots=True)
class Option:
    """One choice; ``key`` is a capital letter."""

    key: str
    zh: str
    en: str


@dataclass(frozen=True, slots=True)
class Draft:
    """The whole content of one version of a question, its answer included."""

    code: str
    kind: str
    knowledge_point: str
    difficulty: int
    stem_zh: str
    stem_en: str
    options: tuple[Option, ...]
    answer: tuple[str, ...]
    basis_zh: str
    explanation_zh: str
    explanation_en: str


@dataclass(frozen=True, slots=True)
class Cell:
    """One line of a blueprint: ``count`` questions of ``points`` each; ``difficulty`` None takes any."""

    kind: str
    knowledge_point: str
    difficulty: int | None
    count: int
    points: int


@dataclass(frozen=True, slots=True)
class Candidate:
    """A question as the draw sees it: its tags, not its text."""

    question_id: UUID
    kind: str
    knowledge_point: str
    difficulty: int
    option_keys: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Coverage:
    """How many questions a blueprint's line can choose from."""

    cell: Cell
    found: int

    @property
    def is_enough(self) -> bool:
        return self.found >= self.cell.count


@dataclass(frozen=True, slots=True)
class Changes:
    """What an import does to a bank: drafts to add as first or next version, and how many stay."""

    added: tuple[Draft, ...]
    changed: tuple[Draft, ...]
    unchanged: int


def from_document(raw: Mapping[str, Any]) -> Draft:
    """Read one question as the JSON document has it. Raises KeyError, TypeError or AttributeError."""
    return Draft(
        code=str(raw["code"]),
        kind=str(raw["type"]),
        knowledge_point=str(raw["knowledge_point"]),
        difficulty=_whole(raw["difficulty"]),
        stem_zh=str(raw["stem_zh"]).strip(),
        stem_en=str(raw.get("stem_en") or "").strip(),
        options=tuple(
            Option(str(option["key"]), str(option["zh"]).strip(), str(option.get("en") or "").strip())
            for option in raw["options"]
        ),
        answer=tuple(sorted(str(key) for key in raw["answer"])),
        basis_zh=str(raw["basis_zh"]).strip(),
        explanation_zh=str(raw.get("explanation_zh") or "").strip(),
        explanation_en=str(raw.get("explanation_en") or "").strip(),
    )


def _whole(value: object) -> int:
    """Return a whole number, 0 for anything else: ``problems_of`` then names the field."""
    try:
        return int(float(str(value)))
    except (ValueError, OverflowError):
        return 0


def to_document(draft: Draft) -> dict[str, Any]:
    """Undo ``from_document``."""
    plain = {name: value for name, value in asdict(draft).items() if name not in {"kind", "options", "answer"}}
    options = [asdict(option) for option in draft.options]
    return {**plain, "type": draft.kind, "options": options, "answer": list(draft.answer)}


def fits(cell: Cell, candidate: Candidate) -> bool:
    """Tell whether ``candidate`` may fill ``cell``."""
    return (
        candidate.kind == cell.kind
        and candidate.knowledge_point == cell.knowledge_point
        and cell.difficulty in {None, candidate.difficulty}
    )


def coverage(cells: Iterable[Cell], candidates: Sequence[Candidate]) -> list[Coverage]:
    """Count for each cell the questions that fit it."""
    tags = Counter((one.kind, one.knowledge_point, one.difficulty) for one in candidates)
    return [
        Coverage(
            cell,
            sum(
                tags[cell.kind, cell.knowledge_point, level]
                for level in (DIFFICULTIES if cell.difficulty is None else (cell.difficulty,))
            ),
        )
        for cell in cells
    ]


def fingerprint(draft: Draft) -> str:
    """Return a digest that is the same for questions that read the same.

    Spaces, punctuation, width of characters and the order of options do not count.
    """

    def plain(text: str) -> str:
        folded = unicodedata.normalize("NFKC", text).casefold()
        return "".join(sign for sign in folded if unicodedata.category(sign)[0] in "LNS")

    parts = [draft.kind, plain(draft.stem_zh), *sorted(plain(option.zh) for option in draft.options)]
    return hashlib.sha256("\x1f".join(parts).encode()).hexdigest()


def problems_of(draft: Draft, knowledge_points: Iterable[str], place: str) -> list[Problem]:
    """Return what is wrong with ``draft``; an empty list means that it is sound."""
    found: list[Problem] = []

    def note(field: str, code: str, message: object) -> None:
        found.append(Problem(place, field, code, message))

    if not CODE.fullmatch(draft.code):
        note("code", "bad_code", _("编号只能由字母、数字、点和连字符组成，最长 60 位"))
    if draft.kind not in set(Kind):
        note("type", "bad_type", _("题型应为 single、multiple 或 true_false"))
    if draft.knowledge_point not in set(knowledge_points):
        note("knowledge_point", "unknown_knowledge_point", _("题库中没有这个知识点"))
    if draft.difficulty not in DIFFICULTIES:
        note("difficulty", "bad_difficulty", _("难度应为 1、2 或 3"))
    if not draft.stem_zh.strip():
        note("stem_zh", "no_stem", _("缺少题干"))
    if not draft.basis_zh.strip():
        note("basis_zh", "no_basis", _("缺少法规依据"))
    found.extend(_problems_of_choices(draft, place))
    return found


def _problems_of_choices(draft: Draft, place: str) -> list[Problem]:
    keys = [option.key for option in draft.options]
    letters = [chr(ord("A") + place_no) for place_no in range(len(keys))]
    found: list[Problem] = []
    if not MIN_OPTIONS <= len(keys) <= MAX_OPTIONS or keys != letters:
        found.append(Problem(place, "options", "bad_options", _("选项应为 2 到 8 个，并从 A 起连续编号")))
    if draft.kind == Kind.TRUE_FALSE and len(keys) != MIN_OPTIONS:
        found.append(Problem(place, "options", "bad_options", _("判断题应恰有两个选项")))
    if any(not option.zh.strip() for option in draft.options):
        found.append(Problem(place, "options", "empty_option", _("选项内容不能为空")))
    texts = [option.zh.strip() for option in draft.options]
    if len(set(texts)) != len(texts):
        found.append(Problem(place, "options", "same_options", _("有两个选项内容相同")))
    if not draft.answer or not set(draft.answer) <= set(keys) or len(set(draft.answer)) != len(draft.answer):
        found.append(Problem(place, "answer", "bad_answer", _("答案为空，或包含不存在的选项")))
    elif draft.kind == Kind.MULTIPLE and len(draft.answer) < 2:
        found.append(Problem(place, "answer", "bad_answer", _("多选题至少应有两个正确选项")))
    elif draft.kind in {Kind.SINGLE, Kind.TRUE_FALSE} and len(draft.answer) != 1:
        found.append(Problem(place, "answer", "bad_answer", _("单选题和判断题只能有一个正确选项")))
    return found


def duplicates(drafts: Sequence[tuple[str, Draft]], live: Mapping[str, Draft]) -> list[Problem]:
    """Find codes given twice, and questions that read like another one.

    ``drafts`` are (place, draft); ``live`` is what the bank holds now, by code.
    """
    found: list[Problem] = []
    arriving = {draft.code for _place, draft in drafts}
    prints = {fingerprint(draft): code for code, draft in live.items() if code not in arriving}
    codes: set[str] = set()
    for place, draft in drafts:
        if draft.code in codes:
            found.append(Problem(place, "code", "same_code", _("编号重复")))
        codes.add(draft.code)
        mark = fingerprint(draft)
        other = prints.setdefault(mark, draft.code)
        if other != draft.code:
            found.append(Problem(place, "stem_zh", "duplicate", _("与已有试题内容重复")))
    return found


def code_in_use(code: str) -> Problem:
    """Say that ``code`` already names another question, live or not."""
    return Problem(code, "code", "same_code", _("编号重复"))


def changes(live: Mapping[str, Draft], drafts: Iterable[Draft]) -> Changes:
    """Sort ``drafts`` into new questions, next versions, and those that are as they were."""
    added: list[Draft] = []
    changed: list[Draft] = []
    unchanged = 0
    for draft in drafts:
        present = live.get(draft.code)
        if present is None:
            added.append(draft)
        elif present == draft:
            unchanged += 1
        else:
            changed.append(draft)
    return Changes(tuple(added), tuple(changed), unchanged)


def blueprint_problems(cells: Sequence[Cell]) -> list[str]:
    """Return what is wrong with a blueprint's lines, in plain English for the command line."""
    found = []
    total = sum(cell.count * cell.points for cell in cells)
    if total != FULL_SCORE:
        found.append(f"the lines sum to {total} points, not {FULL_SCORE}")
    if any(cell.count < 1 or cell.points < 1 for cell in cells):
        found.append("every line needs at least one question and one point")
    if any(cell.kind not in set(Kind) for cell in cells):
        found.append("a line has an unknown type of question")
    return found
