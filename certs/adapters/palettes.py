"""The colours that a certificate's page may have: chosen together and checked, never mixed freely.

Main and accent stand on paper that is nearly white; each keeps a contrast of 7:1 and 3:1 with it (WCAG 2.2).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

PAPER: Final = "f1f6fa"


@dataclass(frozen=True, slots=True)
class Palette:
    """Colours as six hexadecimal digits: titles and labels, ornaments, and the two braids of the frame."""

    main: str
    accent: str
    braid: str
    inner_braid: str


PALETTES: Final = {
    "navy": Palette("12375e", "a87f2f", "86a6c1", "c9b07a"),
    "green": Palette("124a36", "a87f2f", "85b5a0", "c9b07a"),
    "maroon": Palette("6b1426", "a87f2f", "c193a0", "c9b07a"),
    "graphite": Palette("2b3440", "6f7a86", "9aa7b4", "b7bec6"),
}
