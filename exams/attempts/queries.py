"""Reading attempts: the list of one's exams, the paper, the result."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime

from sqlalchemy import and_, select
from sqlalchemy.orm import Session

import lms.courses.api as courses
from exams.attempts import rules
from exams.attempts.models import Answer, Attempt, AttemptItem
from exams.attempts.rules import PointScore
from exams.bank import api as bank
from exams.errors import NoBlueprint
from lms.core import clock


@dataclass(frozen=True, slots=True)
class AttemptView:
    """An attempt as others see it. ``score`` is out of 100 and None until marked."""

    attempt_id: uuid.UUID
    person_id: uuid.UUID
    enrolment_id: uuid.UUID
    tenant_id: uuid.UUID
    programme_code: str
    attempt_no: int
    state: str
    started_at: datetime
    deadline_at: datetime
    score: int | None
    passed: bool | None
    pass_score: int
    graded_at: datetime | None
    submit_reason: str | None
    identity_verification_id: uuid.UUID


@dataclass(frozen=True, slots=True)
class ExamCard:
    """One enrolment's exam. ``state`` is locked, ready, running, passed, exhausted or unavailable."""

    enrolment_id: uuid.UUID
    name_zh: str
    name_en: str
    due_on: date | None
    state: str
    plan: bank.BlueprintView | None
    attempts: Sequence[AttemptView]

    @property
    def running_id(self) -> uuid.UUID | None:
        """The attempt to go on with."""
        return next((one.attempt_id for one in self.attempts if one.state == "open"), None)

    @property
    def left(self) -> int:
        """How many attempts may still be started."""
        return max(0, self.plan.max_attempts - len(self.attempts)) if self.plan else 0


@dataclass(frozen=True, slots=True)
class PaperItem:
    """One question as it is shown: options are (letter, text in Chinese, text in English)."""

    number: int
    kind: str
    knowledge_point: str
    stem_zh: str
    stem_en: str
    options: tuple[tuple[str, str, str], ...]
    keys: tuple[str, ...]
    seq: int
    points: int
    score: int | None
    basis_zh: str


@dataclass(frozen=True, slots=True)
class Result:
    """A marked paper: sums per knowledge point and the items that lost points."""

    items: int
    right: int
    points: Sequence[PointScore]
    point_names: dict[str, tuple[str, str]]
    wrong: Sequence[PaperItem]


def view_of(row: Attempt) -> AttemptView:
    """Turn an attempt's row into its view."""
    return AttemptView(
        row.id,
        row.person_id,
        row.enrolment_id,
        row.tenant_id,
        row.programme_code,
        row.attempt_no,
        row.state,
        row.started_at,
        row.deadline_at,
        row.score,
        row.passed,
        row.pass_score,
        row.graded_at,
        row.submit_reason,
        row.identity_verification_id,
    )


def attempts_of(session: Session, person_id: uuid.UUID) -> list[AttemptView]:
    """Return a person's attempts, newest first."""
    query = select(Attempt).where(Attempt.person_id == person_id).order_by(Attempt.started_at.desc(), Attempt.id.desc())
    return [view_of(row) for row in session.scalars(query)]


def exam_cards(session: Session, person_id: uuid.UUID) -> list[ExamCard]:
    """Return the exams of a person's enrolments with what may be done about each."""
    attempts = attempts_of(session, person_id)
    return [
        _card(session, enrolment, [one for one in attempts if one.enrolment_id == enrolment.enrolment_id])
        for enrolment in courses.enrolments_of(session, person_id)
    ]


def exam_card(session: Session, person_id: uuid.UUID, enrolment_id: uuid.UUID) -> ExamCard:
    """Return the exam of one enrolment. Raises NotFound."""
    enrolment = courses.enrolment(session, person_id, enrolment_id)
    attempts = [one for one in attempts_of(session, person_id) if one.enrolment_id == enrolment_id]
    return _card(session, enrolment, attempts)


def _card(session: Session, enrolment: courses.EnrolmentView, attempts: Sequence[AttemptView]) -> ExamCard:
    programme = courses.programme(session, enrolment.programme_code, enrolment.programme_version)
    try:
        plan = bank.blueprint_in_force(session, programme.blueprint_code, clock.today())
    except NoBlueprint:
        plan = None
    return ExamCard(
        enrolment.enrolment_id,
        programme.name_zh,
        programme.name_en,
        enrolment.due_on,
        rules.exam_state(
            statuses=[(one.state, bool(one.passed)) for one in attempts],
            allowed=plan.max_attempts if plan else None,
            learning_completed=enrolment.learning_completed_at is not None,
        ),
        plan,
        attempts,
    )


def paper(session: Session, person_id: uuid.UUID, attempt_id: uuid.UUID) -> list[PaperItem]:
    """Return an attempt's paper with the answers saved so far, in the order shown."""
    rows = session.execute(
        select(AttemptItem, Answer.keys, Answer.seq)
        .outerjoin(
            Answer,
            and_(
                Answer.person_id == AttemptItem.person_id,
                Answer.attempt_id == AttemptItem.attempt_id,
                Answer.item_no == AttemptItem.item_no,
            ),
        )
        .where(AttemptItem.person_id == person_id, AttemptItem.attempt_id == attempt_id)
        .order_by(AttemptItem.item_no)
    ).all()
    texts = bank.question_texts(session, [item.question_id for item, _keys, _seq in rows])
    return [_paper_item(item, texts[item.question_id], keys, seq) for item, keys, seq in rows]


def _paper_item(item: AttemptItem, shown: bank.QuestionText, keys: Sequence[str] | None, seq: int | None) -> PaperItem:
    options = {option.key: option for option in shown.options}
    return PaperItem(
        number=item.item_no,
        kind=item.kind,
        knowledge_point=shown.knowledge_point,
        stem_zh=shown.stem_zh,
        stem_en=shown.stem_en,
        options=tuple(
            (letter, options[key].zh, options[key].en) for letter, key in rules.shown_letters(item.option_order)
        ),
        keys=tuple(keys or ()),
        seq=seq or 0,
        points=item.points,
        score=item.score,
        basis_zh=shown.basis_zh,
    )


def result(session: Session, attempt: Attempt) -> Result:
    """Return what a marked attempt came to; call it only for a graded one."""
    items = paper(session, attempt.person_id, attempt.id)
    plan = bank.blueprint(session, attempt.blueprint_code, attempt.blueprint_version)
    names = bank.knowledge_points(session, plan.bank_code)
    marked = [(item.knowledge_point, item.score or 0, item.points) for item in items]
    return Result(
        items=len(items),
        right=sum(item.score == item.points for item in items),
        points=rules.by_knowledge_point(marked, names),
        point_names=names,
        wrong=[item for item in items if item.score != item.points],
    )


def title_of(session: Session, programme_code: str) -> tuple[str, str]:
    """Return the Chinese and English name of a programme, also of one that is in force no longer."""
    return courses.programme_names(session).get(programme_code, (programme_code, programme_code))
