"""Folding and evaluating together, rebuilding, and loading the reference data of this room."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from lms.core.errors import Conflict
from lms.core.services import Services
from lms.core.tenancy import WORKER_SCOPE
from supervision.figures import operations as figures
from supervision.figures import rebuild as counting
from supervision.figures.models import Definition
from supervision.figures.rebuild import Mismatch
from supervision.warnings import operations as warnings
from supervision.warnings.models import Rule

REFERENCE = Path(__file__).parent / "reference"


@dataclass(frozen=True, slots=True)
class FoldResult:
    """What a fold has done: deltas taken, enterprises counted anew, cases opened and closed."""

    deltas: int = 0
    enterprises: int = 0
    opened: int = 0
    closed: int = 0

    def __add__(self, other: FoldResult) -> FoldResult:
        return FoldResult(
            self.deltas + other.deltas,
            self.enterprises + other.enterprises,
            self.opened + other.opened,
            self.closed + other.closed,
        )


def fold_once(session: Session) -> FoldResult | None:
    """Fold one batch of deltas and judge the enterprises it touches; None while another process folds."""
    if not figures.try_lock(session):
        return None
    folded = figures.fold(session)
    changes = warnings.evaluate(session, folded.tenants)
    red = warnings.evaluate_failures(session, folded.failed_enrolments)
    return FoldResult(folded.taken, len(folded.tenants), changes.opened + red, changes.closed)


def turn_month(session: Session) -> FoldResult | None:
    """Count enterprises anew whose totals end before the present month, and judge them."""
    if not figures.try_lock(session):
        return None
    tenants = figures.stale_tenants(session)
    if tenants:
        figures.recount(session, tenants)
    changes = warnings.evaluate(session, tenants)
    return FoldResult(0, len(tenants), changes.opened, changes.closed)


def fold_all(services: Services) -> FoldResult:
    """Fold until nothing waits, each batch in a transaction of its own; then begin the month if need be."""
    done = FoldResult()
    for step, amount in ((fold_once, "deltas"), (turn_month, "enterprises")):
        while True:
            with services.db.transaction(WORKER_SCOPE) as session:
                result = step(session)
            if result is None:
                return done
            done += result
            if getattr(result, amount) < figures.BATCH_ROWS:
                break
    return done


def rebuild(services: Services) -> int:
    """Count every figure from the source rows; return how many month rows had to be corrected.

    Raises Conflict while another process writes figures.
    """
    with services.db.transaction(WORKER_SCOPE) as session:
        if not figures.try_lock(session):
            raise Conflict
        rebuilt = counting.rebuild_months(session)
        tenants = counting.enterprise_ids(session)
        for start in range(0, len(tenants), figures.BATCH_ROWS):
            batch = tenants[start : start + figures.BATCH_ROWS]
            figures.recount(session, batch)
            warnings.evaluate(session, batch)
            session.expunge_all()
        counting.rebuild_sums(session)
        warnings.evaluate_failures(session, rebuilt.failed_enrolments)
        return rebuilt.corrected


def check(services: Services) -> list[Mismatch]:
    """Fold what waits, then compare folded with counted figures."""
    fold_all(services)
    with services.db.transaction(WORKER_SCOPE) as session:
        return counting.mismatches(session)


def load_reference(services: Services) -> None:
    """Bring rules and definitions to what the data files say. Repeating it changes nothing."""
    with services.db.transaction(WORKER_SCOPE) as session:
        for raw in _read("rules.json")["rules"]:
            _upsert(session, Rule, raw, ("code", "region_code", "version"))
        for raw in _read("definitions.json")["definitions"]:
            _upsert(session, Definition, raw, ("figure", "version"))


def _read(name: str) -> dict[str, Any]:
    content: dict[str, Any] = json.loads((REFERENCE / name).read_text("utf8"))
    return content


def _upsert(session: Session, model: type[Rule | Definition], raw: dict[str, Any], key: tuple[str, ...]) -> None:
    values = {**raw, "effective_from": date.fromisoformat(raw["effective_from"])}
    changes = {name: value for name, value in values.items() if name not in key}
    session.execute(insert(model).values(**values).on_conflict_do_update(index_elements=list(key), set_=changes))
