"""Small pieces of PDF syntax (ISO 32000-1): strings, streams, composite fonts and their maps back to Unicode."""

from __future__ import annotations

import hashlib
import zlib
from typing import Final

from certs.adapters.truetype import FontSubset, TrueTypeFont

OBJECTS_PER_FONT: Final = 5
# ISO 32000-1 and the CMap specification allow at most 100 mappings in one bfchar section.
_MAPPINGS_PER_SECTION: Final = 100


def text_string(text: str) -> bytes:
    """A text string as UTF-16BE in hexadecimal, safe for every character."""
    return b"<FEFF" + text.encode("utf-16-be").hex().upper().encode("ascii") + b">"


def stream(entries: bytes, data: bytes, *, level: int = 6) -> bytes:
    """A stream object; level 0 leaves `data` as it is."""
    if level:
        data, entries = zlib.compress(data, level), b"/Filter /FlateDecode " + entries
    return b"<< %s /Length %d >>\nstream\n%s\nendstream" % (entries, len(data), data)


def indirect(number: int, body: bytes) -> bytes:
    """`body` as the indirect object `number`, generation 0."""
    return b"%d 0 obj\n%s\nendobj\n" % (number, body)


def font_objects(font: TrueTypeFont, subset: FontSubset, first: int) -> list[bytes]:
    """Bodies of the objects first … first+4: Type0 font, CIDFont, descriptor, font file, ToUnicode."""
    name = f"{_subset_tag(subset)}+{font.name}"
    bbox = " ".join(str(round(side * font.scale)) for side in font.bbox)
    ascent, descent, cap = (round(height * font.scale) for height in (font.ascent, font.descent, font.cap_height))
    widths = " ".join(f"{width:g}" for width in subset.widths)
    type0 = (
        f"<< /Type /Font /Subtype /Type0 /BaseFont /{name} /Encoding /Identity-H "
        f"/DescendantFonts [{first + 1} 0 R] /ToUnicode {first + 4} 0 R >>"
    )
    cid = (
        f"<< /Type /Font /Subtype /CIDFontType2 /BaseFont /{name} "
        "/CIDSystemInfo << /Registry (Adobe) /Ordering (Identity) /Supplement 0 >> /CIDToGIDMap /Identity "
        f"/FontDescriptor {first + 2} 0 R /DW 1000 /W [0 [{widths}]] >>"
    )
    descriptor = (
        f"<< /Type /FontDescriptor /FontName /{name} /Flags 4 /FontBBox [{bbox}] /ItalicAngle 0 /Ascent {ascent} "
        f"/Descent {descent} /CapHeight {cap} /StemV 80 /FontFile2 {first + 3} 0 R >>"
    )
    file = stream(b"/Filter /FlateDecode /Length1 %d" % subset.file_length, subset.file_z, level=0)
    to_unicode = stream(b"", _to_unicode(subset.glyph_of))
    return [type0.encode("ascii"), cid.encode("ascii"), descriptor.encode("ascii"), file, to_unicode]


def _to_unicode(glyph_of: dict[int, int]) -> bytes:
    # Characters beyond U+FFFF must be written as surrogate pairs: reportlab writes five hexadecimal digits there,
    # and 王𬭎䶮 is then copied out of the document as another name.
    lines = [
        f"<{glyph:04X}> <{chr(code_point).encode('utf-16-be').hex().upper()}>" for code_point, glyph in glyph_of.items()
    ]
    sections = (lines[at : at + _MAPPINGS_PER_SECTION] for at in range(0, len(lines), _MAPPINGS_PER_SECTION))
    body = "\n".join(f"{len(part)} beginbfchar\n" + "\n".join(part) + "\nendbfchar" for part in sections)
    return (
        "/CIDInit /ProcSet findresource begin\n12 dict begin\nbegincmap\n"
        "/CIDSystemInfo << /Registry (Adobe) /Ordering (UCS) /Supplement 0 >> def\n"
        "/CMapName /Adobe-Identity-UCS def\n/CMapType 2 def\n"
        f"1 begincodespacerange\n<0000> <FFFF>\nendcodespacerange\n{body}\n"
        "endcmap\nCMapName currentdict /CMap defineresource pop\nend\nend"
    ).encode("ascii")


def _subset_tag(subset: FontSubset) -> str:
    """Six capitals that differ between different subsets, as ISO 32000-1 section 9.6.4 asks."""
    digest = hashlib.sha256(repr(tuple(subset.glyph_of)).encode("ascii")).digest()
    return "".join(chr(ord("A") + byte % 26) for byte in digest[:6])
