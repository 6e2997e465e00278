"""Notices in the app. Other channels come with requirement T10."""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import (
    BindParameter,
    Index,
    PrimaryKeyConstraint,
    Select,
    String,
    Text,
    UniqueConstraint,
    func,
    select,
    update,
)
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Mapped, Session, mapped_column

from lms.core import clock, ids
from lms.core.db import Base


class NoticeRow(Base):
    """One message to one person."""

    __tablename__ = "core_notice"
    __table_args__ = (
        PrimaryKeyConstraint("person_id", "id"),
        UniqueConstraint("person_id", "dedup_key"),
        Index("ix_core_notice_unread", "person_id", postgresql_where="read_at is null"),
    )

    id: Mapped[uuid.UUID]
    person_id: Mapped[uuid.UUID]
    dedup_key: Mapped[str] = mapped_column(String(200))
    title_zh: Mapped[str] = mapped_column(String(200))
    title_en: Mapped[str] = mapped_column(String(200))
    body_zh: Mapped[str] = mapped_column(Text)
    body_en: Mapped[str] = mapped_column(Text)
    url: Mapped[str] = mapped_column(String(300))
    created_at: Mapped[datetime]
    read_at: Mapped[datetime | None]


_ADD = insert(NoticeRow.__table__).on_conflict_do_nothing()  # type: ignore[arg-type]  # a mapped class has a table


@dataclass(frozen=True, slots=True)
class Notice:
    """A message in both languages, with the page that it leads to."""

    title_zh: str
    title_en: str
    body_zh: str = ""
    body_en: str = ""
    url: str = ""


def send(session: Session, person_id: uuid.UUID, notice: Notice, *, dedup_key: str) -> None:
    """Leave a notice; the same ``dedup_key`` reaches a person once, however often it is sent."""
    session.execute(
        _ADD,
        {
            "id": ids.new_id(),
            "person_id": person_id,
            "dedup_key": dedup_key,
            "title_zh": notice.title_zh,
            "title_en": notice.title_en,
            "body_zh": notice.body_zh,
            "body_en": notice.body_en,
            "url": notice.url,
            "created_at": clock.now(),
            "read_at": None,
        },
    )


def latest(session: Session, person_id: uuid.UUID, limit: int = 50) -> list[NoticeRow]:
    """Return the person's newest notices."""
    mine = select(NoticeRow).where(NoticeRow.person_id == person_id)
    return list(session.scalars(mine.order_by(NoticeRow.id.desc()).limit(limit)))


def unread_of(person_id: uuid.UUID | BindParameter[uuid.UUID]) -> Select[int]:
    """Return the query for how many notices wait unread, also for use within another statement."""
    unread = (NoticeRow.person_id == person_id, NoticeRow.read_at.is_(None))
    return select(func.count()).select_from(NoticeRow).where(*unread)


def mark_all_read(session: Session, person_id: uuid.UUID) -> None:
    """Mark the person's notices as read."""
    unread = (NoticeRow.person_id == person_id, NoticeRow.read_at.is_(None))
    session.execute(update(NoticeRow).where(*unread).values(read_at=clock.now()))
