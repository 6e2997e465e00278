"""Every shipped question is complete, answerable and proved by a basis."""

from __future__ import annotations

import json
import re
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]
BANK_PATH = ROOT / "exams" / "bank" / "reference" / "chemical_safety.json"
LESSON_PATH = ROOT / "lms" / "courses" / "reference" / "confined_space_questions.json"
BOTH = pytest.mark.parametrize("path", [BANK_PATH, LESSON_PATH], ids=["bank", "lesson"])

QUESTION_FIELDS = {
    "code",
    "type",
    "knowledge_point",
    "difficulty",
    "stem_zh",
    "stem_en",
    "options",
    "answer",
    "basis_zh",
    "explanation_zh",
    "explanation_en",
}
TEXT_FIELDS = ("stem_zh", "stem_en", "basis_zh", "explanation_zh", "explanation_en")
ENGLISH_FIELDS = ("stem_en", "explanation_en")
HAN = re.compile(r"[\u4e00-\u9fff]")
# A law with its article, a numbered standard, or a document number.
BASIS = re.compile(r"《[^》]+》|GB(Z|/T)? ?\d+")

# A question is a JSON object of mixed values; the tests below check its shape.
Question = dict[str, Any]


def document_of(path: Path) -> Question:
    loaded: Question = json.loads(path.read_text(encoding="utf-8"))
    return loaded


def questions_of(path: Path) -> list[Question]:
    questions: list[Question] = document_of(path)["questions"]
    return questions


def normalised(text: str) -> str:
    return re.sub(r"[\s，。？！、,.?!（）()]", "", text)


@BOTH
def test_file_says_its_bank_version_and_points(path: Path) -> None:
    document = document_of(path)
    assert set(document) == {"bank", "version", "knowledge_points", "questions"}
    assert set(document["bank"]) == {"code", "name_zh", "name_en"}
    assert all(document["bank"].values())
    assert document["version"] == 1
    for point in document["knowledge_points"]:
        assert set(point) == {"code", "name_zh", "name_en"}
        assert all(point.values())
        assert not HAN.search(point["name_en"])


@BOTH
def test_questions_have_exactly_the_agreed_fields(path: Path) -> None:
    points = {point["code"] for point in document_of(path)["knowledge_points"]}
    for question in questions_of(path):
        assert set(question) == QUESTION_FIELDS, question["code"]
        assert question["type"] in {"single", "multiple", "true_false"}
        assert question["knowledge_point"] in points
        assert question["difficulty"] in {1, 2, 3}
        for field in TEXT_FIELDS:
            assert question[field].strip() == question[field] != "", question["code"]


def test_codes_are_unique_across_both_files() -> None:
    codes = [q["code"] for path in (BANK_PATH, LESSON_PATH) for q in questions_of(path)]
    assert [code for code, count in Counter(codes).items() if count > 1] == []


def test_no_stem_appears_twice() -> None:
    for field in ("stem_zh", "stem_en"):
        stems = Counter(normalised(q[field]) for path in (BANK_PATH, LESSON_PATH) for q in questions_of(path))
        assert [stem for stem, count in stems.items() if count > 1] == []


@BOTH
def test_options_are_keyed_in_order_and_differ(path: Path) -> None:
    for question in questions_of(path):
        options = question["options"]
        assert [o["key"] for o in options] == list("ABCDEF"[: len(options)])
        for language in ("zh", "en"):
            texts = [normalised(o[language]).lower() for o in options]
            assert all(texts), question["code"]
            assert len(set(texts)) == len(texts), question["code"]


@BOTH
def test_answers_fit_their_type(path: Path) -> None:
    for question in questions_of(path):
        keys = [option["key"] for option in question["options"]]
        answer = question["answer"]
        assert answer == sorted(set(answer)), question["code"]
        assert set(answer) <= set(keys), question["code"]
        if question["type"] == "multiple":
            assert len(keys) >= 4
            assert 2 <= len(answer) < len(keys), question["code"]
        else:
            assert len(answer) == 1, question["code"]
        if question["type"] == "single":
            assert len(keys) == 4, question["code"]


@BOTH
def test_true_false_options_are_always_the_same(path: Path) -> None:
    expected = [
        {"key": "A", "zh": "正确", "en": "True"},
        {"key": "B", "zh": "错误", "en": "False"},
    ]
    for question in questions_of(path):
        if question["type"] == "true_false":
            assert question["options"] == expected, question["code"]


@BOTH
def test_basis_names_a_law_or_standard(path: Path) -> None:
    for question in questions_of(path):
        assert BASIS.search(question["basis_zh"]), question["code"]


@BOTH
def test_basis_of_a_law_names_the_article(path: Path) -> None:
    for question in questions_of(path):
        if "《中华人民共和国" in question["basis_zh"]:
            assert re.search(r"第[一二三四五六七八九十百]+条", question["basis_zh"])


@BOTH
def test_english_is_complete_and_holds_no_chinese(path: Path) -> None:
    for question in questions_of(path):
        for field in ENGLISH_FIELDS:
            text = re.sub(r"\([^)]*\)", "", question[field])
            assert re.search(r"[A-Za-z]{3}", text), question["code"]
            assert not HAN.search(text), question["code"]
        for option in question["options"]:
            text = re.sub(r"\([^)]*\)", "", option["en"])
            assert text.strip(), question["code"]
            assert not HAN.search(text), question["code"]


@BOTH
def test_chinese_stems_are_chinese(path: Path) -> None:
    for question in questions_of(path):
        assert HAN.search(question["stem_zh"])
        assert HAN.search(question["explanation_zh"])


def test_bank_is_large_enough_in_every_point_and_difficulty() -> None:
    questions = questions_of(BANK_PATH)
    points = Counter(q["knowledge_point"] for q in questions)
    cells = Counter((q["knowledge_point"], q["difficulty"]) for q in questions)
    assert len(questions) >= 80
    assert set(points) == {"law", "properties", "emergency", "equipment"}
    assert min(points.values()) >= 18
    assert len(cells) == 12
    assert min(cells.values()) >= 4


def test_bank_holds_every_type_in_every_point() -> None:
    cells = Counter((q["knowledge_point"], q["type"]) for q in questions_of(BANK_PATH))
    singles = sum(n for (_, kind), n in cells.items() if kind == "single")
    assert len(cells) == 12
    assert min(cells.values()) >= 3
    assert singles * 2 > sum(cells.values())


def test_answer_positions_give_nothing_away() -> None:
    singles = [q["answer"][0] for q in questions_of(BANK_PATH) if q["type"] == "single"]
    share = {key: count / len(singles) for key, count in Counter(singles).items()}
    assert set(share) == set("ABCD")
    assert max(share.values()) < 0.4
    truths = [q["answer"][0] for q in questions_of(BANK_PATH) if q["type"] == "true_false"]
    assert min(Counter(truths).values()) >= len(truths) // 4


def test_lesson_questions_suit_a_short_quiz() -> None:
    questions = questions_of(LESSON_PATH)
    assert len(questions) >= 12
    assert {q["knowledge_point"] for q in questions} == {"confined_space"}
    assert {q["type"] for q in questions} == {"single", "true_false"}
    assert {q["difficulty"] for q in questions} == {1, 2, 3}
