"""The page of the public check: drawn once for each language, theme and state, then only filled in.

A gate may scan a thousand people in a minute. What differs between two certificates are ten
values; everything around them is kept as finished text.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from functools import lru_cache

from flask import render_template
from flask_babel import force_locale

from certs.labels import IMPORTED_NOTE, IMPORTED_TEXTS, LABELS, VERDICT_TONES, VERDICTS
from certs.rules import Shown
from lms.core.skeleton import Skeleton, mark


@dataclass(frozen=True, slots=True)
class Facts:
    """The values of one certificate as text, in the order in which fields are marked."""

    public_id: str
    holder: str
    scheme: str
    number: str
    valid: str
    enterprise: str
    licence: str
    issuer: str
    place: str
    checked: str
    decided: str
    successor: str
    issued_on: str


_NAMES = tuple(field.name for field in fields(Facts))


def draw(facts: Facts, shown: Shown, *, imported: bool, language: str, theme: str) -> str:
    """Return the page with the facts escaped into it."""
    skeleton = _skeleton(shown, imported, language, theme)
    return skeleton.fill({name: getattr(facts, name) or "—" for name in _NAMES})


@lru_cache(maxsize=128)
def _skeleton(shown: Shown, imported: bool, language: str, theme: str) -> Skeleton:  # noqa: FBT001 - a key of the cache
    """Draw the page with marks in place of the values and cut it there."""
    title, text = VERDICTS[shown]
    if imported:
        text = IMPORTED_TEXTS.get(shown, text)
    marked = Facts(*(mark(name) for name in _NAMES))
    with force_locale(language):
        page = render_template(
            "certs/check.html",
            facts=marked,
            title=title,
            text=text,
            shown=shown.value,
            note=str(IMPORTED_NOTE) % {"issuer": marked.issuer} if imported else "",
            tone=VERDICT_TONES[shown],
            label=LABELS[shown],
            theme=theme,
        )
    return Skeleton(page)
