"""What a select offers."""

from __future__ import annotations

from collections.abc import Iterable

from wtforms.fields.choices import SelectChoice  # type: ignore[attr-defined]  # newer than the published types


def choices(pairs: Iterable[tuple[str, object]]) -> list[SelectChoice]:
    """Turn (value, text) pairs into what WTForms 3.3 takes without warning."""
    return [SelectChoice(value, label) for value, label in pairs]
