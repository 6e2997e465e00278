"""Attempts for tests of the database's part: drawn and inserted as the operation does it."""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import insert, select

from exams.attempts import rules
from exams.attempts.models import Attempt, AttemptItem
from exams.bank import api as bank
from exams.bank.models import QuestionKey
from lms.core import clock, ids
from lms.core.access import Actor, Role
from lms.core.services import Services
from lms.core.tenancy import WORKER_SCOPE, Scope, ScopeRole

BLUEPRINT = "chem-safety-junior-exam"
SEED = 20261121


@dataclass(frozen=True, slots=True)
class Sitting:
    """An open attempt with its right answers in the letters shown, by item."""

    person_id: uuid.UUID
    attempt_id: uuid.UUID
    tenant_id: uuid.UUID
    right: dict[int, list[str]]
    kinds: dict[int, str]

    @property
    def scope(self) -> Scope:
        return person_scope(self.person_id)

    @property
    def actor(self) -> Actor:
        return person_actor(self.person_id, self.tenant_id)

    def wrong(self, item_no: int) -> list[str]:
        """Return a letter that does not get the item's points."""
        return [next(letter for letter in "ABCD" if [letter] != self.right[item_no])]


def person_scope(person_id: uuid.UUID) -> Scope:
    return Scope(ScopeRole.PERSON, actor_id=person_id, person_id=person_id)


def person_actor(person_id: uuid.UUID, tenant_id: uuid.UUID) -> Actor:
    return Actor(person_id, Role.TRAINEE, tenant_id, "学员", "企业", frozenset(), person_scope(person_id))


def tenant_actor(tenant_id: uuid.UUID) -> Actor:
    person_id = ids.new_id()
    scope = Scope(ScopeRole.TENANT, actor_id=person_id, tenant_id=tenant_id)
    return Actor(person_id, Role.INSTRUCTOR, tenant_id, "教师", "机构", frozenset(), scope)


def open_attempt(jobs: Services, *, person_id: uuid.UUID | None = None, started_at: datetime | None = None) -> Sitting:
    """Insert an open attempt with a drawn paper by the worker's hand."""
    person_id, attempt_id, tenant_id = person_id or ids.new_id(), ids.new_id(), ids.new_id()
    now = started_at or clock.now()
    mine = {"person_id": person_id, "attempt_id": attempt_id}
    with jobs.db.transaction(WORKER_SCOPE) as session:
        plan = bank.blueprint_in_force(session, BLUEPRINT, clock.today())
        session.execute(
            insert(Attempt).values(**_attempt(plan, now), person_id=person_id, id=attempt_id, tenant_id=tenant_id)
        )
        paper = rules.draw_paper(plan.cells, bank.candidates(session, plan.bank_code, clock.now()), SEED)
        session.execute(
            insert(AttemptItem), [{**mine, **_item(number, item)} for number, item in enumerate(paper, start=1)]
        )
        found = select(QuestionKey.question_id, QuestionKey.answer)
        keys = {row.question_id: set(row.answer) for row in session.execute(found)}
    right = {
        number: [letter for letter, key in rules.shown_letters(item.option_order) if key in keys[item.question_id]]
        for number, item in enumerate(paper, start=1)
    }
    kinds = {number: item.kind for number, item in enumerate(paper, start=1)}
    return Sitting(person_id, attempt_id, tenant_id, right, kinds)


def _attempt(plan: bank.BlueprintView, now: datetime) -> dict[str, object]:
    deadline_at, closes_at = rules.deadlines(now, plan.duration_min, plan.grace_s)
    return {
        "enrolment_id": ids.new_id(),
        "region_code": 410102,
        "industry_code": "26",
        "programme_code": "chem-safety-manager-junior",
        "blueprint_code": plan.code,
        "blueprint_version": plan.version,
        "attempt_no": 1,
        "seed": SEED,
        "pass_score": plan.pass_score,
        "state": "open",
        "started_at": now,
        "deadline_at": deadline_at,
        "closes_at": closes_at,
        "due_on": (now + timedelta(days=30)).date(),
        "identity_verification_id": ids.new_id(),
    }


def _item(number: int, item: rules.Drawn) -> dict[str, object]:
    return {
        "item_no": number,
        "question_id": item.question_id,
        "kind": item.kind,
        "option_order": list(item.option_order),
        "points": item.points,
    }
