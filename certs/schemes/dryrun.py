"""Who would be eligible now: judged by the same rule as at issue, in a few statements for a thousand people."""

from __future__ import annotations

import uuid
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import date

from sqlalchemy import select
from sqlalchemy.orm import Session

import exams.api as exams
import lms.accounts.api as accounts
import lms.courses.api as courses
from certs.models import Certificate
from certs.schemes import facts
from certs.schemes.rules import Condition, Decision, Requirements, evaluate

CHUNK_PEOPLE = 1_000
SHOWN_PEOPLE_MAX = 5_000
"""So many people a page judges while its reader waits; an export judges everybody."""
PAGE_PEOPLE = 20
ELIGIBLE, HELD = "eligible", "held"
OUTCOMES = (ELIGIBLE, HELD, *(condition.value for condition in Condition))
_FIRST = uuid.UUID(int=0)


@dataclass(frozen=True, slots=True)
class Target:
    """By what people are judged: a version, or a draft that would become one."""

    code: str
    version: int
    programme_code: str
    wanted: Requirements


@dataclass(frozen=True, slots=True)
class Judged:
    """One person of a programme. ``is_held`` tells that this cycle has its certificate already."""

    enrolment: courses.EnrolmentView
    name: str
    id_number_masked: str
    enterprise_name: str
    decision: Decision
    is_held: bool

    @property
    def outcome(self) -> str:
        """Held, eligible, or the first condition that is not kept."""
        if self.is_held:
            return HELD
        return ELIGIBLE if self.decision.is_eligible else self.decision.failing[0].value


@dataclass(slots=True)
class DryRun:
    """What a page shows: how many come to what, and some of them; ``next_after`` leads to the next ones.

    ``held_unmet`` of those who hold it already would not get it by what they are judged by now.
    """

    counts: Counter[str] = field(default_factory=Counter)
    held_unmet: int = 0
    people: list[Judged] = field(default_factory=list)
    next_after: uuid.UUID | None = None
    is_partial: bool = False


def dry_run(session: Session, target: Target, today: date, *, outcome: str = "", after: uuid.UUID = _FIRST) -> DryRun:
    """Judge everybody who learns the programme within the scope; nothing is written. Region or worker scope.

    ``outcome`` narrows the people listed, who come after the enrolment ``after``; the counts are everybody's.
    """
    found = DryRun()
    for one in judged_people(session, target, today):
        if found.counts.total() == SHOWN_PEOPLE_MAX:
            found.is_partial = True
            break
        found.counts[one.outcome] += 1
        found.held_unmet += one.is_held and not one.decision.is_eligible
        if one.enrolment.enrolment_id <= after or outcome not in ("", one.outcome):
            continue
        if len(found.people) < PAGE_PEOPLE:
            found.people.append(one)
        elif found.next_after is None:
            found.next_after = found.people[-1].enrolment.enrolment_id
    return found


def judged_people(session: Session, target: Target, today: date) -> Iterator[Judged]:
    """Yield everybody who learns the programme within the scope, by enrolment, with memory staying flat."""
    after = _FIRST
    while True:
        enrolments = courses.enrolments_in(session, target.programme_code, after=after, limit=CHUNK_PEOPLE)
        if not enrolments:
            return
        after = enrolments[-1].enrolment_id
        yield from judge(session, target, enrolments, today)


def judge(session: Session, target: Target, enrolments: Sequence[courses.EnrolmentView], today: date) -> list[Judged]:
    """Judge the people of some enrolments, in as many statements for one as for a thousand."""
    people = [one.person_id for one in enrolments]
    cycles = [one.enrolment_id for one in enrolments]
    known = facts.known_of(session, people, target.code, today)
    attempts = exams.best_attempts(session, people, cycles)
    jobs = accounts.employments_by_id(session, [one.employment_id for one in enrolments])
    names = accounts.enterprises(session, {one.tenant_id for one in enrolments})
    hours = courses.class_hours_of(session, enrolments) if target.wanted.class_hours else {}
    held = _held(session, target.code, people, cycles)
    found = []
    for one in enrolments:
        if one.person_id not in known:
            continue
        job = jobs.get(one.employment_id)
        counted = hours.get(one.enrolment_id, 0.0) if target.wanted.class_hours else None
        attempt = attempts.get(one.enrolment_id)
        judged = facts.facts_for(known[one.person_id], one, attempt, job, counted)
        enterprise = names.get(one.tenant_id)
        found.append(
            Judged(
                enrolment=one,
                name=job.name if job else "",
                id_number_masked=job.id_number_masked if job else "",
                enterprise_name=enterprise.name if enterprise else "",
                decision=evaluate((target.code, target.version), target.wanted, judged, today),
                is_held=one.enrolment_id in held,
            )
        )
    return found


def _held(
    session: Session, scheme_code: str, people: Sequence[uuid.UUID], cycles: Sequence[uuid.UUID]
) -> set[uuid.UUID]:
    query = select(Certificate.enrolment_id).where(
        Certificate.person_id.in_(people), Certificate.scheme_code == scheme_code, Certificate.enrolment_id.in_(cycles)
    )
    return set(session.scalars(query))
