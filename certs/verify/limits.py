"""The limits of files to verify: data with their basis, read once."""

from __future__ import annotations

import functools
import json
from dataclasses import dataclass
from pathlib import Path

SOURCE = Path(__file__).parent / "reference" / "verify_limits.json"


@dataclass(frozen=True, slots=True)
class Limits:
    """What a file may be; units stand in the names, the basis of each in the file."""

    max_file_bytes: int


@functools.cache
def limits() -> Limits:
    """Return the limits in force."""
    rows = json.loads(SOURCE.read_text("utf8"))["limits"]
    return Limits(**{row["name"]: row["value"] for row in rows})
