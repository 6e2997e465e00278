"""The institution's pages: courses, lessons, questions, publishing."""

from __future__ import annotations

import uuid

from flask import flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue

import media.api as media
from lms.accounts import api as accounts
from lms.core import web
from lms.core.errors import DomainError
from lms.core.i18n import gettext as _
from lms.core.i18n import in_language
from lms.core.pages import download
from lms.courses.access import P
from lms.courses.catalogue import files, operations, queries
from lms.courses.catalogue.forms import CourseForm, LessonForm, PublishForm, QuestionForm
from lms.courses.catalogue.operations import NewLesson, access_course, access_draft, tenant_of
from lms.courses.catalogue.rules import DraftQuestion
from lms.courses.choices import choices
from lms.courses.errors import QuestionsRefused
from lms.courses.pages import bp
from lms.courses.rulebook import rulebook

XLSX = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"


@bp.get("/courses")
@web.requires(P.COURSE_READ)
def course_list() -> ResponseReturnValue:
    """List the institution's courses."""
    words, state = request.args.get("q", "").strip(), request.args.get("state", "")
    page = queries.list_courses(
        web.db(), tenant_of(web.actor()), words=words, state=state, cursor=request.args.get("cursor") or None
    )
    return render_template(
        "courses/courses.html",
        page=page,
        counts=queries.lesson_counts(web.db(), [row.id for row in page.items]),
        risks={risk.code: risk for risk in rulebook().risks},
        q=words,
        state=state,
    )


def _offer_tags(form: CourseForm) -> CourseForm:
    session = web.db()
    industries = [(code, in_language(zh, en)) for code, zh, en in accounts.industries(session)]
    posts = [(post.code, in_language(post.name_zh, post.name_en)) for post in accounts.posts(session)]
    form.industry_tag.choices = choices([("", _("全部行业")), *industries])
    form.post_tag.choices = choices([("", _("全部岗位")), *posts])
    form.risk_tag.choices = choices((risk.code, in_language(risk.name_zh, risk.name_en)) for risk in rulebook().risks)
    return form


@bp.get("/courses/new")
@web.requires(P.COURSE_EDIT)
def new_course() -> ResponseReturnValue:
    """Show the form of a new course."""
    return render_template("courses/course_new.html", form=_offer_tags(CourseForm()), error=None)


@bp.post("/courses/new")
@web.requires(P.COURSE_EDIT)
def create_course() -> ResponseReturnValue:
    """Add a draft."""
    form = _offer_tags(CourseForm())
    if not form.validate_on_submit():
        return render_template("courses/course_new.html", form=form, error=None), 422
    try:
        course_id = operations.create_course(web.db(), web.actor(), form.course())
    except DomainError as error:
        return render_template("courses/course_new.html", form=form, error=error.text()), error.status
    return redirect(url_for("courses.course_page", course_id=course_id), 303)


def _course_page(course_id: uuid.UUID, error: str | None = None) -> str:
    session = web.db()
    course = access_course(session, web.actor(), course_id)
    lessons = queries.lessons_of_course(session, course_id)
    form = PublishForm(case_lesson_id=str(course.case_lesson_id or ""))
    listed = [(str(item.lesson_id), in_language(item.title_zh, item.title_en)) for item in lessons]
    form.case_lesson_id.choices = choices([("", _("没有案例微课")), *listed])
    return render_template(
        "courses/course.html",
        course=course,
        lessons=lessons,
        questions=queries.question_counts(session, [item.lesson_id for item in lessons]),
        risks={risk.code: risk for risk in rulebook().risks},
        form=form,
        error=error,
        post_name=accounts.post_name(session, course.post_tag, in_language("", "en") == "en")
        if course.post_tag
        else "",
        needed=rulebook().quiz_questions,
    )


@bp.get("/courses/<uuid:course_id>")
@web.requires(P.COURSE_READ)
def course_page(course_id: uuid.UUID) -> ResponseReturnValue:
    """Show a course with its lessons."""
    return _course_page(course_id)


@bp.post("/courses/<uuid:course_id>/publish")
@web.requires(P.COURSE_PUBLISH)
def publish_course(course_id: uuid.UUID) -> ResponseReturnValue:
    """Publish a draft for good."""
    try:
        operations.publish_course(
            web.db(),
            web.actor(),
            course_id,
            case_lesson_id=web.uuid_or_none(request.form.get("case_lesson_id")),
            no_case_reason=request.form.get("no_case_reason", "")[:500],
        )
    except DomainError as error:
        if error.status == 404:
            raise
        return _course_page(course_id, error.text()), error.status
    flash(_("课程已发布"), "success")
    return redirect(url_for("courses.course_page", course_id=course_id), 303)


def _offer_assets(form: LessonForm) -> LessonForm:
    assets = media.ready_assets(web.db(), tenant_of(web.actor()))
    listed = [(str(a.asset_id), f"{a.title}（{int(a.duration_s) // 60}:{int(a.duration_s) % 60:02d}）") for a in assets]
    form.media_asset_id.choices = choices([("", _("请选择视频")), *listed])
    return form


def _lesson_form(course_id: uuid.UUID, form: LessonForm, problems: list[tuple[str, object]], error: str | None) -> str:
    course = access_draft(web.db(), web.actor(), course_id)
    return render_template("courses/lesson_new.html", course=course, form=form, problems=problems, error=error)


@bp.get("/courses/<uuid:course_id>/lessons/new")
@web.requires(P.COURSE_EDIT)
def new_lesson(course_id: uuid.UUID) -> ResponseReturnValue:
    """Show the form of a new lesson."""
    return _lesson_form(course_id, _offer_assets(LessonForm()), [], None)


@bp.post("/courses/<uuid:course_id>/lessons/new")
@web.requires(P.COURSE_EDIT)
def create_lesson(course_id: uuid.UUID) -> ResponseReturnValue:
    """Add a lesson with its video and, if a file came, its questions."""
    form = _offer_assets(LessonForm())
    if not form.validate_on_submit():
        return _lesson_form(course_id, form, [], None), 422
    try:
        lesson_id = operations.add_lesson(
            web.db(),
            web.actor(),
            course_id,
            NewLesson(
                title_zh=form.title_zh.data or "",
                title_en=form.title_en.data or "",
                media_asset_id=uuid.UUID(form.media_asset_id.data),
                quiz_required=bool(form.quiz_required.data),
                is_risk_case=bool(form.is_risk_case.data),
                questions=_uploaded(form),
            ),
        )
    except QuestionsRefused as error:
        return _lesson_form(course_id, form, error.problems, error.text()), error.status
    except DomainError as error:
        if error.status == 404:
            raise
        return _lesson_form(course_id, form, [], error.text()), error.status
    flash(_("微课已添加"), "success")
    return redirect(url_for("courses.question_list", course_id=course_id, lesson_id=lesson_id), 303)


def _uploaded(form: LessonForm) -> tuple[DraftQuestion, ...]:
    upload = form.questions.data
    if not upload or not upload.filename:
        return ()
    return files.read_questions(upload.stream.read(files.FILE_BYTES_MAX + 1))


@bp.post("/courses/<uuid:course_id>/lessons/<uuid:lesson_id>/remove")
@web.requires(P.COURSE_EDIT)
def remove_lesson(course_id: uuid.UUID, lesson_id: uuid.UUID) -> ResponseReturnValue:
    """Take a lesson out of a draft."""
    operations.remove_lesson(web.db(), web.actor(), course_id, lesson_id)
    flash(_("微课已移除"), "success")
    return redirect(url_for("courses.course_page", course_id=course_id), 303)


def _question_page(
    course_id: uuid.UUID,
    lesson_id: uuid.UUID,
    form: QuestionForm,
    problems: list[tuple[str, object]] | None = None,
    error: str | None = None,
) -> str:
    course = access_course(web.db(), web.actor(), course_id)
    return render_template(
        "courses/questions.html",
        course=course,
        lesson=queries.lesson(web.db(), lesson_id),
        questions=queries.questions_of(web.db(), course.tenant_id, course_id, lesson_id),
        form=form,
        problems=problems or [],
        error=error,
        needed=rulebook().quiz_questions,
    )


@bp.get("/courses/<uuid:course_id>/lessons/<uuid:lesson_id>/questions")
@web.requires(P.COURSE_READ)
def question_list(course_id: uuid.UUID, lesson_id: uuid.UUID) -> ResponseReturnValue:
    """List a lesson's questions with their answers, for the institution only."""
    return _question_page(course_id, lesson_id, QuestionForm())


@bp.post("/courses/<uuid:course_id>/lessons/<uuid:lesson_id>/questions")
@web.requires(P.COURSE_EDIT)
def add_questions(course_id: uuid.UUID, lesson_id: uuid.UUID) -> ResponseReturnValue:
    """Add one typed question, or those of a file."""
    form, upload = QuestionForm(), request.files.get("file")
    try:
        if upload is not None and upload.filename:
            questions = files.read_questions(upload.stream.read(files.FILE_BYTES_MAX + 1))
        elif form.validate_on_submit():
            questions = (form.question(),)
        else:
            return _question_page(course_id, lesson_id, form), 422
        count = operations.add_questions(web.db(), web.actor(), course_id, lesson_id, questions)
    except QuestionsRefused as error:
        return _question_page(course_id, lesson_id, form, error.problems, error.text()), error.status
    except DomainError as error:
        if error.status == 404:
            raise
        return _question_page(course_id, lesson_id, form, None, error.text()), error.status
    flash(_("已添加 %(n)s 道试题", n=count), "success")
    return redirect(url_for("courses.question_list", course_id=course_id, lesson_id=lesson_id), 303)


@bp.get("/courses/question-template.xlsx")
@web.requires(P.COURSE_READ)
def question_template() -> ResponseReturnValue:
    """Hand out the spreadsheet that authors fill in."""
    return download(files.template(), "questions.xlsx", XLSX)
