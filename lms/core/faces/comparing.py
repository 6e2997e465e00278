"""Enrolment and 1:1 verification over any engine. Nothing here reads or writes anything but its arguments."""

from __future__ import annotations

import statistics
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np

from lms.core.faces.decoding import decode_picture
from lms.core.faces.errors import FaceRejected, ImageRefused, TemplateMismatch
from lms.core.faces.model import (
    Band,
    Embedding,
    Face,
    FaceEngine,
    FaceQuality,
    Outcome,
    Picture,
    Template,
    VerificationResult,
)
from lms.core.faces.quality import (
    Advice,
    foreground,
    judge,
    pose_of,
    sharpness_and_brightness,
)
from lms.core.faces.thresholds import QualityLimits, quality_limits

FRAMES_MAX = 40
"""More than a challenge sends (8 to 15 frames an action); bounds the work that one request can cause."""

PIXELS_MAX = 64_000_000
"""Of all frames together, which are held at 3 bytes a pixel: five photographs of 12 megapixels, 69 frames of 720p."""

BEST_FRAMES = 3


@dataclass(frozen=True, slots=True)
class _Look:
    """One frame after detection; `face` is set only when the frame is fit for recognition."""

    picture: Picture
    face: Face | None
    quality: FaceQuality


def enrol(engine: FaceEngine, frames: Sequence[bytes], *, frames_min: int = 3) -> Template:
    """A template: the mean of the frames' embeddings, as float16.

    `frames` are JPEG or PNG files. `frames_min` is 3 for a camera; pass 1 for a single photograph (of an identity
    card). Every frame must show exactly one face, near enough, sharp, lit and frontal, and all must show the same
    person (`Thresholds.frames_agree`). Raises FaceRejected with the advice of all frames, ImageRefused when bytes
    are no picture.
    """
    _require_count(frames, frames_min)
    looks = _looks(engine, frames, quality_limits("enrolment"))
    usable = [(look.picture, look.face) for look in looks if look.face is not None]
    if len(usable) < len(looks):
        raise FaceRejected(_advice_of(looks))
    embeddings = [engine.embed(picture, face) for picture, face in usable]
    if _least_agreement(engine, embeddings) < engine.thresholds.frames_agree:
        raise FaceRejected((Advice.FRAMES_DISAGREE,))
    mean = np.mean(np.stack(embeddings), axis=0)
    return Template(engine.id, engine.version, engine.model_sha256, mean.astype("<f2").tobytes())


def verify(engine: FaceEngine, template: Template, frames: Sequence[bytes], *, purpose: str) -> VerificationResult:
    """Compare frames of one person at the camera with one template.

    The median similarity of the three best frames (by quality, never by similarity: that would raise the false
    match rate) decides: from `accept` on a match, below `reject` none, between them undetermined. Also undetermined,
    with advice: no fit frame, several faces in any frame, or best frames that show different people.
    `purpose` is a key of `thresholds.json` (`learning`, `exam`, `enrolment`), else ValueError. Raises
    TemplateMismatch for a template of another engine, version or model, ImageRefused when bytes are no picture.
    """
    band = engine.thresholds.for_purpose(purpose)
    enrolled = _vector_of(engine, template)
    _require_count(frames, 1)
    looks = _looks(engine, frames, quality_limits("verification"))
    advice = _advice_of(looks)
    best = _best(looks)
    if not best or Advice.SEVERAL_FACES in advice:
        return _result(engine, band, Outcome.UNDETERMINED, None, advice)
    probes = [engine.embed(picture, face) for picture, face in best]
    similarity = statistics.median(engine.similarity(enrolled, probe) for probe in probes)
    if _least_agreement(engine, probes) < band.reject:
        return _result(engine, band, Outcome.UNDETERMINED, similarity, (*advice, Advice.FRAMES_DISAGREE))
    return _result(engine, band, decide(similarity, band), similarity, advice)


def template_similarity(engine: FaceEngine, a: Template, b: Template) -> float:
    """How alike two enrolled faces are, to find one person enrolled twice. Raises TemplateMismatch."""
    return engine.similarity(_vector_of(engine, a), _vector_of(engine, b))


def decide(similarity: float, band: Band) -> Outcome:
    """The rule alone. A similarity that is no number never matches."""
    if similarity >= band.accept:
        return Outcome.MATCH
    if similarity < band.reject:
        return Outcome.NO_MATCH
    return Outcome.UNDETERMINED


def _require_count(frames: Sequence[bytes], frames_min: int) -> None:
    if len(frames) < max(1, frames_min):
        raise FaceRejected((Advice.TOO_FEW_FRAMES,))
    if len(frames) > FRAMES_MAX:
        raise FaceRejected((Advice.TOO_MANY_FRAMES,))


def _looks(engine: FaceEngine, frames: Sequence[bytes], limits: QualityLimits) -> list[_Look]:
    """Look at every frame. Flat pictures pack so well that their bytes bound nothing, hence the sum of pixels."""
    found, seen_px = [], 0
    for frame in frames:
        look = _look(engine, frame, limits)
        seen_px += look.picture.shape[0] * look.picture.shape[1]
        if seen_px > PIXELS_MAX:
            raise ImageRefused("image_too_large")
        found.append(look)
    return found


def _look(engine: FaceEngine, frame: bytes, limits: QualityLimits) -> _Look:
    picture = decode_picture(frame)
    faces = engine.detect(picture)
    quality = judge(picture, faces, limits)
    return _Look(picture, foreground(faces)[0] if quality.ok else None, quality)


def _advice_of(looks: Iterable[_Look]) -> tuple[str, ...]:
    """Each code once, in the order of first appearance."""
    return tuple(dict.fromkeys(str(code) for look in looks for code in look.quality.advice))


def _best(looks: Iterable[_Look]) -> list[tuple[Picture, Face]]:
    """At most three fit frames, the most frontal and sharpest first."""
    fit = [(look.picture, look.face) for look in looks if look.face is not None]

    def rank(shot: tuple[Picture, Face]) -> float:
        sharpness, _ = sharpness_and_brightness(*shot)
        # Sharpness tells frames apart up to 0.1 only (a clean portrait); beyond that it measures noise.
        return abs(pose_of(shot[1]).yaw_ratio) - 5 * min(sharpness, 0.1)

    return sorted(fit, key=rank)[:BEST_FRAMES]


def _least_agreement(engine: FaceEngine, embeddings: Sequence[Embedding]) -> float:
    return min((engine.similarity(a, b) for a, b in combinations(embeddings, 2)), default=1.0)


def _vector_of(engine: FaceEngine, template: Template) -> Embedding:
    ours = (engine.id, engine.version, engine.model_sha256)
    theirs = (template.engine_id, template.engine_version, template.model_sha256)
    if ours != theirs:
        raise TemplateMismatch(f"the template was made by {theirs}, this engine is {ours}: enrol again")
    if len(template.vector) != 2 * engine.dimension:
        raise TemplateMismatch(f"the template has {len(template.vector)} bytes, not {2 * engine.dimension}")
    vector = np.frombuffer(template.vector, dtype="<f2").astype(np.float32)
    if not np.isfinite(vector).all() or not vector.any():
        raise TemplateMismatch("the template holds no usable numbers: enrol again")
    return vector


def _result(
    engine: FaceEngine, band: Band, outcome: Outcome, similarity: float | None, advice: tuple[str, ...]
) -> VerificationResult:
    return VerificationResult(
        outcome=outcome,
        similarity=similarity,
        threshold_accept=band.accept,
        threshold_reject=band.reject,
        engine_id=engine.id,
        engine_version=engine.version,
        model_sha256=engine.model_sha256,
        advice=advice,
    )
