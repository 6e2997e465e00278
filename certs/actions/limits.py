"""The limits of what is done to many certificates at once: data with their basis, read once."""

from __future__ import annotations

import functools
import json
from dataclasses import dataclass
from pathlib import Path

SOURCE = Path(__file__).parent / "reference" / "action_limits.json"


@dataclass(frozen=True, slots=True)
class Limits:
    """How many certificates at once; units stand in the file, with the basis of each."""

    max_files: int
    max_decisions: int
    shown_rows: int
    report_every: int


@functools.cache
def limits() -> Limits:
    """Return the limits in force."""
    rows = json.loads(SOURCE.read_text("utf8"))["limits"]
    return Limits(**{row["name"]: row["value"] for row in rows})
