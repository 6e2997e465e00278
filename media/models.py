"""Tables of media: uploaded videos, their captions, and what people watched of them."""

from __future__ import annotations

import uuid
from datetime import datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import BigInteger, CheckConstraint, ForeignKeyConstraint, Index, String, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from lms.core.db import Base


class AssetState(StrEnum):
    """Where a video stands between upload and playback."""

    UPLOADED = "uploaded"
    CHECKING = "checking"
    TRANSCODING = "transcoding"
    READY = "ready"
    REJECTED = "rejected"

    @property
    def is_final(self) -> bool:
        return self in {AssetState.READY, AssetState.REJECTED}


class Asset(Base):
    """One uploaded video of one tenant.

    ``run_id`` names the folder of the latest transcoding run; only the run that still holds it may
    finish the row. Sizes are those of the upload as it is seen, after rotation.
    """

    __tablename__ = "media_asset"
    __table_args__ = (
        CheckConstraint("state in ('uploaded', 'checking', 'transcoding', 'ready', 'rejected')", name="state"),
        CheckConstraint("(state = 'rejected') = (reason is not null)", name="reason"),
        CheckConstraint("state <> 'ready' or (duration_s is not null and run_id is not null)", name="ready"),
        CheckConstraint("duration_s > 0", name="duration"),
        Index("uq_media_asset_id", "id", unique=True),
    )

    tenant_id: Mapped[uuid.UUID] = mapped_column(primary_key=True)
    id: Mapped[uuid.UUID] = mapped_column(primary_key=True)
    title: Mapped[str] = mapped_column(String(120))
    file_name: Mapped[str] = mapped_column(String(200))
    size_bytes: Mapped[int] = mapped_column(BigInteger)
    state: Mapped[str] = mapped_column(String(20))
    reason: Mapped[str | None] = mapped_column(String(40))
    reason_data: Mapped[dict[str, Any]]
    duration_s: Mapped[float | None]
    width_px: Mapped[int | None]
    height_px: Mapped[int | None]
    has_audio: Mapped[bool]
    renditions: Mapped[list[Any]]
    run_id: Mapped[uuid.UUID | None]
    attempts: Mapped[int]
    job_id: Mapped[uuid.UUID]
    created_by: Mapped[uuid.UUID | None]
    created_at: Mapped[datetime]
    updated_at: Mapped[datetime]


class Caption(Base):
    """One caption file of one video; ``last_cue_s`` is where its last cue ends."""

    __tablename__ = "media_caption"
    __table_args__ = (
        ForeignKeyConstraint(
            ["tenant_id", "asset_id"], ["media_asset.tenant_id", "media_asset.id"], ondelete="CASCADE"
        ),
        UniqueConstraint("tenant_id", "asset_id", "language"),
        CheckConstraint("language in ('zh', 'en')", name="language"),
        Index("uq_media_caption_id", "id", unique=True),
    )

    tenant_id: Mapped[uuid.UUID] = mapped_column(primary_key=True)
    id: Mapped[uuid.UUID] = mapped_column(primary_key=True)
    asset_id: Mapped[uuid.UUID]
    language: Mapped[str] = mapped_column(String(2))
    cue_count: Mapped[int]
    last_cue_s: Mapped[float]


class Viewing(Base):
    """One person's way through one video, from empty to complete; a repeat appends a new cycle.

    ``covered`` is the union of credited stretches as sorted [from, to] pairs in seconds.
    """

    __tablename__ = "media_viewing"
    __table_args__ = (
        UniqueConstraint("person_id", "asset_id", "cycle"),
        CheckConstraint("cycle >= 1", name="cycle"),
        CheckConstraint("credited_s >= 0 and credited_s <= duration_s + 0.01", name="credited"),
        CheckConstraint("furthest_s >= 0 and furthest_s <= duration_s + 0.01", name="furthest"),
        Index("uq_media_viewing_id", "id", unique=True),
        Index("ix_media_viewing_tenant_id", "tenant_id", "id"),
    )

    person_id: Mapped[uuid.UUID] = mapped_column(primary_key=True)
    id: Mapped[uuid.UUID] = mapped_column(primary_key=True)
    tenant_id: Mapped[uuid.UUID | None]
    asset_id: Mapped[uuid.UUID]
    cycle: Mapped[int]
    duration_s: Mapped[float]
    covered: Mapped[list[Any]]
    credited_s: Mapped[float]
    played_s: Mapped[float]
    furthest_s: Mapped[float]
    position_s: Mapped[float]
    started_at: Mapped[datetime]
    updated_at: Mapped[datetime]
    completed_at: Mapped[datetime | None]


class Playback(Base):
    """One open player page. Its id comes back from the browser, so it is unique per person only."""

    __tablename__ = "media_playback"
    __table_args__ = (Index("ix_media_playback_person_id_last_beat_at", "person_id", "last_beat_at"),)

    person_id: Mapped[uuid.UUID] = mapped_column(primary_key=True)
    id: Mapped[uuid.UUID] = mapped_column(primary_key=True)
    tenant_id: Mapped[uuid.UUID | None]
    asset_id: Mapped[uuid.UUID]
    position_s: Mapped[float]
    carry_s: Mapped[float]
    started_at: Mapped[datetime]
    last_beat_at: Mapped[datetime]
    last_credit_at: Mapped[datetime | None]


class Interval(Base):
    """One stretch that a player reported, with what it earned and why it earned no more."""

    __tablename__ = "media_interval"
    __table_args__ = (
        ForeignKeyConstraint(["person_id", "viewing_id"], ["media_viewing.person_id", "media_viewing.id"]),
        CheckConstraint("credited_s >= 0", name="credited"),
        CheckConstraint(
            "exclusion_reason in ('skipped', 'parallel', 'too_fast', 'out_of_range', 'pause_gap', 'repeated')",
            name="exclusion_reason",
        ),
        Index("uq_media_interval_id", "id", unique=True),
        Index("ix_media_interval_person_id_viewing_id", "person_id", "viewing_id"),
    )

    person_id: Mapped[uuid.UUID] = mapped_column(primary_key=True)
    id: Mapped[uuid.UUID] = mapped_column(primary_key=True)
    tenant_id: Mapped[uuid.UUID | None]
    viewing_id: Mapped[uuid.UUID]
    playback_id: Mapped[uuid.UUID]
    from_s: Mapped[float]
    to_s: Mapped[float]
    rate: Mapped[float]
    credited_s: Mapped[float]
    exclusion_reason: Mapped[str | None] = mapped_column(String(20))
    at: Mapped[datetime]
