"""What an uploaded file really is, looked at before any reader of spreadsheets touches it."""

from __future__ import annotations

import io
import re
import struct
import zipfile
import zlib
from collections.abc import Iterator
from typing import Protocol

from lms.core.i18n import lazy_gettext as _
from lms.core.spreadsheets.errors import (
    BombFile,
    CorruptFile,
    EmptyFile,
    EncryptedFile,
    MacroFile,
    StrayCells,
    WrongFileType,
)

ZIP = b"PK\x03\x04"
BAD_DIRECTORY = (zipfile.BadZipFile, UnicodeDecodeError, NotImplementedError)
"""How zipfile refuses a directory in memory: damaged, with a name in no UTF-8, of an unknown version."""
OLE = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
# The directory of an OLE file names its streams in UTF-16; a locked workbook has this one.
ENCRYPTED_STREAM = "EncryptedPackage".encode("utf-16-le")
MARKUP = (b"<html", b"<!doctype", b"<table", b"<?xml", b"<head", b"<body", b"mime-version:")
SIGNATURES = ((b"%PDF", _(" PDF 文档")), (b"\x89PNG", _("图片")), (b"\xff\xd8\xff", _("图片")), (b"Rar!", _("压缩包")))
# A reader lays out the whole rectangle up to the farthest cell, so one cell in XFD1048576 costs as
# much memory as 17 thousand million. Every cell must say its position, plainly, within A1:AZ199999.
# UNUSUAL finds quickly what is not a cell as most programs write it; PLAIN and CELL then look closer.
UNUSUAL = re.compile(rb'<c(?! r="(?:[A-Z]|A[A-Z])1?\d{1,5}"[ />])')
CELL = re.compile(rb"<c[\s/>]")
PLAIN = re.compile(rb'<c(?:\s+[\w:]{1,20}="[^"<>]{0,40}"){0,3}?\s+r="(?:[A-Z]|A[A-Z])1?\d{1,5}"[\s/>]')
PREFIXED = re.compile(rb":c[\s/>]")
LOCAL_HEADER = struct.Struct("<4s2B4HL2L2H")
CHUNK = 1 << 18
OVERLAP = 256


class Unpacking(Protocol):
    """How much a workbook may hold; every room's limits say it for its own lists."""

    @property
    def max_unpacked_bytes(self) -> int: ...

    @property
    def max_archive_entries(self) -> int: ...


def sniff(data: bytes, limits: Unpacking) -> str:
    """Return ``xlsx`` or ``csv`` by content, names being no evidence.

    Raises a SheetRefused that says what the file is instead. A workbook is unpacked here once,
    counted and thrown away, since the sizes in its directory are only claims.
    """
    head = data[:1024].lstrip(b"\xef\xbb\xbf \t\r\n").lower()
    if not data.strip():
        raise EmptyFile
    if data.startswith(ZIP):
        check_workbook(data, limits)
        return "xlsx"
    if data.startswith(OLE):
        raise EncryptedFile if ENCRYPTED_STREAM in data else WrongFileType(kind=_("旧版 .xls 工作簿"))
    if head.startswith(MARKUP):
        raise WrongFileType(kind=_("网页"))
    for signature, kind in SIGNATURES:
        if data.startswith(signature):
            raise WrongFileType(kind=kind)
    if b"\x00" in data and not data.startswith((b"\xff\xfe", b"\xfe\xff")):
        raise WrongFileType(kind=_("二进制数据"))
    return "csv"


def check_workbook(data: bytes, limits: Unpacking) -> None:
    """Raise a SheetRefused unless the archive is a workbook that a reader may lay out in memory."""
    try:
        archive = zipfile.ZipFile(io.BytesIO(data))
    except BAD_DIRECTORY:
        raise CorruptFile from None
    entries = archive.infolist()
    limit_mb = limits.max_unpacked_bytes >> 20
    if any(entry.flag_bits & 0x1 for entry in entries):
        raise EncryptedFile
    names = {entry.filename for entry in entries}
    if (
        len(entries) > limits.max_archive_entries
        or sum(entry.file_size for entry in entries) > limits.max_unpacked_bytes
    ):
        raise BombFile(limit_mb=limit_mb)
    # Overlapping entries let one stream be counted many times over.
    if len(names) != len(entries) or sum(entry.compress_size for entry in entries) > len(data):
        raise CorruptFile
    _check_parts(data, {entry.filename: entry for entry in entries})
    left = limits.max_unpacked_bytes
    for entry in entries:
        left -= _unpacked_size(data, entry, left)
        if left < 0:
            raise BombFile(limit_mb=limit_mb)


def _check_parts(data: bytes, entries: dict[str, zipfile.ZipInfo]) -> None:
    if "[Content_Types].xml" not in entries or "xl/workbook.xml" not in entries:
        kind = _("压缩包") if "[Content_Types].xml" not in entries else _("其他办公文档")
        raise WrongFileType(kind=kind)
    types = next(_unpacked(data, entries["[Content_Types].xml"]), b"")
    if b"macroEnabled" in types or any(name.lower().endswith("vbaproject.bin") for name in entries):
        raise MacroFile


def _unpacked_size(data: bytes, entry: zipfile.ZipInfo, limit: int) -> int:
    """Unpack one entry without trusting its header; return its size, stopping beyond ``limit``.

    Any part may be declared a sheet, so every part is looked at for stray cells.
    """
    size, tail = 0, b""
    for piece in _unpacked(data, entry):
        # In another encoding the cells could not be seen here, but a reader would see them.
        if not size and entry.filename.lower().endswith((".xml", ".rels")) and b"\x00" in piece[:64]:
            raise CorruptFile
        size += len(piece)
        if size > limit:
            return size
        window = tail + piece
        # The end may cut a tag in two; it is looked at again together with the next piece.
        _refuse_stray_cells(window, len(window) - OVERLAP)
        tail = window[-OVERLAP:]
    _refuse_stray_cells(tail, len(tail))
    if size != entry.file_size:
        raise CorruptFile
    return size


def _refuse_stray_cells(window: bytes, end: int) -> None:
    """Raise StrayCells for a cell that begins before ``end`` and has no plain position near the origin."""
    for match in UNUSUAL.finditer(window):
        start = match.start()
        if start >= end:
            break
        if CELL.match(window, start) and not PLAIN.match(window, start):
            raise StrayCells
    prefixed = PREFIXED.search(window)
    if prefixed and prefixed.start() < end:
        raise StrayCells


def _unpacked(data: bytes, entry: zipfile.ZipInfo) -> Iterator[bytes]:
    if not 0 <= entry.header_offset <= len(data) - LOCAL_HEADER.size:
        raise CorruptFile
    header = LOCAL_HEADER.unpack_from(data, entry.header_offset)
    start = entry.header_offset + LOCAL_HEADER.size + header[-2] + header[-1]
    packed = data[start : start + entry.compress_size]
    if header[0] != ZIP or len(packed) != entry.compress_size:
        raise CorruptFile
    if entry.compress_type == zipfile.ZIP_STORED:
        yield packed
        return
    if entry.compress_type != zipfile.ZIP_DEFLATED:
        raise CorruptFile
    yield from _inflated(packed)


def _inflated(packed: bytes) -> Iterator[bytes]:
    stream = zlib.decompressobj(-15)
    try:
        piece = stream.decompress(packed, CHUNK)
        while piece:
            yield piece
            piece = stream.decompress(stream.unconsumed_tail, CHUNK)
    except zlib.error:
        raise CorruptFile from None
    if not stream.eof:
        raise CorruptFile
