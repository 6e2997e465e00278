"""The limits of imports: data with their basis, read once."""

from __future__ import annotations

import functools
import json
from dataclasses import dataclass
from pathlib import Path

SOURCE = Path(__file__).parent / "reference" / "import_limits.json"


@dataclass(frozen=True, slots=True)
class Limits:
    """What a list and its photos may be; units stand in the names, the basis of each in the file."""

    max_upload_bytes: int
    max_unpacked_bytes: int
    max_archive_entries: int
    max_rows: int
    chunk_rows: int
    min_holder_age_years: int
    max_validity_years: int
    keep_files_days: int
    max_photos_bytes: int
    max_photos: int
    max_photo_bytes: int
    max_photo_pixels: int
    min_photo_side_px: int


@functools.cache
def limits() -> Limits:
    """Return the limits in force."""
    rows = json.loads(SOURCE.read_text("utf8"))["limits"]
    return Limits(**{row["name"]: row["value"] for row in rows})
