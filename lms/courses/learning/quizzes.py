"""The quiz after a lesson: drawn at random, marked by the database, failed means learn again."""

from __future__ import annotations

import secrets
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from sqlalchemy import insert, select, text
from sqlalchemy.orm import Session

from lms.core import audit, clock, ids
from lms.core.access import Actor
from lms.courses.catalogue.models import LessonQuestion
from lms.courses.errors import FaceCheckOpen, QuizClosed, QuizIncomplete, TooFewQuestions, VideoNotCompleted
from lms.courses.learning import rules
from lms.courses.learning.access import (
    Seat,
    access_open_quiz,
    access_seat,
    check_open,
    person_of,
)
from lms.courses.learning.completing import complete_if_done, start_over
from lms.courses.learning.models import Quiz, QuizState
from lms.courses.learning.queries import blocking_check
from lms.courses.rulebook import rulebook

# SECURITY DEFINER, see the migration: the learner's scope cannot read the answers itself.
_MARK = text("select courses_mark_quiz(:quiz_id)")


@dataclass(frozen=True, slots=True)
class ShownQuestion:
    """A question as the learner sees it: options in their drawn order, lettered anew."""

    question_id: uuid.UUID
    kind: str
    stem_zh: str
    stem_en: str
    options: tuple[tuple[str, str, str], ...]
    chosen: tuple[str, ...]
    right: bool | None
    explanation_zh: str
    explanation_en: str


@dataclass(frozen=True, slots=True)
class QuizResult:
    """What a handed-in quiz came to; ``score`` is out of 100."""

    score: int
    passed: bool


def draw_quiz(session: Session, actor: Actor, enrolment_id: uuid.UUID, lesson_id: uuid.UUID) -> uuid.UUID:
    """Draw the quiz of the present round of a lesson and return its id; drawing again gives the same.

    Raises VideoNotCompleted, FaceCheckOpen, QuizClosed when the lesson is completed,
    TooFewQuestions, NotFound.
    """
    person_id = person_of(actor)
    seat = access_seat(session, person_id, enrolment_id, lesson_id, lock=True)
    check_open(seat)
    progress = seat.progress
    if progress is None or progress.video_completed_at is None:
        raise VideoNotCompleted
    if progress.completed_at is not None:
        raise QuizClosed
    if blocking_check(session, person_id, progress) is not None:
        raise FaceCheckOpen
    drawn = current_quiz(session, seat)
    if drawn is not None:
        return drawn.id
    return _insert_quiz(session, seat)


def current_quiz(session: Session, seat: Seat) -> Quiz | None:
    """Return the quiz of the present round, if it has been drawn."""
    progress = seat.progress
    if progress is None:
        return None
    query = select(Quiz).where(
        Quiz.person_id == progress.person_id,
        Quiz.progress_id == progress.id,
        Quiz.viewing_cycle == progress.viewing_cycle,
    )
    return session.scalars(query).first()


def _insert_quiz(session: Session, seat: Seat) -> uuid.UUID:
    progress, count = seat.begun, rulebook().quiz_questions
    rows = session.execute(
        select(LessonQuestion.id, LessonQuestion.options).where(LessonQuestion.lesson_id == seat.lesson.lesson_id)
    )
    options = {str(question_id): [option["key"] for option in listed] for question_id, listed in rows}
    if len(options) < count:
        raise TooFewQuestions(needed=count, found=len(options))
    quiz_id, seed = ids.new_id(), secrets.token_hex(16)
    items = [{"question_id": d.question_id, "order": list(d.order)} for d in rules.draw_quiz(options, count, seed)]
    session.execute(
        insert(Quiz).values(
            person_id=progress.person_id,
            id=quiz_id,
            tenant_id=progress.tenant_id,
            progress_id=progress.id,
            enrolment_id=progress.enrolment_id,
            lesson_id=progress.lesson_id,
            viewing_cycle=progress.viewing_cycle,
            seed=seed,
            items=items,
            answers={},
            state=QuizState.DRAWN,
            drawn_at=clock.now(),
        )
    )
    return quiz_id


def submit_quiz(session: Session, actor: Actor, quiz_id: uuid.UUID, chosen: Mapping[str, Sequence[str]]) -> QuizResult:
    """Hand in a quiz; below the lesson's pass score the lesson starts over.

    ``chosen`` maps question ids to the letters that the learner saw and ticked. Raises
    QuizIncomplete, QuizClosed, NotFound.
    """
    person_id = person_of(actor)
    quiz = access_open_quiz(session, person_id, quiz_id)
    answers = {
        item["question_id"]: rules.bank_keys(item["order"], chosen.get(item["question_id"], ())) for item in quiz.items
    }
    unanswered = sum(not keys for keys in answers.values())
    if unanswered:
        raise QuizIncomplete(open=unanswered)
    seat = access_seat(session, person_id, quiz.enrolment_id, quiz.lesson_id, lock=True)
    check_open(seat)
    now = clock.now()
    quiz.answers, quiz.state, quiz.submitted_at = answers, QuizState.SUBMITTED, now
    session.flush()  # the marking function reads the row
    score = int(session.execute(_MARK, {"quiz_id": quiz_id}).scalar_one())
    session.refresh(quiz)
    passed = quiz.state == QuizState.PASSED
    audit.record(
        session, actor, "courses.quiz.marked", subject_type="quiz", subject_id=quiz_id,
        data={"score": score, "passed": passed},
    )  # fmt: skip
    if passed:
        seat.begun.quiz_passed_at = now
        complete_if_done(session, actor, seat, now)
    else:
        start_over(session, actor, seat, reason="quiz_failed")
    return QuizResult(score, passed)


def shown_questions(session: Session, quiz: Quiz) -> list[ShownQuestion]:
    """Return the quiz as the learner sees it; after marking with what was right and why."""
    wanted = [uuid.UUID(item["question_id"]) for item in quiz.items]
    rows = {row.id: row for row in session.scalars(select(LessonQuestion).where(LessonQuestion.id.in_(wanted)))}
    marks = {mark["question_id"]: mark for mark in quiz.results or []}
    return [
        _shown(rows[uuid.UUID(item["question_id"])], item["order"], quiz.answers.get(item["question_id"], []), marks)
        for item in quiz.items
    ]


def _shown(
    row: LessonQuestion, order: Sequence[str], answer: Sequence[str], marks: Mapping[str, Mapping[str, object]]
) -> ShownQuestion:
    texts = {option["key"]: option for option in row.options}
    mark = marks.get(str(row.id), {})
    return ShownQuestion(
        question_id=row.id,
        kind=row.kind,
        stem_zh=row.stem_zh,
        stem_en=row.stem_en,
        options=tuple(
            (rules.shown_key(position), texts[key]["zh"], texts[key]["en"]) for position, key in enumerate(order)
        ),
        chosen=tuple(rules.shown_key(position) for position, key in enumerate(order) if key in answer),
        right=bool(mark["right"]) if "right" in mark else None,
        explanation_zh=str(mark.get("explanation_zh", "")),
        explanation_en=str(mark.get("explanation_en", "")),
    )
