"""A text that is the same for many readers, kept with the places where they differ."""

from __future__ import annotations

from collections.abc import Mapping

from markupsafe import escape

# A character that no page and no name holds; U+E000 begins the private use area.
_MARK = "\ue000"


def mark(name: str) -> str:
    """Return what a template shows at the place called ``name``, for a skeleton to find."""
    return f"{_MARK}{name}{_MARK}"


class Skeleton:
    """Finished markup with named places."""

    __slots__ = ("_head", "_rest")

    def __init__(self, drawn: str) -> None:
        self._head, *parts = drawn.split(_MARK)
        self._rest = tuple(zip(parts[::2], parts[1::2], strict=True))

    def fill(self, values: Mapping[str, str]) -> str:
        """Return the markup with the values escaped into their places. Raises KeyError when one is missing."""
        escaped = {name: str(escape(value)) for name, value in values.items()}
        filled = [self._head]
        for name, text in self._rest:
            filled.append(escaped[name])
            filled.append(text)
        return "".join(filled)
