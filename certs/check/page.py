"""The page of the public check: drawn once for each language, theme and state, then only filled in.

A gate may scan a thousand people in a minute. What differs between two certificates are ten
values; everything around them is kept as finished text.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from functools import lru_cache

from flask import render_template
from flask_babel import force_locale
from markupsafe import escape

from certs.labels import LABELS, TONES, VERDICTS
from certs.rules import Shown

# A character that no page and no name holds; U+E000 begins the private use area.
_MARK = "\ue000"


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


_NAMES = tuple(field.name for field in fields(Facts))


@dataclass(frozen=True, slots=True)
class _Skeleton:
    """The finished text before the first value, and each value's name with the text behind it."""

    head: str
    rest: tuple[tuple[str, str], ...]


def draw(facts: Facts, shown: Shown, *, language: str, theme: str) -> str:
    """Return the page with the facts escaped into it."""
    skeleton = _skeleton(shown, language, theme)
    filled = [skeleton.head]
    for name, text in skeleton.rest:
        filled.append(str(escape(getattr(facts, name) or "—")))
        filled.append(text)
    return "".join(filled)


@lru_cache(maxsize=64)
def _skeleton(shown: Shown, language: str, theme: str) -> _Skeleton:
    """Draw the page with marks in place of the values and cut it there."""
    title, text = VERDICTS[shown]
    marked = Facts(*(f"{_MARK}{name}{_MARK}" for name in _NAMES))
    with force_locale(language):
        page = render_template(
            "certs/check.html",
            facts=marked,
            title=title,
            text=text,
            tone=TONES[shown],
            label=LABELS[shown],
            theme=theme,
            in_language=lambda zh, en: en if language == "en" else zh,
        )
    head, *parts = page.split(_MARK)
    return _Skeleton(head, tuple(zip(parts[::2], parts[1::2], strict=True)))
