"""Loading certificate types and page templates from the files that the product brings."""

from __future__ import annotations

import json
from datetime import date
from functools import lru_cache
from pathlib import Path
from typing import Any

from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from certs.errors import SchemeInvalid
from certs.models import Scheme
from certs.schemes import rules
from certs.schemes.models import Template

FILE = Path(__file__).parents[1] / "reference" / "schemes.json"


def load_schemes(session: Session, document: dict[str, Any]) -> int:
    """Add the versions of templates and schemes that are not there yet; return how many schemes were added.

    A version that is there with other content is refused (SchemeInvalid): certificates refer to it.
    A department may have published versions of its own meanwhile; the file's then come under numbers
    that are taken, and are left out.
    """
    for raw in document.get("templates", ()):
        _add(session, Template, raw)
    return sum(_add(session, Scheme, _values(session, raw)) for raw in document["schemes"])


def _add(session: Session, model: type[Any], values: dict[str, Any]) -> bool:
    present: Any = session.get(model, (values["code"], values["version"]))
    if present is None:
        columns = {model.__table__.c[name]: value for name, value in values.items()}
        session.execute(insert(model).values(columns).on_conflict_do_nothing())
        return True
    changed = any(getattr(present, "class_" if name == "class" else name) != value for name, value in values.items())
    if changed and present.published_at is None:
        raise SchemeInvalid(problem=f"{values['code']} v{values['version']}: changed without a new version")
    return False


def read_file() -> dict[str, Any]:
    """Return the data file that the product brings."""
    document: dict[str, Any] = json.loads(FILE.read_text("utf8"))
    return document


@lru_cache(maxsize=1)
def province_names() -> dict[str, str]:
    """Return the one-character names of provinces by the first two digits of their code (GB/T 2260)."""
    return dict(read_file()["provinces"])


def _values(session: Session, raw: dict[str, Any]) -> dict[str, Any]:
    try:
        rules.Requirements.from_data(raw["rules"])
        problem = rules.number_problem(raw["number_pattern"]) or rules.issuer_problem(raw["issuer_name"])
        template = session.get(Template, (raw["template"]["code"], raw["template"]["version"]))
        values = {**raw, "effective_from": date.fromisoformat(raw["effective_from"])}
    except (KeyError, ValueError, TypeError) as error:
        raise SchemeInvalid(problem=f"{raw.get('code')}: {error}") from error
    if problem or template is None:
        raise SchemeInvalid(problem=f"{raw['code']}: {problem or 'template'}")
    return values
