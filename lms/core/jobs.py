"""Progress of long jobs: a row that the page polls."""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

from sqlalchemy import Index, String, insert, select, update
from sqlalchemy.orm import Mapped, Session, mapped_column

from lms.core import clock, ids
from lms.core.access import Actor
from lms.core.db import Base
from lms.core.errors import DomainError, NotFound
from lms.core.i18n import lazy_gettext as _
from lms.core.services import services_of


class FileGone(DomainError):
    """The file that the job made was deleted when its days were over."""

    code = "file_gone"
    status = 410
    message = _("文件已过保存期限，已自动删除。需要时请回到原来的页面，重新导出或下载")


class JobState(StrEnum):
    """Where a job stands."""

    QUEUED = "queued"
    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"


class Job(Base):
    """One long job of one person or tenant, as its owner sees it.

    ``object_key`` is where the file lies that it made, ``file_name`` what that is called; the name outlives the file.
    """

    __tablename__ = "core_job"
    __table_args__ = (
        Index("ix_core_job_tenant_id", "tenant_id", "id"),
        Index("ix_core_job_owner_id", "owner_id", "id"),
        Index("ix_core_job_file", "updated_at", postgresql_where="object_key is not null"),
    )

    id: Mapped[uuid.UUID] = mapped_column(primary_key=True)
    owner_id: Mapped[uuid.UUID | None]
    tenant_id: Mapped[uuid.UUID | None]
    kind: Mapped[str] = mapped_column(String(60))
    title: Mapped[str] = mapped_column(String(200))
    state: Mapped[str] = mapped_column(String(20))
    done: Mapped[int]
    total: Mapped[int]
    message: Mapped[str] = mapped_column(String(500))
    detail: Mapped[dict[str, Any]]
    object_key: Mapped[str | None] = mapped_column(String(300))
    file_name: Mapped[str | None] = mapped_column(String(200))
    created_at: Mapped[datetime]
    updated_at: Mapped[datetime]


@dataclass(frozen=True, slots=True)
class JobView:
    """What the page shows of a job. ``percent`` is 0–100; ``file_until`` is how long its file is kept at least."""

    id: uuid.UUID
    kind: str
    title: str
    state: JobState
    done: int
    total: int
    message: str
    detail: dict[str, Any]
    object_key: str | None
    file_name: str | None
    file_until: datetime | None

    @property
    def is_file_gone(self) -> bool:
        return self.file_name is not None and self.object_key is None

    @property
    def percent(self) -> int:
        return 100 * self.done // self.total if self.total else 0

    @property
    def is_over(self) -> bool:
        return self.state in {JobState.DONE, JobState.FAILED}


def start(
    session: Session, actor: Actor, kind: str, title: str, *, total: int = 0, job_id: uuid.UUID | None = None
) -> uuid.UUID:
    """Add a queued job owned by ``actor``; the caller enqueues the task that works it off.

    ``job_id`` is a fresh id where a row that names the job must stand before it.
    """
    job_id, now = job_id or ids.new_id(), clock.now()
    session.execute(
        insert(Job).values(
            id=job_id,
            owner_id=actor.person_id,
            tenant_id=actor.tenant_id,
            kind=kind,
            title=title,
            state=JobState.QUEUED,
            done=0,
            total=total,
            message="",
            detail={},
            object_key=None,
            file_name=None,
            created_at=now,
            updated_at=now,
        )
    )
    return job_id


def report(session: Session, job_id: uuid.UUID, **changes: object) -> None:
    """Set columns of a job (state, done, total, message, detail, object_key, file_name)."""
    session.execute(update(Job).where(Job.id == job_id).values(updated_at=clock.now(), **changes))


def give_up(session: Session, job_id: uuid.UUID) -> None:
    """Note that a job is not tried again; one that is over stays as it is."""
    going = (JobState.QUEUED, JobState.RUNNING)
    failed = update(Job).where(Job.id == job_id, Job.state.in_(going))
    session.execute(failed.values(state=JobState.FAILED, updated_at=clock.now()))


def access_job(session: Session, job_id: uuid.UUID) -> JobView:
    """Return the job if the scope lets it through, else raise NotFound."""
    row = session.scalars(select(Job).where(Job.id == job_id)).first()
    if row is None:
        raise NotFound
    return JobView(
        id=row.id,
        kind=row.kind,
        title=row.title,
        state=JobState(row.state),
        done=row.done,
        total=row.total,
        message=row.message,
        detail=row.detail,
        object_key=row.object_key,
        file_name=row.file_name,
        file_until=row.updated_at + kept_for(session) if row.object_key else None,
    )


def kept_for(session: Session) -> timedelta:
    """Return how long the file of a job is kept."""
    return timedelta(days=services_of(session).settings.export_keep_days)


def files_overdue(session: Session) -> list[tuple[uuid.UUID, str]]:
    """Return the jobs whose file has been kept long enough, with its key. Worker scope."""
    over = select(Job.id, Job.object_key).where(
        Job.object_key.is_not(None), Job.updated_at < clock.now() - kept_for(session)
    )
    return [(job_id, key or "") for job_id, key in session.execute(over)]


def forget_file(session: Session, job_id: uuid.UUID) -> None:
    """Note that the job's file is gone."""
    session.execute(update(Job).where(Job.id == job_id).values(object_key=None))
