"""What ends a lesson, a round of it, and a whole enrolment."""

from __future__ import annotations

import random
import secrets
from datetime import datetime

from sqlalchemy import insert, update
from sqlalchemy.orm import Session

import media.api as media
from lms.core import audit, clock, events, ids, notify
from lms.core.access import Actor
from lms.courses.catalogue.queries import programme_names
from lms.courses.events import LearningCompleted, LessonCredited
from lms.courses.learning import rules
from lms.courses.learning.access import Seat
from lms.courses.learning.models import Credit, EnrolmentState, FaceCheck, LessonProgress
from lms.courses.rulebook import rulebook


def plan_face_checks(session: Session, progress: LessonProgress, duration_s: int) -> None:
    """Draw the checks of this round of the lesson; only the server knows when they come."""
    source = random.Random(secrets.randbits(128))  # noqa: S311 - seeded by the operating system
    for at_s in rules.plan_checks(duration_s, rulebook(), source):
        session.execute(
            insert(FaceCheck).values(
                person_id=progress.person_id,
                id=ids.new_id(),
                tenant_id=progress.tenant_id,
                progress_id=progress.id,
                enrolment_id=progress.enrolment_id,
                lesson_id=progress.lesson_id,
                viewing_cycle=progress.viewing_cycle,
                at_s=at_s,
                state="planned",
                tries=0,
                mismatches=0,
            )
        )


def start_over(session: Session, actor: Actor, seat: Seat, *, reason: str) -> None:
    """Begin the lesson again: a new viewing cycle is appended, the old seconds no longer count.

    ``reason`` (``quiz_failed``, ``identity_rejected``) stays with the excluded seconds.
    """
    progress = seat.begun
    media.reset_viewing(session, progress.person_id, seat.lesson.media_asset_id)
    session.execute(
        update(Credit)
        .where(Credit.person_id == progress.person_id, Credit.enrolment_id == progress.enrolment_id)
        .where(Credit.lesson_id == progress.lesson_id, Credit.viewing_cycle == progress.viewing_cycle)
        .values(exclusion_reason=reason)
    )
    progress.viewing_cycle += 1
    progress.restarts += 1
    progress.credited_s = 0
    progress.furthest_s = 0
    progress.video_completed_at = None
    plan_face_checks(session, progress, seat.lesson.duration_s)
    audit.record(
        session,
        actor,
        "courses.lesson.restarted",
        subject_type="lesson_progress",
        subject_id=progress.id,
        data={"reason": reason, "viewing_cycle": progress.viewing_cycle},
    )


def lesson_credited(progress: LessonProgress, *, first: bool) -> LessonCredited:
    """Tell of the lesson's credit as it stands."""
    return LessonCredited(
        version=1,
        person_id=progress.person_id,
        enrolment_id=progress.enrolment_id,
        tenant_id=progress.tenant_id,
        region_code=progress.region_code,
        industry_code=progress.industry_code,
        lesson_id=progress.lesson_id,
        credited_s=round(progress.credited_s),
        first=first,
        on=clock.today(),
    )


def complete_if_done(session: Session, actor: Actor, seat: Seat, now: datetime) -> bool:
    """Complete the lesson when video and quiz are, and the enrolment when all lessons are.

    Returns whether the lesson is completed. Announces each of the two once.
    """
    progress = seat.begun
    if progress.completed_at is not None:
        return True
    if progress.video_completed_at is None:
        return False
    if seat.lesson.quiz_required and progress.quiz_passed_at is None:
        return False
    progress.completed_at = now
    events.publish(session, lesson_credited(progress, first=False))
    audit.record(
        session,
        actor,
        "courses.lesson.completed",
        subject_type="lesson_progress",
        subject_id=progress.id,
        data={"lesson": str(progress.lesson_id), "credited_s": round(progress.credited_s)},
    )
    if seat.all_completed:
        _complete_learning(session, actor, seat, now)
    return True


def _complete_learning(session: Session, actor: Actor, seat: Seat, now: datetime) -> None:
    enrolment = seat.enrolment
    enrolment.state = EnrolmentState.LEARNED
    enrolment.learning_completed_at = now
    events.publish(
        session,
        LearningCompleted(
            version=1,
            person_id=enrolment.person_id,
            enrolment_id=enrolment.id,
            tenant_id=enrolment.tenant_id,
            region_code=enrolment.region_code,
            industry_code=enrolment.industry_code,
            programme_code=enrolment.programme_code,
            due_on=enrolment.due_on,
            at=now,
        ),
    )
    audit.record(
        session, actor, "courses.enrolment.learned", subject_type="enrolment", subject_id=enrolment.id,
        data={"programme": enrolment.programme_code},
    )  # fmt: skip
    name_zh, name_en = programme_names(session)[enrolment.programme_code]
    notify.send(
        session,
        enrolment.person_id,
        notify.Notice(
            f"“{name_zh}”课程已学完，可以参加考试",
            f"“{name_en}”: all lessons completed, the exam is open",
            f"请在 {enrolment.due_on.isoformat()} 前完成考试。",
            f"Please sit the exam by {enrolment.due_on.isoformat()}.",
            "/exams",
        ),
        dedup_key=f"courses.learned.{enrolment.id}",
    )
