"""The short QR symbol of a certificate's address, for screens; the printed one carries the credential too."""

from __future__ import annotations

from dataclasses import dataclass

import segno


@dataclass(frozen=True, slots=True)
class Symbol:
    """A square of ``size`` modules without quiet zone and the SVG path that fills the dark ones."""

    size: int
    path: str


def address_symbol(address: str) -> Symbol:
    """The symbol of an address, error correction M."""
    matrix = segno.make_qr(address, error="m").matrix
    runs = []
    for y, row in enumerate(matrix):
        x = 0
        while x < len(row):
            end = x
            while end < len(row) and row[end]:
                end += 1
            if end > x:
                runs.append(f"M{x} {y}h{end - x}v1h-{end - x}z")
            x = end + 1
    return Symbol(len(matrix), "".join(runs))
