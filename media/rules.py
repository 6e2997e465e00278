"""What watching earns. Pure: the caller brings the clock, the stored state and the limits.

All positions and lengths are seconds, rounded to a hundredth. Three promises hold whatever a
browser sends: nobody earns more than ``max_rate`` times the time that really passed, no second
of a lesson is earned twice in one viewing, and nothing beyond the furthest point is earned.
"""

from __future__ import annotations

import math
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

Span = tuple[float, float]
END_SLACK_S = 1.0  # a player's clock runs up to one segment's rounding past the probed end


class ExclusionReason(StrEnum):
    """Why seconds were not credited."""

    SKIPPED = "skipped"
    PARALLEL = "parallel"
    TOO_FAST = "too_fast"
    OUT_OF_RANGE = "out_of_range"
    PAUSE_GAP = "pause_gap"
    REPEATED = "repeated"


@dataclass(frozen=True, slots=True)
class CreditRules:
    """The numbers of media/reference/limits.json, where each states its basis."""

    max_rate: float
    max_gap_s: float
    opening_s: float
    carry_s: float
    clip_slack_s: float
    jump_tolerance_s: float
    parallel_window_s: float
    session_max_age_s: float
    complete_ratio: float
    max_events: int


@dataclass(frozen=True, slots=True)
class Played:
    """One stretch that a player says it has played."""

    from_s: float
    to_s: float
    rate: float = 1.0


@dataclass(frozen=True, slots=True)
class Progress:
    """What a viewing has earned before a report. ``covered`` is sorted and disjoint."""

    duration_s: float
    covered: tuple[Span, ...] = ()
    furthest_s: float = 0.0

    @property
    def credited_s(self) -> float:
        return measure(self.covered)


@dataclass(frozen=True, slots=True)
class Clock:
    """What the server's own clock says about a report.

    ``elapsed_s`` since this session's last report and since any other session of the person last
    earned; ``is_opening`` for the first report; ``carry_s`` of media time left unspent before;
    ``is_parallel`` when another session of the same person is earning now.
    """

    elapsed_s: float
    is_opening: bool = False
    carry_s: float = 0.0
    is_parallel: bool = False


@dataclass(frozen=True, slots=True)
class Judged:
    """One reported stretch with what it earned, and why it earned no more."""

    played: Played
    credited_s: float
    reason: ExclusionReason | None


@dataclass(frozen=True, slots=True)
class Credit:
    """The outcome of a report: judged stretches, the new state, and unspent media time."""

    judged: tuple[Judged, ...]
    progress: Progress
    earned_s: float
    carry_s: float


def measure(spans: Sequence[Span]) -> float:
    """Return the total length of disjoint ``spans``."""
    return round(sum(to_s - from_s for from_s, to_s in spans), 2)


def unite(spans: Sequence[Span], added: Span) -> tuple[Span, ...]:
    """Return the union of disjoint ``spans`` and ``added``, sorted and disjoint."""
    merged: list[Span] = []
    for from_s, to_s in sorted([*spans, added]):
        if merged and from_s <= merged[-1][1]:
            merged[-1] = (merged[-1][0], max(merged[-1][1], to_s))
        else:
            merged.append((from_s, to_s))
    return tuple(merged)


def read_events(raw: Sequence[Played | Mapping[str, object]], max_events: int) -> tuple[Played, ...]:
    """Turn what a browser sent into stretches; raises ValueError when it has another shape."""
    if len(raw) > max_events:
        raise ValueError("too many events")
    return tuple(item if isinstance(item, Played) else _read_event(item) for item in raw)


def _read_event(item: Mapping[str, object]) -> Played:
    if not isinstance(item, Mapping):
        raise ValueError("an event is an object")  # noqa: TRY004 - one kind of refusal for bad input
    values = [item.get("from_s"), item.get("to_s"), item.get("rate", 1.0)]
    numbers = [float(v) for v in values if isinstance(v, int | float) and not isinstance(v, bool)]
    if len(numbers) != len(values) or not all(math.isfinite(n) and abs(n) < 1e6 for n in numbers):
        raise ValueError("an event needs from_s, to_s and rate as numbers")
    return Played(round(numbers[0], 2), round(numbers[1], 2), round(numbers[2], 2))


def session_age_s(session_id: uuid.UUID, now_s: float, rules: CreditRules) -> float:
    """Return how long ago the page with ``session_id`` was made, 0 when the id does not tell.

    The id is a UUIDv7 made with the page. A forged one gains nothing beyond ``opening_s``.
    """
    if session_id.version != 7:
        return 0.0
    age_s = now_s - (session_id.int >> 80) / 1000
    return age_s if 0 <= age_s <= rules.session_max_age_s else 0.0


def allowance_s(clock: Clock, rules: CreditRules) -> float:
    """Return how many seconds of lesson can have been played since the last report."""
    elapsed_s = max(0.0, clock.elapsed_s)
    if clock.is_opening or elapsed_s > rules.max_gap_s:
        return min(elapsed_s, rules.opening_s) * rules.max_rate
    return elapsed_s * rules.max_rate + min(clock.carry_s, rules.carry_s * rules.max_rate)


def credit_beat(progress: Progress, clock: Clock, events: Sequence[Played], rules: CreditRules) -> Credit:
    """Judge one report of a player and return what it earns."""
    left_s = 0.0 if clock.is_parallel else allowance_s(clock, rules)
    is_after_gap = clock.elapsed_s > rules.max_gap_s
    judged: list[Judged] = []
    before_s = progress.credited_s
    for played in events:
        reason = ExclusionReason.PARALLEL if clock.is_parallel else _refusal(played, progress, left_s, rules)
        if reason is ExclusionReason.TOO_FAST and is_after_gap and played.rate <= rules.max_rate:
            reason = ExclusionReason.PAUSE_GAP
        if reason is not None:
            judged.append(Judged(played, 0.0, reason))
            continue
        to_s = min(played.to_s, progress.duration_s)
        length_s = round(max(0.0, min(to_s - played.from_s, left_s)), 2)
        left_s -= length_s
        judged_one, progress = _take(progress, played, length_s)
        judged.append(judged_one)
    # Only a page that is playing may have its report late; waiting saves nothing up.
    carry_s = round(min(max(left_s, 0.0), rules.carry_s * rules.max_rate), 2) if events else 0.0
    earned_s = round(progress.credited_s - before_s, 2)
    return Credit(tuple(judged), progress, earned_s, carry_s)


def _refusal(played: Played, progress: Progress, left_s: float, rules: CreditRules) -> ExclusionReason | None:
    is_inside = 0 <= played.from_s < played.to_s <= progress.duration_s + END_SLACK_S
    if not is_inside or played.rate <= 0:
        return ExclusionReason.OUT_OF_RANGE
    if played.rate > rules.max_rate:
        return ExclusionReason.TOO_FAST
    if played.from_s > progress.furthest_s + rules.jump_tolerance_s:
        return ExclusionReason.SKIPPED
    # A report that comes twice (its answer was lost) needs no time: it earns nothing.
    if any(from_s <= played.from_s and played.to_s <= to_s for from_s, to_s in progress.covered):
        return ExclusionReason.REPEATED
    if min(played.to_s, progress.duration_s) - played.from_s > left_s + rules.clip_slack_s:
        return ExclusionReason.TOO_FAST
    return None


def _take(progress: Progress, played: Played, length_s: float) -> tuple[Judged, Progress]:
    """Add ``length_s`` from the start of ``played`` to what is covered."""
    if length_s <= 0:
        return Judged(played, 0.0, ExclusionReason.TOO_FAST), progress
    to_s = round(played.from_s + length_s, 2)
    covered = unite(progress.covered, (played.from_s, to_s))
    gained_s = round(measure(covered) - progress.credited_s, 2)
    reason = ExclusionReason.REPEATED if gained_s < length_s - 0.005 else None
    after = Progress(progress.duration_s, covered, max(progress.furthest_s, to_s))
    return Judged(played, gained_s, reason), after


def is_complete(progress: Progress, rules: CreditRules) -> bool:
    """Tell whether enough of the lesson was watched."""
    return progress.credited_s >= rules.complete_ratio * progress.duration_s
