"""This room's part of the demo province: one course, made and published through the operations."""

from __future__ import annotations

import uuid
from collections.abc import Callable

import media.api as media
from lms.core.access import Actor
from lms.core.services import Services
from lms.courses.catalogue import operations
from lms.courses.catalogue.files import read_questions
from lms.courses.catalogue.operations import NewCourse, NewLesson
from lms.courses.rulebook import RULES_FILE

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


def make_demo_course(services: Services, actor: Actor, run_jobs: Callable[[], None]) -> uuid.UUID:
    """Upload the demo's lesson as ``actor``, an instructor, let ``run_jobs`` transcode it, and publish the course.

    Raises RuntimeError when the video did not become ready.
    """
    lesson = media.demo_lesson()
    asset_id = media.upload_asset(
        services, actor, file=lesson.file, file_name=lesson.file.name, title=lesson.title_zh, captions=lesson.captions
    )
    run_jobs()
    with services.db.transaction(actor.scope, read_only=True) as session:
        state = media.asset(session, asset_id).state
    if state != "ready":
        raise RuntimeError(f"the demo's video is {state}")
    return publish_demo_course(services, actor, asset_id)
