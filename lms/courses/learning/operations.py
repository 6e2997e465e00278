"""Learning a lesson: opening it and crediting what was watched. The server's clock decides."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

import media.api as media
from lms.accounts import api as accounts
from lms.core import audit, clock, events, ids
from lms.core.access import Actor
from lms.courses.errors import IdentityMissing, LessonLockedElsewhere
from lms.courses.learning import checks, rules
from lms.courses.learning.access import Seat, access_seat, check_open, person_of
from lms.courses.learning.completing import complete_if_done, lesson_credited, plan_face_checks, start_over
from lms.courses.learning.models import Credit, Enrolment, EnrolmentState, LessonProgress

# Identity paths (lms.accounts) with which one may learn.
KNOWN_IDENTITIES = frozenset({"face", "declined_confirmed"})


@dataclass(frozen=True, slots=True)
class BeatOutcome:
    """Answer to a beat: seconds of the lesson credited in all and the furthest point reached."""

    credited_s: float
    furthest_s: float
    face_check_due: bool
    referred: bool
    video_completed: bool
    completed: bool


def open_lesson(session: Session, actor: Actor, enrolment_id: uuid.UUID, lesson_id: uuid.UUID) -> Seat:
    """Open a lesson for learning and draw its face checks; an open one is returned as it is.

    Raises IdentityMissing, EnrolmentClosed, LessonOutOfOrder, LessonLockedElsewhere, NotFound.
    """
    person_id = person_of(actor)
    seat = access_seat(session, person_id, enrolment_id, lesson_id, lock=True)
    check_open(seat)
    if seat.progress is None:
        seat.progress = _begin(session, actor, seat)
        seat.done[lesson_id] = seat.progress
    return seat


def _begin(session: Session, actor: Actor, seat: Seat) -> LessonProgress:
    person_id, lesson = seat.enrolment.person_id, seat.lesson
    if accounts.identity_path(session, person_id) not in KNOWN_IDENTITIES:
        raise IdentityMissing
    _release_earlier_viewing(session, seat)
    enrolment = seat.enrolment
    progress = LessonProgress(
        person_id=person_id,
        id=ids.new_id(),
        tenant_id=enrolment.tenant_id,
        region_code=enrolment.region_code,
        industry_code=enrolment.industry_code,
        enrolment_id=enrolment.id,
        lesson_id=lesson.lesson_id,
        viewing_cycle=1,
        credited_s=0,
        furthest_s=0,
        opened_at=clock.now(),
        restarts=0,
    )
    session.add(progress)
    session.flush()  # the checks refer to this row
    plan_face_checks(session, progress, lesson.duration_s)
    if enrolment.state == EnrolmentState.ASSIGNED:
        enrolment.state = EnrolmentState.LEARNING
    audit.record(
        session, actor, "courses.lesson.opened", subject_type="lesson_progress", subject_id=progress.id,
        data={"lesson": str(lesson.lesson_id)},
    )  # fmt: skip
    return progress


def _release_earlier_viewing(session: Session, seat: Seat) -> None:
    """Start a new viewing when an earlier enrolment used the same video; refuse while it still does."""
    person_id = seat.enrolment.person_id
    other = session.execute(
        select(LessonProgress.completed_at, Enrolment.state)
        .join(
            Enrolment, (Enrolment.person_id == LessonProgress.person_id) & (Enrolment.id == LessonProgress.enrolment_id)
        )
        .where(LessonProgress.person_id == person_id, LessonProgress.lesson_id == seat.lesson.lesson_id)
        .where(LessonProgress.enrolment_id != seat.enrolment.id)
    ).all()
    if any(done_at is None and state != EnrolmentState.CANCELLED for done_at, state in other):
        raise LessonLockedElsewhere
    if other:
        media.reset_viewing(session, person_id, seat.lesson.media_asset_id)


def record_beat(
    session: Session,
    actor: Actor,
    *,
    enrolment_id: uuid.UUID,
    lesson_id: uuid.UUID,
    playback_id: uuid.UUID,
    played: Sequence[rules.PlayedEvent],
) -> BeatOutcome:
    """Credit what the player reports, as far as the server's own clock and the face checks allow.

    The first beat opens the lesson. While a face check is due or referred nothing is credited.
    Raises what ``open_lesson`` raises.
    """
    now = clock.now()
    seat = open_lesson(session, actor, enrolment_id, lesson_id)
    progress = seat.begun
    if checks.take_rejected(session, progress):
        start_over(session, actor, seat, reason="identity_rejected")
    blocking = checks.blocking_check(session, actor, progress)
    limit_s = None if blocking else checks.next_limit_s(session, progress)
    allowed = [] if blocking else rules.clip_events(played, limit_s)
    watched = _watch(session, actor, seat, playback_id, allowed, now)
    progress.playback_id = playback_id
    _take_over(session, seat, watched, now)
    if blocking is None:
        blocking = checks.raise_due(session, actor, progress, now)
    completed = blocking is None and complete_if_done(session, actor, seat, now)
    return BeatOutcome(
        credited_s=progress.credited_s,
        furthest_s=progress.furthest_s,
        face_check_due=blocking is not None,
        referred=blocking is not None and blocking.state == "referred",
        video_completed=progress.video_completed_at is not None,
        completed=completed,
    )


def _watch(
    session: Session,
    actor: Actor,
    seat: Seat,
    playback_id: uuid.UUID,
    played: Sequence[rules.PlayedEvent],
    now: datetime,
) -> media.BeatResult:
    """Report to the media room; an empty report moves its clock on, so waiting earns nothing."""
    asset_id = seat.lesson.media_asset_id
    reported = [{"from_s": event.from_s, "to_s": event.to_s, "rate": event.rate} for event in played]
    return media.record_beat(session, actor, asset_id=asset_id, session_id=playback_id, events=reported, now=now)


def _take_over(session: Session, seat: Seat, watched: media.BeatResult, now: datetime) -> None:
    progress = seat.begun
    gained_s = watched.credited_s - progress.credited_s
    first = gained_s > 0 and progress.credited_s == 0 and progress.restarts == 0
    if gained_s > 0:
        _add_credit(session, progress, gained_s)
        progress.credited_s = watched.credited_s
    progress.furthest_s = max(progress.furthest_s, watched.furthest_s)
    progress.last_beat_at = now
    if watched.completed and progress.video_completed_at is None:
        progress.video_completed_at = now
    if first:
        events.publish(session, lesson_credited(progress, first=True))


def _add_credit(session: Session, progress: LessonProgress, gained_s: float) -> None:
    statement = insert(Credit).values(
        person_id=progress.person_id,
        id=ids.new_id(),
        tenant_id=progress.tenant_id,
        region_code=progress.region_code,
        industry_code=progress.industry_code,
        enrolment_id=progress.enrolment_id,
        lesson_id=progress.lesson_id,
        viewing_cycle=progress.viewing_cycle,
        on_day=clock.today(),
        credited_s=gained_s,
    )
    session.execute(
        statement.on_conflict_do_update(
            constraint="uq_courses_credit_day",
            set_={"credited_s": Credit.credited_s + statement.excluded.credited_s},
        )
    )


def settle_face_check(
    session: Session, actor: Actor, check_id: uuid.UUID, *, outcome: str, verification_id: uuid.UUID | None
) -> checks.CheckAnswer:
    """Record what a verification came to; with a passed check learning goes on from now.

    The time that the check took earns nothing: the media room's clock is moved on before the
    player's next beat. Raises what ``checks.settle`` raises.
    """
    check, answer = checks.settle(session, actor, check_id, outcome=outcome, verification_id=verification_id)
    if answer.is_settled:
        seat = access_seat(session, check.person_id, check.enrolment_id, check.lesson_id, lock=True)
        now = clock.now()
        if seat.begun.playback_id is not None:
            _watch(session, actor, seat, seat.begun.playback_id, [], now)
        if checks.blocking_check(session, actor, seat.begun) is None:
            complete_if_done(session, actor, seat, now)
    return answer


def finish_lesson(session: Session, actor: Actor, enrolment_id: uuid.UUID, lesson_id: uuid.UUID) -> bool:
    """Complete a lesson whose video is watched and which nothing stops any more; tell whether it is.

    The player does so with its beats; this is for a check that an administrator settled later.
    """
    seat = access_seat(session, person_of(actor), enrolment_id, lesson_id, lock=True)
    check_open(seat)
    progress = seat.begun
    if checks.take_rejected(session, progress):
        start_over(session, actor, seat, reason="identity_rejected")
        return False
    if checks.blocking_check(session, actor, progress) is not None:
        return False
    return complete_if_done(session, actor, seat, clock.now())
