"""The constant beginning of every certificate file of one scheme: the drawn page, the seal and the document's frame.

It is built once per process. A certificate is this prefix, then the person's objects with fixed numbers, then the
cross-reference table: one revision, written straight through, nothing parsed.
"""

from __future__ import annotations

import io
import re
from dataclasses import dataclass
from typing import Any, Final

import pikepdf
from PIL import ImageCms

from certs.adapters import layout
from certs.adapters.design import draw_page, draw_seal
from certs.adapters.face import StaticWords, TemplateSpec
from certs.adapters.pdfparts import indirect, stream

_HEADER: Final = b"%PDF-1.7\n%\xe2\xe3\xcf\xd3\n"
_LONG_CODE: Final = re.compile(rb"<([0-9A-Fa-f]{5,6})>")


@dataclass(frozen=True, slots=True)
class PersonNumbers:
    """Object numbers that the prefix refers to and each certificate fills."""

    metadata: int
    page: int
    contents: int
    info: int
    signature: int
    portrait: int
    first_font: int


@dataclass(frozen=True, slots=True)
class StaticPrefix:
    """`data` ends after the last static object; `offsets[i]` is where object i+1 begins."""

    data: bytes
    offsets: tuple[int, ...]
    form: int
    widget: int
    pages: int
    catalog: int
    person: PersonNumbers


def build_prefix(template: TemplateSpec, words: StaticWords) -> StaticPrefix:
    """Draws the page and the seal and wraps them into the document that all certificates of the scheme share."""
    bodies: list[bytes] = []
    form = _import_form(draw_page(template, words), bodies)
    seal = _import_form(draw_seal(template, words), bodies)
    profile = _append(bodies, stream(b"/N 3", _srgb_profile(), level=9))
    intent = _append(
        bodies,
        b"<< /Type /OutputIntent /S /GTS_PDFA1 /OutputConditionIdentifier (sRGB IEC61966-2.1) "
        b"/Info (sRGB IEC61966-2.1) /DestOutputProfile %d 0 R >>" % profile,
    )
    # Multiply keeps the words under the seal readable, as ink on ink does.
    state = _append(bodies, b"<< /Type /ExtGState /BM /Multiply /ca 0.9 /CA 0.9 >>")
    size = b"%.2f %.2f" % (layout.SEAL.width, layout.SEAL.height)
    resources = b"<< /XObject << /S %d 0 R >> /ExtGState << /G %d 0 R >> >>" % (seal, state)
    entries = b"/Type /XObject /Subtype /Form /BBox [0 0 %s] /Resources %s" % (size, resources)
    appearance = _append(bodies, stream(entries, b"/G gs /S Do", level=0))
    return _frame(bodies, form, intent, appearance)


def _frame(bodies: list[bytes], form: int, intent: int, appearance: int) -> StaticPrefix:
    """Catalog, page tree and signature widget, then everything serialised."""
    first = len(bodies) + 4
    person = PersonNumbers(*range(first, first + 7))
    pages = _append(bodies, b"<< /Type /Pages /Kids [%d 0 R] /Count 1 >>" % person.page)
    box = layout.SEAL
    rect = b"%.2f %.2f %.2f %.2f" % (box.x, box.y, box.x + box.width, box.y + box.height)
    widget = _append(
        bodies,
        b"<< /Type /Annot /Subtype /Widget /FT /Sig /T (Seal) /F 132 /Rect [%s] /P %d 0 R /V %d 0 R "
        b"/AP << /N %d 0 R >> >>" % (rect, person.page, person.signature, appearance),
    )
    catalog = _append(
        bodies,
        b"<< /Type /Catalog /Pages %d 0 R /Metadata %d 0 R /OutputIntents [%d 0 R] /Lang (zh-CN) "
        b"/ViewerPreferences << /DisplayDocTitle true >> /AcroForm << /Fields [%d 0 R] /SigFlags 3 >> "
        b"/Perms << /DocMDP %d 0 R >> >>" % (pages, person.metadata, intent, widget, person.signature),
    )
    data, offsets = bytearray(_HEADER), []
    for number, body in enumerate(bodies, start=1):
        offsets.append(len(data))
        data += indirect(number, body)
    return StaticPrefix(bytes(data), tuple(offsets), form, widget, pages, catalog, person)


def _append(bodies: list[bytes], body: bytes) -> int:
    bodies.append(body)
    return len(bodies)


def _import_form(drawn: bytes, bodies: list[bytes]) -> int:
    """Adds the single page of `drawn` as a form XObject with all it needs; returns the form's object number."""
    with pikepdf.open(io.BytesIO(drawn)) as pdf:
        for item in pdf.objects:
            if isinstance(item, pikepdf.Dictionary) and item.get("/Type") == "/Font":
                _repair_font(item)
        form = pdf.make_indirect(pdf.pages[0].as_form_xobject())
        numbers: dict[tuple[int, int], int] = {}
        queue: list[pikepdf.Object] = [form]
        offset = len(bodies)
        numbers[form.objgen] = offset + 1
        bodies.append(b"")
        for item in queue:
            bodies[numbers[item.objgen] - 1] = _dump_top(item, _Refs(numbers, queue, bodies))
        return numbers[form.objgen]


def _repair_font(font: pikepdf.Dictionary) -> None:
    """PDF/A forbids /Encoding on symbolic TrueType; and reportlab's ToUnicode is wrong beyond U+FFFF."""
    if font.get("/Subtype") == "/TrueType" and "/Encoding" in font:
        del font["/Encoding"]
    mapping = font.get("/ToUnicode")
    if isinstance(mapping, pikepdf.Stream):
        mapping.write(_LONG_CODE.sub(_surrogates, mapping.read_bytes()))


def _surrogates(match: re.Match[bytes]) -> bytes:
    return b"<" + chr(int(match[1], 16)).encode("utf-16-be").hex().upper().encode("ascii") + b">"


@dataclass(frozen=True, slots=True)
class _Refs:
    """Gives every object met a new number and queues it once."""

    numbers: dict[tuple[int, int], int]
    queue: list[pikepdf.Object]
    bodies: list[bytes]

    def to(self, item: pikepdf.Object) -> bytes:
        if item.objgen not in self.numbers:
            self.bodies.append(b"")
            self.numbers[item.objgen] = len(self.bodies)
            self.queue.append(item)
        return b"%d 0 R" % self.numbers[item.objgen]


def _dump_top(item: pikepdf.Object, refs: _Refs) -> bytes:
    if not isinstance(item, pikepdf.Stream):
        return _dump(item, refs, top=True)
    entries = (
        key.encode("ascii") + b" " + _dump(value, refs)
        for key, value in item.items()
        if key not in ("/Filter", "/DecodeParms", "/Length")
    )
    return stream(b" ".join(entries), item.read_bytes(), level=9)


# pikepdf hands out native Python scalars next to its own objects, so the element type is open.
def _dump(item: Any, refs: _Refs, *, top: bool = False) -> bytes:
    if isinstance(item, pikepdf.Object) and item.is_indirect and not top:
        return refs.to(item)
    if isinstance(item, pikepdf.Dictionary):
        pairs = (key.encode("ascii") + b" " + _dump(value, refs) for key, value in item.items())
        return b"<< " + b" ".join(pairs) + b" >>"
    if isinstance(item, pikepdf.Array):
        return b"[" + b" ".join(_dump(value, refs) for value in item) + b"]"
    if isinstance(item, pikepdf.Object):
        return item.unparse()
    if isinstance(item, bool):
        return b"true" if item else b"false"
    return b"null" if item is None else str(item).encode("ascii")


def _srgb_profile() -> bytes:
    profile = bytearray(ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes())
    # The library stamps the present moment (ICC.1 header bytes 24-35); a fixed date keeps the prefix the same
    # in every process.
    profile[24:36] = bytes((0x07, 0xEA, 0, 1, 0, 1, 0, 0, 0, 0, 0, 0))
    return bytes(profile)
