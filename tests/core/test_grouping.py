"""Questions of many threads, answered in groups."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor

import pytest
import structlog
import structlog.testing
from psycopg.errors import DivisionByZero
from sqlalchemy.exc import DataError, ProgrammingError

from lms.core.grouping import Grouped
from lms.core.services import Services
from tests.conftest import Admin
from tests.waiting import wait_for


class Doubler:
    """Doubles numbers; holds the first group until told, and refuses groups with a zero in them; -1 breaks it."""

    def __init__(self) -> None:
        self.groups: list[list[int]] = []
        self.begun, self.may_end = threading.Event(), threading.Event()

    def __call__(self, numbers: Sequence[int]) -> list[int]:
        self.groups.append(list(numbers))
        if len(self.groups) == 1:
            self.begun.set()
            assert self.may_end.wait(10)
        if 0 in numbers:
            raise DataError("select", None, DivisionByZero(str(numbers)))
        if -1 in numbers:
            raise ZeroDivisionError(numbers)
        return [2 * number for number in numbers]


def _ask_beside(
    doubler: Doubler, grouped: Grouped[int, int], first: int, others: Sequence[int]
) -> Callable[[int], int]:
    """Ask ``first`` and, while it is being answered, all ``others``; return how to get each one's answer."""
    pool = ThreadPoolExecutor(len(others) + 1)
    futures = {first: pool.submit(grouped.ask, first)}
    assert doubler.begun.wait(10)
    for number in others:
        futures[number] = pool.submit(grouped.ask, number)
        wait_for("a question", lambda number=number: number in [one.question for one in list(grouped._waiting)], 10)
    doubler.may_end.set()
    pool.shutdown()
    return lambda number: futures[number].result(0)


@pytest.fixture
def doubler() -> Doubler:
    return Doubler()


def test_a_question_alone_goes_at_once(doubler: Doubler) -> None:
    doubler.may_end.set()
    assert Grouped(doubler, most=8).ask(21) == 42
    assert doubler.groups == [[21]]


def test_what_is_asked_meanwhile_is_answered_together(doubler: Doubler) -> None:
    answer = _ask_beside(doubler, Grouped(doubler, most=8), 1, [2, 3, 4])
    assert [answer(number) for number in (1, 2, 3, 4)] == [2, 4, 6, 8]
    assert doubler.groups == [[1], [2, 3, 4]]


def test_no_group_is_larger_than_agreed(doubler: Doubler) -> None:
    answer = _ask_beside(doubler, Grouped(doubler, most=2), 1, [2, 3, 4, 5, 6])
    assert [answer(number) for number in (2, 3, 4, 5, 6)] == [4, 6, 8, 10, 12]
    assert doubler.groups == [[1], [2, 3], [4, 5], [6]]


def test_a_question_that_fails_fails_for_nobody_else(doubler: Doubler) -> None:
    answer = _ask_beside(doubler, Grouped(doubler, most=8), 1, [2, 0, 3])
    assert (answer(1), answer(2), answer(3)) == (2, 4, 6)
    with pytest.raises(DataError):
        answer(0)


def test_a_refused_group_is_logged_without_what_was_asked(doubler: Doubler) -> None:
    with structlog.testing.capture_logs() as logged:
        _ask_beside(doubler, Grouped(doubler, most=8), 1, [2, 0, 3])
    assert logged == [{"event": "group_failed", "questions": 3, "error": "DivisionByZero", "log_level": "warning"}]


def test_an_error_of_ours_is_not_swallowed(doubler: Doubler) -> None:
    answer = _ask_beside(doubler, Grouped(doubler, most=8), 1, [2, -1, 3])
    with pytest.raises(ZeroDivisionError):
        answer(2)
    with pytest.raises(ZeroDivisionError):
        answer(-1)
    assert (answer(1), answer(3)) == (2, 6)


def test_after_a_failure_questions_are_answered_as_before(doubler: Doubler) -> None:
    doubler.may_end.set()
    grouped = Grouped(doubler, most=8)
    with pytest.raises(DataError):
        grouped.ask(0)
    assert grouped.ask(4) == 8


def test_questions_to_the_database_share_a_transaction(services: Services, admin_connection: Admin) -> None:
    database = services.db
    held = "select 1 from pg_locks where locktype = 'advisory' and not granted and objid = 471100"
    admin_connection.execute("select pg_advisory_lock(471100)")
    with ThreadPoolExecutor(7) as pool:
        locked = "select pg_current_xact_id()::text from pg_advisory_xact_lock(471100)"
        first = pool.submit(database.ask, locked)
        wait_for("the first question", lambda: admin_connection.execute(held).fetchone(), 10)
        others = [pool.submit(database.ask, f"select pg_current_xact_id()::text || ' {n}'") for n in range(6)]
        wait_for("all questions", lambda: len(database._public_questions._waiting) == len(others), 10)
        admin_connection.execute("select pg_advisory_unlock(471100)")
        answers = [(future.result() or b"").decode().split() for future in others]
    assert [place for _, place in answers] == [str(n) for n in range(6)]
    assert len({transaction for transaction, _ in answers}) == 1
    assert {transaction for transaction, _ in answers} != {(first.result() or b"").decode()}


def test_the_database_answers_after_a_refused_question(services: Services) -> None:
    with pytest.raises(ProgrammingError) as caught:
        services.db.ask("select (1 / 0)::text")
    assert isinstance(caught.value.orig, DivisionByZero)
    assert services.db.ask("select 'well'") == b"well"
