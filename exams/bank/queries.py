"""Lists of the bank."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from sqlalchemy import func, or_, select, text
from sqlalchemy.orm import Session

from exams.bank.models import Bank, Blueprint, Question, QuestionKey
from exams.bank.rules import Candidate, Cell, Draft, Option
from lms.core.paging import Page, paginate

_POOL = text("select question_id, kind, knowledge_point, difficulty, option_keys from exams_pool(:bank, :at)")


@dataclass(frozen=True, slots=True)
class BankView:
    """A bank with the names of its knowledge points (code to Chinese, English)."""

    code: str
    name_zh: str
    name_en: str
    owner_tenant_id: uuid.UUID | None
    knowledge_points: Mapping[str, tuple[str, str]]


@dataclass(frozen=True, slots=True)
class QuestionRow:
    """One line of the list of questions."""

    question_id: uuid.UUID
    code: str
    version: int
    kind: str
    knowledge_point: str
    difficulty: int
    stem_zh: str
    stem_en: str
    state: str


@dataclass(frozen=True, slots=True)
class Version:
    """One version in a question's history."""

    question_id: uuid.UUID
    version: int
    state: str
    created_at: datetime
    ended_at: datetime | None


@dataclass(frozen=True, slots=True)
class Live:
    """The live version of a question with its whole content."""

    question_id: uuid.UUID
    version: int
    draft: Draft


@dataclass(frozen=True, slots=True)
class BlueprintView:
    """A version of a blueprint. Times carry their unit; ``cells`` are its lines."""

    code: str
    version: int
    bank_code: str
    name_zh: str
    name_en: str
    effective_from: date
    legal_basis: str
    duration_min: int
    grace_s: int
    pass_score: int
    max_attempts: int
    identity_max_age_min: int
    cells: tuple[Cell, ...]


@dataclass(frozen=True, slots=True)
class Filter:
    """What a list of questions is narrowed to; empty values narrow nothing."""

    bank_code: str
    q: str = ""
    kind: str = ""
    knowledge_point: str = ""
    difficulty: int | None = None
    state: str = "live"


def bank_view(bank: Bank) -> BankView:
    """Turn a bank's row into its view."""
    return BankView(
        bank.code,
        bank.name_zh,
        bank.name_en,
        bank.owner_tenant_id,
        {point["code"]: (point["name_zh"], point["name_en"]) for point in bank.knowledge_points},
    )


def banks(session: Session, tenant_id: uuid.UUID | None) -> list[BankView]:
    """Return the banks that a tenant reads, its own first."""
    owner = Bank.owner_tenant_id
    query = select(Bank).where(or_(owner.is_(None), owner == tenant_id)).order_by(owner.is_(None), Bank.code)
    return [bank_view(bank) for bank in session.scalars(query)]


def cell_of(raw: Mapping[str, Any]) -> Cell:
    """Read one line of a blueprint as it is stored."""
    return Cell(raw["type"], raw["knowledge_point"], raw["difficulty"], raw["count"], raw["points"])


def blueprint_view(row: Blueprint) -> BlueprintView:
    """Turn a blueprint's row into its view."""
    return BlueprintView(
        row.code,
        row.version,
        row.bank_code,
        row.name_zh,
        row.name_en,
        row.effective_from,
        row.legal_basis,
        row.duration_min,
        row.grace_s,
        row.pass_score,
        row.max_attempts,
        row.identity_max_age_min,
        tuple(cell_of(item) for item in row.items),
    )


def blueprints_of(session: Session, bank_code: str) -> list[BlueprintView]:
    """Return all versions of the blueprints that draw from a bank, newest first."""
    query = select(Blueprint).where(Blueprint.bank_code == bank_code).order_by(Blueprint.code, Blueprint.version.desc())
    return [blueprint_view(row) for row in session.scalars(query)]


def _narrowed(wanted: Filter) -> list[Any]:
    conditions: list[Any] = [Question.bank_code == wanted.bank_code, Question.state == wanted.state]
    if wanted.q:
        escaped = wanted.q.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")
        pattern = f"%{escaped}%"
        conditions.append(
            or_(
                Question.stem_zh.ilike(pattern),
                Question.stem_en.ilike(pattern),
                Question.code.ilike(pattern),
                Question.basis_zh.ilike(pattern),
            )
        )
    if wanted.kind:
        conditions.append(Question.kind == wanted.kind)
    if wanted.knowledge_point:
        conditions.append(Question.knowledge_point == wanted.knowledge_point)
    if wanted.difficulty:
        conditions.append(Question.difficulty == wanted.difficulty)
    return conditions


def question_page(session: Session, wanted: Filter, cursor: str | None) -> Page[QuestionRow]:
    """Return one page of questions by code."""
    conditions = _narrowed(wanted)
    query: Any = select(
        Question.id,
        Question.code,
        Question.version,
        Question.kind,
        Question.knowledge_point,
        Question.difficulty,
        Question.stem_zh,
        Question.stem_en,
        Question.state,
    ).where(*conditions)
    total = session.scalar(select(func.count()).select_from(Question).where(*conditions))
    keys: list[Any] = [Question.code, Question.version]
    page = paginate(
        session,
        query,
        keys=keys,
        key_of=lambda row: (row.code, row.version),
        cursor=cursor,
        total=total,
    )
    return page.map(lambda row: QuestionRow(*row))


def versions(session: Session, bank_code: str, code: str) -> list[Version]:
    """Return a question's versions, newest first."""
    query = (
        select(Question.id, Question.version, Question.state, Question.created_at, Question.ended_at)
        .where(Question.bank_code == bank_code, Question.code == code)
        .order_by(Question.version.desc())
    )
    return [Version(*row) for row in session.execute(query)]


def options_of(raw: list[Any]) -> tuple[Option, ...]:
    """Read options as they are stored."""
    return tuple(Option(option["key"], option["zh"], option["en"]) for option in raw)


def _draft_of(question: Question, key: QuestionKey | None) -> Draft:
    return Draft(
        code=question.code,
        kind=question.kind,
        knowledge_point=question.knowledge_point,
        difficulty=question.difficulty,
        stem_zh=question.stem_zh,
        stem_en=question.stem_en,
        options=options_of(question.options),
        answer=tuple(key.answer) if key else (),
        basis_zh=question.basis_zh,
        explanation_zh=key.explanation_zh if key else "",
        explanation_en=key.explanation_en if key else "",
    )


def draft_of(session: Session, question_id: uuid.UUID) -> Draft | None:
    """Return one version's content; ``answer`` is empty where the scope may not read it."""
    row = session.execute(
        select(Question, QuestionKey)
        .outerjoin(QuestionKey, QuestionKey.question_id == Question.id)
        .where(Question.id == question_id)
    ).first()
    return _draft_of(row[0], row[1]) if row else None


def live_questions(session: Session, bank_code: str) -> dict[str, Live]:
    """Return the live questions of a bank with their answers, by code. Owner or worker only."""
    rows = session.execute(
        select(Question, QuestionKey)
        .outerjoin(QuestionKey, QuestionKey.question_id == Question.id)
        .where(Question.bank_code == bank_code, Question.ended_at.is_(None))
        .order_by(Question.code)
    )
    return {row[0].code: Live(row[0].id, row[0].version, _draft_of(row[0], row[1])) for row in rows}


def last_versions(session: Session, bank_code: str, codes: set[str]) -> dict[str, int]:
    """Return the highest version of each code, live or not."""
    query = (
        select(Question.code, func.max(Question.version).label("version"))
        .where(Question.bank_code == bank_code, Question.code.in_(codes))
        .group_by(Question.code)
    )
    return {row.code: row.version for row in session.execute(query)}


def candidates(session: Session, bank_code: str, at: datetime) -> list[Candidate]:
    """Return the questions that were live at ``at``, as the draw sees them."""
    rows = session.execute(_POOL, {"bank": bank_code, "at": at})
    return [
        Candidate(row.question_id, row.kind, row.knowledge_point, row.difficulty, tuple(row.option_keys))
        for row in rows
    ]
