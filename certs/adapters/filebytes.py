"""What the bytes of a file say about its signature, found without a parser of PDF.

Whoever hands in a file chooses every byte of it, and a general parser follows references, unpacks streams and mends
what is broken. Here only fixed marks are looked for, each once over the file, so any file costs the same small time.
What a hostile file may hide from this (escaped names, packed objects) makes it refused, never accepted.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from typing import Final

_HEX: Final = frozenset(b"0123456789abcdefABCDEF")
_BYTE_RANGE: Final = re.compile(rb"/ByteRange[ \r\n]{0,8}\[" + rb"[ \r\n]{0,8}(\d{1,10})" * 4 + rb"[ \r\n]{0,64}\]")
# ISO 32000-1, 7.9.4; the parts after the seconds may be missing.
_MOMENT: Final = re.compile(rb"/M[ \r\n]{0,8}\(D:(\d{14})(?:Z|([+-])(\d\d)'(\d\d)?'?)?")
# The signature dictionary lies around its own gap.
_DICTIONARY_BYTES: Final = 8192
# Signatures with a chain and a timestamp take under 16 kB; asn1crypto is not to be fed more than this.
_CMS_BYTES_MAX: Final = 65_536
_DER_SEQUENCE: Final = 0x30


@dataclass(frozen=True, slots=True)
class SignedBytes:
    """The only signature of a file: the bytes that it is over, its DER and the moment that it claims.

    ``covers_whole_file`` means: from the first byte to the last, but for the hexadecimal signature itself, in which
    nothing else is hidden. ``cms`` is empty when there is no sound hexadecimal DER in the gap.
    """

    byte_range: tuple[int, int, int, int]
    content: bytes
    cms: bytes
    covers_whole_file: bool
    claimed_at: datetime | None


@dataclass(frozen=True, slots=True)
class FileBytes:
    """A file as its marks tell. ``revisions`` counts cross-reference sections; ``signatures`` byte ranges."""

    is_pdf: bool
    revisions: int
    signatures: int
    signed: SignedBytes | None


def look_at(pdf: bytes) -> FileBytes:
    """Look at a file of any content. Never raises; time and memory are linear in its length."""
    is_pdf = pdf.startswith(b"%PDF-") and pdf[-8:].rstrip(b"\r\n").endswith(b"%%EOF")
    signatures = pdf.count(b"/ByteRange")
    found = _BYTE_RANGE.search(pdf) if signatures == 1 else None
    return FileBytes(is_pdf, pdf.count(b"startxref"), signatures, _signed(pdf, found) if found else None)


def _signed(pdf: bytes, found: re.Match[bytes]) -> SignedBytes:
    start, length, resumed, rest = (int(number) for number in found.groups())
    inside = start + length <= resumed and resumed + rest <= len(pdf)
    gap = pdf[start + length : resumed] if inside else b""
    der, is_clean = _der_in(gap)
    whole = inside and start == 0 and resumed + rest == len(pdf) and is_clean
    content = pdf[start : start + length] + pdf[resumed : resumed + rest] if inside else b""
    near = pdf[max(0, start + length - _DICTIONARY_BYTES) : start + length]
    near += pdf[resumed : resumed + _DICTIONARY_BYTES]
    return SignedBytes((start, length, resumed, rest), content, der, whole, _claimed_at(near))


def _der_in(gap: bytes) -> tuple[bytes, bool]:
    """The DER value in ``<…>``, and whether nothing but zeros fills the rest."""
    digits = gap[1:-1]
    if gap[:1] != b"<" or gap[-1:] != b">" or len(digits) % 2 or len(digits) > 2 * _CMS_BYTES_MAX:
        return b"", False
    if not _HEX.issuperset(digits):
        return b"", False
    value = bytes.fromhex(digits.decode("ascii"))
    size = _der_size(value)
    if not 0 < size <= len(value):
        return b"", False
    return value[:size], not value[size:].strip(b"\0")


def _der_size(value: bytes) -> int:
    """Length of the sequence at the beginning, header included; 0 when there is none of definite length."""
    if len(value) < 2 or value[0] != _DER_SEQUENCE:
        return 0
    if value[1] < 0x80:
        return 2 + value[1]
    count = value[1] & 0x7F
    return 2 + count + int.from_bytes(value[2 : 2 + count], "big") if 1 <= count <= 4 else 0


def _claimed_at(near: bytes) -> datetime | None:
    """The moment in the signature dictionary; None when there is no single readable one."""
    moments = _MOMENT.findall(near)
    if len(moments) != 1:
        return None
    digits, sign, hours, minutes = moments[0]
    offset = timedelta(hours=int(hours or 0), minutes=int(minutes or 0))
    try:
        zone = timezone(-offset if sign == b"-" else offset)
        return datetime.strptime(digits.decode("ascii"), "%Y%m%d%H%M%S").replace(tzinfo=zone)
    except ValueError:
        return None
