"""What an attacker holds before the camera: files that are no picture, bombs, and odd pictures of faces."""

from __future__ import annotations

import io
import struct
import zlib
from pathlib import Path

from PIL import Image

FACES = Path(__file__).parents[2] / "lms" / "accounts" / "demo_faces"
EXIF_ORIENTATION = 0x0112


def face(name: str) -> bytes:
    """Return a photograph of the demo's people."""
    return (FACES / f"{name}.jpg").read_bytes()


def png_bomb(side_px: int) -> bytes:
    """Return a small PNG whose header promises ``side_px`` squared pixels, one bit each, all black."""
    row = b"\x00" + bytes((side_px + 7) // 8)
    packer = zlib.compressobj(9)
    packed = b"".join(packer.compress(row) for _ in range(side_px)) + packer.flush()
    head = struct.pack(">IIBBBBB", side_px, side_px, 1, 0, 0, 0, 0)
    chunks = ((b"IHDR", head), (b"IDAT", packed), (b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data)) for kind, data in chunks
    )


def saved(image: Image.Image, kind: str, **options: object) -> bytes:
    """Return a picture as a file."""
    out = io.BytesIO()
    image.save(out, kind, **options)
    return out.getvalue()


def opened(name: str) -> Image.Image:
    """Return the pixels of a photograph of the demo's people."""
    return Image.open(io.BytesIO(face(name))).convert("RGB")


def nobody(side_px: int = 480) -> bytes:
    """Return a grey wall."""
    return saved(Image.new("RGB", (side_px, side_px), "gray"), "JPEG")


def two_people() -> bytes:
    """Return two people side by side."""
    left, right = opened("001_03"), opened("004_03")
    both = Image.new("RGB", (left.width + right.width, max(left.height, right.height)))
    both.paste(left, (0, 0))
    both.paste(right, (left.width, 0))
    return saved(both, "JPEG", quality=90)


def in_print_colours(name: str) -> bytes:
    """Return a face as CMYK."""
    return saved(opened(name).convert("CMYK"), "JPEG", quality=95)


def deep_grey() -> bytes:
    """Return a picture of 16 bits a pixel."""
    return saved(Image.new("I;16", (480, 480), 30_000), "PNG")


def lying(name: str) -> bytes:
    """Return a face stored on its side, with the note that turns it upright."""
    exif = Image.Exif()
    exif[EXIF_ORIENTATION] = 6
    return saved(opened(name).transpose(Image.Transpose.ROTATE_90), "JPEG", quality=95, exif=exif.tobytes())


def wide_wall(name: str, side_px: int) -> bytes:
    """Return a face on a flat wall: a small file of ``side_px`` squared pixels."""
    wall = Image.new("RGB", (side_px, side_px), "gray")
    wall.paste(opened(name).resize((1000, 1000)), (0, 0))
    return saved(wall, "JPEG", quality=60)


REFUSED = {
    "text": b"hello, I am a face",
    "svg": b"<svg xmlns='http://www.w3.org/2000/svg' onload='alert(1)'/>",
    "empty": b"",
    "cut jpeg": face("001_03")[:2000],
    "only a head": b"\xff\xd8\xff\xe0" + b"\x00" * 200,
    "cut png": deep_grey()[:60],
    "16 bits": deep_grey(),
    "gif": saved(Image.new("P", (480, 480)), "GIF"),
    "too heavy": face("001_03") + b"\x00" * (3 * 1024 * 1024),
    "bomb": png_bomb(50_000),
    "nobody": nobody(),
    "two people": two_people(),
}
USABLE = {"in print colours": in_print_colours("001_03"), "lying": lying("001_03")}
