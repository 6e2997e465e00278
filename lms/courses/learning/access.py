"""The only ways to a learner's rows; a foreign one is 404."""

from __future__ import annotations

import uuid
from dataclasses import dataclass

from sqlalchemy import select
from sqlalchemy.orm import Session

from lms.core.access import Actor
from lms.core.errors import NotFound, Unauthenticated
from lms.courses.catalogue.queries import LessonView, lessons_of_programmes
from lms.courses.errors import EnrolmentClosed, LessonOutOfOrder, QuizClosed
from lms.courses.learning.models import Enrolment, EnrolmentState, LessonProgress, Quiz
from lms.courses.learning.queries import progress_of


@dataclass(slots=True)
class Seat:
    """A learner in one lesson of one enrolment, with the rows that an operation may change."""

    enrolment: Enrolment
    lesson: LessonView
    lessons: list[LessonView]
    done: dict[uuid.UUID, LessonProgress]
    progress: LessonProgress | None

    @property
    def begun(self) -> LessonProgress:
        """The progress of a lesson that has been opened."""
        if self.progress is None:
            raise NotFound
        return self.progress

    @property
    def all_completed(self) -> bool:
        return all(
            (row := self.done.get(item.lesson_id)) is not None and row.completed_at is not None for item in self.lessons
        )


def person_of(actor: Actor) -> uuid.UUID:
    """Return who learns; raises Unauthenticated for a visitor."""
    if actor.person_id is None:
        raise Unauthenticated
    return actor.person_id


def access_enrolment(session: Session, person_id: uuid.UUID, enrolment_id: uuid.UUID) -> Enrolment:
    """Return the learner's own enrolment; raises NotFound."""
    row = session.scalars(
        select(Enrolment).where(Enrolment.person_id == person_id, Enrolment.id == enrolment_id)
    ).first()
    if row is None:
        raise NotFound
    return row


def access_seat(
    session: Session, person_id: uuid.UUID, enrolment_id: uuid.UUID, lesson_id: uuid.UUID, *, lock: bool = False
) -> Seat:
    """Return the learner's place in a lesson of an enrolment.

    ``lock`` takes the progress row for change, so that two devices take turns. Raises NotFound.
    """
    enrolment = access_enrolment(session, person_id, enrolment_id)
    key = (enrolment.programme_code, enrolment.programme_version)
    lessons = lessons_of_programmes(session, [key])[key]
    found = [item for item in lessons if item.lesson_id == lesson_id]
    if not found:
        raise NotFound
    if lock:
        mine = (LessonProgress.person_id == person_id, LessonProgress.enrolment_id == enrolment_id)
        session.execute(select(LessonProgress.id).where(*mine, LessonProgress.lesson_id == lesson_id).with_for_update())
    rows = progress_of(session, person_id, [enrolment_id])
    done = {lesson: row for (_, lesson), row in rows.items()}
    return Seat(enrolment, found[0], lessons, done, done.get(lesson_id))


def check_open(seat: Seat) -> None:
    """Raise EnrolmentClosed or LessonOutOfOrder unless the lesson may be learned now."""
    if seat.enrolment.state == EnrolmentState.CANCELLED:
        raise EnrolmentClosed
    for item in seat.lessons:
        if item.lesson_id == seat.lesson.lesson_id:
            return
        row = seat.done.get(item.lesson_id)
        if row is None or row.completed_at is None:
            raise LessonOutOfOrder


def access_quiz(session: Session, person_id: uuid.UUID, quiz_id: uuid.UUID) -> Quiz:
    """Return the learner's own quiz; raises NotFound."""
    row = session.scalars(select(Quiz).where(Quiz.person_id == person_id, Quiz.id == quiz_id)).first()
    if row is None:
        raise NotFound
    return row


def access_open_quiz(session: Session, person_id: uuid.UUID, quiz_id: uuid.UUID) -> Quiz:
    """Return a quiz that still takes answers, locked; raises NotFound or QuizClosed."""
    mine = (Quiz.person_id == person_id, Quiz.id == quiz_id)
    row = access_quiz(session, person_id, quiz_id)
    # The lock waits for a double submit; only afterwards is the state the true one.
    state = session.execute(select(Quiz.state).where(*mine).with_for_update()).scalar_one_or_none()
    if state != "drawn":
        raise QuizClosed
    return row
