"""Reading requests: what a body may be at all, before any form or view looks at it."""

from __future__ import annotations

from typing import Any

from flask import Request
from flask.json.provider import DefaultJSONProvider


class ObjectRequest(Request):
    """A request whose JSON body, where it has one, is an object.

    Whether it is asked for by a view or by a form (Flask-WTF reads JSON as fields), a list, a
    number or a text is as unreadable as broken JSON. Overrides ``on_json_loading_failed``'s
    caller ``get_json``, whose signature was checked on Werkzeug 3.1.
    """

    def get_json(self, force: bool = False, silent: bool = False, cache: bool = True) -> Any:  # noqa: FBT001, FBT002 - the signature of the base
        """Return the object. Raises BadRequest; if ``silent``, returns None."""
        found = super().get_json(force=force, silent=silent, cache=cache)
        if found is None or isinstance(found, dict):
            return found
        return None if silent else self.on_json_loading_failed(ValueError("not an object"))


class ShallowJson(DefaultJSONProvider):
    """Flask's JSON, which refuses instead of crashing when a text nests too deeply."""

    def loads(self, s: str | bytes, **kwargs: Any) -> Any:
        """Parse a text. Raises ValueError."""
        try:
            return super().loads(s, **kwargs)
        except RecursionError:
            raise ValueError("nested too deeply") from None
