"""Files that a job makes for its owner to download, and their end."""

from __future__ import annotations

import tempfile
import uuid
from collections.abc import Iterable, Sequence
from datetime import datetime
from pathlib import Path

from lms.core import clock, jobs
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


def moment(at: datetime | None) -> str:
    """Return what a file says of a moment, to the minute in the province's time; nothing for none."""
    return f"{clock.local(at):%Y-%m-%d %H:%M}" if at else ""


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


def forget_overdue(services: Services) -> None:
    """Delete files that were kept long enough (ticker): they hold personal data, and can be made again.

    The file goes first: whoever is killed in between leaves a row for the next run to find.
    """
    with services.db.transaction(WORKER_SCOPE, read_only=True) as session:
        overdue = jobs.files_overdue(session)
    for job_id, key in overdue:
        services.storage.delete(key)
        with services.db.transaction(WORKER_SCOPE) as session:
            jobs.forget_file(session, job_id)
