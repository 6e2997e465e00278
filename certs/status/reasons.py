"""Coded reasons of decisions: loading them from their data file, and looking them up."""

from __future__ import annotations

import json
from collections.abc import Collection
from datetime import date
from pathlib import Path
from typing import Any

from sqlalchemy import insert, select
from sqlalchemy.orm import Session

from certs.errors import ReasonsInvalid, ReasonUnknown
from certs.status.models import Reason
from lms.core import clock

FILE = Path(__file__).parents[1] / "reference" / "reasons.json"


def load_reasons(session: Session, document: dict[str, Any]) -> int:
    """Add the versions that are not there yet; return how many were added.

    A version that is there with other content is refused (ReasonsInvalid): decisions refer to it.
    """
    added = 0
    for raw in document["reasons"]:
        values = {**raw, "effective_from": date.fromisoformat(raw["effective_from"])}
        present = session.get(Reason, (values["code"], values["version"]))
        if present is None:
            session.execute(insert(Reason).values(values))
            added += 1
        elif any(getattr(present, key) != value for key, value in values.items()):
            raise ReasonsInvalid(problem=f"{values['code']} v{values['version']}: changed without a new version")
    return added


def read_file() -> dict[str, Any]:
    """Return the data file that the product brings."""
    document: dict[str, Any] = json.loads(FILE.read_text("utf8"))
    return document


def reasons_for(session: Session, decision: str) -> list[Reason]:
    """Return the newest version in force of each reason for a decision, by code, the catch-all last."""
    return reasons_by_decision(session, [decision])[decision]


def reasons_by_decision(session: Session, decisions: Collection[str]) -> dict[str, list[Reason]]:
    """Return the same for many decisions, in one statement."""
    today = clock.today()
    rows = session.scalars(
        select(Reason).where(Reason.decision.in_(decisions), Reason.effective_from <= today).order_by(Reason.version)
    )
    newest = {(row.decision, row.code): row for row in rows}
    ordered = sorted(newest.values(), key=lambda row: (row.code == other_reason(row.decision), row.code))
    return {decision: [row for row in ordered if row.decision == decision] for decision in decisions}


def reason_in_force(session: Session, decision: str, code: str) -> Reason:
    """Return the reason in its newest version in force. Raises ReasonUnknown, also for another decision's."""
    found = next((row for row in reasons_for(session, decision) if row.code == code), None)
    if found is None:
        raise ReasonUnknown
    return found


def other_reason(decision: str) -> str:
    """Return the code of the catch-all reason for a decision."""
    return f"{decision}_other"
