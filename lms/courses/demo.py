"""This room's part of the demo province: a course, assignments, and three months of learning."""

from __future__ import annotations

import random
import uuid
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from enum import StrEnum

from sqlalchemy import select

import lms.accounts.api as accounts
import media.api as media
from lms.accounts.demo import DAYS_BACK, DemoEnterprise, DemoPerson, measured, moment_of, province_of
from lms.accounts.demo_cast import Standing
from lms.core import clock, ids
from lms.core.access import Actor
from lms.core.services import Services
from lms.core.tenancy import WORKER_SCOPE
from lms.courses.assignments.operations import assign_programme
from lms.courses.catalogue import operations
from lms.courses.catalogue.files import read_questions
from lms.courses.catalogue.models import Lesson, LessonKey
from lms.courses.catalogue.operations import NewCourse, NewLesson
from lms.courses.learning import checks, quizzes, rules
from lms.courses.learning import operations as learning
from lms.courses.learning.models import Enrolment, Quiz
from lms.courses.rulebook import RULES_FILE
from media.demo import ready_lesson

QUESTIONS_FILE = RULES_FILE.parent / "confined_space_questions.json"
COURSE = NewCourse(
    code="confined-space-basics",
    title_zh="有限空间作业安全",
    title_en="Working safely in confined spaces",
    summary_zh="先通风、再检测、后作业：有限空间作业的程序、气体检测限值、监护与救援，附风险点案例。",
    summary_en="Ventilate, test, then work: procedure, gas limits, guardian and rescue, with a risk-point case.",
    industry_tag="26",
    post_tag="",
    risk_tag="confined_space",
)


def publish_demo_course(services: Services, actor: Actor, asset_id: uuid.UUID) -> uuid.UUID:
    """Make and publish the course on confined spaces over a video that is ready; return its id."""
    questions = read_questions(QUESTIONS_FILE.read_bytes())
    with services.db.transaction(actor.scope) as session:
        course_id = operations.create_course(session, actor, COURSE)
        lesson_id = operations.add_lesson(
            session,
            actor,
            course_id,
            NewLesson(
                title_zh="有限空间作业：先通风、再检测、后作业",
                title_en="Confined spaces: ventilate, test, then work",
                media_asset_id=asset_id,
                quiz_required=True,
                is_risk_case=True,
                questions=questions,
            ),
        )
        operations.publish_course(session, actor, course_id, case_lesson_id=lesson_id)
    return course_id


class Fate(StrEnum):
    """How far somebody gets."""

    IDLE = "idle"
    BEGUN = "begun"
    LEARNED = "learned"
    PASSED = "passed"
    FAILED = "failed"
    FAILED_PASSED = "failed_passed"
    FAILED_TWICE = "failed_twice"


@dataclass(frozen=True, slots=True)
class Learner:
    """One enrolment with what shall come of it; ``learned_on`` is a day of the province."""

    person: DemoPerson
    enrolment_id: uuid.UUID
    fate: Fate
    learned_on: date


@dataclass(slots=True)
class Class:
    """What the exams go on from."""

    lesson_id: uuid.UUID
    duration_s: float
    answers: dict[str, frozenset[str]]
    learners: list[Learner] = field(default_factory=list)


PROGRAMME = "chem-safety-manager-junior"
# Of a hundred people: passed, passed at the second try, failed once, failed twice, learned, begun.
SHARES: dict[Standing, tuple[int, int, int, int, int, int]] = {
    Standing.FULL: (92, 8, 0, 0, 0, 0),
    Standing.GOOD: (80, 7, 3, 0, 4, 4),
    Standing.LAGGING: (58, 6, 6, 0, 10, 12),
    Standing.WEAK: (34, 8, 26, 8, 10, 8),
    Standing.FRESH: (22, 0, 3, 0, 25, 25),
    Standing.ONE_DEED: (75, 0, 0, 0, 5, 5),
}
FATES = (Fate.PASSED, Fate.FAILED_PASSED, Fate.FAILED, Fate.FAILED_TWICE, Fate.LEARNED, Fate.BEGUN)
BEAT_S = 110
_classes: dict[str, Class] = {}


def class_of(services: Services) -> Class:
    """Return whom this process has enrolled. Raises LookupError before this room's step."""
    return _classes[str(services.db.engine.url)]


def make(services: Services) -> None:
    """Publish the course, assign the programme in waves, and let people learn on their days."""
    today = clock.today()
    begin = today - timedelta(days=DAYS_BACK)
    with measured("waiting for the lesson's transcoding"):
        asset_id = ready_lesson(services)
    with clock.travelling_to(moment_of(begin + timedelta(days=1), 16)):
        publish_demo_course(services, province_of(services).officials["instructor"], asset_id)
    found = _classes[str(services.db.engine.url)] = _class(services, asset_id)
    with measured("assignments"):
        for enterprise in province_of(services).enterprises:
            found.learners.extend(_assign(services, enterprise, today))
    with measured("learning"):
        _learn(services, found)


def _learn(services: Services, found: Class) -> None:
    """Let the people learn, in the order of their days."""
    for learner in sorted(found.learners, key=lambda one: one.learned_on):
        if learner.fate is not Fate.IDLE:
            _Learning(services, found, learner).run()


def _class(services: Services, asset_id: uuid.UUID) -> Class:
    with services.db.transaction(WORKER_SCOPE, read_only=True) as session:
        lesson_id = session.scalars(select(Lesson.id).where(Lesson.media_asset_id == asset_id)).one()
        duration_s = media.asset(session, asset_id).duration_s
        rows = session.execute(select(LessonKey.question_id, LessonKey.answer))
        return Class(lesson_id, duration_s, {str(question): frozenset(keys) for question, keys in rows})


def _waves(standing: Standing, today: date) -> tuple[tuple[float, date, date], ...]:
    """Return (share of the staff, assigned on, due on) for each wave of an enterprise."""
    month_end = (today.replace(day=1) + timedelta(days=31)).replace(day=1) - timedelta(days=1)
    soon = min(today + timedelta(days=6), month_end)
    if standing is Standing.FRESH:
        return ((1.0, today - timedelta(days=12), today + timedelta(days=24)),)
    if standing is Standing.ONE_DEED:
        return ((1.0, today - timedelta(days=40), soon),)
    first = (0.6, today - timedelta(days=DAYS_BACK - 4), today - timedelta(days=38))
    return (first, (0.4, today - timedelta(days=45), today - timedelta(days=4)))


def _assign(services: Services, enterprise: DemoEnterprise, today: date) -> Iterator[Learner]:
    """Give the programme to the staff in waves and plan what comes of each enrolment."""
    source = random.Random(enterprise.plan.credit_code)  # noqa: S311 - repeatable on purpose
    fates = _fates(enterprise, source)
    start = 0
    for share, assigned_on, due_on in _waves(enterprise.plan.standing, today):
        count = len(fates) - start if share == 1.0 or start else round(len(fates) * share)
        people = enterprise.people[start : start + count]
        moment = moment_of(assigned_on, 10, source.randrange(60))
        with clock.travelling_to(moment), services.db.transaction(enterprise.admin.scope) as session:
            assigned = assign_programme(
                session, enterprise.admin, programme_code=PROGRAMME, due_on=due_on,
                employment_ids=[person.employment_id for person in people],
            )  # fmt: skip
        with services.db.transaction(WORKER_SCOPE, read_only=True) as session:
            query = select(Enrolment.person_id, Enrolment.id)
            enrolments = dict(session.execute(query.where(Enrolment.assignment_id == assigned.assignment_id)).all())
        for person, fate in zip(people, fates[start : start + count], strict=True):
            learned_on = _day(source, assigned_on, min(due_on, today))
            yield Learner(person, enrolments[person.person_id], fate, learned_on)
        start += count


def _day(source: random.Random, assigned_on: date, until: date) -> date:
    """Draw a day of learning that leaves a week for the exam where there is one."""
    days = max(1, (until - assigned_on).days - 7)
    return assigned_on + timedelta(days=1 + source.randrange(days))


def _fates(enterprise: DemoEnterprise, source: random.Random) -> list[Fate]:
    """Return a fate for each of the staff, in the order of the roster."""
    count, standing = len(enterprise.people), enterprise.plan.standing
    fates: list[Fate] = []
    for fate, share in zip(FATES, SHARES[standing], strict=True):
        fates.extend([fate] * min(round(count * share / 100), count - len(fates)))
    fates.extend([Fate.PASSED if standing is Standing.FULL else Fate.IDLE] * (count - len(fates)))
    if standing is Standing.ONE_DEED:
        # The passers come first; who signs in as a trainee stands at the end of the roster.
        return [*fates[:15], Fate.IDLE, Fate.IDLE, Fate.IDLE, Fate.LEARNED, Fate.BEGUN][:count]
    source.shuffle(fates)
    return fates


@dataclass(slots=True)
class _Learning:
    """One person before the lesson: reports of the player, face checks, the quiz."""

    services: Services
    found: Class
    learner: Learner
    page: uuid.UUID = field(default_factory=uuid.uuid4)
    now: datetime = field(default_factory=clock.now)
    position_s: float = 0.0
    is_watched: bool = False
    has_opened: bool = False

    @property
    def actor(self) -> Actor:
        return self.learner.person.actor

    def run(self) -> None:
        """Learn as far as the fate goes."""
        spread = random.Random(str(self.learner.enrolment_id))  # noqa: S311 - a time of day
        self.now = moment_of(self.learner.learned_on, spread.randrange(8, 20), spread.randrange(60))
        with clock.travelling_to(self.now):
            self.page = ids.new_id()
        duration_s = self.found.duration_s
        target_s = float(round(duration_s * 0.45)) if self.learner.fate is Fate.BEGUN else duration_s
        while self.position_s < target_s and not self.is_watched:
            if self._watch(target_s):
                self._show_face()
        if self.learner.fate is not Fate.BEGUN:
            self._quiz()

    def _watch(self, target_s: float) -> bool:
        """Report until the target is reached; tell whether a face check stops it."""
        with self.services.db.transaction(self.actor.scope) as session:
            while True:
                to_s = min(self.position_s + BEAT_S, target_s)
                played = [rules.PlayedEvent(self.position_s, to_s, 1.0)] if self.position_s or self.has_opened else []
                self.has_opened = True
                self.now += timedelta(seconds=BEAT_S + 2 if played else 2)
                with clock.travelling_to(self.now):
                    outcome = learning.record_beat(
                        session, self.actor, enrolment_id=self.learner.enrolment_id, lesson_id=self.found.lesson_id,
                        playback_id=self.page, played=played,
                    )  # fmt: skip
                if played and outcome.furthest_s <= self.position_s and not outcome.video_completed:
                    raise RuntimeError(f"the demo's player is stuck at {self.position_s} s")
                self.position_s, self.is_watched = outcome.furthest_s, outcome.video_completed
                if outcome.face_check_due or self.is_watched or self.position_s >= target_s:
                    return outcome.face_check_due

    def _show_face(self) -> None:
        person = self.learner.person
        self.now += timedelta(seconds=10)
        with clock.travelling_to(self.now):
            with self.services.db.transaction(self.actor.scope, read_only=True) as session:
                where = (person.person_id, self.learner.enrolment_id, self.found.lesson_id)
                check_id = checks.access_due_check(session, *where).id
            found = accounts.verify_face(
                self.services, self.actor, purpose="learning", subject_id=check_id, frames=person.frames
            )
            with self.services.db.transaction(self.actor.scope) as session:
                answer = learning.settle_face_check(
                    session, self.actor, check_id, outcome=found.outcome, verification_id=found.verification_id
                )
        if not answer.is_settled:
            raise RuntimeError(f"a demo face was not recognised: {answer.outcome}")

    def _quiz(self) -> None:
        """Draw the quiz and answer it rightly."""
        self.now += timedelta(seconds=20)
        with self.services.db.transaction(self.actor.scope) as session:
            with clock.travelling_to(self.now):
                quiz_id = quizzes.draw_quiz(session, self.actor, self.learner.enrolment_id, self.found.lesson_id)
            items = session.scalars(select(Quiz.items).where(Quiz.id == quiz_id)).one()
            chosen = {
                item["question_id"]: [
                    rules.shown_key(place)
                    for place, key in enumerate(item["order"])
                    if key in self.found.answers[item["question_id"]]
                ]
                for item in items
            }
            with clock.travelling_to(self.now + timedelta(minutes=2)):
                quizzes.submit_quiz(session, self.actor, quiz_id, chosen)
