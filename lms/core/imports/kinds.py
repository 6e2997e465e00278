"""What tells one kind of import from another: tables, names, words, bounds, and the rules of its room."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Generic, Protocol, TypeVar

from sqlalchemy.orm import Session

from lms.core.imports.models import FaultColumns, ImportColumns
from lms.core.imports.parts import SealedParts
from lms.core.imports.texts import Words
from lms.core.services import Services
from lms.core.spreadsheets.cells import Cell, Fault
from lms.core.spreadsheets.guard import Unpacking
from lms.core.spreadsheets.tables import BadRow, Headings


class GoodRow(Protocol):
    """A row that the rules have passed, normalised; ``row`` is its number in the file."""

    @property
    def row(self) -> int: ...


I = TypeVar("I", bound=ImportColumns)  # noqa: E741 - the import, beside C for its candidates
C = TypeVar("C", bound=GoodRow)
Judge = Callable[[int, dict[str, Cell]], tuple[C | None, Sequence[Fault]]]
"""Judges a row by its number and its cells: the candidate, or None with every fault of the row."""


class Limits(Unpacking, Protocol):
    """How large a list may be, how many rows are one transaction, how long its files stay."""

    @property
    def max_upload_bytes(self) -> int: ...
    @property
    def max_rows(self) -> int: ...
    @property
    def chunk_rows(self) -> int: ...
    @property
    def keep_files_days(self) -> int: ...


class Standing(StrEnum):
    """What a good row means for what is stored already."""

    NEW = "new"
    UNCHANGED = "unchanged"
    CHANGED = "changed"
    REFUSED = "refused"


@dataclass(frozen=True, slots=True)
class Verdict(Generic[C]):
    """One good row beside what is stored; a REFUSED one has its ``fault``."""

    candidate: C
    standing: Standing
    fault: Fault | None = None


@dataclass(frozen=True, slots=True)
class Taken:
    """What one chunk brought, by the names of ``Names.brought``, and the rows that no longer fitted."""

    counts: Mapping[str, int]
    refused: Sequence[Fault]


@dataclass(frozen=True, slots=True)
class Names:
    """What a kind is called in storage, in the queue and in the audit log.

    ``brought`` gives the column of the import that sums up each count of ``Taken``.
    """

    room: str
    folder: str
    sealing_context: str
    check_task: str
    take_task: str
    bad_rows_task: str
    forget_ticker: str
    lock: str
    taken_action: str
    brought: Mapping[str, str]


def keep_nothing(_parts: SealedParts, _rows: Sequence[object]) -> None:
    """Keep nothing beside the rows."""


def forget_nothing(_session: Session, _parts: SealedParts, _chunks: int) -> None:
    """Forget nothing beside the rows."""


@dataclass(frozen=True, slots=True)
class ImportKind(Generic[I, C]):
    """One kind of import, with the functions that know its rows.

    ``judge(services, row)`` makes ready to judge the rows of one file (raises SheetRefused), ``compare`` sets good
    rows beside what is stored, ``count`` says what the preview counts of them besides new, unchanged and bad ones,
    by column (of none: every such column), ``take`` brings what they say and may be done twice; ``as_bad``,
    ``to_plain`` and ``of_plain`` turn a good row into a bad one, into plain values and back; ``code_names`` gives
    the names of the codes that bad rows may hold. ``lanes`` chunks are taken over at a time; in ``busy_states`` a job
    is at work that needs the files.
    """

    imports: type[I]
    faults: type[FaultColumns]
    names: Names
    words: Words
    limits: Limits
    columns: Sequence[str]
    headings: Headings
    judge: Callable[[Services, I], Judge[C]]
    compare: Callable[[Session, I, Sequence[C]], Sequence[Verdict[C]]]
    count: Callable[[Sequence[Verdict[C]]], Mapping[str, int]]
    take: Callable[[Session, I, Sequence[C]], Taken]
    as_bad: Callable[[C], BadRow]
    to_plain: Callable[[C], Sequence[object]]
    of_plain: Callable[..., C]
    code_names: Callable[[Session], Mapping[str, str]]
    keep_more: Callable[[SealedParts, Sequence[C]], None] = keep_nothing
    forget_more: Callable[[Session, SealedParts, int], None] = forget_nothing
    busy_states: tuple[str, ...] = ("importing",)
    lanes: int = 1

    def parts(self, services: Services, import_id: uuid.UUID) -> SealedParts:
        """Return where the files of an import are."""
        return SealedParts(services, self.names.folder, self.names.sealing_context, import_id)

    def good(self, parts: SealedParts, chunk: int) -> list[C]:
        """Return the good rows of one chunk. Raises ObjectMissing."""
        return [self.of_plain(*values) for values in parts.good(chunk)]
