"""Text of one certificate: fits it, collects its characters, and emits operators once the subsets are known.

Glyph ids of a subset depend on the order in which characters arrive, so each character gets its id on first use.
"""

from __future__ import annotations

from typing import Final

from certs.adapters.fonts import FontRun, FontStack
from certs.adapters.truetype import FontSubset, TrueTypeFont

# Below this size a value is broken into two lines instead of being made smaller still.
_SMALLEST_SINGLE_LINE: Final = 9.5
_LEADING: Final = 1.12


class PersonText:
    """Lays out the values of one certificate inside one BT … ET."""

    def __init__(self, fonts: FontStack) -> None:
        self._fonts = fonts
        self._ids: dict[int, dict[int, int]] = {}

    def fitted(self, text: str, x: float, y: float, size: float, width: float) -> str:
        """`text` from `x` at baseline `y`, made smaller or broken in two to stay within `width` points."""
        natural = self._fonts.width(text) * size / 1000
        if natural <= width:
            return self._line(text, x, y, size)
        if size * width / natural >= min(size, _SMALLEST_SINGLE_LINE):
            return self._line(text, x, y, size * width / natural)
        first, second = self._halves(text)
        widest = max(self._fonts.width(first), self._fonts.width(second)) / 1000
        small = min(_SMALLEST_SINGLE_LINE, size, width / widest)
        upper = self._line(first, x, y + small * _LEADING * 0.62, small)
        return upper + "\n" + self._line(second, x, y - small * _LEADING * 0.38, small)

    def centred(self, text: str, middle: float, y: float, size: float) -> str:
        """`text` centred on `middle` at baseline `y`."""
        return self._line(text, middle - self._fonts.width(text) * size / 2000, y, size)

    def subsets(self) -> dict[int, tuple[TrueTypeFont, FontSubset]]:
        """The fonts used so far with just the characters used, by font index."""
        used = {index: self._fonts.font(index) for index in self._ids}
        return {index: (font, font.subset(self._ids[index])) for index, font in used.items()}

    def _halves(self, text: str) -> tuple[str, str]:
        half = self._fonts.width(text) / 2
        cut = next(end for end in range(1, len(text) + 1) if self._fonts.width(text[:end]) >= half)
        return text[:cut], text[cut:]

    def _line(self, text: str, x: float, y: float, size: float) -> str:
        shown = " ".join(self._shown(run, size) for run in self._fonts.runs(text))
        return f"1 0 0 1 {x:.2f} {y:.2f} Tm {shown}"

    def _shown(self, run: FontRun, size: float) -> str:
        ids = self._ids.setdefault(run.font_index, {})
        # Glyph 0 is .notdef; the subset numbers characters in this same order of first use.
        codes = "".join(f"{ids.setdefault(ord(char), len(ids) + 1):04X}" for char in run.text)
        return f"/F{run.font_index} {size:.3f} Tf <{codes}> Tj"
