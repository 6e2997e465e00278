"""The consent texts: versioned files, whose digest stands beside each answer."""

from __future__ import annotations

import functools
import hashlib
from dataclasses import dataclass
from pathlib import Path

FILES = Path(__file__).parents[1] / "reference"
VERSIONS = {"biometric": 1, "portrait": 1}
LANGUAGES = ("zh", "en")


@dataclass(frozen=True, slots=True)
class Block:
    """A heading, a paragraph or an item of a list."""

    kind: str
    text: str


@dataclass(frozen=True, slots=True)
class ConsentText:
    """One version of one consent text in one language; ``sha256`` is of the file's bytes."""

    kind: str
    version: int
    language: str
    sha256: str
    blocks: tuple[Block, ...]


@functools.cache
def consent_text(kind: str, language: str) -> ConsentText:
    """Return the text in force of a kind of consent (``biometric``, ``portrait``)."""
    chosen = language if language in LANGUAGES else LANGUAGES[0]
    data = (FILES / f"consent_{kind}_v{VERSIONS[kind]}.{chosen}.md").read_bytes()
    parts = [part.strip() for part in data.decode("utf8").split("\n\n") if part.strip()]
    blocks = tuple(block for part in parts for block in _blocks(part))
    return ConsentText(kind, VERSIONS[kind], chosen, hashlib.sha256(data).hexdigest(), blocks)


def _blocks(part: str) -> list[Block]:
    if part.startswith("#"):
        return [Block("heading", part.lstrip("# "))]
    if part.startswith("- "):
        return [Block("item", line.removeprefix("- ")) for line in part.splitlines()]
    return [Block("paragraph", " ".join(part.splitlines()))]
