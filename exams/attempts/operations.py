"""Sitting an exam: start, save answers, hand in, mark, and the end of time."""

from __future__ import annotations

import json
import secrets
import uuid
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import func, insert, select, text, update
from sqlalchemy.dialects.postgresql import insert as upsert
from sqlalchemy.orm import Session

import lms.accounts.api as accounts
import lms.courses.api as courses
from exams.attempts import rules
from exams.attempts.access import access_attempt, person_of
from exams.attempts.models import Attempt, AttemptItem
from exams.attempts.rules import Given
from exams.bank import api as bank
from exams.errors import (
    AlreadyPassed,
    AnotherAttemptOpen,
    AttemptClosed,
    BadAnswers,
    IdentityNotVerified,
    LearningNotCompleted,
    NoAttemptLeft,
)
from exams.events import AttemptGraded
from lms.core import audit, clock, events, ids
from lms.core.access import SYSTEM, Actor
from lms.core.errors import Conflict

IDENTITY_PURPOSE = "exam"
EVENT_VERSION = 1
OVERDUE_BATCH = 200

# The whole of saving answers in one statement. It locks the attempt against being handed in
# meanwhile (FOR SHARE), checks owner, state and time, that every item and letter is on the paper,
# and lets the highest sequence number of each item win, so that repeating it changes nothing.
_SAVE = text(
    """
    with attempt as materialized (
      select id from exams_attempt
       where person_id = :person_id and id = :attempt_id and state = 'open' and closes_at >= :now
         for share
    ), known as materialized (
      select given.item, given.keys, given.seq
        from attempt
        join exams_attempt_item i on i.person_id = :person_id and i.attempt_id = attempt.id
        join jsonb_to_recordset(cast(:items as jsonb)) as given(item int, keys text[], seq bigint)
          on given.item = i.item_no
       where (cardinality(given.keys) <= 1 or i.kind = 'multiple')
         and not exists (select from unnest(given.keys) k
                          where ascii(k) - 65 not between 0 and jsonb_array_length(i.option_order) - 1)
    ), saved as (
      insert into exams_answer as kept (person_id, attempt_id, item_no, keys, seq, saved_at)
      select :person_id, :attempt_id, item, keys, seq, :now from known order by item
          on conflict (person_id, attempt_id, item_no) do update
             set keys = excluded.keys, seq = excluded.seq, saved_at = excluded.saved_at
           where kept.seq < excluded.seq
    )
    select (select count(*) from attempt) as open, (select count(*) from known) as known
    """
)
_MARK = text("select total, has_passed from exams_mark(:person_id, :attempt_id, :at)")


def start_attempt(session: Session, actor: Actor, enrolment_id: uuid.UUID) -> uuid.UUID:
    """Open an attempt with a freshly drawn paper and return its id.

    An attempt of this enrolment that is open already is returned instead, so that a double click or
    a second device resumes it. Raises LearningNotCompleted, IdentityNotVerified, AlreadyPassed,
    NoAttemptLeft, AnotherAttemptOpen, NoBlueprint, BankTooSmall, NotFound.
    """
    person_id = person_of(actor)
    enrolment = courses.enrolment(session, person_id, enrolment_id)
    programme = courses.programme(session, enrolment.programme_code, enrolment.programme_version)
    plan = bank.blueprint_in_force(session, programme.blueprint_code, clock.today())
    running = _open_attempt(session, person_id)
    if running is not None:
        return _resume(running, enrolment_id)
    if enrolment.learning_completed_at is None:
        raise LearningNotCompleted
    used = _check_attempts_left(session, person_id, enrolment_id, plan.max_attempts)
    verification_id = _fresh_verification(session, person_id, enrolment_id, plan.identity_max_age_min)
    values = _new_attempt(enrolment, plan, programme.pass_score or plan.pass_score)
    values |= {"attempt_no": used + 1, "identity_verification_id": verification_id}
    return _open(session, actor, values, plan)


def _new_attempt(enrolment: courses.EnrolmentView, plan: bank.BlueprintView, pass_score: int) -> dict[str, Any]:
    """Return the columns of an attempt that starts now: whose, by which rules, until when, with which seed."""
    now = clock.now()
    deadline_at, closes_at = rules.deadlines(now, plan.duration_min, plan.grace_s)
    return {
        "person_id": enrolment.person_id,
        "id": ids.new_id(),
        "enrolment_id": enrolment.enrolment_id,
        "tenant_id": enrolment.tenant_id,
        "region_code": enrolment.region_code,
        "industry_code": enrolment.industry_code,
        "programme_code": enrolment.programme_code,
        "blueprint_code": plan.code,
        "blueprint_version": plan.version,
        "seed": secrets.randbits(63),
        "pass_score": pass_score,
        "state": "open",
        "started_at": now,
        "deadline_at": deadline_at,
        "closes_at": closes_at,
        "due_on": enrolment.due_on,
    }


def _open_attempt(session: Session, person_id: uuid.UUID) -> Attempt | None:
    return session.scalars(select(Attempt).where(Attempt.person_id == person_id, Attempt.state == "open")).first()


def _resume(running: Attempt, enrolment_id: uuid.UUID) -> uuid.UUID:
    if running.enrolment_id != enrolment_id:
        raise AnotherAttemptOpen
    return running.id


def _check_attempts_left(session: Session, person_id: uuid.UUID, enrolment_id: uuid.UUID, allowed: int) -> int:
    used, passed = session.execute(
        select(func.count(), func.coalesce(func.bool_or(Attempt.passed), False)).where(
            Attempt.person_id == person_id, Attempt.enrolment_id == enrolment_id
        )
    ).one()
    if passed:
        raise AlreadyPassed
    if used >= allowed:
        raise NoAttemptLeft(allowed=allowed)
    return int(used)


def verified_since(minutes: int) -> datetime:
    """Return the moment after which an identity check counts for an exam started now."""
    return clock.now() - timedelta(minutes=minutes)


def _fresh_verification(session: Session, person_id: uuid.UUID, enrolment_id: uuid.UUID, minutes: int) -> uuid.UUID:
    since = verified_since(minutes)
    found = accounts.last_passed_verification(
        session, person_id, purpose=IDENTITY_PURPOSE, subject_id=enrolment_id, since=since
    )
    if found is None:
        raise IdentityNotVerified(minutes=minutes)
    return uuid.UUID(str(found))


def _open(session: Session, actor: Actor, values: dict[str, Any], plan: bank.BlueprintView) -> uuid.UUID:
    """Insert the attempt and its paper; where another request was faster, return that one's attempt."""
    added = upsert(Attempt).values(**values).on_conflict_do_nothing().returning(Attempt.id)
    if session.scalar(added) is None:
        running = _open_attempt(session, values["person_id"])
        if running is None:
            raise Conflict
        return _resume(running, values["enrolment_id"])
    paper = rules.draw_paper(plan.cells, bank.candidates(session, plan.bank_code, values["started_at"]), values["seed"])
    session.execute(
        insert(AttemptItem),
        [
            {
                "person_id": values["person_id"],
                "attempt_id": values["id"],
                "item_no": item_no,
                "question_id": item.question_id,
                "kind": item.kind,
                "option_order": list(item.option_order),
                "points": item.points,
            }
            for item_no, item in enumerate(paper, start=1)
        ],
    )
    audit.record(
        session,
        actor,
        "exams.attempt.started",
        subject_type="attempt",
        subject_id=values["id"],
        tenant_id=values["tenant_id"],
        data={
            "enrolment_id": str(values["enrolment_id"]),
            "attempt_no": values["attempt_no"],
            "blueprint": f"{plan.code} v{plan.version}",
            "identity_verification_id": str(values["identity_verification_id"]),
        },
    )
    return uuid.UUID(str(values["id"]))


def record_answers(
    session: Session, actor: Actor, attempt_id: uuid.UUID, answers: Sequence[Given], now: datetime
) -> int:
    """Save answers and return the highest sequence number among them, which is thereby settled.

    Of two answers to one item the higher ``seq`` stands; a lower or repeated one is acknowledged
    and changes nothing. Raises NotFound, AttemptClosed (nothing is written), BadAnswers.
    """
    latest = rules.latest(answers)
    items = [{"item": one.item_no, "keys": one.keys, "seq": one.seq} for one in latest]
    row = session.execute(
        _SAVE,
        {"person_id": person_of(actor), "attempt_id": attempt_id, "items": json.dumps(items), "now": now},
    ).one()
    if not row.open:
        attempt = access_attempt(session, actor, attempt_id)
        raise AttemptClosed("expired" if attempt.state == "open" else "submitted")
    if row.known != len(latest):
        raise BadAnswers
    return max(one.seq for one in answers)


def submit_attempt(session: Session, actor: Actor, attempt_id: uuid.UUID) -> Attempt:
    """Hand in and mark at once; an attempt that is over already is returned as it is.

    After the deadline it is handed in as of the deadline. Raises NotFound.
    """
    attempt = access_attempt(session, actor, attempt_id)
    if attempt.state == "open":
        _hand_in(session, actor, attempt, clock.now())
    return access_attempt(session, actor, attempt_id)


def _hand_in(session: Session, actor: Actor, attempt: Attempt, now: datetime) -> bool:
    """Close an open attempt, mark it and tell; False when somebody else has closed it meanwhile."""
    in_time = now <= attempt.closes_at
    closed = session.execute(
        update(Attempt)
        .where(Attempt.person_id == attempt.person_id, Attempt.id == attempt.id, Attempt.state == "open")
        .values(
            state="submitted",
            submitted_at=now if in_time else attempt.deadline_at,
            submit_reason="person" if in_time else "deadline",
        )
        .execution_options(synchronize_session=False)
    )
    if closed.rowcount == 0:  # type: ignore[attr-defined]  # a cursor result, as of every update
        return False
    _grade(session, actor, attempt, now, reason="person" if in_time else "deadline")
    return True


def _grade(session: Session, actor: Actor, attempt: Attempt, now: datetime, *, reason: str) -> None:
    row = session.execute(_MARK, {"person_id": attempt.person_id, "attempt_id": attempt.id, "at": now}).one()
    audit.record(
        session,
        actor,
        "exams.attempt.graded",
        subject_type="attempt",
        subject_id=attempt.id,
        tenant_id=attempt.tenant_id,
        data={"submit_reason": reason, "score": row.total, "passed": row.has_passed},
    )
    events.publish(
        session,
        AttemptGraded(
            version=EVENT_VERSION,
            person_id=attempt.person_id,
            attempt_id=attempt.id,
            enrolment_id=attempt.enrolment_id,
            tenant_id=attempt.tenant_id,
            region_code=attempt.region_code,
            industry_code=attempt.industry_code,
            programme_code=attempt.programme_code,
            score=row.total,
            passed=row.has_passed,
            due_on=attempt.due_on,
            at=now,
        ),
    )


def submit_overdue(session: Session) -> int:
    """Hand in what is past its deadline and grace, in the worker's scope; return how many.

    Attempts that a person is handing in this moment are left to them: locked rows are skipped.
    """
    now = clock.now()
    overdue = session.scalars(
        select(Attempt)
        .where(Attempt.state == "open", Attempt.closes_at < now)
        .order_by(Attempt.closes_at)
        .limit(OVERDUE_BATCH)
        .with_for_update(skip_locked=True)
    ).all()
    return sum(_hand_in(session, SYSTEM, attempt, now) for attempt in overdue)
