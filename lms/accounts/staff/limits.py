"""The limits of imports: data with their basis, read once."""

from __future__ import annotations

import functools
import json
from dataclasses import dataclass
from pathlib import Path

SOURCE = Path(__file__).parent / "reference" / "import_limits.json"


@dataclass(frozen=True, slots=True)
class Limits:
    """What a roster may be; units stand in the names, the basis of each in the file."""

    max_upload_bytes: int
    max_unpacked_bytes: int
    max_archive_entries: int
    max_rows: int
    chunk_rows: int
    min_hire_age_years: int
    max_age_years: int
    keep_files_days: int


@functools.cache
def limits() -> Limits:
    """Return the limits in force."""
    rows = json.loads(SOURCE.read_text("utf8"))["limits"]
    return Limits(**{row["name"]: row["value"] for row in rows})
