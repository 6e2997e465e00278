"""Courses: drafts, questions, and publishing for good."""

from __future__ import annotations

import io
import json
import uuid

import pytest
from sqlalchemy import select, update
from sqlalchemy.exc import DBAPIError

from lms.core import clock
from lms.core.access import Role
from lms.core.spreadsheets.errors import SheetRefused
from lms.core.tenancy import WORKER_SCOPE
from lms.courses.catalogue import files
from lms.courses.catalogue.models import Course, LessonQuestion
from lms.courses.catalogue.operations import NewCourse, NewLesson, add_lesson, create_course, publish_course
from lms.courses.demo import QUESTIONS_FILE
from lms.courses.errors import (
    AssetNotReady,
    CourseCodeTaken,
    CourseEmpty,
    CourseFrozen,
    QuestionsRefused,
    RiskCaseMissing,
    TooFewQuestions,
    UnreadableQuestions,
)
from tests.courses.school import School, add_asset, tenant_actor

QUESTIONS = files.read_questions(QUESTIONS_FILE.read_bytes())


def new_course(code: str | None = None) -> NewCourse:
    return NewCourse(code or f"c-{uuid.uuid4().hex[:12]}", "动火作业", "Hot work", "", "", "26", "", "hot_work")


def lesson(asset_id: uuid.UUID, **changes: object) -> NewLesson:
    values: dict[str, object] = {
        "title_zh": "动火",
        "title_en": "",
        "media_asset_id": asset_id,
        "quiz_required": True,
        "is_risk_case": False,
        "questions": QUESTIONS,
        **changes,
    }
    return NewLesson(**values)  # type: ignore[arg-type]  # tests name what they change


def draft(school: School, **changes: object) -> tuple[uuid.UUID, uuid.UUID]:
    """Make a draft with one lesson; return course and lesson."""
    actor = school.institution
    assert actor.tenant_id
    asset_id = add_asset(school.jobs, actor.tenant_id)
    with school.services.db.transaction(actor.scope) as session:
        course_id = create_course(session, actor, new_course())
        return course_id, add_lesson(session, actor, course_id, lesson(asset_id, **changes))


def test_publishing_needs_a_risk_case_or_a_recorded_reason(school: School) -> None:
    actor = school.institution
    course_id, _ = draft(school)
    with pytest.raises(RiskCaseMissing), school.services.db.transaction(actor.scope) as session:
        publish_course(session, actor, course_id)
    with pytest.raises(RiskCaseMissing), school.services.db.transaction(actor.scope) as session:
        publish_course(session, actor, course_id, no_case_reason="没有")
    with school.services.db.transaction(actor.scope) as session:
        publish_course(session, actor, course_id, no_case_reason="本课程只讲法规条文，不涉及具体风险点。")
    with school.jobs.db.transaction(WORKER_SCOPE) as session:
        row = session.scalars(select(Course).where(Course.id == course_id)).one()
    assert row.state == "published"
    assert row.no_case_reason


def test_the_database_itself_refuses_a_course_without_case_or_reason(school: School) -> None:
    course_id, _ = draft(school)
    published = {"state": "published", "published_at": clock.now()}
    with pytest.raises(DBAPIError), school.jobs.db.transaction(WORKER_SCOPE) as session:
        session.execute(update(Course).where(Course.id == course_id).values(**published))


def test_a_published_course_never_changes(school: School) -> None:
    actor = school.institution
    course_id, lesson_id = draft(school, is_risk_case=True)
    with school.services.db.transaction(actor.scope) as session:
        publish_course(session, actor, course_id)
    asset_id = add_asset(school.jobs, actor.tenant_id or uuid.uuid4())
    with pytest.raises(CourseFrozen), school.services.db.transaction(actor.scope) as session:
        add_lesson(session, actor, course_id, lesson(asset_id))
    with school.services.db.transaction(actor.scope) as session:
        changed = session.execute(update(Course).where(Course.id == course_id).values(title_zh="别的"))
        asked = session.execute(update(LessonQuestion).where(LessonQuestion.lesson_id == lesson_id).values(stem_zh="x"))
        assert (changed.rowcount, asked.rowcount) == (0, 0)  # type: ignore[attr-defined]  # a cursor result


def test_an_empty_course_or_quiz_is_not_published(school: School) -> None:
    actor = school.institution
    with pytest.raises(CourseEmpty), school.services.db.transaction(actor.scope) as session:
        publish_course(session, actor, create_course(session, actor, new_course()), no_case_reason="没有案例" * 5)
    course_id, _ = draft(school, is_risk_case=True, questions=QUESTIONS[:4])
    with pytest.raises(TooFewQuestions), school.services.db.transaction(actor.scope) as session:
        publish_course(session, actor, course_id)


def test_two_courses_do_not_share_a_code(school: School) -> None:
    with pytest.raises(CourseCodeTaken), school.services.db.transaction(school.institution.scope) as session:
        create_course(session, school.institution, new_course("confined-space-basics"))


@pytest.mark.parametrize("facts", [{"duration_s": 960.0}, {"state": "transcoding"}])
def test_a_video_that_is_not_ready_or_too_long_makes_no_lesson(school: School, facts: dict[str, object]) -> None:
    actor = school.institution
    assert actor.tenant_id
    asset_id = add_asset(school.jobs, actor.tenant_id, **facts)
    with pytest.raises(AssetNotReady), school.services.db.transaction(actor.scope) as session:
        add_lesson(session, actor, create_course(session, actor, new_course()), lesson(asset_id))


def test_faulty_questions_are_named_and_none_is_taken(school: School) -> None:
    bad = json.loads(QUESTIONS_FILE.read_text("utf8"))["questions"][:5]
    bad[1]["answer"] = ["Z"]
    bad[2]["stem_zh"] = bad[0]["stem_zh"]
    questions = files.read_questions(json.dumps(bad).encode())
    with pytest.raises(QuestionsRefused) as refused:
        draft(school, questions=questions)
    assert [code for code, _text in refused.value.problems] == ["space-002", "space-003"]


@pytest.mark.parametrize("data", [b"", b"<html>", b"PK\x03\x04junk", b"[1]", b'{"questions": 3}', b"\xff\xfe"])
def test_what_is_no_file_of_questions_is_refused(data: bytes) -> None:
    with pytest.raises((UnreadableQuestions, SheetRefused)):
        files.read_questions(data)


def test_the_template_reads_back(school: School) -> None:
    questions = files.read_questions(files.template())
    assert [q.kind for q in questions] == ["single", "multiple", "true_false"]
    assert questions[2].answer == ("B",)


def test_an_author_makes_a_course_through_the_pages(school: School) -> None:
    browser, actor = school.client_for(school.institution), school.institution
    assert actor.tenant_id
    asset_id = add_asset(school.jobs, actor.tenant_id)
    form = {"code": f"c-{uuid.uuid4().hex[:8]}", "title_zh": "高处作业", "risk_tag": "work_at_height"}
    assert browser.post("/courses/new", data={**form, "code": "Ä"}).status_code == 422
    made = browser.post("/courses/new", data=form)
    assert made.status_code == 303, made.text
    course = made.location
    data = {
        "media_asset_id": str(asset_id),
        "title_zh": "系好安全带",
        "quiz_required": "y",
        "is_risk_case": "y",
        "questions": (io.BytesIO(QUESTIONS_FILE.read_bytes()), "../../etc/q.json"),
    }
    made = browser.post(f"{course}/lessons/new", data=data, content_type="multipart/form-data")
    assert made.status_code == 303, made.text
    page = browser.get(made.location)
    assert "space-016" in page.text
    typed = {"kind": "true_false", "stem_zh": "安全带应高挂低用。", "answer": "A"}
    assert browser.post(made.location, data=typed).status_code == 303
    assert browser.post(made.location, data=typed).status_code == 422
    assert "17 道" in browser.get(course).text
    assert browser.post(f"{course}/publish", data={"case_lesson_id": ""}).status_code == 303
    assert "已发布" in browser.get(course).text
    assert "高处作业" in browser.get("/courses?q=高处").text
    stranger = school.client_for(tenant_actor(uuid.uuid4(), Role.INSTRUCTOR))
    assert stranger.get(course).status_code == 404
    assert stranger.get(made.location).status_code == 404
