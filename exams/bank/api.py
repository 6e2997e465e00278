"""The door of the bank for the other sub-rooms: blueprints, the draw's pool, texts of questions."""

from __future__ import annotations

import uuid
from collections.abc import Collection
from dataclasses import dataclass
from datetime import date

from sqlalchemy import select
from sqlalchemy.orm import Session

from exams.bank.models import Bank, Blueprint, Question
from exams.bank.queries import BlueprintView, bank_view, blueprint_view, candidates, options_of
from exams.bank.rules import FULL_SCORE, Candidate, Cell, Kind, Option
from exams.errors import NoBlueprint
from lms.core.errors import NotFound

__all__ = [
    "FULL_SCORE",
    "BlueprintView",
    "Candidate",
    "Cell",
    "Kind",
    "Option",
    "QuestionText",
    "blueprint",
    "blueprint_in_force",
    "candidates",
    "knowledge_points",
    "question_texts",
]


@dataclass(frozen=True, slots=True)
class QuestionText:
    """What a candidate is shown of a question; ``basis_zh`` only after marking."""

    question_id: uuid.UUID
    kind: str
    knowledge_point: str
    stem_zh: str
    stem_en: str
    options: tuple[Option, ...]
    basis_zh: str


def blueprint_in_force(session: Session, code: str, on: date) -> BlueprintView:
    """Return the newest version of a blueprint that is in force on a day. Raises NoBlueprint."""
    query = (
        select(Blueprint)
        .where(Blueprint.code == code, Blueprint.effective_from <= on)
        .order_by(Blueprint.effective_from.desc(), Blueprint.version.desc())
        .limit(1)
    )
    row = session.scalars(query).first()
    if row is None:
        raise NoBlueprint
    return blueprint_view(row)


def blueprint(session: Session, code: str, version: int) -> BlueprintView:
    """Return one version of a blueprint. Raises NotFound."""
    row = session.get(Blueprint, (code, version))
    if row is None:
        raise NotFound
    return blueprint_view(row)


def question_texts(session: Session, question_ids: Collection[uuid.UUID]) -> dict[uuid.UUID, QuestionText]:
    """Return texts of questions by id; a person's scope sees only those of their own papers."""
    rows = session.scalars(select(Question).where(Question.id.in_(question_ids)))
    return {
        row.id: QuestionText(
            row.id,
            row.kind,
            row.knowledge_point,
            row.stem_zh,
            row.stem_en,
            options_of(row.options),
            row.basis_zh,
        )
        for row in rows
    }


def knowledge_points(session: Session, bank_code: str) -> dict[str, tuple[str, str]]:
    """Return a bank's knowledge points: code to Chinese and English name."""
    bank = session.get(Bank, bank_code)
    return dict(bank_view(bank).knowledge_points) if bank else {}
