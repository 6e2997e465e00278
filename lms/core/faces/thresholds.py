"""Reads `thresholds.json`: the limits of every engine and purpose, each beside its evidence."""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from types import MappingProxyType
from typing import Any

from lms.core.faces.model import Band, Thresholds


@dataclass(frozen=True, slots=True)
class QualityLimits:
    """What a picture must satisfy; units and evidence stand in `thresholds.json` under `quality`."""

    eye_distance_min_px: float
    sharpness_min: float
    yaw_ratio_max: float
    drop_ratio_min: float
    drop_ratio_max: float
    roll_max_deg: float
    brightness_min: float
    brightness_max: float


@cache
def _document() -> dict[str, Any]:  # Any: parsed JSON, checked field by field below
    text = files("lms.core.faces").joinpath("thresholds.json").read_text("utf-8")
    document: dict[str, Any] = json.loads(text)
    return document


@cache
def thresholds_of(engine_id: str) -> Thresholds:
    """The limits of an engine; ValueError when the file says nothing or says it inconsistently."""
    engines = _document()["engines"]
    if engine_id not in engines:
        raise ValueError(f"thresholds.json holds no limits for the face engine {engine_id!r}")
    entry = engines[engine_id]
    purposes = {
        name: Band(accept=float(band["accept"]), reject=float(band["reject"]))
        for name, band in entry["purposes"].items()
    }
    for name, band in purposes.items():
        if not band.reject <= band.accept:
            raise ValueError(f"{engine_id}/{name}: reject {band.reject} is above accept {band.accept}")
    return Thresholds(purposes=MappingProxyType(purposes), frames_agree=float(entry["frames_agree"]))


@cache
def quality_limits(use: str) -> QualityLimits:
    """The limits for `enrolment` (strict: the template lasts) or `verification`; KeyError for anything else."""
    values = _document()["quality"][use]
    return QualityLimits(**{name: float(value) for name, value in values.items()})
