"""Files that a job makes for its owner to download."""

from __future__ import annotations

import tempfile
import uuid
from collections.abc import Iterable, Sequence
from pathlib import Path

from lms.core import jobs
from lms.core.services import Services
from lms.core.spreadsheets import files
from lms.core.tenancy import WORKER_SCOPE


def publish(services: Services, job_id: uuid.UUID, workbook: bytes | Path, rows: int, file_name: str) -> None:
    """Store a workbook of ``rows`` rows under the job's own key and end the job; a second run replaces the first."""
    key = f"exports/{job_id}.xlsx"
    services.storage.put(key, workbook)
    with services.db.transaction(WORKER_SCOPE) as session:
        over = {"state": jobs.JobState.DONE, "done": rows, "total": rows}
        jobs.report(session, job_id, **over, object_key=key, file_name=file_name)


def publish_table(
    services: Services,
    job_id: uuid.UUID,
    sheet: str,
    heads: Sequence[str],
    rows: Iterable[Sequence[object]],
    file_name: str,
) -> None:
    """Write rows as they come to a workbook of one sheet and publish it."""
    with tempfile.TemporaryDirectory() as folder:
        target = Path(folder) / "table.xlsx"
        count = files.write_table(target, sheet, heads, rows)
        publish(services, job_id, target, count, file_name)
