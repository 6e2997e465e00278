"""Keyset paging: page n costs the same as page 1, and rows that arrive meanwhile shift nothing."""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from sqlalchemy import Select, tuple_
from sqlalchemy.orm import Session
from sqlalchemy.sql.elements import ColumnElement

from lms.core.errors import Invalid
from lms.core.i18n import lazy_gettext as _

T = TypeVar("T")
U = TypeVar("U")
PAGE_SIZE = 20


class BadCursor(Invalid):
    """The cursor of the address is not one that a page has given out."""

    code = "bad_cursor"
    status = 400
    message = _("页码参数无效，请回到第一页")


@dataclass(frozen=True, slots=True)
class Page(Generic[T]):
    """One page of rows and the cursors of its neighbours (None where there is none)."""

    items: Sequence[T]
    next_cursor: str | None
    prev_cursor: str | None
    total: int | None = None

    def map(self, convert: Callable[[T], U]) -> Page[U]:
        """Return the same page with every item converted."""
        return Page([convert(item) for item in self.items], self.next_cursor, self.prev_cursor, self.total)


def _encode(direction: str, values: Sequence[object]) -> str:
    raw = json.dumps([direction, *map(str, values)], ensure_ascii=False)
    return base64.urlsafe_b64encode(raw.encode()).decode().rstrip("=")


def _decode(cursor: str, count: int) -> tuple[str, list[str]]:
    try:
        direction, *values = json.loads(base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)))
    except (binascii.Error, ValueError, TypeError, RecursionError):
        raise BadCursor from None
    if direction not in ("n", "p") or len(values) != count or not all(isinstance(v, str) for v in values):
        raise BadCursor
    return direction, values


def paginate(
    session: Session,
    query: Select[Any],
    *,
    keys: Sequence[ColumnElement[Any]],
    key_of: Callable[[Any], Sequence[object]],
    cursor: str | None = None,
    size: int = PAGE_SIZE,
    descending: bool = False,
    total: int | None = None,
) -> Page[Any]:
    """Return one page of ``query`` ordered by ``keys``, which together must be unique.

    ``key_of`` gives a row's key values in the same order. Raises BadCursor.
    """
    direction, values = _decode(cursor, len(keys)) if cursor else ("n", None)
    backwards = direction == "p"
    down = descending != backwards
    if values is not None:
        try:
            typed = [_typed(column, value) for column, value in zip(keys, values, strict=True)]
        except (ValueError, ArithmeticError):
            raise BadCursor from None
        here, there = tuple_(*keys), tuple_(*typed)
        query = query.where(here < there if down else here > there)
    query = query.order_by(None).order_by(*(key.desc() if down else key.asc() for key in keys)).limit(size + 1)
    rows = list(session.execute(query).all())
    more, rows = len(rows) > size, rows[:size]
    if backwards:
        rows.reverse()
    items = [row[0] if len(row) == 1 else row for row in rows]
    has_next = more if not backwards else True
    has_prev = more if backwards else values is not None
    return Page(
        items,
        next_cursor=_encode("n", key_of(items[-1])) if items and has_next else None,
        prev_cursor=_encode("p", key_of(items[0])) if items and has_prev else None,
        total=total,
    )


def _typed(column: ColumnElement[Any], value: str) -> object:
    """Turn a cursor's text back into the column's type; raises ValueError."""
    python_type = column.type.python_type
    if hasattr(python_type, "fromisoformat"):
        return python_type.fromisoformat(value)
    return python_type(value)
