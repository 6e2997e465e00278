"""Pure rules of the catalogue: what a course needs before it may be published, what a question needs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from typing import Any

from lms.core.i18n import lazy_gettext as _

KINDS = ("single", "multiple", "true_false")
OPTIONS_MIN, OPTIONS_MAX = 2, 8
STEM_CHARACTERS_MAX = 1000


@dataclass(frozen=True, slots=True)
class DraftQuestion:
    """A question as it comes in: typed, or from a file. ``answer`` holds the keys of the right options."""

    code: str
    kind: str
    stem_zh: str
    stem_en: str
    options: tuple[tuple[str, str, str], ...]
    answer: tuple[str, ...]
    explanation_zh: str = ""
    explanation_en: str = ""
    basis_zh: str = ""


def faults_of(question: DraftQuestion) -> list[object]:
    """Return what is wrong with one question, in words for its author."""
    faults: list[object] = []
    if question.kind not in KINDS:
        faults.append(_("题型须为单选、多选或判断"))
    if not question.stem_zh.strip():
        faults.append(_("缺少题干"))
    if len(question.stem_zh) > STEM_CHARACTERS_MAX:
        faults.append(_("题干过长"))
    return faults + _faults_of_options(question) + _faults_of_answer(question)


def _faults_of_options(question: DraftQuestion) -> list[object]:
    faults: list[object] = []
    texts = [text_zh.strip() for _key, text_zh, _en in question.options]
    if not OPTIONS_MIN <= len(texts) <= OPTIONS_MAX:
        faults.append(_("选项须为 2 至 8 个"))
    if not all(texts):
        faults.append(_("有空白选项"))
    if len(set(texts)) < len(texts):
        faults.append(_("选项内容重复"))
    return faults


def _faults_of_answer(question: DraftQuestion) -> list[object]:
    faults: list[object] = []
    answer = set(question.answer)
    if not answer or not answer <= {key for key, _zh, _en in question.options}:
        faults.append(_("答案不在选项之中"))
    if question.kind in {"single", "true_false"} and len(answer) > 1:
        faults.append(_("单选题和判断题只能有一个答案"))
    if question.kind == "multiple" and len(answer) < 2:
        faults.append(_("多选题至少有两个答案"))
    return faults


def faults_of_set(
    questions: Sequence[DraftQuestion], *, known_stems: AbstractSet[str] = frozenset()
) -> list[tuple[str, object]]:
    """Return the faults of a set as (code, text); doubled codes and stems are among them."""
    found: list[tuple[str, object]] = []
    codes: set[str] = set()
    stems = {stem.strip() for stem in known_stems}
    for question in questions:
        found += [(question.code, fault) for fault in faults_of(question)]
        if question.code and question.code in codes:
            found.append((question.code, _("编号重复")))
        if question.stem_zh.strip() in stems:
            found.append((question.code, _("题干与本节其他试题重复")))
        codes.add(question.code)
        stems.add(question.stem_zh.strip())
    return found


def free_codes(wanted: Sequence[str], taken: AbstractSet[str]) -> list[str]:
    """Return a code for each question: its own where that is free and plain, else the next number."""
    used, codes, number = set(taken), [], len(taken)
    for code in wanted:
        chosen = code if code.isascii() and code and code not in used else ""
        while not chosen or chosen in used:
            number += 1
            chosen = f"q{number:03d}"
        used.add(chosen)
        codes.append(chosen)
    return codes


def question_from(item: Mapping[str, Any]) -> DraftQuestion:
    """Read one question of the JSON format (see confined_space_questions.json).

    Raises KeyError, TypeError or ValueError when it has another shape.
    """
    return DraftQuestion(
        code=str(item["code"])[:60],
        kind=str(item["type"]),
        stem_zh=str(item["stem_zh"]),
        stem_en=str(item.get("stem_en", "")),
        options=tuple((str(o["key"]), str(o["zh"]), str(o.get("en", ""))) for o in item["options"]),
        answer=tuple(str(key) for key in item["answer"]),
        explanation_zh=str(item.get("explanation_zh", "")),
        explanation_en=str(item.get("explanation_en", "")),
        basis_zh=str(item.get("basis_zh", "")),
    )


def case_is_settled(case_lesson_known: bool, no_case_reason: str, characters_min: int) -> bool:  # noqa: FBT001 - a plain fact
    """Tell whether a course names a risk-point case, or says why it has none."""
    return case_lesson_known or len(no_case_reason.strip()) >= characters_min
