"""Loading certificate types from their data file."""

from __future__ import annotations

import json
from datetime import date
from functools import lru_cache
from pathlib import Path
from typing import Any

from sqlalchemy import select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from certs import rules
from certs.errors import SchemeInvalid
from certs.models import Scheme

FILE = Path(__file__).parents[1] / "reference" / "schemes.json"


def load_schemes(session: Session, document: dict[str, Any]) -> int:
    """Add the versions that are not there yet; return how many were added.

    A version that is there with other content is refused (SchemeInvalid): certificates refer to it.
    """
    added = 0
    for raw in document["schemes"]:
        values = _values(raw)
        present = session.scalars(
            select(Scheme).where(Scheme.code == values["code"], Scheme.version == values["version"])
        ).first()
        if present is None:
            session.execute(
                insert(Scheme)
                .values({Scheme.__table__.c[key]: value for key, value in values.items()})
                .on_conflict_do_nothing()
            )
            added += 1
        elif any(getattr(present, "class_" if key == "class" else key) != value for key, value in values.items()):
            raise SchemeInvalid(problem=f"{values['code']} v{values['version']}: changed without a new version")
    return added


def read_file() -> dict[str, Any]:
    """Return the data file that the product brings."""
    document: dict[str, Any] = json.loads(FILE.read_text("utf8"))
    return document


@lru_cache(maxsize=1)
def province_names() -> dict[str, str]:
    """Return the one-character names of provinces by the first two digits of their code (GB/T 2260)."""
    return dict(read_file()["provinces"])


def _values(raw: dict[str, Any]) -> dict[str, Any]:
    try:
        rules.Requirements.from_data(raw["rules"])
        sample = rules.certificate_number(raw["number_pattern"], province="豫", year=2026, serial=1)
        values = {**raw, "effective_from": date.fromisoformat(raw["effective_from"])}
    except (KeyError, ValueError, IndexError) as error:
        raise SchemeInvalid(problem=f"{raw.get('code')}: {error}") from error
    if "{serial" not in raw["number_pattern"] or len(sample) > 60:
        raise SchemeInvalid(problem=f"{raw.get('code')}: number_pattern")
    return values
