"""Reading assignments and how far their people are."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from sqlalchemy import Select, func, or_, select
from sqlalchemy.orm import Session
from sqlalchemy.sql.elements import ColumnElement

from lms.accounts import api as accounts
from lms.core import clock
from lms.core.errors import NotFound
from lms.core.paging import PAGE_SIZE, Page, paginate
from lms.courses.assignments import rules
from lms.courses.assignments.models import Assignment
from lms.courses.catalogue.queries import lessons_of_programmes, programme_names
from lms.courses.learning.models import Enrolment, EnrolmentState, FaceCheck, LessonProgress


@dataclass(frozen=True, slots=True)
class AssignmentRow:
    """An assignment on a list; counts are of people who were not withdrawn."""

    assignment_id: uuid.UUID
    programme_zh: str
    programme_en: str
    post_zh: str
    post_en: str
    is_for_post: bool
    due_on: date
    created_at: datetime
    total: int
    begun: int
    learned: int
    standing: rules.Standing


@dataclass(frozen=True, slots=True)
class PersonRow:
    """One person of an assignment."""

    enrolment_id: uuid.UUID
    person_id: uuid.UUID
    name: str
    id_number_masked: str
    department_name: str
    state: str
    lessons_done: int
    lessons_total: int
    restarts: int
    learned_at: datetime | None


@dataclass(frozen=True, slots=True)
class ReferredCheck:
    """A face check that waits for an administrator's decision."""

    check_id: uuid.UUID
    person_id: uuid.UUID
    name: str
    tries: int
    mismatches: int
    referred_at: datetime | None


def list_assignments(
    session: Session,
    tenant_id: uuid.UUID,
    *,
    words: str = "",
    state: str = "",
    cursor: str | None = None,
    size: int = PAGE_SIZE,
) -> Page[AssignmentRow]:
    """Return one page of an enterprise's assignments, the newest first.

    ``words`` are looked for in the names of programmes and posts; ``state`` is ``running``,
    ``overdue``, ``cancelled`` or empty.
    """
    query: Select[Any] = select(Assignment).where(Assignment.tenant_id == tenant_id)
    if words:
        query = query.where(_named(session, words))
    query = _in_state(query, state, clock.today())
    page = paginate(
        session,
        query,
        keys=[Assignment.__table__.c.id],
        key_of=lambda row: (row.id,),
        cursor=cursor,
        descending=True,
        size=size,
    )
    return Page(_rows(session, tenant_id, page.items), page.next_cursor, page.prev_cursor, page.total)


def _named(session: Session, words: str) -> ColumnElement[bool]:
    needle = words.lower()
    programmes = [code for code, names in programme_names(session).items() if needle in " ".join(names).lower()]
    posts = [post.code for post in accounts.posts(session) if needle in f"{post.name_zh} {post.name_en}".lower()]
    return or_(Assignment.programme_code.in_(programmes), Assignment.post_code.in_(posts))


def _in_state(query: Select[Any], state: str, today: date) -> Select[Any]:
    if state == rules.Standing.RUNNING:
        return query.where(Assignment.state == "open", Assignment.due_on >= today)
    if state == rules.Standing.OVERDUE:
        return query.where(Assignment.state == "open", Assignment.due_on < today)
    if state == rules.Standing.CANCELLED:
        return query.where(Assignment.state == "cancelled")
    return query


def _rows(session: Session, tenant_id: uuid.UUID, found: Sequence[Assignment]) -> list[AssignmentRow]:
    counts = _counts(session, tenant_id, [row.id for row in found])
    names = programme_names(session)
    posts = {post.code: (post.name_zh, post.name_en) for post in accounts.posts(session)}
    today = clock.today()
    listed = []
    for row in found:
        total, begun, learned = counts.get(row.id, (0, 0, 0))
        programme = names.get(row.programme_code, (row.programme_code, row.programme_code))
        post = posts.get(row.post_code or "", ("", ""))
        listed.append(
            AssignmentRow(
                assignment_id=row.id,
                programme_zh=programme[0],
                programme_en=programme[1],
                post_zh=post[0],
                post_en=post[1],
                is_for_post=row.post_code is not None,
                due_on=row.due_on,
                created_at=row.created_at,
                total=total,
                begun=begun,
                learned=learned,
                standing=rules.standing(row.state, row.due_on, today, learned, total),
            )
        )
    return listed


def _counts(
    session: Session, tenant_id: uuid.UUID, assignment_ids: Sequence[uuid.UUID]
) -> dict[uuid.UUID, tuple[int, int, int]]:
    if not assignment_ids:
        return {}
    state = Enrolment.state
    query = (
        select(
            Enrolment.assignment_id,
            func.count().filter(state != EnrolmentState.CANCELLED),
            func.count().filter(state.in_((EnrolmentState.LEARNING, EnrolmentState.LEARNED))),
            func.count().filter(state == EnrolmentState.LEARNED),
        )
        .where(Enrolment.tenant_id == tenant_id, Enrolment.assignment_id.in_(assignment_ids))
        .group_by(Enrolment.assignment_id)
    )
    return {row[0]: (row[1], row[2], row[3]) for row in session.execute(query)}


def one_assignment(session: Session, tenant_id: uuid.UUID, assignment_id: uuid.UUID) -> AssignmentRow:
    """Return one assignment of the enterprise; a foreign one is NotFound."""
    ours = (Assignment.tenant_id == tenant_id, Assignment.id == assignment_id)
    row = session.scalars(select(Assignment).where(*ours)).first()
    if row is None:
        raise NotFound
    return _rows(session, tenant_id, [row])[0]


def figures(session: Session, tenant_id: uuid.UUID) -> tuple[int, int, int, int]:
    """Return the enterprise's open assignments, people still learning, people done, people overdue."""
    today = clock.today()
    ours = Enrolment.tenant_id == tenant_id
    open_count = session.execute(
        select(func.count())
        .select_from(Assignment)
        .where(Assignment.tenant_id == tenant_id, Assignment.state == "open", Assignment.due_on >= today)
    ).scalar_one()
    unfinished = Enrolment.state.in_((EnrolmentState.ASSIGNED, EnrolmentState.LEARNING))
    learning, learned, overdue = session.execute(
        select(
            func.count().filter(unfinished, Enrolment.due_on >= today),
            func.count().filter(Enrolment.state == EnrolmentState.LEARNED),
            func.count().filter(unfinished, Enrolment.due_on < today),
        ).where(ours)
    ).one()
    return open_count, learning, learned, overdue


def people_of(
    session: Session,
    tenant_id: uuid.UUID,
    assignment_id: uuid.UUID,
    *,
    state: str = "",
    cursor: str | None = None,
    size: int = PAGE_SIZE,
) -> Page[PersonRow]:
    """Return one page of an assignment's people with their progress."""
    query = select(Enrolment).where(Enrolment.tenant_id == tenant_id, Enrolment.assignment_id == assignment_id)
    if state:
        query = query.where(Enrolment.state == state)
    page = paginate(
        session, query, keys=[Enrolment.__table__.c.id], key_of=lambda row: (row.id,), cursor=cursor, size=size
    )
    return Page(_people(session, tenant_id, page.items), page.next_cursor, page.prev_cursor, page.total)


def _people(session: Session, tenant_id: uuid.UUID, found: Sequence[Enrolment]) -> list[PersonRow]:
    if not found:
        return []
    done = _lessons_done(session, tenant_id, [row.id for row in found])
    keys = list({(row.programme_code, row.programme_version) for row in found})
    totals = {key: len(lessons) for key, lessons in lessons_of_programmes(session, keys).items()}
    staff = accounts.employments_by_person(session, tenant_id, [row.person_id for row in found])
    people = []
    for row in found:
        employee = staff.get(row.person_id)
        lessons_done, restarts = done.get(row.id, (0, 0))
        people.append(
            PersonRow(
                enrolment_id=row.id,
                person_id=row.person_id,
                name=employee.name if employee else "—",
                id_number_masked=employee.id_number_masked if employee else "—",
                department_name=(employee.department_name or "") if employee else "",
                state=row.state,
                lessons_done=lessons_done,
                lessons_total=totals[row.programme_code, row.programme_version],
                restarts=restarts,
                learned_at=row.learning_completed_at,
            )
        )
    return people


def _lessons_done(
    session: Session, tenant_id: uuid.UUID, enrolment_ids: Sequence[uuid.UUID]
) -> dict[uuid.UUID, tuple[int, int]]:
    query = (
        select(
            LessonProgress.enrolment_id,
            func.count(LessonProgress.completed_at),
            func.sum(LessonProgress.restarts),
        )
        .where(LessonProgress.tenant_id == tenant_id, LessonProgress.enrolment_id.in_(enrolment_ids))
        .group_by(LessonProgress.enrolment_id)
    )
    return {row[0]: (row[1], int(row[2])) for row in session.execute(query)}


def referred_checks(session: Session, tenant_id: uuid.UUID, assignment_id: uuid.UUID) -> list[ReferredCheck]:
    """Return the face checks of an assignment's people that wait for a decision, oldest first."""
    query = (
        select(FaceCheck)
        .join(Enrolment, Enrolment.id == FaceCheck.enrolment_id)
        .where(FaceCheck.tenant_id == tenant_id, FaceCheck.state == "referred")
        .where(Enrolment.assignment_id == assignment_id)
        .order_by(FaceCheck.id)
        .limit(PAGE_SIZE)
    )
    rows = list(session.scalars(query))
    if not rows:
        return []
    staff = accounts.employments_by_person(session, tenant_id, [row.person_id for row in rows])
    return [
        ReferredCheck(
            check_id=row.id,
            person_id=row.person_id,
            name=employee.name if (employee := staff.get(row.person_id)) else "—",
            tries=row.tries,
            mismatches=row.mismatches,
            referred_at=row.settled_at,
        )
        for row in rows
    ]
