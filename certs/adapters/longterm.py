"""Tells the signed revision of a long-term file (PAdES B-LT) from the proofs that were put behind it."""

from __future__ import annotations

import io
from typing import Final

from pyhanko.pdf_utils.reader import PdfFileReader
from pyhanko.sign.diff_analysis import (
    CatalogModificationRule,
    DocInfoRule,
    DSSCompareRule,
    ModificationLevel,
    ObjectStreamRule,
    StandardDiffPolicy,
    SuspiciousModification,
    XrefStreamRule,
)

_LEVEL: Final = ModificationLevel.LTA_UPDATES
# pyHanko's own policy also lets forms, metadata and markings pass.
_POLICY: Final = StandardDiffPolicy(
    global_rules=[
        CatalogModificationRule(ignored_keys={"/DSS", "/Extensions"}),  # type: ignore[no-untyped-call]  # no types there
        DocInfoRule().as_qualified(_LEVEL),
        XrefStreamRule().as_qualified(_LEVEL),
        ObjectStreamRule().as_qualified(_LEVEL),
        DSSCompareRule().as_qualified(_LEVEL),
    ],
    form_rule=None,
)
_FREE_INFO: Final = frozenset({"/ModDate", "/Producer"})


def signed_revision(pdf: bytes) -> bytes:
    """The file as it was signed, when all that follows is one revision of proofs (a DSS); else `pdf` itself.

    For `verify_pdf`, which refuses every other addition. Never raises: a malformed file is no long-term file.
    """
    try:
        return _without_proofs(pdf)
    except Exception:  # noqa: BLE001 - parsers of hostile structures fail in unlisted ways; each of them is a no
        return pdf


def _without_proofs(pdf: bytes) -> bytes:
    reader = PdfFileReader(io.BytesIO(pdf))
    signatures = reader.embedded_signatures
    if len(signatures) != 1 or reader.xrefs.total_revisions != 2 or "/DSS" not in reader.root:
        return pdf
    _start, _length, resumed, rest = (int(value) for value in signatures[0].byte_range)
    end = resumed + rest
    if not pdf[:end].endswith(b"%%EOF\n") or not pdf.endswith(b"%%EOF\n"):
        return pdf
    try:
        _POLICY.review_file(reader, base_revision=signatures[0].signed_revision)
    except SuspiciousModification:
        return pdf
    before, after = PdfFileReader(io.BytesIO(pdf[:end])).trailer["/Info"], reader.trailer["/Info"]
    same = all(before.get(key) == after.get(key) for key in ({*before, *after} - _FREE_INFO))
    return pdf[:end] if same else pdf
