"""The bad rows of a list as a file, to be put right and handed in again."""

from __future__ import annotations

import uuid
from collections.abc import Iterator, Sequence

from lms.core import exports
from lms.core.imports import queries
from lms.core.imports.kinds import C, I, ImportKind
from lms.core.imports.texts import REASON_HEAD, ROW_HEAD
from lms.core.services import Services
from lms.core.tenancy import WORKER_SCOPE


def write_bad_rows(kind: ImportKind[I, C], services: Services, *, job_id: str, import_id: str) -> None:
    """Write the bad rows as they stood in the file, with what is wrong, for download."""
    with services.db.transaction(WORKER_SCOPE, read_only=True) as session:
        row = queries.import_row(session, kind, uuid.UUID(import_id))
        if row is None:
            return
        reasons = queries.reasons_by_row(session, kind, row)
        names = kind.code_names(session)
    heads = [*(str(kind.words.columns[column]) for column in kind.columns), str(ROW_HEAD), str(REASON_HEAD)]
    parts, chunks = kind.parts(services, row.id), range(row.chunks_total)

    def rows() -> Iterator[Sequence[object]]:
        for bad in (one for chunk in chunks for one in parts.bad(chunk)):
            yield (*(names.get(cell, cell) for cell in bad.cells), bad.row, reasons.get(bad.row, ""))

    stem = row.file_name.rsplit(".", 1)[0]
    exports.publish_table(services, uuid.UUID(job_id), "错误行", heads, rows(), f"{stem}-错误行.xlsx")
