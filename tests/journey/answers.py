"""What is right, by the wording on the page: the journey reads questions as a person would."""

from __future__ import annotations

import html
import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache

from tests.journey.instance import ROOT, JourneyFailed

FILES = (
    ROOT / "exams" / "bank" / "reference" / "chemical_safety.json",
    ROOT / "lms" / "courses" / "reference" / "confined_space_questions.json",
)
STEM = re.compile(r'<p class="stem">(.*?)</p>', re.DOTALL)
OPTION = re.compile(
    r'<input type="(?:radio|checkbox)" name="([^"]+)" value="([^"]+)".*?option-text">(.*?)</span>', re.DOTALL
)


@dataclass(frozen=True, slots=True)
class Question:
    """A question on a page: field name, wording, options by the letter shown."""

    field: str
    stem: str
    options: dict[str, str]


@cache
def _book() -> dict[str, tuple[frozenset[str], ...]]:
    """Return by wording the sets of right options; twins of one wording differ in their options."""
    found: dict[str, tuple[frozenset[str], ...]] = {}
    for path in FILES:
        for item in json.loads(path.read_text("utf8"))["questions"]:
            right = frozenset(option["zh"] for option in item["options"] if option["key"] in item["answer"])
            found[item["stem_zh"]] = (*found.get(item["stem_zh"], ()), right)
    return found


def right_keys(stem: str, options: dict[str, str]) -> list[str]:
    """Return the letters to tick. Raises JourneyFailed for a question that nobody wrote."""
    for right in _book().get(stem.strip(), ()):
        keys = [key for key, text in options.items() if text.strip() in right]
        if len(keys) == len(right):
            return keys
    raise JourneyFailed(f"unknown question: {stem} {options}")


def questions_on(page: str) -> Sequence[Question]:
    """Return the questions of a quiz page."""
    found = []
    for part in re.split(r"<fieldset ", page)[1:]:
        stem, listed = STEM.search(part), OPTION.findall(part)
        if stem is None or not listed:
            continue
        options = {key: html.unescape(text) for _name, key, text in listed}
        found.append(Question(listed[0][0], html.unescape(stem[1]), options))
    return found
