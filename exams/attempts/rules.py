"""Rules of sitting an exam: drawing a paper, marking, deadlines, order of answers. Pure."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from exams.bank.api import Candidate, Cell, Kind
from exams.errors import BankTooSmall

# Papers go from easy handling to hard: one choice, several, then true or false, as the province's papers do.
KIND_ORDER = {Kind.SINGLE: 0, Kind.MULTIPLE: 1, Kind.TRUE_FALSE: 2}
# A paper has at most this many items, so an honest client never sends more answers at once.
MAX_ITEMS_AT_ONCE = 200
# What a script without big integers can still count exactly (ECMA-262, Number.MAX_SAFE_INTEGER).
MAX_SEQ = 2**53 - 1


@dataclass(frozen=True, slots=True)
class Drawn:
    """One item of a paper: the question, its keys in the order shown, its points."""

    question_id: UUID
    kind: str
    option_order: tuple[str, ...]
    points: int


@dataclass(frozen=True, slots=True)
class Given:
    """One answer as a client sends it: the letters shown that are chosen, and its sequence number."""

    item_no: int
    keys: tuple[str, ...]
    seq: int


@dataclass(frozen=True, slots=True)
class PointScore:
    """What was reached in one knowledge point."""

    knowledge_point: str
    score: int
    points: int

    @property
    def pct(self) -> int:
        """Share of the points, rounded down, 0–100."""
        return 100 * self.score // self.points if self.points else 0


def _rank(seed: int, *parts: object) -> bytes:
    """Return a place in a shuffle that depends on ``seed`` and the parts alone.

    Ordering by a hash, unlike a library's shuffle, gives the same paper in every version of every
    language, so that a paper can still be proved years later.
    """
    return hashlib.sha256("|".join(map(str, (seed, *parts))).encode()).digest()


def draw_paper(cells: Sequence[Cell], pool: Iterable[Candidate], seed: int) -> list[Drawn]:
    """Draw a paper: the same cells, pool (in any order) and seed give the same paper.

    Each question occurs once. Lines that name a difficulty choose before those that take any.
    Questions are shuffled inside their type, options inside their question except for true or
    false. Raises BankTooSmall naming the line that the pool cannot fill.
    """
    left = list(pool)
    drawn: list[Drawn] = []
    for place, cell in sorted(enumerate(cells), key=lambda pair: (pair[1].difficulty is None, pair[0])):
        fitting = [one for one in left if _fits(cell, one)]
        if len(fitting) < cell.count:
            raise BankTooSmall(
                kind=cell.kind, knowledge_point=cell.knowledge_point, needed=cell.count, found=len(fitting)
            )
        chosen = sorted(fitting, key=lambda one: _rank(seed, "draw", place, one.question_id))[: cell.count]
        taken = {one.question_id for one in chosen}
        left = [one for one in left if one.question_id not in taken]
        drawn.extend(Drawn(one.question_id, one.kind, _options(seed, one), cell.points) for one in chosen)
    return sorted(drawn, key=lambda item: (KIND_ORDER[Kind(item.kind)], _rank(seed, "place", item.question_id)))


def _fits(cell: Cell, one: Candidate) -> bool:
    return (
        one.kind == cell.kind
        and one.knowledge_point == cell.knowledge_point
        and cell.difficulty in {None, one.difficulty}
    )


def _options(seed: int, one: Candidate) -> tuple[str, ...]:
    if one.kind == Kind.TRUE_FALSE:
        return one.option_keys
    return tuple(sorted(one.option_keys, key=lambda key: _rank(seed, "option", one.question_id, key)))


def shown_letters(option_order: Sequence[str]) -> list[tuple[str, str]]:
    """Return (letter on the screen, key of the question) in the order shown: A is the first."""
    return [(chr(ord("A") + place), key) for place, key in enumerate(option_order)]


def marks(option_order: Sequence[str], chosen: Iterable[str], answer: Iterable[str], points: int) -> int:
    """Return the points for one item: all of them or none, whatever the type.

    ``chosen`` are letters on the screen, ``answer`` keys of the question. The database marks by the
    same rule (``exams_mark``); this one is what the tests hold it against.
    """
    meaning = dict(shown_letters(option_order))
    picked = {meaning.get(letter, "") for letter in chosen}
    return points if picked and picked == set(answer) else 0


def deadlines(started_at: datetime, duration_min: int, grace_s: int) -> tuple[datetime, datetime]:
    """Return when the person's time ends, and until when answers on their way still count."""
    deadline_at = started_at + timedelta(minutes=duration_min)
    return deadline_at, deadline_at + timedelta(seconds=grace_s)


def latest(answers: Iterable[Given]) -> list[Given]:
    """Return one answer per item: the one with the highest sequence number, in order of items."""
    last: dict[int, Given] = {}
    for answer in answers:
        present = last.get(answer.item_no)
        if present is None or answer.seq > present.seq:
            last[answer.item_no] = answer
    return [last[item_no] for item_no in sorted(last)]


def by_knowledge_point(items: Iterable[tuple[str, int, int]], order: Mapping[str, object]) -> list[PointScore]:
    """Sum (knowledge point, score, points) of a marked paper per knowledge point, in the bank's order."""
    sums: dict[str, tuple[int, int]] = {}
    for point, score, points in items:
        reached, possible = sums.get(point, (0, 0))
        sums[point] = (reached + score, possible + points)
    places = {code: place for place, code in enumerate(order)}
    return [PointScore(code, *sums[code]) for code in sorted(sums, key=lambda code: (places.get(code, 99), code))]


def exam_state(*, statuses: Sequence[tuple[str, bool]], allowed: int | None, learning_completed: bool) -> str:
    """Return where one enrolment's exam stands.

    ``statuses`` are (state, passed) of its attempts; ``allowed`` is None where no blueprint is in force.
    """
    if any(state == "open" for state, _passed in statuses):
        return "running"
    if any(passed for _state, passed in statuses):
        return "passed"
    if allowed is None:
        return "unavailable"
    if len(statuses) >= allowed:
        return "exhausted"
    return "ready" if learning_completed else "locked"
