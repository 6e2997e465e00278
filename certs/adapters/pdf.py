"""Renders certificates: one prepared page per scheme and issuer, one person's objects per certificate.

The result is a whole PDF of a single revision with PDF/A-2b structure and an empty signature slot of fixed size;
`signing.sign_pdf` fills the slot in place. Rendering needs no clock and no randomness: equal faces give equal bytes.
"""

from __future__ import annotations

import hashlib
import io
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Final
from xml.sax.saxutils import escape

from PIL import Image

from certs.adapters import layout
from certs.adapters.face import CertificateFace, StaticWords, TemplateSpec
from certs.adapters.fonts import SERIF, FontStack, load_font
from certs.adapters.ornament import number as coordinate
from certs.adapters.pdfparts import OBJECTS_PER_FONT, font_objects, indirect, stream, text_string
from certs.adapters.prefix import StaticPrefix, build_prefix
from certs.adapters.qrmatrix import encode_matrix, matrix_path
from certs.adapters.signing import CMS_BYTES_MAX, empty_slot
from certs.adapters.textrun import PersonText

__all__ = ["CertificateFace", "PortraitError", "Renderer", "TemplateSpec"]

_INK: Final = "0.11 0.11 0.11 rg"
_GREY: Final = "0.36 0.39 0.44 rg"
_VALUE_SIZE: Final = 13.5
_NO_PORTRAIT: Final = "未提供照片"
_SCHEMES_KEPT: Final = 64
_PRODUCER: Final = "Anzheng"


class PortraitError(ValueError):
    """The portrait is not a readable grey or RGB JPEG."""


@dataclass(frozen=True, slots=True)
class _Portrait:
    data: bytes
    width_px: int
    height_px: int
    colour_space: str


class Renderer:
    """Draws certificates of one template. Keeps the last 64 combinations of scheme and issuer prepared (0.2 MB each).

    Make one per process; it may be shared between threads.
    """

    def __init__(self, template: TemplateSpec) -> None:
        self._template = template
        self._text_font = FontStack(load_font(SERIF))
        self._rows = layout.rows_without(template.hidden)
        self._prefix = lru_cache(maxsize=_SCHEMES_KEPT)(lambda words: build_prefix(template, words))

    def render(self, face: CertificateFace, *, cms_bytes_max: int = CMS_BYTES_MAX) -> bytes:
        """The unsigned certificate with its signature slot, which holds a CMS of so many bytes.

        Raises `MissingGlyphError` when no font draws a character, `PortraitError` for an unusable portrait and
        `QrTooLongError` when the QR text does not fit.
        """
        prefix: StaticPrefix = self._prefix(StaticWords.of(face))
        portrait = _read_portrait(face.portrait_jpeg) if face.portrait_jpeg is not None else None
        text = PersonText(self._text_font)
        contents = self._contents(face, portrait, text)
        person, objects = prefix.person, dict[int, bytes]()
        fonts = _add_fonts(objects, text, person.first_font)
        objects[person.metadata] = stream(b"/Type /Metadata /Subtype /XML", _xmp(face), level=0)
        objects[person.page] = _page(prefix, fonts, has_portrait=portrait is not None)
        objects[person.contents] = stream(b"", contents, level=4)
        objects[person.info] = _info(face)
        objects[person.signature] = empty_slot(cms_bytes_max)
        objects[person.portrait] = _image(portrait) if portrait is not None else b"null"
        return _written(prefix, objects)

    def _contents(self, face: CertificateFace, portrait: _Portrait | None, text: PersonText) -> bytes:
        parts = ["/T Do"]
        if portrait is not None:
            parts.append(_cover(layout.PORTRAIT, portrait))
        parts.append(matrix_path(encode_matrix(face.qr_text), layout.QR))
        parts.append(f"BT {_INK}")
        for row in self._rows:
            width = row.value_end - row.value_x - layout.MM
            parts.append(text.fitted(row.value(face), row.value_x, row.y, _VALUE_SIZE, width))
        parts.append(text.centred(layout.date_zh(face.issued_on), layout.SEAL_CENTRE[0], layout.ISSUED_BASELINE, 12.5))
        if portrait is None:
            box = layout.PORTRAIT
            parts.append(_GREY)
            parts.append(text.centred(_NO_PORTRAIT, box.x + box.width / 2, box.y + box.height / 2 - 3, 9))
        identifier = f"电子证照标识：{face.document_id}"
        parts.append(_GREY)
        parts.append(text.fitted(identifier, *layout.DOCUMENT_ID, 6.4, layout.DOCUMENT_ID_WIDTH))
        parts.append("ET")
        return "\n".join(parts).encode("ascii")


def _read_portrait(jpeg: bytes) -> _Portrait:
    try:
        with Image.open(io.BytesIO(jpeg)) as image:
            kind, mode, (width, height) = image.format, image.mode, image.size
    except OSError as error:
        raise PortraitError("the portrait cannot be read as an image") from error
    spaces = {"RGB": "DeviceRGB", "L": "DeviceGray"}
    if kind != "JPEG" or mode not in spaces:
        raise PortraitError(f"the portrait must be a grey or RGB JPEG, not {kind} {mode}")
    return _Portrait(jpeg, width, height, spaces[mode])


def _cover(box: layout.Box, portrait: _Portrait) -> str:
    """Operators that fill `box` with the portrait without distorting it, cutting what stands over."""
    scale = max(box.width / portrait.width_px, box.height / portrait.height_px)
    width, height = portrait.width_px * scale, portrait.height_px * scale
    x, y = box.x - (width - box.width) / 2, box.y - (height - box.height) / 2
    clip = " ".join(coordinate(side) for side in (box.x, box.y, box.width, box.height))
    place = " ".join(coordinate(side) for side in (width, 0, 0, height, x, y))
    return f"q {clip} re W n {place} cm /P Do Q"


def _add_fonts(objects: dict[int, bytes], text: PersonText, first: int) -> Mapping[int, int]:
    """Adds a subset of every font in use; returns the object number of each by font index."""
    numbers: dict[int, int] = {}
    for index, (font, subset) in text.subsets().items():
        numbers[index] = first + OBJECTS_PER_FONT * len(numbers)
        bodies = font_objects(font, subset, numbers[index])
        objects.update(enumerate(bodies, start=numbers[index]))
    return numbers


def _page(prefix: StaticPrefix, fonts: Mapping[int, int], *, has_portrait: bool) -> bytes:
    named = b" ".join(b"/F%d %d 0 R" % item for item in fonts.items())
    picture = b"/P %d 0 R" % prefix.person.portrait if has_portrait else b""
    return (
        b"<< /Type /Page /Parent %d 0 R /MediaBox [0 0 %.2f %.2f] /Contents %d 0 R "
        b"/Group << /S /Transparency /CS /DeviceRGB >> "
        b"/Resources << /XObject << /T %d 0 R %s >> /Font << %s >> >> /Annots [%d 0 R] >>"
    ) % (
        prefix.pages,
        layout.PAGE_WIDTH,
        layout.PAGE_HEIGHT,
        prefix.person.contents,
        prefix.form,
        picture,
        named,
        prefix.widget,
    )


def _image(portrait: _Portrait) -> bytes:
    entries = (
        f"/Type /XObject /Subtype /Image /Width {portrait.width_px} /Height {portrait.height_px} "
        f"/ColorSpace /{portrait.colour_space} /BitsPerComponent 8 /Filter /DCTDecode"
    )
    return stream(entries.encode("ascii"), portrait.data, level=0)


def _title(face: CertificateFace) -> str:
    return f"{face.scheme_name_zh} {face.number}"


def _info(face: CertificateFace) -> bytes:
    created = f"(D:{face.issued_on:%Y%m%d}000000+08'00')".encode("ascii")
    return b"<< /Title %s /CreationDate %s /ModDate %s /Producer (%s) >>" % (
        text_string(_title(face)),
        created,
        created,
        _PRODUCER.encode("ascii"),
    )


def _xmp(face: CertificateFace) -> bytes:
    """PDF/A identification and title; the holder's name stays out of the metadata."""
    created = f"{face.issued_on.isoformat()}T00:00:00+08:00"
    return (
        '<?xpacket begin="\ufeff" id="W5M0MpCehiHzreSzNTczkc9d"?>\n'
        '<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">'
        '<rdf:Description rdf:about="" xmlns:pdfaid="http://www.aiim.org/pdfa/ns/id/" '
        'xmlns:dc="http://purl.org/dc/elements/1.1/" xmlns:xmp="http://ns.adobe.com/xap/1.0/" '
        'xmlns:pdf="http://ns.adobe.com/pdf/1.3/">'
        "<pdfaid:part>2</pdfaid:part><pdfaid:conformance>B</pdfaid:conformance>"
        f'<dc:title><rdf:Alt><rdf:li xml:lang="x-default">{escape(_title(face))}</rdf:li></rdf:Alt></dc:title>'
        f"<dc:identifier>{escape(face.document_id)}</dc:identifier>"
        f"<xmp:CreateDate>{created}</xmp:CreateDate><xmp:ModifyDate>{created}</xmp:ModifyDate>"
        f"<pdf:Producer>{_PRODUCER}</pdf:Producer></rdf:Description></rdf:RDF></x:xmpmeta>\n"
        '<?xpacket end="w"?>'
    ).encode()


def _written(prefix: StaticPrefix, objects: Mapping[int, bytes]) -> bytes:
    """The prefix, the person's objects in order, the cross-reference table and the trailer."""
    pieces, offsets, position = [prefix.data], list(prefix.offsets), len(prefix.data)
    for number in sorted(objects):
        piece = indirect(number, objects[number])
        offsets.append(position)
        pieces.append(piece)
        position += len(piece)
    size = len(offsets) + 1
    table = b"".join(b"%010d 00000 n \n" % offset for offset in offsets)
    identity = hashlib.sha256(b"".join(pieces[1:])).hexdigest()[:32].upper().encode("ascii")
    trailer = b"trailer\n<< /Size %d /Root %d 0 R /Info %d 0 R /ID [<%s> <%s>] >>\nstartxref\n%d\n%%%%EOF\n" % (
        size,
        prefix.catalog,
        prefix.person.info,
        identity,
        identity,
        position,
    )
    return b"".join((*pieces, b"xref\n0 %d\n0000000000 65535 f \n" % size, table, trailer))
