"""Tells the signed part of a long-term file (PAdES B-LT) from the proofs that were put behind it.

Whoever hands in a file chooses every byte behind a signature that is ours, too. So what follows is looked at only
behind a part that was found genuine, and a parser gets it only when its table is a plain one: no packed table or
object stream is ever opened.
"""

from __future__ import annotations

import io
import re
from typing import Final

from pyhanko.pdf_utils.reader import PdfFileReader
from pyhanko.sign.diff_analysis import (
    CatalogModificationRule,
    DocInfoRule,
    DSSCompareRule,
    ModificationLevel,
    StandardDiffPolicy,
    SuspiciousModification,
)

from certs.adapters.filebytes import look_at

_LEVEL: Final = ModificationLevel.LTA_UPDATES
# pyHanko's own policy also lets forms, metadata and markings pass.
_POLICY: Final = StandardDiffPolicy(
    global_rules=[
        CatalogModificationRule(ignored_keys={"/DSS", "/Extensions"}),  # type: ignore[no-untyped-call]  # no types there
        DocInfoRule().as_qualified(_LEVEL),
        DSSCompareRule().as_qualified(_LEVEL),
    ],
    form_rule=None,
)
_FREE_INFO: Final = frozenset({"/ModDate", "/Producer"})
_END: Final = b"%%EOF\n"
_LAST_TABLE: Final = re.compile(rb"startxref\n(\d{1,10})\n%%EOF\n\Z")
_EARLIER_TABLE: Final = re.compile(rb"/Prev (\d{1,10})\b")
# Certificates, CRLs and OCSP answers of two chains; the longest lists of public authorities are about this long.
_PROOFS_BYTES_MAX: Final = 1_048_576


def signed_part(pdf: bytes) -> bytes:
    """The file up to the end of what its only signature is over, when it ends there as a file does; else `pdf` itself.

    Linear in the file's length and without a parser; says nothing of what the signature or the rest is worth.
    """
    signed = look_at(pdf).signed
    if signed is None or signed.byte_range[0] != 0:
        return pdf
    end = signed.byte_range[2] + signed.byte_range[3]
    return pdf[:end] if pdf[:end].endswith(_END) else pdf


def adds_only_proofs(pdf: bytes, signed: bytes) -> bool:
    """Tell whether `pdf` is `signed`, known to be genuine, followed by one revision of proofs (a DSS) and nothing else.

    Never raises: a malformed addition is none of proofs.
    """
    if not 0 < len(pdf) - len(signed) <= _PROOFS_BYTES_MAX or not _has_plain_table(pdf, signed):
        return False
    try:
        return _is_store_of_proofs(pdf, signed)
    except Exception:  # noqa: BLE001 - parsers of hostile structures fail in unlisted ways; each of them is a no
        return False


def _has_plain_table(pdf: bytes, signed: bytes) -> bool:
    """The last table is plain, stands behind the signed part, points back to its table and escapes no name."""
    last, first = _LAST_TABLE.search(pdf), _LAST_TABLE.search(signed)
    if last is None or first is None:
        return False
    table = pdf[int(last[1]) :]
    behind = len(signed) <= int(last[1]) and table.startswith(b"xref\n")
    return behind and b"#" not in table and b"XRef" not in table and _EARLIER_TABLE.findall(table) == [first[1]]


def _is_store_of_proofs(pdf: bytes, signed: bytes) -> bool:
    reader = PdfFileReader(io.BytesIO(pdf))
    signatures = reader.embedded_signatures
    if len(signatures) != 1 or reader.xrefs.total_revisions != 2 or "/DSS" not in reader.root:
        return False
    try:
        _POLICY.review_file(reader, base_revision=signatures[0].signed_revision)
    except SuspiciousModification:
        return False
    before, after = PdfFileReader(io.BytesIO(signed)).trailer["/Info"], reader.trailer["/Info"]
    return all(before.get(key) == after.get(key) for key in ({*before, *after} - _FREE_INFO))
