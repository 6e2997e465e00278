"""Reads static TrueType fonts and cuts tiny subsets out of them, one per certificate.

A general font library re-parses and re-compresses on every document. Here glyph outlines are copied verbatim and were
deflated once per process, so a subset of forty characters costs a few dozen microseconds. Tables follow the OpenType
specification 1.9 (head, hhea, hmtx, loca, glyf, cmap format 12).
"""

from __future__ import annotations

import struct
import zlib
from bisect import bisect_right
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

# Flags of a composite glyph's component record (OpenType, table glyf).
_ARGS_ARE_WORDS: Final = 0x0001
_HAS_SCALE: Final = 0x0008
_MORE_COMPONENTS: Final = 0x0020
_HAS_XY_SCALE: Final = 0x0040
_HAS_2X2: Final = 0x0080
_STORED_BLOCK_MAX: Final = 0xFFFF


class FontFormatError(ValueError):
    """The file is not a static TrueType font with a Unicode (format 12) character map."""


@dataclass(frozen=True, slots=True)
class FontSubset:
    """`file_z` is the zlib stream of a font file of `file_length` bytes; widths are in 1/1000 em by new glyph id."""

    file_z: bytes
    file_length: int
    glyph_of: dict[int, int]
    widths: tuple[float, ...]


@dataclass(frozen=True, slots=True)
class _Glyph:
    outline: bytes
    deflated: bytes
    checksum: int
    metrics: bytes
    components: tuple[tuple[int, int], ...]


class TrueTypeFont:
    """One font file in memory. Safe to share between threads: the glyph cache only ever gains equal values."""

    def __init__(self, path: Path) -> None:
        self._data = path.read_bytes()
        self._tables = _table_directory(self._data, path)
        head, hhea = self._table("head"), self._table("hhea")
        self.name = path.stem.replace("_", "-")
        units_per_em: int = struct.unpack_from(">H", head, 18)[0]
        self.scale = 1000 / units_per_em
        self.bbox: tuple[int, ...] = struct.unpack_from(">4h", head, 36)
        self.ascent, self.descent = struct.unpack_from(">2h", hhea, 4)
        self.cap_height = self._cap_height()
        self._long_metrics: int = struct.unpack_from(">H", hhea, 34)[0]
        count: int = struct.unpack_from(">H", self._table("maxp"), 4)[0]
        loca = self._table("loca")
        if struct.unpack_from(">h", head, 50)[0]:
            self._loca = struct.unpack(f">{count + 1}I", loca[: 4 * count + 4])
        else:
            self._loca = tuple(2 * offset for offset in struct.unpack(f">{count + 1}H", loca[: 2 * count + 2]))
        self._starts, self._groups = _format_12_groups(self._table("cmap"), path)
        self._hmtx, self._glyf = self._table("hmtx"), self._tables["glyf"][0]
        self._fixed = self._fixed_tables(head)
        self._glyphs: dict[int, _Glyph] = {}
        self._ids: dict[int, int] = {}
        self._advances: dict[int, int] = {}

    def glyph_id(self, code_point: int) -> int:
        """The glyph drawing `code_point`, or 0 when the font has none."""
        known = self._ids.get(code_point)
        if known is None:
            index = bisect_right(self._starts, code_point) - 1
            start, end, first_glyph = self._groups[index] if index >= 0 else (0, -1, 0)
            known = self._ids[code_point] = first_glyph + code_point - start if code_point <= end else 0
        return known

    def missing(self, text: str) -> tuple[str, ...]:
        """The distinct characters of `text` that the font cannot draw, in order of appearance."""
        return tuple(dict.fromkeys(char for char in text if not self.glyph_id(ord(char))))

    def width(self, text: str) -> float:
        """Advance width of `text` in 1/1000 em; characters without a glyph count as an empty box."""
        return sum(self._advance(ord(char)) for char in text) * self.scale

    def subset(self, code_points: Iterable[int]) -> FontSubset:
        """A font of just these distinct characters: glyph 0 is .notdef, the n-th character becomes glyph n.

        The caller has checked that none is missing.
        """
        order: list[int] = [0]
        new_id: dict[int, int] = {0: 0}
        glyph_of: dict[int, int] = {}
        for code_point in code_points:
            glyph_id = self.glyph_id(code_point)
            glyph_of[code_point] = len(order)
            new_id.setdefault(glyph_id, len(order))
            order.append(glyph_id)
        glyphs: list[_Glyph] = []
        while len(glyphs) < len(order):
            glyphs.append(self._renumbered(self._glyph(order[len(glyphs)]), order, new_id))
        file_z, length = self._assemble(glyphs)
        widths = tuple(struct.unpack_from(">H", glyph.metrics)[0] * self.scale for glyph in glyphs)
        return FontSubset(file_z=file_z, file_length=length, glyph_of=glyph_of, widths=widths)

    def _table(self, tag: str) -> bytes:
        offset, length = self._tables[tag]
        return self._data[offset : offset + length]

    def _cap_height(self) -> int:
        """The height of capitals; the ascent where OS/2 does not tell it (before version 2, as in Hanazono)."""
        os2 = self._table("OS/2")
        height: int = struct.unpack_from(">h", os2, 88)[0] if len(os2) >= 90 else self.ascent
        return height

    def _fixed_tables(self, head: bytes) -> dict[str, bytes]:
        # The checksum of the whole file is left 0 (readers ignore it) and the offsets are always written long.
        clean_head = head[:8] + bytes(4) + head[12:50] + b"\0\1" + head[52:]
        tables = {"head": clean_head, "hhea": self._table("hhea"), "maxp": self._table("maxp")}
        for hint in ("cvt ", "fpgm", "prep"):
            if hint in self._tables:
                tables[hint] = self._table(hint)
        return tables

    def _metrics(self, glyph_id: int) -> bytes:
        if glyph_id < self._long_metrics:
            return self._hmtx[4 * glyph_id : 4 * glyph_id + 4]
        last_advance = self._hmtx[4 * self._long_metrics - 4 : 4 * self._long_metrics - 2]
        bearing = 4 * self._long_metrics + 2 * (glyph_id - self._long_metrics)
        return last_advance + self._hmtx[bearing : bearing + 2]

    def _advance(self, code_point: int) -> int:
        known = self._advances.get(code_point)
        if known is None:
            known = struct.unpack_from(">H", self._metrics(self.glyph_id(code_point)))[0]
            self._advances[code_point] = known
        return known

    def _glyph(self, glyph_id: int) -> _Glyph:
        known = self._glyphs.get(glyph_id)
        if known is not None:
            return known
        raw = self._data[self._glyf + self._loca[glyph_id] : self._glyf + self._loca[glyph_id + 1]]
        outline = _padded(raw)
        # A full flush ends on a byte boundary and forgets the window, so pieces can be joined in any order.
        packer = zlib.compressobj(9, zlib.DEFLATED, -15)
        deflated = packer.compress(outline) + packer.flush(zlib.Z_FULL_FLUSH) if outline else b""
        metrics = self._metrics(glyph_id)
        glyph = _Glyph(outline, deflated, _checksum(outline), metrics, _components(raw))
        self._glyphs[glyph_id] = glyph
        return glyph

    @staticmethod
    def _renumbered(glyph: _Glyph, order: list[int], new_id: dict[int, int]) -> _Glyph:
        if not glyph.components:
            return glyph
        outline = bytearray(glyph.outline)
        for offset, component in glyph.components:
            struct.pack_into(">H", outline, offset, _number(component, order, new_id))
        changed = bytes(outline)
        return _Glyph(changed, _stored(changed), _checksum(changed), glyph.metrics, ())

    def _assemble(self, glyphs: list[_Glyph]) -> tuple[bytes, int]:
        """The zlib stream and length of the subset's file. Tables before and after glyf travel as stored blocks."""
        count = len(glyphs)
        offsets = [0]
        for glyph in glyphs:
            offsets.append(offsets[-1] + len(glyph.outline))
        fixed = self._fixed
        tables = {
            **fixed,
            "hhea": fixed["hhea"][:34] + struct.pack(">H", count) + fixed["hhea"][36:],
            "hmtx": b"".join(glyph.metrics for glyph in glyphs),
            "loca": struct.pack(f">{count + 1}I", *offsets),
            "maxp": fixed["maxp"][:4] + struct.pack(">H", count) + fixed["maxp"][6:],
        }
        outlines = b"".join(glyph.outline for glyph in glyphs)
        before, after = _layout_file(tables, len(outlines), sum(glyph.checksum for glyph in glyphs))
        adler = zlib.adler32(after, zlib.adler32(outlines, zlib.adler32(before)))
        pieces = (glyph.deflated for glyph in glyphs)
        body = b"".join((b"\x78\x01", _stored(before), *pieces, _stored(after), b"\x03\0", struct.pack(">I", adler)))
        return body, len(before) + len(outlines) + len(after)


def _number(glyph_id: int, order: list[int], new_id: dict[int, int]) -> int:
    if glyph_id not in new_id:
        new_id[glyph_id] = len(order)
        order.append(glyph_id)
    return new_id[glyph_id]


def _table_directory(data: bytes, path: Path) -> dict[str, tuple[int, int]]:
    if data[:4] not in (b"\0\1\0\0", b"true"):
        raise FontFormatError(f"{path.name} holds no TrueType outlines")
    count: int = struct.unpack_from(">H", data, 4)[0]
    records = (struct.unpack_from(">4sIII", data, 12 + 16 * index) for index in range(count))
    return {tag.decode("ascii"): (offset, length) for tag, _checksum_, offset, length in records}


def _format_12_groups(cmap: bytes, path: Path) -> tuple[list[int], list[tuple[int, int, int]]]:
    count: int = struct.unpack_from(">H", cmap, 2)[0]
    for index in range(count):
        offset: int = struct.unpack_from(">I", cmap, 8 + 8 * index)[0]
        if struct.unpack_from(">H", cmap, offset)[0] == 12:
            size: int = struct.unpack_from(">I", cmap, offset + 12)[0]
            groups = [struct.unpack_from(">3I", cmap, offset + 16 + 12 * group) for group in range(size)]
            return [start for start, _end, _glyph in groups], groups
    raise FontFormatError(f"{path.name} has no full-range Unicode character map")


def _components(raw: bytes) -> tuple[tuple[int, int], ...]:
    """Where a composite glyph names its parts: (offset of the id, glyph id)."""
    if len(raw) < 10 or struct.unpack_from(">h", raw)[0] >= 0:
        return ()
    found: list[tuple[int, int]] = []
    position, flags = 10, _MORE_COMPONENTS
    while flags & _MORE_COMPONENTS:
        flags, glyph_id = struct.unpack_from(">HH", raw, position)
        found.append((position + 2, glyph_id))
        position += 4 + (4 if flags & _ARGS_ARE_WORDS else 2)
        position += 2 if flags & _HAS_SCALE else 4 if flags & _HAS_XY_SCALE else 8 if flags & _HAS_2X2 else 0
    return tuple(found)


def _layout_file(tables: dict[str, bytes], glyf_length: int, glyf_checksum: int) -> tuple[bytes, bytes]:
    """The bytes before and after the glyf table of a font file with these tables."""
    tags = sorted([*tables, "glyf"])
    selector = len(tags).bit_length() - 1
    search_range = 16 << selector
    header = struct.pack(">IHHHH", 0x00010000, len(tags), search_range, selector, 16 * len(tags) - search_range)
    directory, before, after = [header], list[bytes](), list[bytes]()
    offset, side = 12 + 16 * len(tags), before
    for tag in tags:
        if tag == "glyf":
            length, stored_length, checksum, side = glyf_length, glyf_length, glyf_checksum, after
        else:
            padded = _padded(tables[tag])
            length, stored_length, checksum = len(tables[tag]), len(padded), _checksum(padded)
            side.append(padded)
        directory.append(struct.pack(">4sIII", tag.encode("ascii"), checksum & 0xFFFFFFFF, offset, length))
        offset += stored_length
    return b"".join(directory + before), b"".join(after)


def _padded(data: bytes) -> bytes:
    return data + bytes(-len(data) % 4)


def _checksum(padded: bytes) -> int:
    return sum(struct.unpack(f">{len(padded) // 4}I", padded))


def _stored(data: bytes) -> bytes:
    """`data` as raw deflate blocks without compression."""
    blocks = (data[start : start + _STORED_BLOCK_MAX] for start in range(0, len(data), _STORED_BLOCK_MAX))
    return b"".join(b"\0" + struct.pack("<HH", len(block), len(block) ^ 0xFFFF) + block for block in blocks)
