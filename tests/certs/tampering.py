"""Ways to alter a signed certificate file, and where its parts lie."""

from __future__ import annotations

import hashlib
import io
import re
from collections.abc import Callable, Mapping
from datetime import datetime
from functools import cache

import pikepdf
from PIL import Image
from pyhanko.pdf_utils import generic
from pyhanko.pdf_utils.incremental_writer import IncrementalPdfFileWriter
from pyhanko.pdf_utils.reader import PdfFileReader
from pyhanko.pdf_utils.writer import copy_into_new_writer

from certs.adapters.pki import DemoPki, PkiSubjects, make_demo_pki
from certs.adapters.signing import SoftKeySigner, build_cms

NAME = generic.pdf_name
Update = Callable[[IncrementalPdfFileWriter], None]


def byte_range(pdf: bytes) -> tuple[int, int]:
    """Where the signature's hexadecimal string begins and ends, its angle brackets included."""
    found = re.search(rb"/ByteRange \[0 (\d+) (\d+) (\d+) *\]", pdf)
    assert found is not None
    return int(found[1]), int(found[2])


def regions(pdf: bytes) -> Mapping[str, tuple[int, int]]:
    """Where each part of a certificate of ours lies: first byte and the one after the last."""
    gap_from, gap_to = byte_range(pdf)
    dictionary = pdf.rindex(b"<< /Type /Sig", 0, gap_from)
    image = pdf.find(b"/DCTDecode")
    fonts = pdf.index(b"/FontFile2")
    table = pdf.rindex(b"\nxref\n") + 1
    trailer = pdf.rindex(b"trailer")
    numbers = pdf.rindex(b"/ByteRange [", 0, gap_from)
    page = pdf.index(b"/Type /Page /Parent")
    contents = pdf.index(b"stream\n", page)
    photo = {"photo": (pdf.index(b"stream\n", image) + 8, pdf.index(b"endstream", image))} if image > 0 else {}
    return {
        **photo,
        "header": (0, 8),
        "prefix": (20, page),
        "page": (page, page + 300),
        "content": (contents + 8, contents + 200),
        "fonts": (fonts, fonts + 4000),
        "signature_dictionary": (dictionary, numbers),
        "byte_range": (numbers, gap_from - len(b" /Contents ")),
        "contents_hex": (gap_from + 1, gap_from + 3000),
        "contents_padding": (gap_to - 200, gap_to - 1),
        "xref": (table, trailer),
        "trailer": (trailer, len(pdf)),
    }


def flip(pdf: bytes, position: int, mask: int = 1) -> bytes:
    """The file with bits of one byte turned round."""
    changed = bytearray(pdf)
    changed[position] ^= mask
    return bytes(changed)


def update(pdf: bytes, change: Update) -> bytes:
    """The file with an incremental update, as an editor saves it."""
    writer = IncrementalPdfFileWriter(io.BytesIO(pdf))
    change(writer)
    out = io.BytesIO()
    writer.write(out)
    return out.getvalue()


def new_object(writer: IncrementalPdfFileWriter) -> None:
    writer.add_object(generic.pdf_string("nothing refers to this"))


def other_title(writer: IncrementalPdfFileWriter) -> None:
    writer.set_info(generic.DictionaryObject({NAME("/Title"): generic.pdf_string("other")}))


def other_page(writer: IncrementalPdfFileWriter) -> None:
    page = writer.root["/Pages"]["/Kids"][0]
    page[NAME("/Contents")] = writer.add_object(generic.StreamObject(stream_data=b"0 0 500 500 re f"))
    writer.update_container(page)


def added_page_content(writer: IncrementalPdfFileWriter) -> None:
    """What pdfsig still calls a valid signature: one more stream painted over the page."""
    page = writer.root["/Pages"]["/Kids"][0]
    stamp = writer.add_object(generic.StreamObject(stream_data=b"1 0 0 rg 0 0 200 200 re f"))
    page[NAME("/Contents")] = generic.ArrayObject([page.raw_get("/Contents"), stamp])
    writer.update_container(page)


def annotation(writer: IncrementalPdfFileWriter) -> None:
    page = writer.root["/Pages"]["/Kids"][0]
    note = generic.DictionaryObject(
        {
            NAME("/Type"): NAME("/Annot"),
            NAME("/Subtype"): NAME("/FreeText"),
            NAME("/Rect"): generic.ArrayObject([generic.NumberObject(side) for side in (0, 0, 300, 100)]),
            NAME("/Contents"): generic.pdf_string("also valid as a driving licence"),
            NAME("/DA"): generic.pdf_string("/Helv 12 Tf"),
        }
    )
    page["/Annots"].append(writer.add_object(note))
    writer.update_container(page["/Annots"])
    writer.update_container(page)


UPDATES: Mapping[str, Update] = {
    change.__name__: change for change in (new_object, other_title, other_page, added_page_content, annotation)
}


def rewritten_xref(pdf: bytes) -> bytes:
    """The last table points an object elsewhere; every other byte stays."""
    start, end = regions(pdf)["xref"]
    lines = pdf[start:end].split(b"\n")
    lines[3], lines[4] = lines[4], lines[3]
    return pdf[:start] + b"\n".join(lines) + pdf[end:]


def second_xref(pdf: bytes) -> bytes:
    """One more table and trailer at the end, as an update without objects writes them."""
    table = pdf.rindex(b"\nxref\n") + 1
    return pdf + pdf[table:].replace(b"%d\n%%%%EOF" % table, b"%d\n%%%%EOF" % len(pdf))


def swapped_photo(pdf: bytes) -> bytes:
    """Another face of the same number of bytes, so that nothing else has to move."""
    start, end = regions(pdf)["photo"]
    picture = io.BytesIO()
    Image.new("RGB", (300, 420), "#102030").save(picture, "JPEG", quality=40)
    assert len(picture.getvalue()) <= end - start
    return pdf[: start - 1] + picture.getvalue().ljust(end - start, b"\0") + pdf[end - 1 :]


def rewritten(pdf: bytes) -> bytes:
    """The whole document saved anew by qpdf."""
    out = io.BytesIO()
    with pikepdf.open(io.BytesIO(pdf)) as document:
        document.save(out)
    return out.getvalue()


def rewritten_by_pyhanko(pdf: bytes) -> bytes:
    """The same by pyHanko."""
    out = io.BytesIO()
    copy_into_new_writer(PdfFileReader(io.BytesIO(pdf))).write(out)
    return out.getvalue()


@cache
def stranger(moment: datetime) -> DemoPki:
    """Somebody else's authority, under the very names of ours."""
    names = PkiSubjects(
        organisation="安证平台 Anzheng", root="安证演示根 CA", issuing="安证演示签发 CA", signer="电子证照签章"
    )
    return make_demo_pki(names, moment)


def signed_by(pdf: bytes, pki: DemoPki) -> bytes:
    """The same file with the signature of another key in place of ours, right in every byte."""
    signer = SoftKeySigner(pki.signer_key, pki.signer_certificate, [pki.issuing_certificate])
    return with_cms(pdf, build_cms(signer, signed_digest(pdf)))


def signed_digest(pdf: bytes) -> bytes:
    """SHA-256 over what the signature covers."""
    start, end = byte_range(pdf)
    return hashlib.sha256(pdf[:start] + pdf[end:]).digest()


def with_cms(pdf: bytes, cms: bytes) -> bytes:
    """The file with another signature in the reserved place."""
    start, end = byte_range(pdf)
    return pdf[: start + 1] + cms.hex().encode().ljust(end - start - 2, b"0") + pdf[end - 1 :]


BOMBS: Mapping[str, bytes] = {
    "nested_dictionaries": b"%PDF-1.7\n" + b"<<" * 400_000 + b">>" * 400_000 + b"\n%%EOF",
    "nested_arrays": b"%PDF-1.7\n1 0 obj " + b"[" * 900_000 + b"\n/ByteRange [0 5 9 9]\nstartxref\n9\n%%EOF\n",
    "many_ranges": b"%PDF-1.7\n" + b"/ByteRange [0 1 2 3] " * 100_000 + b"%%EOF\n",
    "wide_range": b"%PDF-1.7\n/ByteRange [0 9999999999 9999999999 9999999999]\nstartxref\n9\n%%EOF\n",
    "blank_range": b"%PDF-1.7\n/ByteRange [" + b" " * 5_000_000 + b"]\n%%EOF\n",
    "many_moments": b"%PDF-1.7\n" + b"/M (D:" * 500_000 + b"\n%%EOF\n",
    "no_end": b"%PDF-1.7\n" + b"\0" * 2_000_000,
}
