"""Face checks while learning: due by the server's plan, settled by the engine or by a person."""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from lms.accounts import api as accounts
from lms.core import audit, clock, queue
from lms.core.access import Actor
from lms.core.errors import NotFound
from lms.courses.errors import FaceCheckNotDue, FaceCheckReferred, ReasonMissing
from lms.courses.learning import rules
from lms.courses.learning.access import person_of
from lms.courses.learning.models import CheckState, FaceCheck, LessonProgress
from lms.courses.rulebook import rulebook

TELL_ADMINISTRATORS = "courses.tell_of_referred_check"


@dataclass(frozen=True, slots=True)
class CheckAnswer:
    """What the learner hears: the outcome and whether a person of the enterprise must decide now."""

    outcome: str
    state: str
    tries_left: int

    @property
    def is_settled(self) -> bool:
        return self.state in {CheckState.PASSED, CheckState.CONFIRMED}


def _of_round(progress: LessonProgress) -> tuple[object, ...]:
    return (
        FaceCheck.person_id == progress.person_id,
        FaceCheck.progress_id == progress.id,
        FaceCheck.viewing_cycle == progress.viewing_cycle,
    )


def take_rejected(session: Session, progress: LessonProgress) -> bool:
    """Tell whether the enterprise has rejected a check of this round, so that it must start over."""
    query = select(FaceCheck.id).where(*_of_round(progress), FaceCheck.state == CheckState.REJECTED)  # type: ignore[arg-type]  # conditions built above
    return session.execute(query.limit(1)).first() is not None


def blocking_check(session: Session, actor: Actor, progress: LessonProgress) -> FaceCheck | None:
    """Return the check that stops credit now, if any.

    A person whose identity an administrator has confirmed in place of a face is not stopped:
    the check is settled by that confirmation and recorded as such.
    """
    query = select(FaceCheck).where(*_of_round(progress), FaceCheck.state.in_(("due", "referred")))  # type: ignore[arg-type]  # conditions built above
    check = session.scalars(query.order_by(FaceCheck.at_s).limit(1)).first()
    if check is None or check.state == CheckState.REFERRED.value or not _is_vouched_for(session, progress):
        return check
    _settle_by_confirmation(session, actor, check)
    return None


def next_limit_s(session: Session, progress: LessonProgress) -> float | None:
    """Return how far the video may be credited before the next check: its moment and the beat's slack."""
    query = select(func.min(FaceCheck.at_s)).where(*_of_round(progress), FaceCheck.state == CheckState.PLANNED)  # type: ignore[arg-type]  # conditions built above
    at_s: int | None = session.execute(query).scalar()
    return None if at_s is None else at_s + rulebook().check_slack_s


def raise_due(session: Session, actor: Actor, progress: LessonProgress, now: datetime) -> FaceCheck | None:
    """Make the planned check due whose moment the learner has reached; return what now stops credit."""
    query = (
        select(FaceCheck)
        .where(*_of_round(progress), FaceCheck.state == CheckState.PLANNED)  # type: ignore[arg-type]  # conditions built above
        .where(FaceCheck.at_s <= progress.furthest_s)
    )
    reached = list(session.scalars(query.order_by(FaceCheck.at_s)))
    if not reached:
        return None
    vouched = _is_vouched_for(session, progress)
    for check in reached:
        check.due_at = now
        if vouched:
            _settle_by_confirmation(session, actor, check)
        else:
            check.state = CheckState.DUE
    return None if vouched else reached[0]


def _is_vouched_for(session: Session, progress: LessonProgress) -> bool:
    return accounts.identity_path(session, progress.person_id) == "declined_confirmed"


def _settle_by_confirmation(session: Session, actor: Actor, check: FaceCheck) -> None:
    check.state, check.settled_at = CheckState.CONFIRMED, clock.now()
    audit.record(
        session, actor, "courses.face_check.confirmed", subject_type="face_check", subject_id=check.id,
        data={"by": "standing confirmation of identity by an administrator"},
    )  # fmt: skip


def access_due_check(
    session: Session, person_id: uuid.UUID, enrolment_id: uuid.UUID, lesson_id: uuid.UUID
) -> FaceCheck:
    """Return the learner's check that waits for a face; raises FaceCheckNotDue or FaceCheckReferred."""
    query = (
        select(FaceCheck)
        .join(LessonProgress, LessonProgress.id == FaceCheck.progress_id)
        .where(FaceCheck.person_id == person_id, FaceCheck.enrolment_id == enrolment_id)
        .where(FaceCheck.viewing_cycle == LessonProgress.viewing_cycle)
        .where(FaceCheck.lesson_id == lesson_id, FaceCheck.state.in_(("due", "referred")))
    )
    check = session.scalars(query.order_by(FaceCheck.state.desc(), FaceCheck.at_s).limit(1)).first()
    if check is None:
        raise FaceCheckNotDue
    if check.state == CheckState.REFERRED:
        raise FaceCheckReferred
    return check


def settle(
    session: Session, actor: Actor, check_id: uuid.UUID, *, outcome: str, verification_id: uuid.UUID | None
) -> tuple[FaceCheck, CheckAnswer]:
    """Record what a verification of the learner's face came to.

    Match passes; undetermined may be tried again; repeated failure is referred to the
    enterprise's administrators, and a person decides. Raises NotFound, FaceCheckNotDue.
    """
    mine = (FaceCheck.person_id == person_of(actor), FaceCheck.id == check_id)
    check = session.scalars(select(FaceCheck).where(*mine).with_for_update()).first()
    if check is None:
        raise NotFound
    if check.state != CheckState.DUE:
        raise FaceCheckNotDue
    figures = rulebook()
    check.tries += 1
    check.mismatches += outcome == "no_match"
    step = rules.next_check_step(outcome, check.mismatches, check.tries, figures)
    check.state = CheckState(step.value)
    check.verification_id = verification_id
    if check.state != CheckState.DUE:
        check.settled_at = clock.now()
        audit.record(
            session, actor, f"courses.face_check.{check.state}", subject_type="face_check", subject_id=check.id,
            data={"tries": check.tries, "mismatches": check.mismatches, "at_s": check.at_s},
        )  # fmt: skip
    if check.state == CheckState.REFERRED:
        queue.enqueue(session, TELL_ADMINISTRATORS, check_id=str(check.id))
    session.flush()  # what stops credit is looked up next
    return check, CheckAnswer(outcome, check.state, max(0, figures.check_tries_max - check.tries))


def decide_face_check(
    session: Session, actor: Actor, check_id: uuid.UUID, *, same_person: bool, reason: str
) -> FaceCheck:
    """Settle a referred check as the enterprise's administrator: it was the learner, or it was not.

    When it was not, the lesson starts over with the learner's next beat. Raises NotFound,
    FaceCheckNotDue when it has been decided already, ReasonMissing.
    """
    if len(reason.strip()) < rulebook().decision_characters_min:
        raise ReasonMissing
    ours = (FaceCheck.tenant_id == actor.tenant_id, FaceCheck.id == check_id)
    check = session.scalars(select(FaceCheck).where(*ours)).first()
    if check is None:
        raise NotFound
    if check.state != CheckState.REFERRED:
        raise FaceCheckNotDue
    check.state = CheckState.CONFIRMED if same_person else CheckState.REJECTED
    check.settled_at, check.decided_by, check.decision_reason = clock.now(), actor.person_id, reason.strip()
    audit.record(
        session, actor, "courses.face_check.decided", subject_type="face_check", subject_id=check.id,
        data={"same_person": same_person, "reason": reason.strip()},
    )  # fmt: skip
    return check
