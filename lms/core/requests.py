"""What a body may be at all, before any form or view looks at it."""

from __future__ import annotations

from typing import Any

from flask import Request
from flask.json.provider import DefaultJSONProvider

# The largest JSON that a page of ours sends, a whole paper of answers, has some 60 kB.
JSON_BYTES_MAX = 1024 * 1024


class ObjectRequest(Request):
    """A request whose JSON body, where it has one, is an object of at most ``JSON_BYTES_MAX`` bytes.

    A list, a number or a text is as unreadable as broken JSON. Overrides ``get_json``, whose
    signature was checked on Werkzeug 3.1.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if self.is_json:
            # Before anything touches the stream, which takes its limit then.
            self.max_content_length = JSON_BYTES_MAX

    def get_json(self, force: bool = False, silent: bool = False, cache: bool = True) -> Any:  # noqa: FBT001, FBT002 - the signature of the base
        """Return the object. Raises HTTPException (400, 413 or 415); if ``silent``, returns None."""
        found = super().get_json(force=force, silent=silent, cache=cache)
        if isinstance(found, dict):
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
