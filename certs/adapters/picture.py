"""A certificate's page as a picture, drawn by PDFium from the very PDF: what a screen shows is what is printed."""

from __future__ import annotations

import io
import threading
from functools import lru_cache

import pypdfium2
from PIL import Image

from certs.adapters.face import TemplateSpec
from certs.adapters.trial import specimen_pdf

# An A4 page on a screen of high density, 1,754 by 1,240 dots, in about 300 kB.
DOTS_PER_INCH = 150
QUALITY = 80
POINTS_PER_INCH = 72
# PDFium may be entered by one thread at a time.
_one_at_a_time = threading.Lock()


@lru_cache(maxsize=16)
def specimen_webp(spec: TemplateSpec) -> bytes:
    """Return the picture of a specimen on this page (``specimen_pdf``), seal and all."""
    file = io.BytesIO()
    page_picture(specimen_pdf(spec)).save(file, "WEBP", quality=QUALITY)
    return file.getvalue()


def page_picture(pdf: bytes, dots_per_inch: int = DOTS_PER_INCH) -> Image.Image:
    """Return the first page of a PDF of ours as it is printed."""
    with _one_at_a_time, pypdfium2.PdfDocument(pdf) as document:
        # The seal is the appearance of the signature's field.
        document.init_forms()
        drawn: Image.Image = document[0].render(scale=dots_per_inch / POINTS_PER_INCH).to_pil()
        return drawn.convert("RGB")
