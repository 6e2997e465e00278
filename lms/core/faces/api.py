"""The door of the face engine: detection, enrolment, 1:1 verification and portraits. No database, no HTTP.

Templates and similarities are biometric data: callers encrypt templates at rest (engine id and model digest as
associated data) and never log either. No liveness test exists yet; every result says so (`liveness="none"`).
"""

from __future__ import annotations

import importlib
import threading
from pathlib import Path
from typing import Protocol, cast

from lms.core.faces.comparing import (
    FRAMES_MAX,
    PIXELS_MAX,
    decide,
    enrol,
    template_similarity,
    verify,
)
from lms.core.faces.decoding import IMAGE_REFUSALS, MAX_BYTES, MAX_SIDE_PX, decode_picture
from lms.core.faces.errors import (
    EngineUnavailable,
    FaceRejected,
    ImageRefused,
    ModelMismatch,
    TemplateMismatch,
)
from lms.core.faces.model import (
    Band,
    Embedding,
    Face,
    FaceEngine,
    FaceQuality,
    Outcome,
    Picture,
    Template,
    Thresholds,
    VerificationResult,
)
from lms.core.faces.portraits import PORTRAIT_MAX_BYTES, cut_portrait
from lms.core.faces.quality import Advice, judge
from lms.core.faces.thresholds import QualityLimits, quality_limits

__all__ = [
    "DEFAULT_ENGINE",
    "ENGINES",
    "FRAMES_MAX",
    "IMAGE_REFUSALS",
    "MAX_BYTES",
    "MAX_SIDE_PX",
    "PIXELS_MAX",
    "PORTRAIT_MAX_BYTES",
    "Advice",
    "Band",
    "Embedding",
    "EngineUnavailable",
    "Face",
    "FaceEngine",
    "FaceQuality",
    "FaceRejected",
    "ImageRefused",
    "ModelMismatch",
    "Outcome",
    "Picture",
    "QualityLimits",
    "Template",
    "TemplateMismatch",
    "Thresholds",
    "VerificationResult",
    "assess",
    "decide",
    "decode_picture",
    "enrol",
    "load_engine",
    "portrait",
    "template_similarity",
    "verify",
]

DEFAULT_ENGINE = "sface"
ENGINES = {"sface": "lms.core.faces.adapters.sface", "dlib": "lms.core.faces.adapters.dlib"}


class _Adapter(Protocol):
    """What every engine's module offers."""

    def create_engine(self, model_dir: Path | None) -> FaceEngine: ...


_loaded: dict[tuple[str, Path | None], FaceEngine] = {}
_loading = threading.Lock()


def load_engine(name: str = DEFAULT_ENGINE, model_dir: Path | str | None = None) -> FaceEngine:
    """The engine of that name, loaded once per process and model folder; heavy libraries load here, not before.

    `model_dir` is the operator's own folder of model files (same names, same sha256); without it the installed
    package provides them. Raises EngineUnavailable, or ModelMismatch when a file is not the one on record.
    """
    key = (name, Path(model_dir).resolve() if model_dir else None)
    with _loading:
        if key not in _loaded:
            if name not in ENGINES:
                raise EngineUnavailable(f"there is no face engine {name!r}; choose one of {sorted(ENGINES)}")
            # A module is not typed as a protocol by the checker; the contract tests run every engine.
            adapter = cast("_Adapter", importlib.import_module(ENGINES[name]))
            _loaded[key] = adapter.create_engine(key[1])
        return _loaded[key]


def assess(engine: FaceEngine, frame: bytes, *, use: str = "enrolment") -> FaceQuality:
    """The quality of one picture before it is used (`use`: `enrolment` or `verification`). Raises ImageRefused."""
    picture = decode_picture(frame)
    return judge(picture, engine.detect(picture), quality_limits(use))


def portrait(image_bytes: bytes, *, engine: FaceEngine | None = None) -> bytes:
    """The certificate's portrait (25:35 JPEG of at most 30,000 bytes); by default found by `sface`.

    Raises FaceRejected for anything but one face of at least 60 px, ImageRefused when the bytes are no picture.
    """
    return cut_portrait(engine or load_engine(), image_bytes)
