"""The values that cross the doors of the face engine, and the interface every engine fulfils."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Literal, Protocol

import numpy as np
from numpy.typing import NDArray

Picture = NDArray[np.uint8]
"""An upright RGB picture, shape (height_px, width_px, 3)."""

Embedding = NDArray[np.float32]
"""One face as a vector of `FaceEngine.dimension` numbers, in the engine's own metric."""

Point = tuple[float, float]
Liveness = Literal["none"]


@dataclass(frozen=True, slots=True)
class Face:
    """One detected face, in pixels of the picture it was found in.

    `box` is (left, top, width, height) and may reach beyond the picture. `landmarks` begin with the eye on the
    left of the picture, the eye on its right and the nose; engines that find them add the left and right
    corner of the mouth. `score` is the detector's own confidence and is not comparable between engines.
    """

    box: tuple[float, float, float, float]
    landmarks: tuple[Point, ...]
    score: float


@dataclass(frozen=True, slots=True)
class FaceQuality:
    """Whether one picture may be used for recognition, and if not, codes of what the person should change."""

    ok: bool
    advice: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Template:
    """An enrolled face. `vector` is little-endian float16; it is biometric data and never shown or logged."""

    engine_id: str
    engine_version: str
    model_sha256: str
    vector: bytes = field(repr=False)


class Outcome(StrEnum):
    """What a verification says. Only `MATCH` opens a door; `UNDETERMINED` means retry, then a human decides."""

    MATCH = "match"
    NO_MATCH = "no_match"
    UNDETERMINED = "undetermined"


@dataclass(frozen=True, slots=True)
class VerificationResult:
    """One verification with everything needed to explain it later.

    `similarity` is None when no frame could be compared. It is evidence for examiners: it helps an attacker
    climb towards a match, so it is kept out of `repr`, logs and answers to the browser.
    """

    outcome: Outcome
    similarity: float | None = field(repr=False)
    threshold_accept: float
    threshold_reject: float
    engine_id: str
    engine_version: str
    model_sha256: str
    liveness: Liveness = "none"
    advice: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Band:
    """Similarity limits of one purpose: at or above `accept` is a match, below `reject` is none."""

    accept: float
    reject: float


@dataclass(frozen=True, slots=True)
class Thresholds:
    """An engine's limits by purpose; `frames_agree` is the least similarity of two frames of one enrolment."""

    purposes: Mapping[str, Band]
    frames_agree: float

    def for_purpose(self, purpose: str) -> Band:
        """The band of a purpose; ValueError when nobody has decided limits for it."""
        try:
            return self.purposes[purpose]
        except KeyError:
            raise ValueError(f"no face thresholds for purpose {purpose!r}") from None


class FaceEngine(Protocol):
    """A detector and a recogniser that belong together. Implementations are safe to share between threads."""

    @property
    def id(self) -> str: ...

    @property
    def version(self) -> str: ...

    @property
    def model_sha256(self) -> str:
        """Digest of the recogniser's file: it names the space in which embeddings may be compared."""

    @property
    def dimension(self) -> int: ...

    @property
    def thresholds(self) -> Thresholds: ...

    def detect(self, image: Picture) -> list[Face]:
        """All faces in the picture, the largest first."""

    def embed(self, image: Picture, face: Face) -> Embedding: ...

    def similarity(self, a: Embedding, b: Embedding) -> float:
        """At most 1.0, higher is more alike; its scale is the engine's own and goes with its thresholds."""
