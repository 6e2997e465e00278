"""Reading programmes, courses and lessons."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

from sqlalchemy import Select, bindparam, func, or_, select
from sqlalchemy.orm import Session

from lms.core import clock
from lms.core.errors import NotFound
from lms.core.paging import Page, paginate
from lms.core.prepared import Prepared
from lms.courses.catalogue.models import (
    Course,
    CourseState,
    Lesson,
    LessonKey,
    LessonQuestion,
    Programme,
    ProgrammeCourse,
)


@dataclass(frozen=True, slots=True)
class ProgrammeView:
    """One version of a programme; ``pass_score`` is out of 100.

    ``course_ids`` are the published courses in order, ``missing_course_codes`` those that nobody has published.
    """

    code: str
    version: int
    name_zh: str
    name_en: str
    effective_from: date
    legal_basis_zh: str
    legal_basis_en: str
    post_code: str
    blueprint_code: str
    scheme_code: str
    pass_score: int
    class_hours: float
    course_ids: tuple[uuid.UUID, ...]
    missing_course_codes: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class LessonView:
    """A lesson as learners and lists see it."""

    lesson_id: uuid.UUID
    course_id: uuid.UUID
    course_title_zh: str
    course_title_en: str
    position: int
    title_zh: str
    title_en: str
    media_asset_id: uuid.UUID
    duration_s: int
    quiz_required: bool
    pass_score: int


def programme(session: Session, code: str, version: int | None = None) -> ProgrammeView:
    """Return a programme in the given version, else in the one in force today. Raises NotFound."""
    query = select(Programme).where(Programme.code == code)
    if version is None:
        today = clock.today()
        query = query.where(Programme.effective_from <= today).where(
            or_(Programme.effective_to.is_(None), Programme.effective_to > today)
        )
    else:
        query = query.where(Programme.version == version)
    row = session.scalars(query.order_by(Programme.version.desc()).limit(1)).first()
    if row is None:
        raise NotFound
    return _programme_view(session, row)


_LEADS_TO = Prepared(
    select(Programme.scheme_code).where(Programme.code == bindparam("code"), Programme.version == bindparam("version"))
)


def scheme_of(session: Session, code: str, version: int) -> str:
    """Return the code of the certificate type that a version of a programme leads to, "" for none. Raises NotFound."""
    rows = _LEADS_TO.rows(session, code=code, version=version)
    if not rows:
        raise NotFound
    return rows[0].scheme_code or ""


def programmes(session: Session) -> list[ProgrammeView]:
    """Return the programmes in force today, each in its newest version, by code."""
    today = clock.today()
    rows = session.scalars(
        select(Programme)
        .where(Programme.effective_from <= today)
        .where(or_(Programme.effective_to.is_(None), Programme.effective_to > today))
        .order_by(Programme.code, Programme.version)
    )
    newest = {row.code: row for row in rows}
    return [_programme_view(session, row) for row in newest.values()]


def programme_names(session: Session) -> dict[str, tuple[str, str]]:
    """Return the Chinese and English name of every programme, the newest version's."""
    rows = session.execute(select(Programme.code, Programme.name_zh, Programme.name_en).order_by(Programme.version))
    return {code: (name_zh, name_en) for code, name_zh, name_en in rows}


def _programme_view(session: Session, row: Programme) -> ProgrammeView:
    rows = session.execute(
        select(ProgrammeCourse.course_code, Course.id)
        .outerjoin(Course, (Course.code == ProgrammeCourse.course_code) & (Course.state == CourseState.PUBLISHED))
        .where(ProgrammeCourse.programme_code == row.code, ProgrammeCourse.programme_version == row.version)
        .order_by(ProgrammeCourse.position)
    )
    # The outer join leaves the id empty where nobody has published the course.
    listed: list[tuple[str, uuid.UUID | None]] = [(row[0], row[1]) for row in rows]
    return ProgrammeView(
        code=row.code,
        version=row.version,
        name_zh=row.name_zh,
        name_en=row.name_en,
        effective_from=row.effective_from,
        legal_basis_zh=row.legal_basis_zh,
        legal_basis_en=row.legal_basis_en,
        post_code=row.post_code,
        blueprint_code=row.blueprint_code,
        scheme_code=row.scheme_code,
        pass_score=row.pass_score,
        class_hours=row.class_hours,
        course_ids=tuple(course_id for _, course_id in listed if course_id),
        missing_course_codes=tuple(code for code, course_id in listed if course_id is None),
    )


def _lessons() -> Select[Lesson, str, str]:
    return select(Lesson, Course.title_zh, Course.title_en).join(
        Course, (Course.tenant_id == Lesson.tenant_id) & (Course.id == Lesson.course_id)
    )


def _lesson_view(row: Lesson, title_zh: str, title_en: str) -> LessonView:
    return LessonView(
        lesson_id=row.id,
        course_id=row.course_id,
        course_title_zh=title_zh,
        course_title_en=title_en,
        position=row.position,
        title_zh=row.title_zh,
        title_en=row.title_en,
        media_asset_id=row.media_asset_id,
        duration_s=row.duration_s,
        quiz_required=row.quiz_required,
        pass_score=row.pass_score,
    )


# Made once: putting a statement together costs a page as much as asking it. The columns stand in
# the order of LessonView.
_OF_PROGRAMMES = (
    select(
        ProgrammeCourse.programme_code,
        ProgrammeCourse.programme_version,
        Lesson.id,
        Lesson.course_id,
        Course.title_zh,
        Course.title_en,
        Lesson.position,
        Lesson.title_zh,
        Lesson.title_en,
        Lesson.media_asset_id,
        Lesson.duration_s,
        Lesson.quiz_required,
        Lesson.pass_score,
    )
    .join(Course, (Course.tenant_id == Lesson.tenant_id) & (Course.id == Lesson.course_id))
    .join(ProgrammeCourse, ProgrammeCourse.course_code == Course.code)
    .where(Course.state == CourseState.PUBLISHED)
    .order_by(ProgrammeCourse.position, Lesson.position)
)
_OF_SOME = _OF_PROGRAMMES.where(ProgrammeCourse.programme_code.in_(bindparam("codes", expanding=True)))


def lessons_of_programmes(session: Session, keys: Sequence[tuple[str, int]]) -> dict[tuple[str, int], list[LessonView]]:
    """Return the lessons of programme versions ``(code, version)`` in the order of learning."""
    found: dict[tuple[str, int], list[LessonView]] = {key: [] for key in keys}
    if not keys:
        return found
    codes = list({code for code, _ in keys})
    for code, version, *values in session.connection().execute(_OF_SOME, {"codes": codes}):
        if (code, version) in found:
            found[code, version].append(LessonView(*values))
    return found


def published_lessons(session: Session) -> dict[tuple[str, int], list[LessonView]]:
    """Return the lessons of every version of every programme, in the order of learning."""
    keys = session.execute(select(Programme.code, Programme.version))
    found: dict[tuple[str, int], list[LessonView]] = {(code, version): [] for code, version in keys}
    for code, version, *values in session.connection().execute(_OF_PROGRAMMES):
        found[code, version].append(LessonView(*values))
    return found


def lesson(session: Session, lesson_id: uuid.UUID) -> LessonView:
    """Return one lesson that the scope may see; raises NotFound."""
    row = session.execute(_lessons().where(Lesson.id == lesson_id)).first()
    if row is None:
        raise NotFound
    return _lesson_view(row[0], row[1], row[2])


def lessons_of_course(session: Session, course_id: uuid.UUID) -> list[LessonView]:
    """Return a course's lessons in order."""
    rows = session.execute(_lessons().where(Lesson.course_id == course_id).order_by(Lesson.position))
    return [_lesson_view(row[0], row[1], row[2]) for row in rows]


def question_counts(session: Session, lesson_ids: Sequence[uuid.UUID]) -> dict[uuid.UUID, int]:
    """Return how many questions each lesson has."""
    rows = session.execute(
        select(LessonQuestion.lesson_id, func.count())
        .where(LessonQuestion.lesson_id.in_(lesson_ids))
        .group_by(LessonQuestion.lesson_id)
    )
    return {row[0]: row[1] for row in rows}


def list_courses(
    session: Session, tenant_id: uuid.UUID, *, words: str = "", state: str = "", cursor: str | None = None
) -> Page[Course]:
    """Return one page of an institution's courses, the newest first."""
    query = select(Course).where(Course.tenant_id == tenant_id)
    if words:
        query = query.where(
            or_(Course.title_zh.contains(words, autoescape=True), Course.code.contains(words, autoescape=True))
        )
    if state:
        query = query.where(Course.state == state)
    return paginate(
        session, query, keys=[Course.__table__.c.id], key_of=lambda row: (row.id,), cursor=cursor, descending=True
    )


def lesson_counts(session: Session, course_ids: Sequence[uuid.UUID]) -> dict[uuid.UUID, tuple[int, int]]:
    """Return number and total seconds of the lessons of each course."""
    rows = session.execute(
        select(Lesson.course_id, func.count(), func.sum(Lesson.duration_s))
        .where(Lesson.course_id.in_(course_ids))
        .group_by(Lesson.course_id)
    )
    return {course_id: (count, int(total)) for course_id, count, total in rows}


@dataclass(frozen=True, slots=True)
class QuestionView:
    """A question with its answer, for its own institution."""

    code: str
    kind: str
    stem_zh: str
    options: tuple[tuple[str, str], ...]
    answer: tuple[str, ...]


def questions_of(
    session: Session, tenant_id: uuid.UUID, course_id: uuid.UUID, lesson_id: uuid.UUID
) -> list[QuestionView]:
    """Return the questions of a lesson of the institution's own course, in the order of their codes."""
    rows = session.execute(
        select(LessonQuestion, LessonKey.answer)
        .join(LessonKey, LessonKey.question_id == LessonQuestion.id)
        .join(Lesson, Lesson.id == LessonQuestion.lesson_id)
        .where(LessonQuestion.tenant_id == tenant_id, Lesson.course_id == course_id, Lesson.id == lesson_id)
        .order_by(LessonQuestion.code)
    )
    return [
        QuestionView(
            code=row.code,
            kind=row.kind,
            stem_zh=row.stem_zh,
            options=tuple((option["key"], option["zh"]) for option in row.options),
            answer=tuple(answer),
        )
        for row, answer in rows
    ]
