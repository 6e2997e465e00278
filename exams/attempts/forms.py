"""Shape checks of what an exam page sends."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from exams.attempts.rules import MAX_ITEMS_AT_ONCE, MAX_SEQ, Given
from exams.errors import BadAnswers

LETTER = re.compile(r"[A-H]")
FIELD = re.compile(r"item-([1-9][0-9]{0,2})")
MAX_ITEM_NO = 999


def answers_of(body: object) -> list[Given]:
    """Read ``{"items": [{"item": 1, "keys": ["B"], "seq": 17}]}``. Raises BadAnswers."""
    items = body.get("items") if isinstance(body, dict) else None
    if not isinstance(items, list) or not 1 <= len(items) <= MAX_ITEMS_AT_ONCE:
        raise BadAnswers
    return [_answer_of(item) for item in items]


def _answer_of(item: object) -> Given:
    if not isinstance(item, dict):
        raise BadAnswers
    return Given(_whole(item.get("item"), MAX_ITEM_NO), _letters(item.get("keys")), _whole(item.get("seq"), MAX_SEQ))


def _whole(value: Any, most: int) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or not 1 <= value <= most:
        raise BadAnswers
    return value


def _letters(keys: Any) -> tuple[str, ...]:
    if not isinstance(keys, list) or not all(isinstance(key, str) and LETTER.fullmatch(key) for key in keys):
        raise BadAnswers
    if len(set(keys)) != len(keys):
        raise BadAnswers
    return tuple(sorted(keys))


def posted_answers(fields: Mapping[str, list[str]]) -> list[Given]:
    """Read the whole paper from a form that was posted without script: fields ``item-<number>``.

    Their sequence number is 0, so that whatever was saved while sitting stands before them.
    Raises BadAnswers.
    """
    found = []
    for name, values in fields.items():
        match = FIELD.fullmatch(name)
        if match:
            found.append(Given(int(match[1]), _letters(values), 0))
    return found
