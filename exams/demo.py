"""The demo's exams: sat on exam days, answered rightly or not, certificates issued the same evening."""

from __future__ import annotations

import random
import uuid
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta

from sqlalchemy import select, update

import lms.accounts.api as accounts
from exams.attempts import operations, rules
from exams.attempts.models import AttemptItem
from exams.attempts.rules import Given
from exams.bank.commands import REFERENCE, load_file
from exams.bank.models import Question, QuestionKey
from lms.accounts.demo import DAYS_BACK, measured, moment_of, province_of
from lms.core import clock
from lms.core.bootstrap import worker_conninfo
from lms.core.services import Services
from lms.core.tenancy import WORKER_SCOPE
from lms.core.worker import drain
from lms.courses.demo import Fate, Learner, class_of

Answers = dict[uuid.UUID, frozenset[str]]
EXAM_EVERY_DAYS = 3
SITTING = {
    Fate.PASSED: (True,),
    Fate.FAILED: (False,),
    Fate.FAILED_PASSED: (False, True),
    Fate.FAILED_TWICE: (False, False),
}


@dataclass(frozen=True, slots=True)
class Sitting:
    """One person's exam on one day, with how it shall end."""

    learner: Learner
    passes: bool


def make(services: Services) -> None:
    """Give the bank its owner; hold the exams day by day, and let the worker do what each day queues."""
    today = clock.today()
    school = province_of(services).officials["instructor"].tenant_id
    load_file(services, REFERENCE / "chemical_safety.json", school)
    # The bank came with the instance, which the demo lets begin before its first deed.
    began = moment_of(today - timedelta(days=DAYS_BACK))
    with services.db.transaction(WORKER_SCOPE) as session:
        session.execute(update(Question).where(Question.created_at > began).values(created_at=began))
        keys = {row.question_id: frozenset(row.answer) for row in session.scalars(select(QuestionKey))}
    days = _days(class_of(services).learners, today)
    with measured(f"exams and certificates on {len(days)} days"):
        _hold(services, days, keys)


def _hold(services: Services, days: dict[date, list[Sitting]], keys: Answers) -> None:
    """Hold the exams day by day; in the evening do what the day has queued. The last evening's is left queued.

    With it the demo's certificates begin (bulk issue), so that a department has something to issue.
    """
    conninfo = worker_conninfo(services.settings)
    for day in sorted(days):
        for place, sitting in enumerate(days[day]):
            _sit(services, sitting, day, place, keys)
        if day != max(days):
            with clock.travelling_to(moment_of(day, 20, 30)):
                drain(services, conninfo)


def _days(learners: list[Learner], today: date) -> dict[date, list[Sitting]]:
    """Spread the sittings over exam days, each after its learning, a second try one exam day later."""
    days: dict[date, list[Sitting]] = defaultdict(list)
    for learner in learners:
        wait = EXAM_EVERY_DAYS - learner.learned_on.toordinal() % EXAM_EVERY_DAYS
        for tries, passes in enumerate(SITTING.get(learner.fate, ())):
            day = learner.learned_on + timedelta(days=wait + EXAM_EVERY_DAYS * tries)
            days[min(day, today - timedelta(days=1))].append(Sitting(learner, passes))
    return days


def _sit(services: Services, sitting: Sitting, day: date, place: int, keys: Answers) -> None:
    """Show the face, draw the paper, answer, hand in."""
    learner, actor = sitting.learner, sitting.learner.person.actor
    begin = moment_of(day, 9 + place % 8, place * 7 % 60)
    with clock.travelling_to(begin):
        accounts.verify_face(
            services, actor, purpose="exam", subject_id=learner.enrolment_id, frames=learner.person.frames
        )
    with services.db.transaction(actor.scope) as session:
        with clock.travelling_to(begin + timedelta(minutes=1)):
            attempt_id = operations.start_attempt(session, actor, learner.enrolment_id)
        items = session.scalars(
            select(AttemptItem).where(AttemptItem.attempt_id == attempt_id).order_by(AttemptItem.item_no)
        ).all()
        given = _answers(items, keys, passes=sitting.passes, source=random.Random(str(attempt_id)))  # noqa: S311
        with clock.travelling_to(begin + timedelta(minutes=17)):
            operations.record_answers(session, actor, attempt_id, given, clock.now())
        with clock.travelling_to(begin + timedelta(minutes=18)):
            operations.submit_attempt(session, actor, attempt_id)


def _answers(items: Sequence[AttemptItem], keys: Answers, *, passes: bool, source: random.Random) -> list[Given]:
    """Answer with as many mistakes as the wanted result allows: up to four in twenty pass at 80."""
    mistakes = source.choice((0, 1, 1, 2, 2, 3, 4)) if passes else source.randrange(6, 11)
    wrong = {item.item_no for item in source.sample(list(items), mistakes)}
    given = []
    for item in items:
        shown = rules.shown_letters(item.option_order)
        right = [letter for letter, key in shown if key in keys[item.question_id]]
        other = [next(letter for letter, _key in shown if [letter] != right)]
        given.append(Given(item.item_no, tuple(other if item.item_no in wrong else right), item.item_no))
    return given
