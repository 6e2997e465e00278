"""Pure rules of learning: checks, quizzes, hours, plans. No clock, no database."""

from __future__ import annotations

import math
import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from enum import StrEnum
from typing import Any

from lms.courses.rulebook import Rulebook


@dataclass(frozen=True, slots=True)
class PlayedEvent:
    """One stretch of video that the player says it played, in seconds of the video."""

    from_s: float
    to_s: float
    rate: float


@dataclass(frozen=True, slots=True)
class DrawnItem:
    """A question of a quiz and the order in which its options are shown."""

    question_id: str
    order: tuple[str, ...]


class CheckStep(StrEnum):
    """What a face verification does to the check."""

    ACCEPT = "passed"
    CONFIRM = "confirmed"
    RETRY = "due"
    REFER = "referred"


def plan_checks(duration_s: int, rules: Rulebook, source: random.Random) -> list[int]:
    """Draw the moments (seconds of the video, ascending) at which a lesson checks who learns.

    One check for each started ``check_one_per_s`` of video, each anywhere in its own share of
    the part between ``check_earliest_pct`` and ``check_latest_pct``.
    """
    count = max(1, math.ceil(duration_s / rules.check_one_per_s))
    start = duration_s * rules.check_earliest_pct / 100
    share = duration_s * (rules.check_latest_pct - rules.check_earliest_pct) / 100 / count
    moments = {max(1, math.floor(start + share * (k + source.random()))) for k in range(count)}
    return sorted(moment for moment in moments if moment < duration_s)


def clip_events(events: Sequence[PlayedEvent], limit_s: float | None) -> list[PlayedEvent]:
    """Leave out what was played beyond ``limit_s``, the next check with its slack."""
    if limit_s is None:
        return list(events)
    return [
        PlayedEvent(event.from_s, min(event.to_s, limit_s), event.rate) for event in events if event.from_s < limit_s
    ]


def next_check_step(outcome: str, mismatches: int, tries: int, rules: Rulebook) -> CheckStep:
    """Decide what follows from a verification; the counts include it.

    ``undetermined`` never counts as another person; too many tries of either kind go to a
    human being, who decides.
    """
    if outcome == "match":
        return CheckStep.ACCEPT
    if outcome == "confirmed_by_admin":
        return CheckStep.CONFIRM
    if mismatches >= rules.check_mismatches_max or tries >= rules.check_tries_max:
        return CheckStep.REFER
    return CheckStep.RETRY


def draw_quiz(options_by_question: Mapping[str, Sequence[str]], count: int, seed: str) -> list[DrawnItem]:
    """Draw ``count`` questions and shuffle their options; the same seed gives the same quiz."""
    source = random.Random(seed)  # noqa: S311 - the seed comes from the operating system and is kept for the record
    chosen = source.sample(sorted(options_by_question), count)
    return [
        DrawnItem(
            question_id,
            tuple(source.sample(list(options_by_question[question_id]), len(options_by_question[question_id]))),
        )
        for question_id in chosen
    ]


def shown_key(position: int) -> str:
    """Return the letter of the option shown at ``position``."""
    return chr(ord("A") + position)


def bank_keys(order: Sequence[str], shown: Sequence[str]) -> list[str]:
    """Translate the letters that the learner saw into the bank's keys, sorted; unknown letters vanish."""
    letters = {shown_key(position): key for position, key in enumerate(order)}
    return sorted({letters[letter] for letter in shown if letter in letters})


def class_hours(credited_s: float, rules: Rulebook) -> float:
    """Convert credited seconds into class hours, cut (never rounded up) to two decimals."""
    return math.floor(credited_s / rules.class_hour_s * 100) / 100


def hours_owed(risk_class: str, rules: Rulebook) -> int:
    """Return the class hours that staff of such an enterprise owe in a year."""
    return rules.yearly_class_hours.get(risk_class, rules.yearly_class_hours["ordinary"])


def planned_this_month(open_at_start: int, due_on: date, today: date) -> int:
    """Return how many of the lessons open on the first of this month belong to this month.

    What is open is spread evenly over the months up to the deadline; overdue is due now.
    """
    months = max(1, (due_on.year - today.year) * 12 + due_on.month - today.month + 1)
    return math.ceil(open_at_start / months)


def percent(part: float, whole: float) -> int:
    """Return ``part`` of ``whole`` in whole percent, 0 to 100, never 100 before it is whole."""
    if whole <= 0:
        return 0
    return min(100, math.floor(100 * part / whole))


def parse_events(raw: Any, *, limit: int = 64) -> list[PlayedEvent] | None:
    """Read the player's report; None when it is not one (wrong shape, not finite, too many)."""
    if not isinstance(raw, list) or len(raw) > limit:
        return None
    events = []
    for item in raw:
        if not isinstance(item, dict):
            return None
        values = [item.get("from_s"), item.get("to_s"), item.get("rate", 1)]
        if any(isinstance(v, bool) or not isinstance(v, int | float) or not math.isfinite(v) for v in values):
            return None
        from_s, to_s, rate = (float(v) for v in values if v is not None)
        if from_s < 0 or to_s < from_s or rate <= 0:
            return None
        events.append(PlayedEvent(from_s, to_s, rate))
    return events
