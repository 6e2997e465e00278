"""Making courses: draft, lessons with their questions, publishing."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import delete, func, insert, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

import media.api as media
from lms.core import audit, clock, ids
from lms.core.access import Actor
from lms.core.errors import Forbidden, NotFound
from lms.courses.catalogue import rules
from lms.courses.catalogue.models import Course, CourseState, Lesson, LessonKey, LessonQuestion
from lms.courses.catalogue.queries import question_counts
from lms.courses.errors import (
    AssetNotReady,
    CourseCodeTaken,
    CourseEmpty,
    CourseFrozen,
    QuestionsRefused,
    RiskCaseMissing,
    TooFewQuestions,
)
from lms.courses.rulebook import rulebook


@dataclass(frozen=True, slots=True)
class NewCourse:
    """What an author says of a course; tags run industry > post > risk."""

    code: str
    title_zh: str
    title_en: str
    summary_zh: str
    summary_en: str
    industry_tag: str
    post_tag: str
    risk_tag: str


@dataclass(frozen=True, slots=True)
class NewLesson:
    """What an author says of a lesson."""

    title_zh: str
    title_en: str
    media_asset_id: uuid.UUID
    quiz_required: bool
    is_risk_case: bool
    questions: tuple[rules.DraftQuestion, ...] = ()


def tenant_of(actor: Actor) -> uuid.UUID:
    """Return the institution that acts; raises Forbidden without one."""
    if actor.tenant_id is None:
        raise Forbidden
    return actor.tenant_id


def access_course(session: Session, actor: Actor, course_id: uuid.UUID) -> Course:
    """Return the institution's own course; a foreign one is NotFound, published or not."""
    ours = (Course.tenant_id == tenant_of(actor), Course.id == course_id)
    row = session.scalars(select(Course).where(*ours)).first()
    if row is None:
        raise NotFound
    return row


def access_draft(session: Session, actor: Actor, course_id: uuid.UUID) -> Course:
    """Return the institution's own course for change; raises NotFound, CourseFrozen."""
    row = access_course(session, actor, course_id)
    if row.state != CourseState.DRAFT:
        raise CourseFrozen
    return row


def create_course(session: Session, actor: Actor, new: NewCourse) -> uuid.UUID:
    """Add a draft course and return its id. Raises CourseCodeTaken."""
    tenant_id, course_id = tenant_of(actor), ids.new_id()
    taken = select(Course.id).where(Course.code == new.code)
    if session.execute(taken).first():
        raise CourseCodeTaken
    session.execute(
        insert(Course).values(
            tenant_id=tenant_id,
            id=course_id,
            code=new.code,
            title_zh=new.title_zh,
            title_en=new.title_en,
            summary_zh=new.summary_zh,
            summary_en=new.summary_en,
            industry_tag=new.industry_tag,
            post_tag=new.post_tag,
            risk_tag=new.risk_tag,
            state=CourseState.DRAFT,
            created_by=actor.person_id,
            created_at=clock.now(),
        )
    )
    _note(session, actor, "courses.course.created", course_id, code=new.code)
    return course_id


def add_lesson(session: Session, actor: Actor, course_id: uuid.UUID, new: NewLesson) -> uuid.UUID:
    """Append a lesson to a draft course and return its id.

    Raises CourseFrozen, AssetNotReady, QuestionsRefused, NotFound.
    """
    course = access_draft(session, actor, course_id)
    duration_s = _ready_duration_s(session, new.media_asset_id)
    last = session.execute(
        select(func.coalesce(func.max(Lesson.position), 0)).where(
            Lesson.tenant_id == course.tenant_id, Lesson.course_id == course_id
        )
    ).scalar_one()
    lesson_id = ids.new_id()
    session.execute(
        insert(Lesson).values(
            tenant_id=course.tenant_id,
            id=lesson_id,
            course_id=course_id,
            position=last + 1,
            kind="video",
            title_zh=new.title_zh,
            title_en=new.title_en,
            media_asset_id=new.media_asset_id,
            duration_s=duration_s,
            quiz_required=new.quiz_required,
            pass_score=rulebook().quiz_pass_score,
            created_at=clock.now(),
        )
    )
    _add_questions(session, course.tenant_id, lesson_id, new.questions)
    if new.is_risk_case:
        course.case_lesson_id = lesson_id
    _note(session, actor, "courses.lesson.added", course_id, lesson=str(lesson_id), questions=len(new.questions))
    return lesson_id


def _ready_duration_s(session: Session, asset_id: uuid.UUID) -> int:
    limit_s = rulebook().lesson_s_max
    refused = AssetNotReady(minutes=limit_s // 60)
    try:
        asset = media.asset(session, asset_id)
    except NotFound:
        raise refused from None
    if asset.state != "ready" or asset.duration_s is None:
        raise refused
    duration_s = round(asset.duration_s)
    if not 1 <= duration_s <= limit_s:
        raise refused
    return duration_s


def add_questions(
    session: Session,
    actor: Actor,
    course_id: uuid.UUID,
    lesson_id: uuid.UUID,
    questions: Sequence[rules.DraftQuestion],
) -> int:
    """Add questions to a lesson of a draft course, all or none; return how many.

    Raises QuestionsRefused, CourseFrozen, NotFound.
    """
    course = access_draft(session, actor, course_id)
    ours = (Lesson.tenant_id == course.tenant_id, Lesson.course_id == course_id, Lesson.id == lesson_id)
    if session.execute(select(Lesson.id).where(*ours)).first() is None:
        raise NotFound
    _add_questions(session, course.tenant_id, lesson_id, questions)
    _note(session, actor, "courses.questions.added", course_id, lesson=str(lesson_id), questions=len(questions))
    return len(questions)


def _add_questions(
    session: Session, tenant_id: uuid.UUID, lesson_id: uuid.UUID, questions: Sequence[rules.DraftQuestion]
) -> None:
    if not questions:
        return
    known = session.execute(
        select(LessonQuestion.code, LessonQuestion.stem_zh).where(
            LessonQuestion.tenant_id == tenant_id, LessonQuestion.lesson_id == lesson_id
        )
    ).all()
    problems = rules.faults_of_set(questions, known_stems={stem for _code, stem in known})
    if problems:
        raise QuestionsRefused(problems)
    codes = rules.free_codes([question.code for question in questions], {code for code, _stem in known})
    named = [(ids.new_id(), code, question) for code, question in zip(codes, questions, strict=True)]
    session.execute(
        insert(LessonQuestion),
        [
            {
                "tenant_id": tenant_id,
                "id": question_id,
                "lesson_id": lesson_id,
                "code": code,
                "kind": question.kind,
                "stem_zh": question.stem_zh,
                "stem_en": question.stem_en,
                "options": [{"key": key, "zh": zh, "en": en} for key, zh, en in question.options],
            }
            for question_id, code, question in named
        ],
    )
    session.execute(insert(LessonKey), [_key_row(tenant_id, each, question) for each, _code, question in named])


def _key_row(tenant_id: uuid.UUID, question_id: uuid.UUID, question: rules.DraftQuestion) -> dict[str, object]:
    return {
        "tenant_id": tenant_id,
        "question_id": question_id,
        "answer": sorted(question.answer),
        "explanation_zh": question.explanation_zh,
        "explanation_en": question.explanation_en,
        "basis_zh": question.basis_zh,
    }


def remove_lesson(session: Session, actor: Actor, course_id: uuid.UUID, lesson_id: uuid.UUID) -> None:
    """Take a lesson out of a draft course. Raises CourseFrozen, NotFound."""
    course = access_draft(session, actor, course_id)
    ours = (Lesson.tenant_id == course.tenant_id, Lesson.course_id == course_id, Lesson.id == lesson_id)
    if session.execute(select(Lesson.id).where(*ours)).first() is None:
        raise NotFound
    mine = (LessonQuestion.tenant_id == course.tenant_id, LessonQuestion.lesson_id == lesson_id)
    if course.case_lesson_id == lesson_id:
        course.case_lesson_id = None
    keys = (LessonKey.tenant_id == course.tenant_id, LessonKey.question_id.in_(select(LessonQuestion.id).where(*mine)))
    session.execute(delete(LessonKey).where(*keys))
    session.execute(delete(LessonQuestion).where(*mine))
    session.execute(delete(Lesson).where(*ours))
    _note(session, actor, "courses.lesson.removed", course_id, lesson=str(lesson_id))


def publish_course(
    session: Session,
    actor: Actor,
    course_id: uuid.UUID,
    *,
    case_lesson_id: uuid.UUID | None = None,
    no_case_reason: str = "",
) -> None:
    """Publish a draft for good.

    Refused without a risk-point case lesson unless the institution records why (C1). Raises
    CourseFrozen, CourseEmpty, TooFewQuestions, RiskCaseMissing, CourseCodeTaken, NotFound.
    """
    course = access_draft(session, actor, course_id)
    mine = (Lesson.tenant_id == course.tenant_id, Lesson.course_id == course_id)
    lessons = {row.id: row for row in session.scalars(select(Lesson).where(*mine))}
    if not lessons:
        raise CourseEmpty
    _check_quizzes(session, list(lessons.values()))
    case = case_lesson_id or course.case_lesson_id
    if case is not None and case not in lessons:
        raise NotFound
    if not rules.case_is_settled(case is not None, no_case_reason, rulebook().no_case_characters_min):
        raise RiskCaseMissing
    course.case_lesson_id = case
    course.no_case_reason = None if case else no_case_reason.strip()
    course.state, course.published_at = CourseState.PUBLISHED, clock.now()
    try:
        session.flush()  # the unique code among all institutions shows itself here
    except IntegrityError:
        raise CourseCodeTaken from None
    _note(
        session, actor, "courses.course.published", course_id,
        case_lesson=str(case) if case else None, no_case_reason=course.no_case_reason,
    )  # fmt: skip


def _check_quizzes(session: Session, lessons: Sequence[Lesson]) -> None:
    counts = question_counts(session, [row.id for row in lessons])
    needed = rulebook().quiz_questions
    for row in lessons:
        if row.quiz_required and counts.get(row.id, 0) < needed:
            raise TooFewQuestions(needed=needed, found=counts.get(row.id, 0))


def _note(session: Session, actor: Actor, action: str, course_id: uuid.UUID, **data: object) -> None:
    audit.record(session, actor, action, subject_type="course", subject_id=course_id, data=data)
