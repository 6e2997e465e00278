"""The room's figures: data with their legal basis, read once from ``reference/rules.json``."""

from __future__ import annotations

import functools
import json
from dataclasses import dataclass
from pathlib import Path

RULES_FILE = Path(__file__).parent / "reference" / "rules.json"


@dataclass(frozen=True, slots=True)
class Risk:
    """A risk by which courses are tagged."""

    code: str
    name_zh: str
    name_en: str


@dataclass(frozen=True, slots=True)
class Rulebook:
    """What the data file says. Times in seconds, shares in percent, scores out of 100."""

    class_hour_s: int
    yearly_class_hours: dict[str, int]
    lesson_s_max: int
    quiz_questions: int
    quiz_pass_score: int
    check_one_per_s: int
    check_earliest_pct: int
    check_latest_pct: int
    check_slack_s: int
    check_mismatches_max: int
    check_tries_max: int
    no_case_characters_min: int
    decision_characters_min: int
    risks: tuple[Risk, ...]


@functools.cache
def rulebook() -> Rulebook:
    """Return the figures in force."""
    data = json.loads(RULES_FILE.read_text("utf8"))
    yearly = {key: value for key, value in data["yearly_class_hours"].items() if isinstance(value, int)}
    check = data["face_check"]
    return Rulebook(
        class_hour_s=data["class_hour"]["length_s"],
        yearly_class_hours=yearly,
        lesson_s_max=data["lesson"]["length_s_max"],
        quiz_questions=data["quiz"]["questions"],
        quiz_pass_score=data["quiz"]["pass_score"],
        check_one_per_s=check["one_per_s"],
        check_earliest_pct=check["earliest_pct"],
        check_latest_pct=check["latest_pct"],
        check_slack_s=check["slack_s"],
        check_mismatches_max=check["mismatches_max"],
        check_tries_max=check["tries_max"],
        no_case_characters_min=data["reasons"]["no_case_characters_min"],
        decision_characters_min=data["reasons"]["decision_characters_min"],
        risks=tuple(Risk(**risk) for risk in data["risks"]),
    )
