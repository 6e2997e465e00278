"""The fonts of the certificate: where they are, and which of them draws which character.

Noto Serif SC and Noto Sans SC (SIL Open Font License) cover all 8,105 characters of the Table of General Standard
Chinese Characters. They are copied out of their npm packages when the assets are built and are not in the repository.
Rarer characters need a fallback font: Hanazono Mincho (Debian package fonts-hanazono) covers the rest of GB 18030-2022.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Final

from certs.adapters.truetype import TrueTypeFont

SERIF: Final = "NotoSerifSC_400Regular.ttf"
SERIF_BOLD: Final = "NotoSerifSC_700Bold.ttf"
SANS: Final = "NotoSansSC_400Regular.ttf"
REQUIRED_FONTS: Final = (SERIF, SERIF_BOLD, SANS)
FALLBACK_FONTS: Final = ("HanaMinA.ttf", "HanaMinB.ttf")
_TEXTS_KEPT: Final = 512
_FALLBACK_DIRS: Final = (Path("/usr/share/fonts/truetype/hanazono"),)


class FontsMissingError(RuntimeError):
    """The fonts were not built into the checkout."""


class MissingGlyphError(ValueError):
    """No installed font can draw some characters of a certificate. `characters` names them; nothing was rendered."""

    def __init__(self, characters: tuple[str, ...]) -> None:
        self.characters = characters
        named = ", ".join(f"{char} (U+{ord(char):04X})" for char in characters)
        super().__init__(f"no certificate font has a glyph for {named}")


def font_dir() -> Path:
    """The folder of the certificate's fonts; raises `FontsMissingError` naming the remedy when one is not there."""
    folder = Path(__file__).resolve().parent.parent / "assets" / "fonts"
    absent = [name for name in REQUIRED_FONTS if not (folder / name).is_file()]
    if absent:
        raise FontsMissingError(f"certificate fonts are missing ({', '.join(absent)}): run `make assets`")
    return folder


@lru_cache(maxsize=8)
def load_font(name: str) -> TrueTypeFont:
    """A required font by its file name, read once per process."""
    return TrueTypeFont(font_dir() / name)


@lru_cache(maxsize=1)
def fallback_fonts() -> tuple[TrueTypeFont, ...]:
    """Fonts for characters that Noto lacks; empty when none is installed. Read only when first needed (40 MB)."""
    folders = (font_dir(), *_FALLBACK_DIRS)
    found = (next((folder / name for folder in folders if (folder / name).is_file()), None) for name in FALLBACK_FONTS)
    return tuple(TrueTypeFont(path) for path in found if path is not None)


@dataclass(frozen=True, slots=True)
class FontRun:
    """Consecutive characters drawn by one font; `font_index` 0 is the main font, the others are fallbacks."""

    font_index: int
    text: str


class FontStack:
    """A main font and its fallbacks: splits text into runs and measures it."""

    def __init__(self, main: TrueTypeFont) -> None:
        self.main = main
        # Enterprises, posts and types come again and again, and each text is asked for twice.
        self.runs = lru_cache(maxsize=_TEXTS_KEPT)(self._runs)
        self.width = lru_cache(maxsize=_TEXTS_KEPT)(self._width)

    def font(self, index: int) -> TrueTypeFont:
        """The main font for 0, otherwise the fallback with that number."""
        return fallback_fonts()[index - 1] if index else self.main

    def _runs(self, text: str) -> tuple[FontRun, ...]:
        """`text` split by font. Raises `MissingGlyphError` rather than ever drawing an empty box."""
        if not self.main.missing(text):
            return (FontRun(0, text),) if text else ()
        return tuple(_joined(text, [self._index_for(char) for char in _checked(text, self.main)]))

    def _width(self, text: str) -> float:
        """Advance width in 1/1000 em over all fonts involved."""
        return sum(self.font(run.font_index).width(run.text) for run in self.runs(text))

    def _index_for(self, char: str) -> int:
        candidates = (self.main, *fallback_fonts())
        return next(index for index, font in enumerate(candidates) if font.glyph_id(ord(char)))


def _checked(text: str, main: TrueTypeFont) -> str:
    absent = tuple(c for c in main.missing(text) if not any(font.glyph_id(ord(c)) for font in fallback_fonts()))
    if absent:
        raise MissingGlyphError(absent)
    return text


def _joined(text: str, indexes: list[int]) -> Iterator[FontRun]:
    start = 0
    for position in range(1, len(text) + 1):
        if position == len(text) or indexes[position] != indexes[start]:
            yield FontRun(indexes[start], text[start:position])
            start = position
