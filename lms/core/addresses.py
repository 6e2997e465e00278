"""Addresses of pages: put together from patterns that Flask has made once; and the way back to a filtered list."""

from __future__ import annotations

import itertools
import uuid
from typing import Any
from urllib.parse import quote, urlencode, urlsplit

from flask import Response, request, url_for

# Their text is the same in an address as anywhere, so nothing has to be quoted.
PLAIN_TYPES = (uuid.UUID, int)
_MARKS = itertools.count(0x7A6E_0000_0000)
BACK = "back"
# A list's filters and page mark take some hundred characters.
MAX_BACK_CHARS = 1_000


def local_path(target: str | None) -> str | None:
    """Return path and query of ``target`` if it is an address of this site, else None.

    What a browser would read as another site or as a script is none: a scheme, two slashes or a backslash
    at the beginning, signs that it would leave out.
    """
    given = target or ""
    is_path = given.startswith("/") and not given.startswith("//") and given.isprintable() and "\\" not in given
    parts = urlsplit(given) if is_path else None
    return (parts.path + (f"?{parts.query}" if parts.query else "")) if parts else None


def from_here() -> str:
    """Return what an address takes at its end so that its page leads back here: to this list, filters and all."""
    return f"?{BACK}={quote(request.full_path.rstrip('?'), safe='/')}" if request.query_string else ""


def with_filters(path: str = "", **changes: str | None) -> str:
    """Return ``path``, else the present one, with the present query, changed; None and the mark of a page fall away."""
    query = {**request.args.to_dict(), "cursor": None, **changes}
    kept = urlencode({key: value for key, value in query.items() if value is not None})
    return f"{path or request.path}?{kept}" if kept else path or request.path


def back_to(list_address: str) -> str:
    """Return where the present page leads back to: the list as it was left, else ``list_address``."""
    found = local_path(request.args.get(BACK))
    return found if found and len(found) <= MAX_BACK_CHARS else list_address


def keep_query(response: Response) -> Response:
    """Let a post that leads to the page it came from keep that page's query: filters, and the way back."""
    came_from = urlsplit(request.referrer or "")
    is_return = request.method == "POST" and came_from.netloc == request.host and response.location == came_from.path
    if is_return and came_from.query:
        response.location = local_path(f"{came_from.path}?{came_from.query}") or came_from.path
    return response


class Addresses:
    """Flask's ``url_for`` for templates. A list of fifty rows asks it a hundred times, at 0.01 ms each."""

    def __init__(self) -> None:
        self._patterns: dict[tuple[str, ...], str] = {}

    def __call__(self, endpoint: str, **values: Any) -> str:
        """Return the address of a page. Raises what ``flask.url_for`` raises."""
        if not values or any(type(value) not in PLAIN_TYPES for value in values.values()):
            return url_for(endpoint, **values)
        blueprint = (request.blueprint or "") if endpoint.startswith(".") else ""
        key = (blueprint, endpoint, *values)
        pattern = self._patterns.get(key)
        if pattern is None:
            pattern = self._patterns[key] = _pattern(endpoint, values)
        return pattern.format(*values.values())


def _pattern(endpoint: str, values: dict[str, Any]) -> str:
    """Return the address with a numbered place for each value, found by values that occur nowhere else."""
    marks: dict[str, Any] = {
        name: uuid.UUID(int=next(_MARKS)) if isinstance(value, uuid.UUID) else next(_MARKS)
        for name, value in values.items()
    }
    pattern = url_for(endpoint, **marks).replace("{", "{{").replace("}", "}}")
    for place, mark in enumerate(marks.values()):
        pattern = pattern.replace(str(mark), f"{{{place}}}")
    return pattern
