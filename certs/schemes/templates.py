"""Certificate pages as data: what a department may set, read and checked."""

from __future__ import annotations

from dataclasses import fields
from typing import Any

from sqlalchemy.orm import Session

from certs.adapters.face import TemplateSpec
from certs.adapters.trial import page_problems
from certs.rules import with_tuples
from certs.schemes.models import Template
from lms.core.errors import NotFound

# The rest of a TemplateSpec is the product's: the marks of specimens, and which version it is.
EDITABLE = (
    *("heading_zh", "statement_zh", "statement_en", "notes_zh", "seal_line_zh", "seal_name_zh"),
    *("issuer_label_zh", "palette", "hidden"),
)


def spec_of(data: dict[str, Any]) -> TemplateSpec:
    """Return the page that stored values describe. Raises ValueError for what a department may not set."""
    if unknown := set(data) - set(EDITABLE):
        raise ValueError(", ".join(sorted(unknown)))
    return TemplateSpec(**with_tuples(data))


def spec_data(spec: TemplateSpec) -> dict[str, Any]:
    """Return what differs from the standard page, as it is stored."""
    standard = TemplateSpec()
    changed = {one.name: getattr(spec, one.name) for one in fields(spec) if one.name in EDITABLE}
    return {
        name: list(value) if isinstance(value, tuple) else value
        for name, value in changed.items()
        if value != getattr(standard, name)
    }


def content_problem(content: dict[str, Any]) -> str:
    """Tell what keeps a drafted page from being printed; empty when nothing does."""
    try:
        found = page_problems(spec_of(content["spec"]))
        named = bool(content["name_zh"].strip() and content["name_en"].strip())
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        return str(error)
    return ", ".join(found) or ("" if named else "name_zh, name_en")


def access_template(session: Session, code: str, version: int) -> Template:
    """Return one version of a page; all are public. Raises NotFound."""
    row = session.get(Template, (code, version))
    if row is None:
        raise NotFound
    return row
