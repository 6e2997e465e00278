"""Lists that come in over HTTP: read within their bounds, told by their content, sealed away."""

from __future__ import annotations

import contextlib
import hashlib
import uuid
from collections.abc import Iterator, Mapping

from flask import request

from lms.core import ids
from lms.core.errors import TooLarge
from lms.core.imports.kinds import C, I, ImportKind
from lms.core.imports.operations import Upload
from lms.core.services import Services
from lms.core.spreadsheets import guard

FORM_BYTES = 64 * 1024
"""What a form adds around its files: boundaries, the token, names."""
MAX_FILE_NAME_CHARS = 120


def require_size(limit_bytes: int) -> None:
    """Raise TooLarge when the form says that its files are larger, before they are read."""
    if (request.content_length or 0) > limit_bytes + FORM_BYTES:
        raise TooLarge(limit_mb=limit_bytes >> 20)


def read_file(field: str, limit_bytes: int) -> tuple[bytes, str]:
    """Return content and name of an uploaded file, both empty where none was chosen. Raises TooLarge."""
    file = request.files.get(field)
    if file is None:
        return b"", ""
    with contextlib.closing(file):
        data = file.stream.read(limit_bytes + 1) if file.filename else b""
    if len(data) > limit_bytes:
        raise TooLarge(limit_mb=limit_bytes >> 20)
    return data, file.filename or ""


def upload_of(kind: ImportKind[I, C], data: bytes, name: str) -> Upload:
    """Look at a list's content, names being no evidence, and give it an id. Raises SheetRefused."""
    found = guard.sniff(data, kind.limits)
    return Upload(ids.new_id(), safe_file_name(name, kind.words.file_name), found, hashlib.sha256(data).hexdigest())


def safe_file_name(name: str, otherwise: str) -> str:
    """Return the last part of a file name, printable and bounded; paths are what the sender likes."""
    last = name.replace("\\", "/").rsplit("/", 1)[-1]
    shown = "".join(sign for sign in last if sign.isprintable()).strip(" .")
    return shown[-MAX_FILE_NAME_CHARS:] or otherwise


@contextlib.contextmanager
def sealed(
    kind: ImportKind[I, C], services: Services, import_id: uuid.UUID, files: Mapping[str, bytes]
) -> Iterator[None]:
    """Seal the files of an upload away while it is recorded; they go again when that fails."""
    parts = kind.parts(services, import_id)
    try:
        for part, data in files.items():
            parts.put(part, data)
        yield
    except BaseException:
        for part in files:
            parts.delete(part)
        raise
