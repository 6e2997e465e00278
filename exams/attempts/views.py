"""Pages and calls of a person who sits an exam."""

from __future__ import annotations

import uuid
from typing import Any

from flask import Blueprint, flash, jsonify, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from sqlalchemy.orm import Session

import lms.accounts.api as accounts
import lms.courses.api as courses
from exams.attempts import forms, operations, queries
from exams.attempts.access import P, access_attempt, person_of
from exams.attempts.models import Attempt
from exams.attempts.queries import ExamCard, PaperItem
from exams.errors import AttemptClosed
from lms.core import clock, web
from lms.core.access import Actor
from lms.core.i18n import gettext as _
from lms.core.i18n import in_language
from lms.core.i18n import lazy_gettext as _l

blueprint = Blueprint("exams", __name__, template_folder="templates", url_prefix="/exams")

FRAMES = 3
MAX_FRAME_BYTES = 2 * 1024 * 1024
PASSING = frozenset({"match", "confirmed_by_admin"})
KIND_LABELS = {"single": _l("单选题"), "multiple": _l("多选题"), "true_false": _l("判断题")}
# The exam macro names true/false questions as Chinese papers do.
MACRO_KINDS = {"single": "single", "multiple": "multiple", "true_false": "judge"}


@blueprint.get("")
@web.requires(P.TAKE)
def my_exams() -> ResponseReturnValue:
    """List the exams of one's enrolments: locked, ready, running, done."""
    return render_template("exams/list.html", cards=queries.exam_cards(web.db(), person_of(web.actor())))


def next_step(session: Session, actor: Actor, _subject: uuid.UUID | None) -> str:
    """Return the exams that the learner may sit now, for the learner's home; nothing when there are none."""
    if not actor.can(P.TAKE):
        return ""
    cards = [card for card in queries.exam_cards(session, person_of(actor)) if card.state in {"ready", "running"}]
    return render_template("exams/_next_step.html", cards=cards) if cards else ""


@blueprint.get("/start/<uuid:enrolment_id>")
@web.requires(P.TAKE)
def start_page(enrolment_id: uuid.UUID) -> ResponseReturnValue:
    """Show the rules of the exam, the identity check, and then the button that starts it."""
    person_id = person_of(web.actor())
    card = queries.exam_card(web.db(), person_id, enrolment_id)
    if card.running_id:
        return redirect(url_for(".attempt_page", attempt_id=card.running_id))
    return render_template(
        "exams/start.html",
        card=card,
        verified=_is_verified(card, person_id),
        identity_path=accounts.identity_path(web.db(), person_id),
        frames=FRAMES,
    )


def _is_verified(card: ExamCard, person_id: uuid.UUID) -> bool:
    if card.plan is None:
        return False
    since = operations.verified_since(card.plan.identity_max_age_min)
    found = accounts.last_passed_verification(
        web.db(), person_id, purpose=operations.IDENTITY_PURPOSE, subject_id=card.enrolment_id, since=since
    )
    return found is not None


@blueprint.post("/start/<uuid:enrolment_id>")
@web.requires(P.TAKE)
def start(enrolment_id: uuid.UUID) -> ResponseReturnValue:
    """Start the exam, or resume the one that is open."""
    attempt_id = operations.start_attempt(web.db(), web.actor(), enrolment_id)
    target = url_for(".attempt_page", attempt_id=attempt_id)
    if web.wants_json():
        return jsonify(attempt_id=str(attempt_id), url=target), 201
    return redirect(target, 303)


@blueprint.post("/verify/<uuid:enrolment_id>")
@web.requires(P.TAKE)
@web.own_transactions
def verify(enrolment_id: uuid.UUID) -> ResponseReturnValue:
    """Check the face before the exam: frames in, outcome and advice out."""
    with web.transaction(read_only=True) as session:
        courses.enrolment(session, person_of(web.actor()), enrolment_id)
    frames = [file.read(MAX_FRAME_BYTES + 1) for file in request.files.getlist("frames")[: 2 * FRAMES]]
    check = accounts.verify_face(
        web.services(), web.actor(), purpose=operations.IDENTITY_PURPOSE, subject_id=enrolment_id, frames=frames
    )
    passed = check.outcome in PASSING
    message = _("核验通过") if passed else _("核验未通过，请按提示重试")
    target = url_for(".start_page", enrolment_id=enrolment_id)
    if not web.wants_json():
        # The plain button of a person whose identity card an administrator has checked.
        flash(message, "ok" if passed else "bad")
        return redirect(target, 303)
    return jsonify(
        outcome=check.outcome,
        message=message,
        advice=[str(line) for line in check.advice],
        next_url=target if passed else None,
    )


@blueprint.get("/<uuid:attempt_id>")
@web.requires(P.TAKE)
def attempt_page(attempt_id: uuid.UUID) -> ResponseReturnValue:
    """Show the paper while it is open, the result afterwards."""
    attempt = access_attempt(web.db(), web.actor(), attempt_id)
    title = in_language(*queries.title_of(web.db(), attempt.programme_code))
    if attempt.state != "open":
        return _result(attempt, title)
    items = queries.paper(web.db(), attempt.person_id, attempt_id)
    data = _exam_data(attempt, items)
    if web.wants_json():
        return jsonify({**data, "title": title, "items": [_shown(item) for item in items]})
    return render_template("exams/paper.html", title=title, items=[_shown(item) for item in items], data=data)


def _exam_data(attempt: Attempt, items: list[PaperItem]) -> dict[str, Any]:
    """Return what ``exam.js`` starts from."""
    return {
        "attempt_id": str(attempt.id),
        "save_url": url_for(".save_answers", attempt_id=attempt.id),
        "submit_url": url_for(".submit", attempt_id=attempt.id),
        "deadline_at": attempt.deadline_at.isoformat(),
        "server_now": clock.now().isoformat(),
        "last_seq": max((item.seq for item in items), default=0),
        "answers": {str(item.number): {"keys": item.keys, "seq": item.seq} for item in items if item.seq},
    }


def _shown(item: PaperItem) -> dict[str, Any]:
    return {
        "number": item.number,
        "kind": MACRO_KINDS[item.kind],
        "kind_label": str(KIND_LABELS[item.kind]),
        "stem": in_language(item.stem_zh, item.stem_en),
        "options": [(letter, in_language(zh, en)) for letter, zh, en in item.options],
        "keys": item.keys,
    }


def _result(attempt: Attempt, title: str) -> ResponseReturnValue:
    result = queries.result(web.db(), attempt)
    if web.wants_json():
        return jsonify(state="submitted", score=attempt.score, passed=attempt.passed, right=result.right)
    return render_template(
        "exams/result.html",
        title=title,
        attempt=queries.view_of(attempt),
        result=result,
        card=queries.exam_card(web.db(), attempt.person_id, attempt.enrolment_id),
        kinds=KIND_LABELS,
    )


@blueprint.put("/<uuid:attempt_id>/answers")
@web.requires(P.TAKE)
@web.takes_json
def save_answers(attempt_id: uuid.UUID) -> ResponseReturnValue:
    """Save answers; what the reply acknowledges is on disk."""
    now = clock.now()
    try:
        answers = forms.answers_of(request.get_json())
        acked = operations.record_answers(web.db(), web.actor(), attempt_id, answers, now)
    except AttemptClosed as error:
        body = jsonify(error=error.code, message=error.text(), state=error.state, server_now=now.isoformat())
        return body, error.status
    return jsonify(acked=acked, server_now=now.isoformat(), state="open")


@blueprint.post("/<uuid:attempt_id>/submit")
@web.requires(P.TAKE)
@web.takes_json
def submit(attempt_id: uuid.UUID) -> ResponseReturnValue:
    """Hand in; repeating it changes nothing. Without script the form brings the whole paper along."""
    posted = forms.posted_answers(request.form.to_dict(flat=False))
    if posted:
        try:
            operations.record_answers(web.db(), web.actor(), attempt_id, posted, clock.now())
        except AttemptClosed:
            flash(_("考试时间已到，最后一次提交的答案未计入"), "warn")
    attempt = operations.submit_attempt(web.db(), web.actor(), attempt_id)
    if web.wants_json():
        return jsonify(state="submitted", score=attempt.score, passed=attempt.passed)
    return redirect(url_for(".attempt_page", attempt_id=attempt_id), 303)
