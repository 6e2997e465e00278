"""Bringing the reference tables to what the data files of this version say."""

from __future__ import annotations

import csv
import json
from datetime import date
from pathlib import Path
from typing import Any, cast

from sqlalchemy import Table
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from lms.accounts.models import Industry, Post, Region, Rule
from lms.core.db import Base
from lms.core.services import Services
from lms.core.tenancy import WORKER_SCOPE

FILES = Path(__file__).parent / "reference"
BATCH_ROWS = 1_000


def load_all(services: Services) -> None:
    """Run ``load_reference`` in a worker transaction; the kernel's reference step."""
    with services.db.transaction(WORKER_SCOPE) as session:
        load_reference(session)


def load_reference(session: Session) -> None:
    """Upsert regions, industries, posts and rules. Runs at each start and changes nothing twice."""
    _upsert(session, Region, _regions())
    _upsert(session, Industry, _rows("industries.csv", ("code", "name_zh", "name_en", "parent_code")))
    _upsert(session, Post, _posts())
    _upsert(session, Rule, _rules())


def _rows(name: str, columns: tuple[str, ...]) -> list[dict[str, Any]]:
    with (FILES / name).open(encoding="utf8", newline="") as file:
        return [{column: row[column] or None for column in columns} for row in csv.DictReader(file)]


def _regions() -> list[dict[str, Any]]:
    rows = _rows("regions.csv", ("code", "name", "level", "parent_code"))
    typed = [
        {**row, "code": int(row["code"]), "parent_code": int(row["parent_code"]) if row["parent_code"] else None}
        for row in rows
    ]
    # A parent stands before its children, as the foreign key wants it.
    return sorted(typed, key=lambda row: (("province", "city", "county").index(row["level"]), row["code"]))


def _posts() -> list[dict[str, Any]]:
    rows = _rows("posts.csv", ("code", "name_zh", "name_en", "high_risk"))
    return [{**row, "high_risk": row["high_risk"] == "true"} for row in rows]


def _rules() -> list[dict[str, Any]]:
    rules = json.loads((FILES / "rules.json").read_text("utf8"))
    return [{**rule, "effective_from": date.fromisoformat(rule["effective_from"])} for rule in rules]


def _upsert(session: Session, model: type[Base], rows: list[dict[str, Any]]) -> None:
    table = cast("Table", model.__table__)  # a mapped class's FromClause is its Table
    keys = [column.name for column in table.primary_key]
    statement = insert(table)
    changed = {name: statement.excluded[name] for name in rows[0] if name not in keys}
    for start in range(0, len(rows), BATCH_ROWS):
        batch = rows[start : start + BATCH_ROWS]
        session.execute(statement.values(batch).on_conflict_do_update(index_elements=keys, set_=changed))
