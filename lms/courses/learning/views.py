"""The learner's pages."""

from __future__ import annotations

import uuid
from datetime import datetime

from flask import flash, jsonify, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue

import media.api as media
from lms.accounts import api as accounts
from lms.core import clock, ids, web
from lms.core.i18n import gettext as _
from lms.courses.access import P
from lms.courses.errors import BadBeat, QuizIncomplete
from lms.courses.learning import checks, operations, quizzes, rules
from lms.courses.learning.access import access_quiz, access_seat, check_open, person_of
from lms.courses.learning.home import Training, home, training, trainings_of
from lms.courses.learning.queries import blocking_check, credited_class_hours, enrolment, standing
from lms.courses.pages import bp

FRAMES_MAX = 6
FRAME_BYTES_MAX = 2 * 1024 * 1024


def _greeting(now: datetime) -> object:
    if now.hour < 6:
        return _("夜深了")
    if now.hour < 12:
        return _("上午好")
    return _("下午好") if now.hour < 18 else _("晚上好")


@bp.get("/learn", endpoint="home")
@web.requires(P.LEARN)
def home_page() -> ResponseReturnValue:
    """Show the learner's own first page."""
    actor, session = web.actor(), web.db()
    person_id = person_of(actor)
    view = home(session, person_id, actor.tenant_id, actor.display_name)
    return render_template(
        "courses/home.html",
        view=view,
        greeting=_greeting(clock.local(clock.now())),
        poster=_poster(view.current),
        unread=view.unread,
        today=clock.today(),
    )


def _poster(current: Training | None) -> str | None:
    if current is None or current.next_lesson is None:
        return None
    return media.playback_urls(current.next_lesson.lesson.media_asset_id).poster


@bp.get("/learn/trainings")
@web.requires(P.LEARN)
def my_trainings() -> ResponseReturnValue:
    """List the learner's trainings."""
    trainings = trainings_of(web.db(), person_of(web.actor()))
    return render_template("courses/trainings.html", trainings=trainings, today=clock.today())


@bp.get("/learn/<uuid:enrolment_id>")
@web.requires(P.LEARN)
def training_page(enrolment_id: uuid.UUID) -> ResponseReturnValue:
    """Show one training with its lessons."""
    person_id = person_of(web.actor())
    found = enrolment(web.db(), person_id, enrolment_id)
    return render_template(
        "courses/training.html",
        training=training(web.db(), person_id, found),
        hours=credited_class_hours(web.db(), person_id, enrolment_id),
        today=clock.today(),
    )


@bp.get("/learn/<uuid:enrolment_id>/lessons/<uuid:lesson_id>")
@web.requires(P.LEARN)
def lesson_page(enrolment_id: uuid.UUID, lesson_id: uuid.UUID) -> ResponseReturnValue:
    """Show a lesson's player; the first beat opens the lesson."""
    session, person_id = web.db(), person_of(web.actor())
    seat = access_seat(session, person_id, enrolment_id, lesson_id)
    check_open(seat)
    check = blocking_check(session, person_id, seat.progress) if seat.progress else None
    place = standing(seat.lesson, seat.progress)
    asset = media.asset(session, seat.lesson.media_asset_id)
    watched = media.watched(session, person_id, seat.lesson.media_asset_id) if seat.progress else None
    return render_template(
        "courses/lesson.html",
        enrolment_id=enrolment_id,
        place=place,
        lessons=[standing(item, seat.done.get(item.lesson_id)) for item in seat.lessons],
        identity=accounts.identity_path(session, person_id),
        check_state=check.state if check else None,
        urls=media.playback_urls(asset.asset_id, asset.caption_languages),
        has_audio=asset.has_audio,
        playback_id=ids.new_id(),
        position_s=0 if watched is None or place.video_completed else watched.position_s,
    )


@bp.post("/learn/<uuid:enrolment_id>/lessons/<uuid:lesson_id>/beat")
@web.requires(P.LEARN)
@web.takes_json
def beat(enrolment_id: uuid.UUID, lesson_id: uuid.UUID) -> ResponseReturnValue:
    """Take the player's report; what counts is decided here."""
    body = request.get_json()
    playback_id = web.uuid_or_none(str(body.get("session")))
    played = rules.parse_events(body.get("events"))
    if playback_id is None or played is None:
        raise BadBeat
    outcome = operations.record_beat(
        web.db(), web.actor(), enrolment_id=enrolment_id, lesson_id=lesson_id, playback_id=playback_id, played=played
    )
    next_url = None
    if outcome.completed:
        next_url = url_for("courses.training_page", enrolment_id=enrolment_id)
    elif outcome.video_completed and not outcome.face_check_due:
        next_url = url_for("courses.quiz_page", enrolment_id=enrolment_id, lesson_id=lesson_id)
    return jsonify(
        credited_s=round(outcome.credited_s, 1),
        furthest_s=round(outcome.furthest_s, 2),
        face_check_due=outcome.face_check_due,
        referred=outcome.referred,
        completed=outcome.video_completed and not outcome.face_check_due,
        next_url=next_url,
    )


@bp.post("/learn/<uuid:enrolment_id>/lessons/<uuid:lesson_id>/face")
@web.requires(P.LEARN)
@web.own_transactions
def face_check(enrolment_id: uuid.UUID, lesson_id: uuid.UUID) -> ResponseReturnValue:
    """Compare the learner's face between two short transactions."""
    actor = web.actor()
    frames = [file.read(FRAME_BYTES_MAX + 1) for file in request.files.getlist("frames")[:FRAMES_MAX]]
    with web.transaction(read_only=True) as session:
        access_seat(session, person_of(actor), enrolment_id, lesson_id)
        check_id = checks.access_due_check(session, person_of(actor), enrolment_id, lesson_id).id
    found = accounts.verify_face(web.services(), actor, purpose="learning", subject_id=check_id, frames=frames)
    with web.transaction() as session:
        answer = operations.settle_face_check(
            session, actor, check_id, outcome=found.outcome, verification_id=found.verification_id
        )
    return jsonify(
        outcome="match" if answer.is_settled else answer.outcome,
        message=str(_face_message(answer)),
        advice=[str(line) for line in found.advice],
        next_url=None
        if answer.state != "referred"
        else url_for("courses.lesson_page", enrolment_id=enrolment_id, lesson_id=lesson_id),
    )


def _face_message(answer: checks.CheckAnswer) -> object:
    if answer.is_settled:
        return _("核验通过，请继续学习")
    if answer.state == "referred":
        return _("多次核验未通过，已提交本单位管理员核实，核实前暂停计学时")
    if answer.outcome == "no_match":
        return _("与本人登记的照片不符，还可以再试 %(n)s 次", n=answer.tries_left)
    return _("画面无法判断，请按提示调整后再试")


@bp.post("/learn/<uuid:enrolment_id>/lessons/<uuid:lesson_id>/finish")
@web.requires(P.LEARN)
def finish_lesson(enrolment_id: uuid.UUID, lesson_id: uuid.UUID) -> ResponseReturnValue:
    """Complete a lesson that waited for an administrator's decision."""
    if operations.finish_lesson(web.db(), web.actor(), enrolment_id, lesson_id):
        return redirect(url_for("courses.training_page", enrolment_id=enrolment_id), 303)
    return redirect(url_for("courses.lesson_page", enrolment_id=enrolment_id, lesson_id=lesson_id), 303)


@bp.get("/learn/<uuid:enrolment_id>/lessons/<uuid:lesson_id>/quiz")
@web.requires(P.LEARN)
def quiz_page(enrolment_id: uuid.UUID, lesson_id: uuid.UUID) -> ResponseReturnValue:
    """Show the drawn quiz, or the button that draws it."""
    session = web.db()
    seat = access_seat(session, person_of(web.actor()), enrolment_id, lesson_id)
    quiz = quizzes.current_quiz(session, seat)
    if quiz is not None and quiz.score is not None:
        return redirect(url_for("courses.quiz_result", quiz_id=quiz.id))
    return render_template(
        "courses/quiz.html",
        enrolment_id=enrolment_id,
        place=standing(seat.lesson, seat.progress),
        quiz=quiz,
        questions=quizzes.shown_questions(session, quiz) if quiz else [],
        error=None,
        chosen={},
    )


@bp.post("/learn/<uuid:enrolment_id>/lessons/<uuid:lesson_id>/quiz")
@web.requires(P.LEARN)
def draw_quiz(enrolment_id: uuid.UUID, lesson_id: uuid.UUID) -> ResponseReturnValue:
    """Draw the quiz of the present round."""
    quizzes.draw_quiz(web.db(), web.actor(), enrolment_id, lesson_id)
    return redirect(url_for("courses.quiz_page", enrolment_id=enrolment_id, lesson_id=lesson_id), 303)


@bp.post("/learn/quizzes/<uuid:quiz_id>")
@web.requires(P.LEARN)
def submit_quiz(quiz_id: uuid.UUID) -> ResponseReturnValue:
    """Hand in a quiz: fields ``q-<question id>``, repeated for several options."""
    session, actor = web.db(), web.actor()
    chosen = {key[2:]: values for key, values in request.form.lists() if key.startswith("q-")}
    try:
        result = quizzes.submit_quiz(session, actor, quiz_id, chosen)
    except QuizIncomplete as error:
        quiz = access_quiz(session, person_of(actor), quiz_id)
        seat = access_seat(session, person_of(actor), quiz.enrolment_id, quiz.lesson_id)
        page = render_template(
            "courses/quiz.html",
            enrolment_id=quiz.enrolment_id,
            place=standing(seat.lesson, seat.progress),
            quiz=quiz,
            questions=quizzes.shown_questions(session, quiz),
            error=error.text(),
            chosen=chosen,
        )
        return page, 422
    if result.passed:
        flash(_("测验通过，得 %(score)s 分", score=result.score), "success")
    return redirect(url_for("courses.quiz_result", quiz_id=quiz_id), 303)


@bp.get("/learn/quizzes/<uuid:quiz_id>")
@web.requires(P.LEARN)
def quiz_result(quiz_id: uuid.UUID) -> ResponseReturnValue:
    """Show what a quiz came to, and what comes next."""
    session, person_id = web.db(), person_of(web.actor())
    quiz = access_quiz(session, person_id, quiz_id)
    if quiz.score is None:
        return redirect(url_for("courses.quiz_page", enrolment_id=quiz.enrolment_id, lesson_id=quiz.lesson_id))
    seat = access_seat(session, person_id, quiz.enrolment_id, quiz.lesson_id)
    return render_template(
        "courses/quiz_result.html",
        quiz=quiz,
        lesson=seat.lesson,
        questions=quizzes.shown_questions(session, quiz),
        training=training(session, person_id, enrolment(session, person_id, quiz.enrolment_id)),
    )
