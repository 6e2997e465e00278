"""Permissions of the bank, and the only ways to load its rows for a request."""

from __future__ import annotations

import uuid
from enum import StrEnum

from sqlalchemy.orm import Session

from exams.bank.models import Bank, Question
from exams.errors import NotYourBank
from lms.core.access import Actor
from lms.core.errors import NotFound
from lms.core.tenancy import ScopeRole


class P(StrEnum):
    """What one may do with the bank."""

    READ = "exams.bank.read"
    EDIT = "exams.bank.edit"


def owns(actor: Actor, bank: Bank) -> bool:
    """Tell whether ``actor`` may change ``bank``: its owner, or the system itself."""
    if actor.scope.role == ScopeRole.WORKER:
        return True
    return bank.owner_tenant_id is not None and bank.owner_tenant_id == actor.tenant_id


def access_bank(session: Session, actor: Actor, code: str) -> Bank:
    """Return a bank that ``actor`` may read: the province's or their own. Raises NotFound."""
    bank = session.get(Bank, code)
    if bank is None or not (bank.owner_tenant_id is None or owns(actor, bank)):
        raise NotFound
    return bank


def access_own_bank(session: Session, actor: Actor, code: str) -> Bank:
    """Return a bank that ``actor`` may change. Raises NotFound or NotYourBank."""
    bank = access_bank(session, actor, code)
    if not owns(actor, bank):
        raise NotYourBank
    return bank


def access_question(session: Session, question_id: uuid.UUID) -> Question:
    """Return one version of a question within the scope. Raises NotFound."""
    question = session.get(Question, question_id)
    if question is None:
        raise NotFound
    return question
