"""What a verification of a file's signature tells, as plain data."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import IntEnum


class Step(IntEnum):
    """How far a verification got: each step is taken only when the one before leaves something to look at.

    FILE: is it a PDF; BYTES: revisions and what the signature is over; CMS: the signature's structure; SIGNATURE:
    digest and value; TRUST: chain and time; STRUCTURE: the document as a parser reads it.
    """

    FILE = 0
    BYTES = 1
    CMS = 2
    SIGNATURE = 3
    TRUST = 4
    STRUCTURE = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class PdfVerdict:
    """What a file proves by itself. ``problems`` are codes, empty exactly when the signature holds in every respect.

    ``reached`` is the last step that was taken. ``signer_subject``, ``signer_key_id`` (as keys are named in the
    register) and ``signed_at`` (claimed by the signer) mean nothing unless ``genuine``.
    """

    intact: bool = False
    trusted: bool = False
    covers_whole_file: bool = False
    single_revision: bool = False
    signer_subject: str | None = None
    signer_key_id: str | None = None
    signed_at: datetime | None = None
    problems: tuple[str, ...]
    reached: Step

    @property
    def genuine(self) -> bool:
        """No problem of any kind was found."""
        return not self.problems
