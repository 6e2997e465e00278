"""Pure rules of learning and assigning."""

from __future__ import annotations

import random
from datetime import date

from hypothesis import given
from hypothesis import strategies as st

from lms.courses.learning import rules
from lms.courses.rulebook import rulebook

FIGURES = rulebook()
KEYS = "ABCD"


@given(st.integers(1, 900), st.integers())
def test_checks_lie_inside_the_lesson_one_for_each_started_share(duration_s: int, seed: int) -> None:
    moments = rules.plan_checks(duration_s, FIGURES, random.Random(seed))
    assert moments == sorted(set(moments))
    assert all(0 < moment < duration_s for moment in moments)
    if duration_s >= 20:
        assert len(moments) == -(-duration_s // FIGURES.check_one_per_s)


@given(st.text("0123456789abcdef", min_size=32, max_size=32))
def test_the_seed_alone_gives_the_quiz_and_letters_translate_back(seed: str) -> None:
    options = {str(number): list(KEYS) for number in range(16)}
    drawn = rules.draw_quiz(options, 5, seed)
    assert drawn == rules.draw_quiz(options, 5, seed)
    assert len({item.question_id for item in drawn}) == 5
    for item in drawn:
        assert sorted(item.order) == list(KEYS)
        shown = rules.shown_key(item.order.index("C"))
        assert rules.bank_keys(item.order, [shown, "Z"]) == ["C"]


@given(st.lists(st.tuples(st.floats(0, 900), st.floats(0, 900))), st.floats(0, 900))
def test_nothing_beyond_the_limit_survives(pairs: list[tuple[float, float]], limit_s: float) -> None:
    events = [rules.PlayedEvent(min(pair), max(pair), 1) for pair in pairs]
    assert all(event.from_s <= event.to_s <= limit_s for event in rules.clip_events(events, limit_s))
    assert rules.clip_events(events, None) == events


def test_three_mismatches_or_six_tries_go_to_a_person() -> None:
    assert rules.next_check_step("match", 2, 5, FIGURES) == "passed"
    assert rules.next_check_step("confirmed_by_admin", 0, 1, FIGURES) == "confirmed"
    assert rules.next_check_step("no_match", 2, 2, FIGURES) == "due"
    assert rules.next_check_step("no_match", 3, 3, FIGURES) == "referred"
    assert rules.next_check_step("undetermined", 0, 5, FIGURES) == "due"
    assert rules.next_check_step("undetermined", 0, 6, FIGURES) == "referred"


def test_class_hours_are_of_45_minutes_and_never_rounded_up() -> None:
    assert rules.class_hours(2699, FIGURES) == 0.99
    assert rules.class_hours(2700, FIGURES) == 1.0
    assert (rules.hours_owed("high", FIGURES), rules.hours_owed("ordinary", FIGURES)) == (24, 12)


def test_what_is_open_is_spread_over_the_months_left() -> None:
    today = date(2026, 11, 21)
    assert rules.planned_this_month(6, date(2026, 11, 30), today) == 6
    assert rules.planned_this_month(6, date(2027, 1, 10), today) == 2
    assert rules.planned_this_month(6, date(2026, 3, 1), today) == 6


@given(
    st.recursive(
        st.none() | st.booleans() | st.floats() | st.text(), lambda x: st.lists(x) | st.dictionaries(st.text(), x)
    )
)
def test_any_report_is_read_or_refused(raw: object) -> None:
    found = rules.parse_events(raw)
    assert found is None or all(event.to_s >= event.from_s >= 0 for event in found)


def test_percent_is_whole_only_when_all_is_done() -> None:
    assert rules.percent(99.9, 100) == 99
    assert rules.percent(0, 0) == 0
    assert rules.percent(7, 5) == 100
