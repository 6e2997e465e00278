"""What watching earns: facts by example, promises by property."""

from __future__ import annotations

import uuid
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from media import rules
from media.limits import credit_rules
from media.rules import Clock, ExclusionReason, Played, Progress

RULES = credit_rules()
LESSON = Progress(duration_s=60.0)


def beat(progress: Progress, elapsed_s: float, *events: tuple[float, float], **clock: object) -> rules.Credit:
    return rules.credit_beat(progress, Clock(elapsed_s, **clock), [Played(*e) for e in events], RULES)  # type: ignore[arg-type]


def test_five_seconds_played_in_five_seconds_earn_five() -> None:
    credit = beat(LESSON, 5, (0, 5))
    assert (credit.earned_s, credit.progress.furthest_s) == (5, 5)
    assert credit.judged[0].reason is None


def test_a_claim_to_have_watched_it_all_earns_nothing() -> None:
    credit = beat(LESSON, 5, (0, 60))
    assert (credit.earned_s, credit.progress.furthest_s) == (0, 0)
    assert credit.judged[0].reason is ExclusionReason.TOO_FAST


def test_the_first_report_cannot_claim_the_age_of_the_page() -> None:
    credit = beat(LESSON, 3600, (0, 60), is_opening=True)
    assert credit.earned_s == 0


def test_a_rate_above_the_allowed_one_earns_nothing() -> None:
    credit = rules.credit_beat(LESSON, Clock(5), [Played(0, 5, rate=2.0)], RULES)
    assert credit.judged[0].reason is ExclusionReason.TOO_FAST


def test_a_jump_beyond_the_furthest_point_earns_nothing() -> None:
    credit = beat(Progress(60.0, ((0, 10),), 10.0), 5, (30, 35))
    assert (credit.earned_s, credit.progress.furthest_s) == (0, 10)
    assert credit.judged[0].reason is ExclusionReason.SKIPPED


def test_going_back_earns_nothing_a_second_time() -> None:
    credit = beat(Progress(60.0, ((0, 10),), 10.0), 5, (2, 7))
    assert (credit.earned_s, credit.judged[0].reason) == (0, ExclusionReason.REPEATED)


def test_only_the_new_part_of_an_overlap_earns() -> None:
    credit = beat(Progress(60.0, ((0, 10),), 10.0), 5, (8, 13))
    assert (credit.earned_s, credit.progress.covered) == (3, ((0, 13),))


def test_a_parallel_session_earns_nothing() -> None:
    credit = beat(LESSON, 5, (0, 5), is_parallel=True)
    assert (credit.earned_s, credit.judged[0].reason) == (0, ExclusionReason.PARALLEL)


def test_a_long_pause_cannot_be_claimed_but_play_after_it_counts() -> None:
    paused = Progress(60.0, ((0, 5),), 5.0)
    assert beat(paused, 600, (5, 60)).judged[0].reason is ExclusionReason.PAUSE_GAP
    assert beat(paused, 600, (5, 10)).earned_s == 5


@pytest.mark.parametrize("event", [(-1, 4), (5, 5), (6, 5), (58, 70), (61, 62)])
def test_positions_outside_the_lesson_earn_nothing(event: tuple[float, float]) -> None:
    credit = beat(Progress(60.0, ((0, 60),), 60.0), 60, event)
    assert credit.judged[0].reason is ExclusionReason.OUT_OF_RANGE


def test_the_end_may_overshoot_by_a_frame() -> None:
    credit = beat(Progress(60.0, ((0, 55),), 55.0), 5, (55, 60.3))
    assert (credit.earned_s, credit.progress.furthest_s) == (5, 60)


def test_time_left_by_a_late_report_serves_the_next_one() -> None:
    late = beat(LESSON, 9, (0, 5))
    early = beat(late.progress, 1, (5, 10), carry_s=late.carry_s)
    assert early.earned_s == 5


def test_a_report_sent_again_takes_no_time_from_the_next() -> None:
    first = beat(LESSON, 5, (0, 7.5))
    again = beat(first.progress, 5, (0, 7.5), (7.5, 15))
    assert (again.earned_s, again.progress.covered) == (7.5, ((0, 15),))


def test_waiting_saves_no_time_up() -> None:
    waited = beat(LESSON, 60)
    assert (waited.earned_s, waited.carry_s) == (0, 0)


@pytest.mark.parametrize(
    "raw", [[{"from_s": 0}], [{"from_s": float("nan"), "to_s": 1}], [{"from_s": "0", "to_s": 1}], ["x"], [{}] * 99]
)
def test_malformed_reports_are_refused(raw: list[object]) -> None:
    with pytest.raises(ValueError, match="event"):
        rules.read_events(raw, RULES.max_events)  # type: ignore[arg-type]


def test_only_a_plausible_page_id_tells_an_age() -> None:
    now_s = datetime(2026, 11, 21, tzinfo=UTC).timestamp()
    made = uuid.UUID(int=(int((now_s - 7) * 1000) << 80) | (7 << 76) | (2 << 62))
    assert rules.session_age_s(made, now_s, RULES) == pytest.approx(7)
    assert rules.session_age_s(made, now_s - 60, RULES) == 0
    assert rules.session_age_s(made, now_s + 86400, RULES) == 0
    assert rules.session_age_s(uuid.uuid4(), now_s, RULES) == 0


positions = st.floats(-5, 70, allow_nan=False).map(lambda x: round(x, 2))
stretches = st.builds(Played, positions, positions, st.sampled_from([0.75, 1.0, 1.5, 2.0]))
reports = st.lists(
    st.tuples(st.floats(0, 300), st.lists(stretches, max_size=4), st.booleans(), st.booleans()), max_size=12
)


@given(reports)
def test_whatever_is_sent_the_promises_hold(sent: list[tuple[float, list[Played], bool, bool]]) -> None:
    progress, carry_s, elapsed_total_s, earned_s = Progress(60.0), 0.0, 0.0, 0.0
    for elapsed_s, events, is_opening, is_parallel in sent:
        before = progress
        clock = Clock(elapsed_s, is_opening, carry_s, is_parallel)
        credit = rules.credit_beat(before, clock, events, RULES)
        progress, carry_s = credit.progress, credit.carry_s
        elapsed_total_s += elapsed_s
        earned_s += credit.earned_s
        assert credit.earned_s == pytest.approx(sum(one.credited_s for one in credit.judged), abs=0.02)
        assert progress.furthest_s >= before.furthest_s
        assert not (is_parallel and credit.earned_s)
    assert earned_s <= elapsed_total_s * RULES.max_rate + 0.02 * len(sent)
    assert progress.credited_s <= progress.furthest_s <= progress.duration_s
    assert progress.credited_s == pytest.approx(earned_s, abs=0.01)
    flat = [edge for span in progress.covered for edge in span]
    assert flat == sorted(flat)


@given(st.lists(st.tuples(st.integers(0, 50), st.integers(1, 10)), max_size=20))
def test_the_union_measures_what_a_set_of_seconds_counts(pieces: list[tuple[int, int]]) -> None:
    spans: tuple[rules.Span, ...] = ()
    for start, length in pieces:
        spans = rules.unite(spans, (float(start), float(start + length)))
    assert rules.measure(spans) == len({s for start, length in pieces for s in range(start, start + length)})


@given(st.floats(0.5, 1.5), st.integers(2, 10))
def test_an_honest_learner_completes_at_any_allowed_rate(rate: float, period_s: int) -> None:
    progress, carry_s, at, clock_s, is_opening = Progress(60.0), 0.0, 0.0, 2.0, True
    while at < 60:
        to_s = min(60.0, round(at + period_s * rate, 2))
        played = [Played(at, to_s, round(rate, 2))]
        credit = rules.credit_beat(progress, Clock(clock_s + period_s, is_opening, carry_s), played, RULES)
        progress, carry_s, at, clock_s, is_opening = credit.progress, credit.carry_s, to_s, 0.0, False
    assert rules.is_complete(progress, RULES)
