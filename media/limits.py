"""The limits of uploads and of watching: data with their basis, read once."""

from __future__ import annotations

import functools
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from media.rules import CreditRules

SOURCE = Path(__file__).parent / "reference" / "limits.json"


@dataclass(frozen=True, slots=True)
class Limits:
    """What an upload may be; units stand in the names, the basis of each in the file."""

    max_upload_bytes: int
    max_caption_bytes: int
    min_duration_s: float
    max_duration_s: float
    min_side_px: int
    max_side_px: int
    max_aspect: float
    transcode_timeout_s: float
    segment_s: int


def _values(part: str) -> dict[str, Any]:
    rows = json.loads(SOURCE.read_text("utf8"))[part]
    return {row["name"]: row["value"] for row in rows}


@functools.cache
def upload_limits() -> Limits:
    """Return the limits of uploads."""
    return Limits(**_values("limits"))


@functools.cache
def credit_rules() -> CreditRules:
    """Return the rules of credit."""
    return CreditRules(**_values("credit"))
