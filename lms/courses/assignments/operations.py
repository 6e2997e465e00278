"""Giving programmes to people: to a post with its later hires, or to people by name."""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date

from sqlalchemy import func, or_, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from lms.accounts import api as accounts
from lms.core import audit, clock, events, ids, notify, queue
from lms.core.access import Actor
from lms.core.errors import Forbidden, NotFound
from lms.courses.assignments import rules
from lms.courses.assignments.models import Assignment, AssignmentState, TargetKind
from lms.courses.catalogue.queries import ProgrammeView, programme, programme_names
from lms.courses.errors import (
    AlreadyAssigned,
    AssignmentClosed,
    DeadlinePast,
    NobodyToAssign,
    ProgrammeNotReady,
)
from lms.courses.events import EnrolmentCancelled, EnrolmentCreated
from lms.courses.learning.models import Enrolment, EnrolmentState

ENROL_TASK = "courses.enrol_post"
EVENT_VERSION = 1


@dataclass(frozen=True, slots=True)
class Assigned:
    """What an assignment did at once. ``enrolled`` is None when a job does it in the background."""

    assignment_id: uuid.UUID
    enrolled: int | None
    skipped: int


def assign_programme(
    session: Session,
    actor: Actor,
    *,
    programme_code: str,
    due_on: date,
    post_code: str | None = None,
    employment_ids: Sequence[uuid.UUID] = (),
) -> Assigned:
    """Give a programme to every employee of a post, now and hired later, or to the people named.

    Whoever has the programme open already is skipped. Raises DeadlinePast, ProgrammeNotReady,
    NobodyToAssign, AlreadyAssigned, NotFound.
    """
    tenant_id = _tenant_of(actor)
    if not rules.deadline_is_ahead(due_on, clock.today()):
        raise DeadlinePast
    found = programme(session, programme_code)
    if found.missing_course_codes:
        raise ProgrammeNotReady(courses="、".join(found.missing_course_codes))
    if post_code:
        _refuse_second(session, tenant_id, programme_code, post_code)
        people = accounts.employments_of_post(session, tenant_id, post_code)
    else:
        people = [accounts.employment(session, tenant_id, each) for each in _few(employment_ids)]
    people = [person for person in people if person.left_on is None]
    if not people:
        raise NobodyToAssign
    assignment = _add(session, actor, found, people[0], post_code, due_on)
    if post_code and len(people) > rules.ENROL_AT_ONCE_MAX:
        queue.enqueue(session, ENROL_TASK, assignment_id=str(assignment.id), lock=f"courses.enrol.{tenant_id}")
        return Assigned(assignment.id, None, 0)
    enrolled = enrol(session, assignment, people)
    if not enrolled:
        raise AlreadyAssigned
    return Assigned(assignment.id, enrolled, len(people) - enrolled)


def _tenant_of(actor: Actor) -> uuid.UUID:
    if actor.tenant_id is None:
        raise Forbidden
    return actor.tenant_id


def _few(employment_ids: Sequence[uuid.UUID]) -> list[uuid.UUID]:
    wanted = list(dict.fromkeys(employment_ids))
    if not 0 < len(wanted) <= rules.SELECTED_PEOPLE_MAX:
        raise NobodyToAssign
    return wanted


def _refuse_second(session: Session, tenant_id: uuid.UUID, programme_code: str, post_code: str) -> None:
    """One running assignment of a programme to a post is enough; it also takes later hires."""
    query = select(Assignment.id).where(
        Assignment.tenant_id == tenant_id,
        Assignment.programme_code == programme_code,
        Assignment.post_code == post_code,
        Assignment.state == AssignmentState.OPEN,
        Assignment.due_on >= clock.today(),
    )
    if session.execute(query.limit(1)).first():
        raise AlreadyAssigned


def _add(
    session: Session,
    actor: Actor,
    found: ProgrammeView,
    someone: accounts.EmploymentView,
    post_code: str | None,
    due_on: date,
) -> Assignment:
    assignment = Assignment(
        tenant_id=someone.tenant_id,
        id=ids.new_id(),
        programme_code=found.code,
        programme_version=found.version,
        target=TargetKind.POST if post_code else TargetKind.PEOPLE,
        post_code=post_code,
        due_on=due_on,
        state=AssignmentState.OPEN,
        region_code=someone.region_code,
        industry_code=someone.industry_code or "",
        created_by=actor.person_id,
        created_at=clock.now(),
    )
    session.add(assignment)
    audit.record(
        session, actor, "courses.assignment.created", subject_type="assignment", subject_id=assignment.id,
        data={"programme": found.code, "target": assignment.target, "post": post_code, "due_on": due_on.isoformat()},
    )  # fmt: skip
    return assignment


def enrol(session: Session, assignment: Assignment, people: Iterable[accounts.EmploymentView]) -> int:
    """Enrol people in an assignment and tell them; return how many were not enrolled before.

    Running it again changes nothing: a person has one enrolment of an assignment, and one open
    enrolment of a programme in an enterprise.
    """
    by_person = {person.person_id: person for person in people}
    if not by_person:
        return 0
    cycles = _cycles(session, assignment, list(by_person))
    now = clock.now()
    rows = [
        {
            "person_id": person.person_id,
            "id": ids.new_id(),
            "tenant_id": assignment.tenant_id,
            "employment_id": person.employment_id,
            "region_code": person.region_code,
            "industry_code": person.industry_code or "",
            "programme_code": assignment.programme_code,
            "programme_version": assignment.programme_version,
            "assignment_id": assignment.id,
            "cycle": cycles.get(person.person_id, 0) + 1,
            "due_on": assignment.due_on,
            "state": EnrolmentState.ASSIGNED,
            "created_at": now,
        }
        for person in by_person.values()
    ]
    added = session.execute(
        insert(Enrolment).on_conflict_do_nothing().returning(Enrolment.id, Enrolment.person_id), rows
    ).all()
    names = programme_names(session)[assignment.programme_code]
    for enrolment_id, person_id in added:
        _announce(session, assignment, enrolment_id, by_person[person_id], names)
    return len(added)


def _cycles(session: Session, assignment: Assignment, people: Sequence[uuid.UUID]) -> dict[uuid.UUID, int]:
    query = (
        select(Enrolment.person_id, func.max(Enrolment.cycle))
        .where(Enrolment.person_id.in_(people), Enrolment.tenant_id == assignment.tenant_id)
        .where(Enrolment.programme_code == assignment.programme_code)
        .group_by(Enrolment.person_id)
    )
    return {row[0]: row[1] for row in session.execute(query)}


def _announce(
    session: Session,
    assignment: Assignment,
    enrolment_id: uuid.UUID,
    person: accounts.EmploymentView,
    names: tuple[str, str],
) -> None:
    events.publish(
        session,
        EnrolmentCreated(
            version=EVENT_VERSION,
            person_id=person.person_id,
            enrolment_id=enrolment_id,
            tenant_id=assignment.tenant_id,
            programme_code=assignment.programme_code,
            assignment_id=assignment.id,
            region_code=person.region_code,
            industry_code=person.industry_code or "",
            due_on=assignment.due_on,
        ),
    )
    notify.send(
        session,
        person.person_id,
        notify.Notice(
            f"新的培训任务：{names[0]}",
            f"New training: {names[1]}",
            f"请在 {assignment.due_on.isoformat()} 前完成全部课程和考试。",
            f"Please complete all lessons and the exam by {assignment.due_on.isoformat()}.",
            f"/learn/{enrolment_id}",
        ),
        dedup_key=f"courses.assigned.{enrolment_id}",
    )


def enrol_missing(session: Session, assignment: Assignment) -> int:
    """Enrol those of the assignment's post who are not yet, one chunk; return how many were added."""
    everyone = accounts.employments_of_post(session, assignment.tenant_id, assignment.post_code or "")
    here = or_(Enrolment.assignment_id == assignment.id, Enrolment.state.in_(("assigned", "learning")))
    known = set(
        session.scalars(
            select(Enrolment.person_id)
            .where(Enrolment.tenant_id == assignment.tenant_id, Enrolment.programme_code == assignment.programme_code)
            .where(here)
        )
    )
    missing = [person for person in everyone if person.person_id not in known and person.left_on is None]
    return enrol(session, assignment, missing[: rules.CHUNK_PEOPLE])


def cancel_assignment(session: Session, actor: Actor, assignment_id: uuid.UUID) -> int:
    """Withdraw an assignment: those who have not finished learning no longer owe it.

    Returns how many enrolments ended; what people had learned stays on record. Raises NotFound,
    AssignmentClosed.
    """
    ours = (Assignment.tenant_id == _tenant_of(actor), Assignment.id == assignment_id)
    assignment = session.scalars(select(Assignment).where(*ours).with_for_update()).first()
    if assignment is None:
        raise NotFound
    if assignment.state != AssignmentState.OPEN:
        raise AssignmentClosed
    assignment.state, assignment.cancelled_at = AssignmentState.CANCELLED, clock.now()
    ended = session.execute(
        update(Enrolment)
        .where(Enrolment.tenant_id == assignment.tenant_id, Enrolment.assignment_id == assignment.id)
        .where(Enrolment.state.in_((EnrolmentState.ASSIGNED, EnrolmentState.LEARNING)))
        .values(state=EnrolmentState.CANCELLED)
        .returning(Enrolment.id, Enrolment.person_id, Enrolment.region_code, Enrolment.industry_code)
    ).all()
    names = programme_names(session)[assignment.programme_code]
    for enrolment_id, person_id, region_code, industry_code in ended:
        event = EnrolmentCancelled(
            version=EVENT_VERSION,
            person_id=person_id,
            enrolment_id=enrolment_id,
            tenant_id=assignment.tenant_id,
            programme_code=assignment.programme_code,
            assignment_id=assignment.id,
            region_code=region_code,
            industry_code=industry_code,
            due_on=assignment.due_on,
        )
        events.publish(session, event)
        notice = notify.Notice(f"培训任务已撤销：{names[0]}", f"Training withdrawn: {names[1]}")
        notify.send(session, person_id, notice, dedup_key=f"courses.cancelled.{enrolment_id}")
    audit.record(
        session, actor, "courses.assignment.cancelled", subject_type="assignment", subject_id=assignment.id,
        data={"ended": len(ended)},
    )  # fmt: skip
    return len(ended)
