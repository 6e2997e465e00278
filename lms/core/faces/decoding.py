"""From untrusted bytes to an upright RGB picture, bounded in memory before anything is decompressed."""

from __future__ import annotations

import io
import struct
import zlib

import numpy as np
from PIL import Image, ImageOps

from lms.core.faces.errors import ImageRefused
from lms.core.faces.model import Picture

MAX_BYTES = 2 * 1024 * 1024
MAX_SIDE_PX = 4096
IMAGE_REFUSALS = frozenset({"image_too_heavy", "image_not_jpeg_or_png", "image_too_large", "image_unreadable"})
_MODES = frozenset({"1", "L", "LA", "P", "RGB", "RGBA", "CMYK", "YCbCr"})
_SIGNATURES = (b"\xff\xd8\xff", b"\x89PNG\r\n\x1a\n")

# Pillow reports damaged files with all of these, depending on where in the file the damage is.
_DAMAGE = (OSError, SyntaxError, ValueError, EOFError, IndexError, OverflowError, struct.error, zlib.error)


def decode_picture(data: bytes) -> Picture:
    """The JPEG or PNG as RGB pixels, turned upright by its EXIF orientation.

    Raises ImageRefused with one of `image_too_heavy` (over 2 MB), `image_not_jpeg_or_png`,
    `image_too_large` (a side over 4096 px, read from the header before any pixel is unpacked, so a
    decompression bomb costs nothing) or `image_unreadable`.
    """
    if len(data) > MAX_BYTES:
        raise ImageRefused("image_too_heavy")
    if not data.startswith(_SIGNATURES):
        raise ImageRefused("image_not_jpeg_or_png")
    try:
        with Image.open(io.BytesIO(data), formats=("JPEG", "PNG")) as image:
            _require_bounds(image)
            upright = ImageOps.exif_transpose(image).convert("RGB")
    except ImageRefused:
        raise
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        raise ImageRefused("image_too_large") from error
    except _DAMAGE as error:
        raise ImageRefused("image_unreadable") from error
    return np.asarray(upright, dtype=np.uint8)


def _require_bounds(image: Image.Image) -> None:
    if max(image.size) > MAX_SIDE_PX:
        raise ImageRefused("image_too_large")
    if image.mode not in _MODES:
        raise ImageRefused("image_unreadable")
