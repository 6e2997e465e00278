"""The registrations of a kind of import."""

from __future__ import annotations

from functools import partial

from lms.core.imports.bad_rows import write_bad_rows
from lms.core.imports.checking import check
from lms.core.imports.forgetting import forget_old_files
from lms.core.imports.kinds import C, I, ImportKind
from lms.core.imports.taking import take_over
from lms.core.services import Kernel

FORGET_EVERY_S = 3600.0


def register(kernel: Kernel, kind: ImportKind[I, C]) -> None:
    """Register the jobs of a kind and the end of its files."""
    names = kind.names
    kernel.task(names.check_task, partial(check, kind))
    kernel.task(names.take_task, partial(take_over, kind))
    kernel.task(names.bad_rows_task, partial(write_bad_rows, kind))
    kernel.ticker(names.forget_ticker, partial(forget_old_files, kind), every_s=FORGET_EVERY_S)
