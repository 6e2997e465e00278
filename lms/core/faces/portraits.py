"""The portrait for the certificate: 25 x 35 mm, head and shoulders, cut around the detected face."""

from __future__ import annotations

import io

from PIL import Image

from lms.core.faces.decoding import decode_picture
from lms.core.faces.errors import FaceRejected
from lms.core.faces.model import Face, FaceEngine
from lms.core.faces.quality import Advice, foreground

WIDTH_PX, HEIGHT_PX = 295, 413
"""25 x 35 mm at 300 dots per inch, the common size of a Chinese one-inch photograph."""

PORTRAIT_MAX_BYTES = 30_000
_FACE_HEIGHT_SHARE = 0.48
_FACE_CENTRE_SHARE = 0.46
"""A detector's box runs from the hairline to the chin; with these two the crown stays inside and shoulders show."""
_SIDE_MIN_PX = 60


def cut_portrait(engine: FaceEngine, image: bytes) -> bytes:
    """A JPEG of 295 x 413 px and at most 30,000 bytes, without metadata.

    Where the picture ends too near the face the cut moves, then narrows, before white is added. Raises ImageRefused
    when the bytes are no picture, FaceRejected for no face, several faces or one under 60 px wide.
    """
    picture = decode_picture(image)
    faces = foreground(engine.detect(picture))
    if len(faces) != 1:
        raise FaceRejected((Advice.SEVERAL_FACES if faces else Advice.NO_FACE,))
    if faces[0].box[2] < _SIDE_MIN_PX:
        raise FaceRejected((Advice.COME_CLOSER,))
    source = Image.fromarray(picture)
    left, top, right, bottom = _cut(faces[0], source.width, source.height)
    canvas = Image.new("RGB", (right - left, bottom - top), "white")
    canvas.paste(source, (-left, -top))
    return _small_jpeg(canvas.resize((WIDTH_PX, HEIGHT_PX), Image.Resampling.LANCZOS))


def _cut(face: Face, width_px: int, height_px: int) -> tuple[int, int, int, int]:
    """The rectangle to cut, in the proportion 25:35; it leaves the picture only if the face fills it."""
    left, top, face_width, face_height = face.box
    # The face must keep a fifth of its size free on every side, however narrow the picture is.
    least = max(1.4 * face_height, 1.4 * face_width * 35 / 25)
    wanted = face_height / _FACE_HEIGHT_SHARE
    tall = max(least, min(wanted, height_px, width_px * 35 / 25))
    wide = tall * 25 / 35
    x = _inside(left + face_width / 2 - wide / 2, wide, width_px)
    y = _inside(top + face_height / 2 - tall * _FACE_CENTRE_SHARE, tall, height_px)
    return round(x), round(y), round(x) + max(1, round(wide)), round(y) + max(1, round(tall))


def _inside(start: float, length: float, limit: float) -> float:
    """Move a stretch into 0..limit; one that is longer than the limit is centred on it."""
    if length > limit:
        return (limit - length) / 2
    return min(max(0.0, start), limit - length)


def _small_jpeg(image: Image.Image) -> bytes:
    data = b""
    for quality in (90, 85, 80, 70, 60, 45, 30, 15):
        stream = io.BytesIO()
        image.save(stream, "JPEG", quality=quality, optimize=True, dpi=(300, 300))
        data = stream.getvalue()
        if len(data) <= PORTRAIT_MAX_BYTES:
            break
    return data
