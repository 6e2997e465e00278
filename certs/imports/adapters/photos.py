"""The zip of photos: looked at before anything is unpacked, each photo decoded alone and drawn anew. Calls Pillow."""

from __future__ import annotations

import hashlib
import io
import sys
import zipfile
import zlib
from dataclasses import dataclass

from PIL import Image

from certs.errors import PhotosRefused
from certs.imports.limits import Limits
from lms.core.faces.api import ImageRefused, decode_picture
from lms.core.spreadsheets.guard import BAD_DIRECTORY, ZIP

BAD_ENTRY = (
    *(zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError),
    # A name in no UTF-8; a beginning before the archive, or beyond all that a computer can hold.
    *(ValueError, OverflowError),
)
"""How zipfile refuses an entry of an archive in memory."""
END_RECORD = b"PK\x05\x06"
SECOND_END = b"PK\x06\x07"
DIRECTORY_ENTRY_BYTES = 400
KEPT_SIDE_PX = 640
KEPT_QUALITY = 85
SUFFIXES = (".jpg", ".jpeg", ".png")
_CODES = {"image_too_heavy": "photo_large", "image_too_large": "photo_large", "image_not_jpeg_or_png": "photo_kind"}


class PhotoRefused(ValueError):
    """One photo cannot be taken; ``code`` is a fault's."""

    def __init__(self, code: str) -> None:
        self.code = code
        super().__init__(code)


@dataclass(frozen=True, slots=True)
class Photo:
    """A photo as it is kept: our own JPEG without anything that the camera wrote beside the picture."""

    jpeg: bytes
    sha256: str


class Album:
    """The photos of one archive by name, case and folders apart. Nothing is unpacked before it is asked for."""

    def __init__(self, data: bytes, limits: Limits) -> None:
        """Read the directory only. Raises PhotosRefused."""
        self._limits = limits
        self._archive = _opened(data, limits)
        entries = [one for one in self._archive.infolist() if not one.is_dir()]
        if len(entries) > limits.max_photos:
            raise PhotosRefused(limit=limits.max_photos)
        self._by_name: dict[str, list[zipfile.ZipInfo]] = {}
        self._by_stem: dict[str, list[zipfile.ZipInfo]] = {}
        for entry in entries:
            name = _name_of(entry).rsplit("/", 1)[-1].casefold()
            if name.endswith(SUFFIXES) and not name.startswith("."):
                self._by_name.setdefault(name, []).append(entry)
                self._by_stem.setdefault(name.rsplit(".", 1)[0], []).append(entry)

    def find(self, name: str) -> Photo:
        """Return the photo of this file name, with or without its ending. Raises PhotoRefused."""
        wanted = name.casefold()
        found = self._by_name.get(wanted) or self._by_stem.get(wanted)
        if not found:
            raise PhotoRefused("photo_missing")
        return self._one(found)

    def find_any(self, *stems: str) -> Photo | None:
        """Return the photo that is called like the first of the stems for which there is one. Raises PhotoRefused."""
        found = next((self._by_stem[stem.casefold()] for stem in stems if stem.casefold() in self._by_stem), None)
        return self._one(found) if found else None

    def _one(self, found: list[zipfile.ZipInfo]) -> Photo:
        if len(found) > 1:
            raise PhotoRefused("photo_twice")
        return self._redrawn(self._unpacked(found[0]))

    def _unpacked(self, entry: zipfile.ZipInfo) -> bytes:
        """Unpack one entry up to the limit: what its header claims is not believed."""
        limit = self._limits.max_photo_bytes
        if entry.flag_bits & 0x1 or entry.compress_type not in {zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED}:
            raise PhotoRefused("photo_unreadable")
        try:
            with self._archive.open(entry) as file:
                data = file.read(limit + 1)
        except BAD_ENTRY:
            raise PhotoRefused("photo_unreadable") from None
        if len(data) > limit:
            raise PhotoRefused("photo_large")
        return data

    def _redrawn(self, data: bytes) -> Photo:
        self._require_pixels(data)
        try:
            picture = Image.fromarray(decode_picture(data))
        except ImageRefused as refusal:
            raise PhotoRefused(_CODES.get(refusal.advice[0], "photo_unreadable")) from None
        picture.thumbnail((KEPT_SIDE_PX, KEPT_SIDE_PX))
        buffer = io.BytesIO()
        picture.save(buffer, "JPEG", quality=KEPT_QUALITY)
        jpeg = buffer.getvalue()
        return Photo(jpeg, hashlib.sha256(jpeg).hexdigest())

    def _require_pixels(self, data: bytes) -> None:
        """Read the header only: a flat picture of thousands of pixels a side weighs next to nothing."""
        try:
            with Image.open(io.BytesIO(data), formats=("JPEG", "PNG")) as image:
                width, height = image.size
        except (OSError, SyntaxError, ValueError, Image.DecompressionBombError, Image.DecompressionBombWarning):
            # The decoder says better what is wrong.
            return
        if width * height > self._limits.max_photo_pixels:
            raise PhotoRefused("photo_large")
        if min(width, height) < self._limits.min_photo_side_px:
            raise PhotoRefused("photo_small")


def check_photos(data: bytes, limits: Limits) -> None:
    """Raise PhotosRefused unless the upload is an archive of not too many files."""
    Album(data, limits)


def _opened(data: bytes, limits: Limits) -> zipfile.ZipFile:
    if not data.startswith(ZIP) or _directory_bytes(data) > limits.max_photos * DIRECTORY_ENTRY_BYTES:
        raise PhotosRefused(limit=limits.max_photos)
    try:
        return zipfile.ZipFile(io.BytesIO(data))
    except BAD_DIRECTORY:
        raise PhotosRefused(limit=limits.max_photos) from None


def _directory_bytes(data: bytes) -> int:
    """Return how long the archive says its directory is, before a million entries are read from it.

    A second end record (of an archive beyond 4 GB) would overrule the first: no album has one.
    """
    end = data.rfind(END_RECORD)
    if end < 0 or len(data) < end + 22 or data[max(end - 20, 0) : end].startswith(SECOND_END):
        return sys.maxsize
    return int.from_bytes(data[end + 12 : end + 16], "little")


def _name_of(entry: zipfile.ZipInfo) -> str:
    """Return the name; archives made on Chinese systems name files in GB 18030 without saying so."""
    if entry.flag_bits & 0x800:
        return entry.filename
    try:
        return entry.filename.encode("cp437").decode("gb18030")
    except UnicodeError:
        return entry.filename
