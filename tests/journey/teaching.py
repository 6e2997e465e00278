"""The instructor's part: a real video through the upload form, a course over it, published."""

from __future__ import annotations

import re

from tests.journey.client import Client, File
from tests.journey.instance import ROOT, JourneyFailed

LESSON = ROOT / "media" / "demo_lesson"
QUESTIONS = ROOT / "lms" / "courses" / "reference" / "confined_space_questions.json"
COURSE_CODE = "confined-space-basics"
READY_WITHIN_S = 120.0


def upload_video(instructor: Client) -> str:
    """Send the finished micro-lesson with its captions; return the page that shows its state."""
    instructor.get("/media/assets/new")
    files = {"file": File("confined_space.mp4", (LESSON / "confined_space.mp4").read_bytes(), "video/mp4")}
    for language in ("zh", "en"):
        files[f"captions_{language}"] = File(
            f"{language}.vtt", (LESSON / f"captions.{language}.vtt").read_bytes(), "text/vtt"
        )
    return instructor.post("/media/assets/new", {"title": "有限空间作业：先通风、再检测、后作业"}, files=files).path


def publish_course(instructor: Client, asset_page: str) -> None:
    """Wait for the pipeline, then make the course with its lesson and questions, and publish it."""
    instructor.until(
        asset_page, lambda page: "data-player" in page.text, within_s=READY_WITHIN_S, what="the video is ready"
    )
    asset_id = asset_page.rsplit("/", 1)[-1]
    instructor.get("/courses/new")
    course = instructor.post(
        "/courses/new",
        {
            "code": COURSE_CODE,
            "title_zh": "有限空间作业安全",
            "title_en": "Working safely in confined spaces",
            "summary_zh": "先通风、再检测、后作业。",
            "industry_tag": "",
            "post_tag": "",
            "risk_tag": "confined_space",
        },
    )
    lesson = {
        "title_zh": "有限空间作业：先通风、再检测、后作业",
        "title_en": "Confined spaces: ventilate, test, then work",
        "media_asset_id": asset_id,
        "quiz_required": "y",
        "is_risk_case": "y",
    }
    form = course.link(r"/lessons/new$")
    instructor.get(form)
    questions = File("questions.json", QUESTIONS.read_bytes(), "application/json")
    added = instructor.post(form, lesson, files={"questions": questions})
    lesson_id = re.findall(r"/lessons/([0-9a-f-]{36})/questions", added.path)
    if not lesson_id:
        raise JourneyFailed(f"the lesson was not added: {added.words[:400]}")
    instructor.get(course.path)
    published = instructor.post(f"{course.path}/publish", {"case_lesson_id": lesson_id[0], "no_case_reason": ""})
    if published.links(r"/publish$"):
        raise JourneyFailed(f"the course was not published: {published.words[:400]}")
