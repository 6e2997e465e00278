"""Saving answers, marking and the end of time, on the database, in a candidate's own scope."""

from __future__ import annotations

import threading
import uuid
from datetime import timedelta

import pytest
from sqlalchemy import event, select, text, update
from sqlalchemy.exc import ProgrammingError

from exams.attempts import operations, rules
from exams.attempts.models import Answer, Attempt, AttemptItem
from exams.attempts.rules import Given
from exams.bank import api as bank
from exams.bank.models import Question, QuestionKey
from exams.errors import AttemptClosed, BadAnswers
from lms.core import clock
from lms.core.errors import NotFound
from lms.core.services import Services
from lms.core.tenancy import WORKER_SCOPE, Scope, ScopeRole
from tests.conftest import Admin
from tests.exams.sitting import SEED, Sitting, open_attempt, person_scope


@pytest.fixture
def sitting(jobs_services: Services) -> Sitting:
    return open_attempt(jobs_services)


def save(services: Services, sitting: Sitting, *answers: Given, after: timedelta = timedelta()) -> int:
    with services.db.transaction(sitting.scope) as session:
        return operations.record_answers(session, sitting.actor, sitting.attempt_id, answers, clock.now() + after)


def saved(services: Services, sitting: Sitting) -> dict[int, tuple[list[str], int]]:
    with services.db.transaction(sitting.scope, read_only=True) as session:
        rows = session.scalars(select(Answer).where(Answer.attempt_id == sitting.attempt_id))
        return {row.item_no: (row.keys, row.seq) for row in rows}


def hand_in(services: Services, sitting: Sitting) -> Attempt:
    with services.db.transaction(sitting.scope) as session:
        return operations.submit_attempt(session, sitting.actor, sitting.attempt_id)


def test_the_last_number_wins_and_repeats_change_nothing(services: Services, sitting: Sitting) -> None:
    assert save(services, sitting, Given(1, ("A",), 3), Given(2, ("B",), 4)) == 4
    assert save(services, sitting, Given(1, ("B",), 5)) == 5
    # A replay of an old packet, as after a lost reply, and one from a second device that lags behind.
    assert save(services, sitting, Given(1, ("A",), 3)) == 3
    assert save(services, sitting, Given(1, ("C",), 5)) == 5
    assert saved(services, sitting) == {1: (["B"], 5), 2: (["B"], 4)}
    # A later device that takes an answer back.
    assert save(services, sitting, Given(1, (), 6)) == 6
    assert saved(services, sitting)[1] == ([], 6)


def test_two_answers_to_one_item_in_one_packet(services: Services, sitting: Sitting) -> None:
    assert save(services, sitting, Given(3, ("A",), 9), Given(3, ("B",), 8)) == 9
    assert saved(services, sitting) == {3: (["A"], 9)}


def test_two_devices_at_once_lose_nothing(services: Services, sitting: Sitting) -> None:
    failures: list[BaseException] = []

    def device(first: int) -> None:
        try:
            for round_no in range(15):
                save(services, sitting, *[Given(n, ("A",), first + 2 * round_no) for n in range(1, 21)])
        except BaseException as error:  # noqa: BLE001 - a thread's failure must reach the test
            failures.append(error)

    devices = [threading.Thread(target=device, args=(first,)) for first in (1, 2)]
    for one in devices:
        one.start()
    for one in devices:
        one.join()
    assert failures == []
    assert {seq for _keys, seq in saved(services, sitting).values()} == {30}


def test_what_is_not_on_the_paper_is_refused_and_nothing_of_the_packet_kept(
    services: Services, sitting: Sitting
) -> None:
    single = next(n for n, kind in sitting.kinds.items() if kind == "single")
    for bad in (Given(21, ("A",), 2), Given(single, ("H",), 2), Given(single, ("A", "B"), 2)):
        with pytest.raises(BadAnswers):
            save(services, sitting, Given(1, ("A",), 1), bad)
    assert saved(services, sitting) == {}
    multiple = next(n for n, kind in sitting.kinds.items() if kind == "multiple")
    assert save(services, sitting, Given(multiple, ("A", "B"), 2)) == 2


def test_answers_within_the_grace_count_and_later_ones_are_refused(services: Services, sitting: Sitting) -> None:
    assert save(services, sitting, Given(1, ("A",), 1), after=timedelta(minutes=45, seconds=4)) == 1
    with pytest.raises(AttemptClosed) as refusal:
        save(services, sitting, Given(1, ("B",), 2), after=timedelta(minutes=45, seconds=6))
    assert refusal.value.state == "expired"
    assert saved(services, sitting) == {1: (["A"], 1)}


def test_after_handing_in_nothing_is_written(services: Services, sitting: Sitting) -> None:
    save(services, sitting, Given(1, tuple(sitting.right[1]), 1))
    hand_in(services, sitting)
    with pytest.raises(AttemptClosed) as refusal:
        save(services, sitting, Given(2, ("A",), 2))
    assert refusal.value.state == "submitted"
    assert set(saved(services, sitting)) == {1}


def test_somebody_elses_attempt_does_not_exist(services: Services, jobs_services: Services, sitting: Sitting) -> None:
    other = open_attempt(jobs_services)
    with pytest.raises(NotFound), services.db.transaction(other.scope) as session:
        operations.record_answers(session, other.actor, sitting.attempt_id, [Given(1, ("A",), 1)], clock.now())
    with pytest.raises(NotFound), services.db.transaction(other.scope) as session:
        operations.submit_attempt(session, other.actor, sitting.attempt_id)
    assert saved(services, sitting) == {}


def test_saving_takes_one_statement(services: Services, sitting: Sitting) -> None:
    statements: list[str] = []

    def note(_connection: object, _cursor: object, statement: str, *_rest: object) -> None:
        statements.append(statement)

    with services.db.transaction(sitting.scope) as session:
        event.listen(services.db.engine, "before_cursor_execute", note)
        try:
            answers = [Given(n, ("A",), n) for n in range(1, 21)]
            operations.record_answers(session, sitting.actor, sitting.attempt_id, answers, clock.now())
        finally:
            event.remove(services.db.engine, "before_cursor_execute", note)
    assert len(statements) == 1


@pytest.mark.parametrize("rights", [20, 16, 15, 0])
def test_the_database_marks_as_the_rule_does(services: Services, sitting: Sitting, rights: int) -> None:
    given = {n: sitting.right[n] if n <= rights else sitting.wrong(n) for n in range(1, 20)}
    if rights == 20:
        given[20] = sitting.right[20]
    save(services, sitting, *[Given(n, tuple(keys), n) for n, keys in given.items()])
    attempt = hand_in(services, sitting)
    expected = sum(5 for n, keys in given.items() if keys == sitting.right[n])
    assert (attempt.state, attempt.score, attempt.passed) == ("graded", expected, expected >= 80)
    assert expected == 5 * rights
    again = hand_in(services, sitting)
    assert (again.graded_at, again.score, again.submit_reason) == (attempt.graded_at, expected, "person")


def test_marking_part_of_a_multiple_choice_gives_nothing(
    services: Services, jobs_services: Services, sitting: Sitting
) -> None:
    multiple = [n for n, kind in sitting.kinds.items() if kind == "multiple"]
    part = {multiple[0]: sitting.right[multiple[0]], multiple[1]: sitting.right[multiple[1]][:1], multiple[2]: []}
    save(services, sitting, *[Given(n, tuple(keys), n) for n, keys in part.items()])
    assert hand_in(services, sitting).score == 5
    with jobs_services.db.transaction(WORKER_SCOPE, read_only=True) as session:
        items = session.scalars(select(AttemptItem).where(AttemptItem.attempt_id == sitting.attempt_id)).all()
        keys = {row.question_id: row.answer for row in session.scalars(select(QuestionKey))}
    for item in items:
        chosen = part.get(item.item_no, [])
        assert item.score == rules.marks(item.option_order, chosen, keys[item.question_id], item.points)


def test_a_candidate_reads_no_answers_and_only_their_own_questions(services: Services, sitting: Sitting) -> None:
    with services.db.transaction(sitting.scope, read_only=True) as session:
        assert len(session.scalars(select(Question.id)).all()) == 20
    with pytest.raises(ProgrammingError, match="permission denied"), services.db.transaction(sitting.scope) as session:
        session.scalars(select(QuestionKey.question_id)).all()
    with services.db.transaction(person_scope(uuid.uuid4()), read_only=True) as session:
        assert session.scalars(select(Question.id)).all() == []
        assert session.scalars(select(Attempt.id)).all() == []


@pytest.mark.parametrize(
    "change",
    [
        update(Attempt).values(score=100),
        update(Attempt).values(closes_at=clock.now() + timedelta(days=1)),
        update(AttemptItem).values(score=5),
    ],
)
def test_a_candidate_cannot_touch_deadline_or_mark(services: Services, sitting: Sitting, change: object) -> None:
    with pytest.raises(ProgrammingError, match="permission denied"), services.db.transaction(sitting.scope) as session:
        session.execute(change)  # type: ignore[call-overload]  # an update, whichever


def test_marking_is_for_ones_own_submitted_attempt_only(
    services: Services, jobs_services: Services, sitting: Sitting
) -> None:
    call = text("select count(*) from exams_mark(:person, :attempt, :at)")
    values = {"person": sitting.person_id, "attempt": sitting.attempt_id, "at": clock.now()}
    with services.db.transaction(sitting.scope) as session:
        assert session.scalar(call, values) == 0  # still open
        session.execute(update(Attempt).values(state="submitted", submitted_at=clock.now(), submit_reason="person"))
    with services.db.transaction(person_scope(uuid.uuid4())) as session:
        assert session.scalar(call, values) == 0  # somebody else's
    with jobs_services.db.transaction(WORKER_SCOPE) as session:
        assert session.scalar(call, values) == 1
        assert session.scalar(call, values) == 0  # marked already


def test_the_paper_can_be_drawn_again_after_the_bank_has_changed(
    services: Services, jobs_services: Services, sitting: Sitting, admin_connection: Admin
) -> None:
    with services.db.transaction(sitting.scope, read_only=True) as session:
        attempt = session.scalars(select(Attempt)).one()
        items = session.scalars(select(AttemptItem).order_by(AttemptItem.item_no)).all()
    with jobs_services.db.transaction(WORKER_SCOPE) as session:
        code = session.scalar(select(Question.code).where(Question.id == items[0].question_id))
        ended = update(Question).where(Question.id == items[0].question_id)
        session.execute(ended.values(state="retired", ended_at=clock.now()))
    try:
        with jobs_services.db.transaction(WORKER_SCOPE, read_only=True) as session:
            plan = bank.blueprint(session, attempt.blueprint_code, attempt.blueprint_version)
            then = rules.draw_paper(plan.cells, bank.candidates(session, plan.bank_code, attempt.started_at), SEED)
            now = rules.draw_paper(plan.cells, bank.candidates(session, plan.bank_code, clock.now()), SEED)
        assert [(i.question_id, tuple(i.option_order)) for i in items] == [
            (d.question_id, d.option_order) for d in then
        ]
        assert items[0].question_id not in {d.question_id for d in now}
        assert code is not None
    finally:
        admin_connection.execute(
            "update exams_question set state = 'live', ended_at = null where id = %s", (items[0].question_id,)
        )


def test_the_ticker_hands_in_what_is_overdue_exactly_once(
    services: Services, jobs_services: Services, admin_connection: Admin
) -> None:
    late = open_attempt(jobs_services, started_at=clock.now() - timedelta(minutes=45, seconds=6))
    in_grace = open_attempt(jobs_services, started_at=clock.now() - timedelta(minutes=44, seconds=30))
    with jobs_services.db.transaction(WORKER_SCOPE) as session:
        session.execute(
            text(
                "insert into exams_answer (person_id, attempt_id, item_no, keys, seq, saved_at)"
                " values (:person, :attempt, 1, :keys, 1, now())"
            ),
            {"person": late.person_id, "attempt": late.attempt_id, "keys": late.right[1]},
        )
    for _time in range(2):
        with jobs_services.db.transaction(WORKER_SCOPE) as session:
            operations.submit_overdue(session)
    with services.db.transaction(late.scope, read_only=True) as session:
        attempt = session.scalars(select(Attempt)).one()
    assert (attempt.state, attempt.score, attempt.submit_reason) == ("graded", 5, "deadline")
    assert attempt.submitted_at == attempt.deadline_at
    with services.db.transaction(in_grace.scope, read_only=True) as session:
        assert session.scalars(select(Attempt)).one().state == "open"
    graded = admin_connection.execute(
        "select count(*) from core_audit where subject_id = %s and action = 'exams.attempt.graded'",
        (str(late.attempt_id),),
    ).fetchone()
    assert graded == (1,)


def test_handing_in_and_an_answer_at_the_same_moment_agree(services: Services, jobs_services: Services) -> None:
    """An acknowledged answer counts, a refused one does not, whichever comes first."""
    for _round in range(8):
        sitting = open_attempt(jobs_services)
        outcomes: list[str] = []

        def answer(sitting: Sitting = sitting, outcomes: list[str] = outcomes) -> None:
            try:
                save(services, sitting, Given(1, tuple(sitting.right[1]), 1))
                outcomes.append("acked")
            except AttemptClosed:
                outcomes.append("refused")

        thread = threading.Thread(target=answer)
        thread.start()
        attempt = hand_in(services, sitting)
        thread.join()
        assert attempt.score == (5 if outcomes == ["acked"] else 0)


def test_regulators_and_employers_see_results_but_no_papers(services: Services, sitting: Sitting) -> None:
    save(services, sitting, Given(1, ("A",), 1))
    hand_in(services, sitting)
    employer = Scope(ScopeRole.TENANT, tenant_id=sitting.tenant_id)
    county = Scope(ScopeRole.REGION, region_lo=410100, region_hi=410200, industries=("26",), schemes=("*",))
    elsewhere = Scope(ScopeRole.REGION, region_lo=410200, region_hi=410300, industries=("*",), schemes=("*",))
    query = select(Attempt.score).where(Attempt.id == sitting.attempt_id)
    for scope, expected in ((employer, 1), (county, 1), (elsewhere, 0), (Scope(ScopeRole.TENANT), 0)):
        with services.db.transaction(scope, read_only=True) as session:
            assert len(session.scalars(query).all()) == expected
    with pytest.raises(ProgrammingError, match="permission denied"), services.db.transaction(employer) as session:
        session.scalars(select(Answer.keys)).all()
