"""Drawing, marking, order of answers, and what a sound question is: rules, by properties."""

from __future__ import annotations

import uuid
from collections import Counter
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from random import Random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from exams.attempts import rules
from exams.attempts.rules import Given
from exams.bank import rules as bank_rules
from exams.bank.rules import Candidate, Cell, Draft, Kind, Option
from exams.errors import BankTooSmall

POINTS = ("law", "properties", "emergency")
SEEDS = st.integers(min_value=0, max_value=2**63 - 1)


@st.composite
def candidates(draw: st.DrawFn, minimum: int = 0) -> list[Candidate]:
    found = []
    for _ in range(draw(st.integers(minimum, 60))):
        kind = draw(st.sampled_from(list(Kind)))
        keys = "AB" if kind == Kind.TRUE_FALSE else "ABCDE"[: draw(st.integers(3, 5))]
        found.append(
            Candidate(
                draw(st.uuids(version=4)),
                kind,
                draw(st.sampled_from(POINTS)),
                draw(st.sampled_from(bank_rules.DIFFICULTIES)),
                tuple(keys),
            )
        )
    return list({one.question_id: one for one in found}.values())


def cells_within(pool: list[Candidate], every: int) -> list[Cell]:
    """Return lines that the pool can fill: one for each tag, asking for one in ``every`` of its questions."""
    tags = Counter((one.kind, one.knowledge_point, one.difficulty) for one in pool)
    return [Cell(*tag, count=-(-number // every), points=5) for tag, number in tags.items()]


@given(candidates(), SEEDS, st.randoms(use_true_random=False), st.integers(1, 4))
def test_a_paper_is_the_same_for_the_same_seed_whatever_the_order_of_the_pool(
    pool: list[Candidate], seed: int, random: Random, every: int
) -> None:
    cells = cells_within(pool, every)
    shuffled = list(pool)
    random.shuffle(shuffled)
    assert rules.draw_paper(cells, pool, seed) == rules.draw_paper(cells, shuffled, seed)


@given(candidates(), SEEDS, st.integers(1, 4))
def test_a_paper_fills_every_line_and_asks_no_question_twice(pool: list[Candidate], seed: int, every: int) -> None:
    cells = cells_within(pool, every)
    paper = rules.draw_paper(cells, pool, seed)
    by_id = {one.question_id: one for one in pool}
    drawn = [by_id[item.question_id] for item in paper]
    assert len({item.question_id for item in paper}) == len(paper)
    counts = Counter((one.kind, one.knowledge_point, one.difficulty) for one in drawn)
    assert counts == {(c.kind, c.knowledge_point, c.difficulty): c.count for c in cells}
    for item in paper:
        assert sorted(item.option_order) == sorted(by_id[item.question_id].option_keys)
        if item.kind == Kind.TRUE_FALSE:
            assert item.option_order == ("A", "B")
    places = [rules.KIND_ORDER[Kind(item.kind)] for item in paper]
    assert places == sorted(places)


@given(candidates(minimum=1), SEEDS)
def test_a_pool_that_is_one_short_is_refused_and_the_line_named(pool: list[Candidate], seed: int) -> None:
    cells = cells_within(pool, 1)
    assert len(rules.draw_paper(cells, pool, seed)) == len(pool)
    greedy = [replace(cells[0], count=cells[0].count + 1), *cells[1:]]
    with pytest.raises(BankTooSmall) as refusal:
        rules.draw_paper(greedy, pool, seed)
    assert refusal.value.data["knowledge_point"] == cells[0].knowledge_point


def test_a_line_for_any_difficulty_leaves_the_exact_lines_their_questions() -> None:
    pool = [Candidate(uuid.UUID(int=n), Kind.SINGLE, "law", n, ("A", "B", "C")) for n in (1, 2, 3)]
    cells = [Cell(Kind.SINGLE, "law", None, 2, 5), Cell(Kind.SINGLE, "law", 2, 1, 5)]
    for seed in range(50):
        assert len(rules.draw_paper(cells, pool, seed)) == 3


def test_seeds_spread_questions_and_options_evenly() -> None:
    pool = [Candidate(uuid.UUID(int=n), Kind.SINGLE, "law", 1, ("A", "B", "C", "D")) for n in range(10)]
    drawn: Counter[uuid.UUID] = Counter()
    first: Counter[str] = Counter()
    for seed in range(2000):
        (item,) = rules.draw_paper([Cell(Kind.SINGLE, "law", 1, 1, 5)], pool, seed)
        drawn[item.question_id] += 1
        first[item.option_order[0]] += 1
    # Binomial with n=2000: five standard deviations are 67 around 200 and 97 around 500.
    assert all(abs(drawn[one.question_id] - 200) < 67 for one in pool)
    assert all(abs(first[key] - 500) < 97 for key in "ABCD")


@given(st.permutations("ABCD"), st.sets(st.sampled_from("ABCD"), min_size=1), st.sets(st.sampled_from("ABCDH")))
def test_an_item_scores_all_or_nothing_in_whatever_order_it_was_shown(
    order: list[str], answer: set[str], chosen: set[str]
) -> None:
    meant = {order["ABCD".index(letter)] for letter in chosen if letter in "ABCD"}
    expected = 5 if meant == answer and "H" not in chosen else 0
    assert rules.marks(order, chosen, answer, 5) == expected


answers = st.lists(
    st.builds(Given, st.integers(1, 6), st.sampled_from([("A",), ("B",), ()]), st.integers(1, 40)), max_size=20
)


@given(answers, st.randoms(use_true_random=False))
def test_the_highest_sequence_number_of_an_item_stands(given_answers: list[Given], random: Random) -> None:
    latest = {one.item_no: one for one in rules.latest(given_answers)}
    assert set(latest) == {one.item_no for one in given_answers}
    for one in given_answers:
        assert latest[one.item_no].seq >= one.seq
    twice = rules.latest([*given_answers, *given_answers])
    assert [one.seq for one in twice] == [latest[item].seq for item in sorted(latest)]


@given(st.integers(1, 300), st.integers(0, 60))
def test_the_grace_follows_the_deadline(minutes: int, grace_s: int) -> None:
    start = datetime(2026, 11, 21, 8, tzinfo=UTC)
    deadline_at, closes_at = rules.deadlines(start, minutes, grace_s)
    assert deadline_at - start == timedelta(minutes=minutes)
    assert closes_at - deadline_at == timedelta(seconds=grace_s)


@pytest.mark.parametrize(
    ("statuses", "allowed", "completed", "expected"),
    [
        ([], 2, False, "locked"),
        ([], 2, True, "ready"),
        ([("graded", False)], 2, True, "ready"),
        ([("graded", False), ("open", False)], 2, True, "running"),
        ([("graded", False), ("graded", False)], 2, True, "exhausted"),
        ([("graded", False), ("graded", True)], 2, True, "passed"),
        ([], None, True, "unavailable"),
    ],
)
def test_where_an_exam_stands(
    statuses: list[tuple[str, bool]], allowed: int | None, completed: bool, expected: str
) -> None:
    assert rules.exam_state(statuses=statuses, allowed=allowed, learning_completed=completed) == expected


def test_points_are_summed_in_the_banks_order() -> None:
    items = [("b", 5, 5), ("a", 0, 5), ("b", 0, 5), ("x", 5, 5)]
    found = rules.by_knowledge_point(items, {"b": 1, "a": 1})
    assert [(p.knowledge_point, p.score, p.points, p.pct) for p in found] == [
        ("b", 5, 10, 50),
        ("a", 0, 5, 0),
        ("x", 5, 5, 100),
    ]


SOUND = Draft(
    code="law-001",
    kind="multiple",
    knowledge_point="law",
    difficulty=1,
    stem_zh="下列哪些属于从业人员的权利？",
    stem_en="Which are rights of workers?",
    options=(Option("A", "知情", "to know"), Option("B", "拒绝违章指挥", "to refuse"), Option("C", "无限休假", "")),
    answer=("A", "B"),
    basis_zh="《安全生产法》第五十三条",
    explanation_zh="",
    explanation_en="",
)


def test_a_sound_question_has_no_problems() -> None:
    assert bank_rules.problems_of(SOUND, POINTS, "2") == []


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"code": "a b"}, "bad_code"),
        ({"kind": "essay"}, "bad_type"),
        ({"knowledge_point": "poetry"}, "unknown_knowledge_point"),
        ({"difficulty": 4}, "bad_difficulty"),
        ({"stem_zh": " "}, "no_stem"),
        ({"basis_zh": ""}, "no_basis"),
        ({"answer": ()}, "bad_answer"),
        ({"answer": ("A",)}, "bad_answer"),
        ({"answer": ("A", "D")}, "bad_answer"),
        ({"kind": "single"}, "bad_answer"),
        ({"options": SOUND.options[:1], "answer": ("A",)}, "bad_options"),
        ({"options": (SOUND.options[0], Option("C", "x", ""))}, "bad_options"),
        ({"kind": "true_false", "answer": ("A",)}, "bad_options"),
        ({"options": (*SOUND.options[:2], Option("C", "知情", ""))}, "same_options"),
        ({"options": (*SOUND.options[:2], Option("C", "", "x"))}, "empty_option"),
    ],
)
def test_what_is_wrong_with_a_question_is_named(change: dict[str, Any], code: str) -> None:
    problems = bank_rules.problems_of(replace(SOUND, **change), POINTS, "2")
    assert code in {problem.code for problem in problems}
    assert {problem.place for problem in problems} == {"2"}


def test_duplicates_are_found_through_spaces_width_and_order_of_options() -> None:
    a, b, c = SOUND.options
    disguised = replace(
        SOUND,
        code="law-777",
        stem_zh=" 下列 哪些，属于从业人员的权利 ?",
        options=(Option("A", c.zh, ""), Option("B", a.zh, ""), Option("C", b.zh + "。", "")),
        answer=("B", "C"),
    )
    assert [p.code for p in bank_rules.duplicates([("9", disguised)], {SOUND.code: SOUND})] == ["duplicate"]
    assert bank_rules.duplicates([("9", replace(disguised, stem_zh="另一题"))], {SOUND.code: SOUND}) == []
    assert [p.code for p in bank_rules.duplicates([("2", SOUND), ("3", SOUND)], {})] == ["same_code"]


def test_an_import_is_sorted_into_new_changed_and_unchanged() -> None:
    live = {"a": replace(SOUND, code="a"), "b": replace(SOUND, code="b")}
    drafts = [live["a"], replace(live["b"], difficulty=3), replace(SOUND, code="c")]
    plan = bank_rules.changes(live, drafts)
    assert ([d.code for d in plan.added], [d.code for d in plan.changed], plan.unchanged) == (["c"], ["b"], 1)


@settings(max_examples=50)
@given(candidates(), st.integers(1, 4))
def test_coverage_says_enough_exactly_where_a_paper_can_be_drawn(pool: list[Candidate], every: int) -> None:
    cells = cells_within(pool, every)
    assert all(line.is_enough for line in bank_rules.coverage(cells, pool))
    more = [replace(cell, count=cell.count + len(pool) + 1) for cell in cells]
    assert not any(line.is_enough for line in bank_rules.coverage(more, pool))


def test_a_blueprint_must_come_to_a_hundred_points() -> None:
    cell = Cell(Kind.SINGLE, "law", 1, 20, 5)
    assert bank_rules.blueprint_problems([cell]) == []
    assert bank_rules.blueprint_problems([replace(cell, count=19)])
