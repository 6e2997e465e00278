"""The second engine: the library `face-recognition` (dlib's HOG detector and ResNet), for houses that ask for it.

Lower assurance than SFace: at its stock distance of 0.60 it accepts 41 % of impostor pairs between East-Asian
people, so our limits are far stricter (`thresholds.json`). Only its five-point landmarks are used; the 68-point
model, which the library loads by itself, was trained on pictures whose licence excludes commercial use.
"""

from __future__ import annotations

import importlib
import threading
from pathlib import Path
from types import ModuleType

import cv2
import numpy as np
from PIL import ImageFile

from lms.core.faces.errors import EngineUnavailable
from lms.core.faces.model import Embedding, Face, Picture, Point, Thresholds
from lms.core.faces.modelfiles import packaged_models, require_models
from lms.core.faces.thresholds import thresholds_of

RECOGNISER = "dlib_face_recognition_resnet_model_v1.dat"
SHA256 = {
    RECOGNISER: "55533b28a95800a551ba546ba62fe69625c7e95a7061c338adffead08719da30",
    "shape_predictor_5_face_landmarks.dat": "c4b1e9804792707d3a405c2c16a80a20269e6675021f64a41d30fffafbc41888",
}
DETECT_SIDE_PX = 640
_MODEL_PACKAGE = "face_recognition_models"


class DlibEngine:
    """`similarity` is 1 minus the Euclidean distance, so the familiar tolerance 0.45 reads 0.55 here."""

    id = "dlib"
    version = "dlib-resnet-v1+hog-up1+5pt"
    model_sha256 = SHA256[RECOGNISER]
    dimension = 128

    def __init__(self, library: ModuleType) -> None:
        self._library = library
        # The library's models are module globals without any promise about threads, so threads take turns.
        self._lock = threading.Lock()
        self.thresholds: Thresholds = thresholds_of(self.id)

    def detect(self, image: Picture) -> list[Face]:
        """All faces, the largest first; three landmarks each (two eyes, nose)."""
        height_px, width_px = image.shape[:2]
        factor = min(1.0, DETECT_SIDE_PX / max(height_px, width_px))
        size = (max(1, round(width_px * factor)), max(1, round(height_px * factor)))
        small = cv2.resize(image, size, interpolation=cv2.INTER_AREA) if factor < 1.0 else image
        with self._lock:
            rectangles, scores, _ = self._library.api.face_detector.run(small, 1, 0.0)
            sides = [(r.top(), r.right(), r.bottom(), r.left()) for r in rectangles]
            marks = self._library.face_landmarks(small, sides, model="small")
        across, down = width_px / size[0], height_px / size[1]
        faces = [
            Face(
                box=(left * across, top * down, (right - left) * across, (bottom - top) * down),
                landmarks=tuple((x * across, y * down) for x, y in _three_points(found)),
                score=float(score),
            )
            for (top, right, bottom, left), score, found in zip(sides, scores, marks, strict=True)
        ]
        return sorted(faces, key=lambda face: face.box[2] * face.box[3], reverse=True)

    def embed(self, image: Picture, face: Face) -> Embedding:
        """The encoding as the network gives it: dlib's distances are defined on vectors that are not normalised."""
        left, top, width, height = face.box
        sides = (round(top), round(left + width), round(top + height), round(left))
        with self._lock:
            vector = self._library.face_encodings(image, [sides], num_jitters=1, model="small")[0]
        return np.asarray(vector, dtype=np.float32)

    def similarity(self, a: Embedding, b: Embedding) -> float:
        """1 minus the Euclidean distance; negative for very unlike faces."""
        return 1.0 - float(np.linalg.norm(a - b))


def _three_points(found: dict[str, list[tuple[int, int]]]) -> tuple[Point, Point, Point]:
    """Eye left in the picture, eye right in the picture, nose; an eye is the middle of its two corners."""
    eyes = []
    for name in ("left_eye", "right_eye"):
        (x1, y1), (x2, y2) = found[name]
        eyes.append(((x1 + x2) / 2, (y1 + y2) / 2))
    eyes.sort()
    nose = found["nose_tip"][0]
    return eyes[0], eyes[1], (float(nose[0]), float(nose[1]))


def create_engine(model_dir: Path | None) -> DlibEngine:
    """Check the model files of the installed package, then load the library.

    Raises EngineUnavailable (also when `model_dir` is given: the library reads only its own package) or
    ModelMismatch.
    """
    if model_dir is not None:
        raise EngineUnavailable("the engine 'dlib' reads its models from its own package; unset the model folder")
    require_models(packaged_models(_MODEL_PACKAGE), SHA256)
    return DlibEngine(_import_library())


def _import_library() -> ModuleType:
    truncated_allowed = ImageFile.LOAD_TRUNCATED_IMAGES
    try:
        # Not an import statement: the library loads 130 MB of models as it is imported, which only this engine needs.
        library = importlib.import_module("face_recognition")
    except ImportError as error:
        raise EngineUnavailable("the package 'face-recognition' is not installed") from error
    except SystemExit as error:
        # The library calls quit() when its models do not import; a server must not end that way.
        raise EngineUnavailable("face-recognition could not load its models") from error
    finally:
        # Importing the library makes Pillow accept truncated pictures everywhere; we want those refused.
        ImageFile.LOAD_TRUNCATED_IMAGES = truncated_allowed
    return library
