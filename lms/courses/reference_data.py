"""Loading the programmes of ``reference/programmes.json``; loading again changes nothing."""

from __future__ import annotations

import json
from datetime import date
from pathlib import Path
from typing import Any

from sqlalchemy import delete
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from lms.core.services import Services
from lms.core.tenancy import WORKER_SCOPE
from lms.courses.catalogue.models import Programme, ProgrammeCourse

PROGRAMMES_FILE = Path(__file__).parent / "reference" / "programmes.json"


def load_reference(services: Services) -> None:
    """Bring the programme tables to what the data file says."""
    listed = json.loads(PROGRAMMES_FILE.read_text("utf8"))["programmes"]
    with services.db.transaction(WORKER_SCOPE) as session:
        for item in listed:
            _load(session, item)


def _load(session: Session, item: dict[str, Any]) -> None:
    """Write one version of a programme; a version in use is corrected only by a new version."""
    courses = item["courses"]
    values = {key: value for key, value in item.items() if key != "courses"}
    for key in ("effective_from", "effective_to"):
        values[key] = date.fromisoformat(values[key]) if values[key] else None
    statement = insert(Programme).values(**values)
    session.execute(statement.on_conflict_do_update(index_elements=["code", "version"], set_=values))
    mine = (ProgrammeCourse.programme_code == item["code"], ProgrammeCourse.programme_version == item["version"])
    session.execute(delete(ProgrammeCourse).where(*mine))
    rows = [
        {
            "programme_code": item["code"],
            "programme_version": item["version"],
            "position": position,
            "course_code": code,
        }
        for position, code in enumerate(courses, start=1)
    ]
    session.execute(insert(ProgrammeCourse), rows)
