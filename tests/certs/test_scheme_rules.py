"""What a certificate type asks, and how a person is judged by it: pure rules."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st
from stdnum.iso7064 import mod_11_2

from certs.rules import certificate_number, check_character, last_valid_day
from certs.schemes.rules import (
    Condition,
    Decision,
    Facts,
    Requirements,
    RulesInvalid,
    changed_keys,
    evaluate,
    full_years,
    is_ended,
    is_new_code,
    issuer_problem,
    number_problem,
    numbers_meet,
)

ON = date(2026, 11, 21)
EVERYTHING = Requirements(
    exam_min_score=80,
    learning_completed=True,
    identity_verified=True,
    class_hours=48,
    employed=True,
    age_min=18,
    age_max=60,
    education="college",
    practice_months=24,
    papers=("application", "health"),
    basis=(("age", "《劳动法》第六十四条"),),
    last_issue_on="2026-11-21",
)
GOOD = Facts(
    learning_completed=True,
    identity_verified=True,
    score=90,
    passed=True,
    class_hours=48,
    employed=True,
    birth_date=date(1990, 11, 21),
    education="bachelor",
    practice_months=24,
    papers=("health", "application"),
)


def test_whoever_meets_every_condition_is_eligible() -> None:
    decision = evaluate(("x", 1), EVERYTHING, GOOD, ON)
    assert decision.is_eligible
    assert [one.condition for one in decision.findings] == list(Condition)


@pytest.mark.parametrize(
    ("facts", "condition", "found"),
    [
        (replace(GOOD, banned=True), "banned", {"banned": True, "until": None}),
        (replace(GOOD, banned=True, ban_until=date(2027, 1, 1)), "banned", {"banned": True, "until": "2027-01-01"}),
        (replace(GOOD, learning_completed=False), "learning_completed", {"done": False}),
        (replace(GOOD, class_hours=47.99), "class_hours", {"hours": 47.99}),
        (replace(GOOD, class_hours=None), "class_hours", None),
        (replace(GOOD, score=79, passed=False), "exam", {"score": 79, "passed": False}),
        (replace(GOOD, score=79), "exam", {"score": 79, "passed": True}),
        (replace(GOOD, score=None, passed=False), "exam", None),
        (replace(GOOD, identity_verified=False), "identity_verified", {"done": False}),
        (replace(GOOD, employed=False), "employed", {"done": False}),
        (replace(GOOD, birth_date=date(2008, 11, 22)), "age", {"age": 17}),
        (replace(GOOD, birth_date=date(1965, 11, 21)), "age", {"age": 61}),
        (replace(GOOD, birth_date=None), "age", None),
        (replace(GOOD, education="secondary"), "education", {"level": "secondary"}),
        (replace(GOOD, education=None), "education", None),
        (replace(GOOD, practice_months=23), "practice", {"months": 23}),
        (replace(GOOD, practice_months=None), "practice", None),
        (replace(GOOD, papers=("health",)), "papers", {"papers": ["health"]}),
        (replace(GOOD, papers=()), "papers", None),
    ],
)
def test_one_condition_missed_or_not_shown_refuses(
    facts: Facts, condition: str, found: dict[str, object] | None
) -> None:
    decision = evaluate(("x", 1), EVERYTHING, facts, ON)
    assert decision.failing == (Condition(condition),)
    (finding,) = [one for one in decision.findings if not one.kept]
    assert finding.found == found


def test_what_is_not_asked_is_not_judged() -> None:
    little = Requirements(exam_min_score=60, learning_completed=False, identity_verified=False)
    bare = Facts(learning_completed=False, identity_verified=False, score=60, passed=True)
    decision = evaluate(("x", 1), little, bare, ON)
    assert decision.is_eligible
    assert {one.condition for one in decision.findings} == {Condition.BANNED, Condition.EXAM}


def test_requirements_and_decisions_survive_storing() -> None:
    stored = json.loads(json.dumps(EVERYTHING.to_data()))
    assert Requirements.from_data(stored) == EVERYTHING
    decision = evaluate(("x", 7), EVERYTHING, GOOD, ON)
    assert Decision.from_data(json.loads(json.dumps(decision.to_data()))) == decision


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"height_cm": 170}, "height_cm"),
        ({"exam_min_score": 0}, "exam_min_score"),
        ({"exam_min_score": 101}, "exam_min_score"),
        ({"exam_min_score": "80"}, "numbers"),
        ({"age_min": 40, "age_max": 30}, "age_max"),
        ({"education": "kindergarten"}, "education"),
        ({"papers": ["gossip"]}, "papers"),
        ({"learning_completed": 1}, "switches"),
        ({"practice_months": -1}, "numbers"),
        ({"last_issue_on": "20270101"}, "last_issue_on"),
        ({"last_issue_on": "2027-02-30"}, "last_issue_on"),
        ({"last_issue_on": 2027}, "last_issue_on"),
        ({"basis": {"weather": "x"}}, "basis"),
    ],
)
def test_a_condition_that_nobody_can_judge_is_refused(change: dict[str, object], named: str) -> None:
    good = {"exam_min_score": 80, "learning_completed": True, "identity_verified": True}
    assert Requirements.from_data(good)
    with pytest.raises(RulesInvalid, match=named):
        Requirements.from_data({**good, **change})


@pytest.mark.parametrize(
    ("born", "on", "age"),
    [
        (date(2008, 11, 21), date(2026, 11, 21), 18),
        (date(2008, 11, 22), date(2026, 11, 21), 17),
        (date(2008, 2, 29), date(2026, 2, 28), 17),
        (date(2008, 2, 29), date(2026, 3, 1), 18),
        (date(2008, 2, 29), date(2028, 2, 29), 20),
    ],
)
def test_ages_are_full_years(born: date, on: date, age: int) -> None:
    assert full_years(born, on) == age


@pytest.mark.parametrize(
    ("begins", "ends"),
    [
        (date(2026, 4, 18), date(2029, 4, 17)),
        (date(2028, 2, 29), date(2031, 2, 28)),
        (date(2025, 3, 1), date(2028, 2, 29)),
        (date(2026, 1, 1), date(2028, 12, 31)),
    ],
)
def test_validity_is_three_years_less_a_day(begins: date, ends: date) -> None:
    assert last_valid_day(begins, 36) == ends


@given(serial=st.integers(0, 9_999_999), year=st.integers(2000, 2099))
def test_the_check_character_is_that_of_identity_numbers(serial: int, year: int) -> None:
    number = certificate_number("{province}危管{year}{serial:07d}{check}", province="豫", year=year, serial=serial)
    assert mod_11_2.is_valid(number.removeprefix("豫危管"))


@given(serial=st.integers(0, 9_999_999), year=st.integers(2000, 2099))
def test_one_wrong_digit_or_two_exchanged_ones_are_seen_at_every_place(serial: int, year: int) -> None:
    number = certificate_number("{province}危管{year}{serial:07d}{check}", province="豫", year=year, serial=serial)
    body, check = number[:-1], number[-1]
    places = range(len("豫危管"), len(body))
    wrong = {body[:at] + digit + body[at + 1 :] for at in places for digit in "0123456789"}
    wrong |= {body[:at] + body[at + 1] + body[at] + body[at + 2 :] for at in places[:-1]}
    assert len(wrong - {body}) >= 9 * len(places)
    assert [other for other in wrong - {body} if check_character(other) == check] == []


@pytest.mark.parametrize(
    ("pattern", "problem"),
    [
        ("{province}危管{year}{serial:07d}{check}", ""),
        ("A{serial:05d}", ""),
        ("{province}危管{year}", "serial"),
        ("{serial:07d}{serial:07d}", "serial"),
        ("{serial:7d}", "places"),
        ("{serial:0999999999d}", "places"),
        ("{serial!r}", "places"),
        ("{year.__class__}{serial:07d}", "places"),
        ("{0}{serial:07d}", "places"),
        ("{serial:07d", "places"),
        ("{check}{serial:07d}", "check"),
        ("证" * 60 + "{serial:07d}", "length"),
    ],
)
def test_patterns_of_numbers_are_judged_whole(pattern: str, problem: str) -> None:
    assert number_problem(pattern) == problem


@pytest.mark.parametrize(
    ("name", "problem"),
    [("{province}应急管理厅", ""), ("应急管理部", ""), ("{province.x}厅", "places"), ("{", "places"), ("厅", "length")],
)
def test_issuers_may_name_their_province_only(name: str, problem: str) -> None:
    assert issuer_problem(name) == problem


def test_the_difference_of_two_versions_names_single_conditions() -> None:
    old = {"validity_months": 36, "name_zh": "甲", "rules": {"exam_min_score": 80}}
    new = {"validity_months": 60, "name_zh": "甲", "rules": {"exam_min_score": 80, "age_min": 18}}
    assert changed_keys(old, new) == ["rules.age_min", "validity_months"]


def test_the_day_after_the_last_nobody_is_eligible_any_more() -> None:
    late = evaluate(("x", 1), EVERYTHING, GOOD, date(2026, 11, 22))
    assert late.failing == (Condition.LAST_DAY,)
    assert [is_ended(EVERYTHING, day) for day in (ON, date(2026, 11, 22))] == [False, True]
    assert not is_ended(replace(EVERYTHING, last_issue_on=""), date(2099, 1, 1))


@pytest.mark.parametrize(
    ("one", "other", "meet"),
    [
        ("{province}危管{year}{serial:07d}", "{province}危管{year}{serial:07d}", True),
        ("{province}危管{year}{serial:07d}", "豫危管{year}{serial:07d}", True),
        ("{province}危管{year}{serial:06d}{check}", "{province}危管{year}{serial:07d}", True),
        ("危{year}{serial:07d}", "危2026{serial:07d}", True),
        ("危{serial:09d}", "危{year}{serial:05d}", True),
        ("{province}危管{year}{serial:07d}", "{province}道运{year}{serial:07d}", False),
        ("{province}危管{year}{serial:07d}", "{province}危管{year}{serial:08d}", False),
        ("{province}危1号{year}{serial:07d}", "{province}危2号{year}{serial:07d}", False),
    ],
)
def test_patterns_meet_where_they_could_give_the_same_number(one: str, other: str, meet: bool) -> None:
    assert (numbers_meet(one, other), numbers_meet(other, one)) == (meet, meet)


@pytest.mark.parametrize(
    ("code", "is_good"),
    [
        ("chem-safety-manager-junior", True),
        ("abc", True),
        ("a1-2", True),
        ("a" * 40, True),
        ("a" * 41, False),
        ("ab", False),
        ("new", False),
        ("list", False),
        ("drafts", False),
        ("-abc", False),
        ("abc-", False),
        ("a--b", False),
        ("1abc", False),
        ("Abc", False),
        ("abc\n", False),
        ("ａｂｃ", False),
        ("a%2fb", False),
        ("a:b", False),
    ],
)
def test_new_codes_are_plain(code: str, is_good: bool) -> None:
    assert is_new_code(code) is is_good
