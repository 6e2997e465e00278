"""Background jobs: Procrastinate on the same PostgreSQL, deferred in the caller's transaction."""

from __future__ import annotations

import json
from typing import Any

from sqlalchemy import text
from sqlalchemy.orm import Session

from lms.core.services import services_of

_WAITS = text("select exists (select from procrastinate_jobs where lock = :lock and status in ('todo', 'doing'))")
_DEFER = text(
    "select procrastinate_defer_jobs_v1(array[row(:queue, :name, :priority, :lock, :queueing_lock,"
    " cast(:args as jsonb), null)::procrastinate_job_to_defer_v1])"
)


def enqueue(session: Session, name: str, *, priority: int = 0, lock: str | None = None, **arguments: Any) -> None:
    """Queue the task called ``name`` in the transaction of ``session``.

    ``arguments`` are ids and plain JSON. Jobs of the same ``lock`` run one after the other.
    Runs the database's own defer function, the one that Procrastinate's client calls: the web
    process so needs no second pool, and the job commits or vanishes with the change.
    """
    task = services_of(session).kernel.tasks[name]
    session.execute(
        _DEFER,
        {
            "queue": task.queue,
            "name": name,
            "priority": priority,
            "lock": lock,
            "queueing_lock": None,
            "args": json.dumps(arguments, default=str),
        },
    )


def is_waiting(session: Session, lock: str) -> bool:
    """Tell whether a job of this lock waits or runs. Worker scope."""
    return bool(session.scalar(_WAITS, {"lock": lock}))
