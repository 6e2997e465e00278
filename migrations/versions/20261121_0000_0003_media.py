"""Media: uploaded videos with captions, viewings, playback sessions, watched intervals."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

from migrations import families

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

TIME = sa.DateTime(timezone=True)


def upgrade() -> None:
    _create_asset()
    _create_caption()
    _create_viewing()
    _create_playback()
    _create_interval()


def _create_asset() -> None:
    op.create_table(
        "media_asset",
        sa.Column("tenant_id", sa.Uuid(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("title", sa.String(120), nullable=False),
        sa.Column("file_name", sa.String(200), nullable=False),
        sa.Column("size_bytes", sa.BigInteger(), nullable=False),
        sa.Column("state", sa.String(20), nullable=False),
        sa.Column("reason", sa.String(40)),
        sa.Column("reason_data", JSONB(), nullable=False),
        sa.Column("duration_s", sa.Float()),
        sa.Column("width_px", sa.Integer()),
        sa.Column("height_px", sa.Integer()),
        sa.Column("has_audio", sa.Boolean(), nullable=False),
        sa.Column("renditions", JSONB(), nullable=False),
        sa.Column("run_id", sa.Uuid()),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("job_id", sa.Uuid(), nullable=False),
        sa.Column("created_by", sa.Uuid()),
        sa.Column("created_at", TIME, nullable=False),
        sa.Column("updated_at", TIME, nullable=False),
        sa.PrimaryKeyConstraint("tenant_id", "id", name="pk_media_asset"),
        sa.CheckConstraint(
            "state in ('uploaded', 'checking', 'transcoding', 'ready', 'rejected')", name="ck_media_asset_state"
        ),
        sa.CheckConstraint("(state = 'rejected') = (reason is not null)", name="ck_media_asset_reason"),
        sa.CheckConstraint(
            "state <> 'ready' or (duration_s is not null and run_id is not null)", name="ck_media_asset_ready"
        ),
        sa.CheckConstraint("duration_s > 0", name="ck_media_asset_duration"),
    )
    op.create_index("uq_media_asset_id", "media_asset", ["id"], unique=True)
    families.tenant("media_asset")
    # Lessons of any institution are learned by people of any enterprise, but only what plays.
    for scope in ("person", "region"):
        families.policy("media_asset", scope, "select", "state = 'ready'")


def _create_caption() -> None:
    op.create_table(
        "media_caption",
        sa.Column("tenant_id", sa.Uuid(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("asset_id", sa.Uuid(), nullable=False),
        sa.Column("language", sa.String(2), nullable=False),
        sa.Column("cue_count", sa.Integer(), nullable=False),
        sa.Column("last_cue_s", sa.Float(), nullable=False),
        sa.PrimaryKeyConstraint("tenant_id", "id", name="pk_media_caption"),
        sa.ForeignKeyConstraint(
            ["tenant_id", "asset_id"],
            ["media_asset.tenant_id", "media_asset.id"],
            name="fk_media_caption_tenant_id_asset_id",
            ondelete="CASCADE",
        ),
        sa.UniqueConstraint("tenant_id", "asset_id", "language", name="uq_media_caption_tenant_id_asset_id_language"),
        sa.CheckConstraint("language in ('zh', 'en')", name="ck_media_caption_language"),
    )
    op.create_index("uq_media_caption_id", "media_caption", ["id"], unique=True)
    families.tenant("media_caption")
    # The inner select runs under the reader's own policy on media_asset: ready ones only.
    shown = "exists (select from media_asset a where a.tenant_id = media_caption.tenant_id and a.id = asset_id)"
    for scope in ("person", "region"):
        families.policy("media_caption", scope, "select", shown)


def _create_viewing() -> None:
    op.create_table(
        "media_viewing",
        sa.Column("person_id", sa.Uuid(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("tenant_id", sa.Uuid()),
        sa.Column("asset_id", sa.Uuid(), nullable=False),
        sa.Column("cycle", sa.Integer(), nullable=False),
        sa.Column("duration_s", sa.Float(), nullable=False),
        sa.Column("covered", JSONB(), nullable=False),
        sa.Column("credited_s", sa.Float(), nullable=False),
        sa.Column("played_s", sa.Float(), nullable=False),
        sa.Column("furthest_s", sa.Float(), nullable=False),
        sa.Column("position_s", sa.Float(), nullable=False),
        sa.Column("started_at", TIME, nullable=False),
        sa.Column("updated_at", TIME, nullable=False),
        sa.Column("completed_at", TIME),
        sa.PrimaryKeyConstraint("person_id", "id", name="pk_media_viewing"),
        sa.UniqueConstraint("person_id", "asset_id", "cycle", name="uq_media_viewing_person_id_asset_id_cycle"),
        sa.CheckConstraint("cycle >= 1", name="ck_media_viewing_cycle"),
        sa.CheckConstraint("credited_s >= 0 and credited_s <= duration_s + 0.01", name="ck_media_viewing_credited"),
        sa.CheckConstraint("furthest_s >= 0 and furthest_s <= duration_s + 0.01", name="ck_media_viewing_furthest"),
    )
    op.create_index("uq_media_viewing_id", "media_viewing", ["id"], unique=True)
    op.create_index("ix_media_viewing_tenant_id", "media_viewing", ["tenant_id", "id"])
    families.person("media_viewing")


def _create_playback() -> None:
    op.create_table(
        "media_playback",
        sa.Column("person_id", sa.Uuid(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("tenant_id", sa.Uuid()),
        sa.Column("asset_id", sa.Uuid(), nullable=False),
        sa.Column("position_s", sa.Float(), nullable=False),
        sa.Column("carry_s", sa.Float(), nullable=False),
        sa.Column("started_at", TIME, nullable=False),
        sa.Column("last_beat_at", TIME, nullable=False),
        sa.Column("last_credit_at", TIME),
        sa.PrimaryKeyConstraint("person_id", "id", name="pk_media_playback"),
    )
    op.create_index("ix_media_playback_person_id_last_beat_at", "media_playback", ["person_id", "last_beat_at"])
    families.person("media_playback", tenant_reads=False)


def _create_interval() -> None:
    reasons = "'skipped', 'parallel', 'too_fast', 'out_of_range', 'pause_gap', 'repeated'"
    op.create_table(
        "media_interval",
        sa.Column("person_id", sa.Uuid(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("tenant_id", sa.Uuid()),
        sa.Column("viewing_id", sa.Uuid(), nullable=False),
        sa.Column("playback_id", sa.Uuid(), nullable=False),
        sa.Column("from_s", sa.Float(), nullable=False),
        sa.Column("to_s", sa.Float(), nullable=False),
        sa.Column("rate", sa.Float(), nullable=False),
        sa.Column("credited_s", sa.Float(), nullable=False),
        sa.Column("exclusion_reason", sa.String(20)),
        sa.Column("at", TIME, nullable=False),
        sa.PrimaryKeyConstraint("person_id", "id", name="pk_media_interval"),
        sa.ForeignKeyConstraint(
            ["person_id", "viewing_id"],
            ["media_viewing.person_id", "media_viewing.id"],
            name="fk_media_interval_person_id_viewing_id",
        ),
        sa.CheckConstraint("credited_s >= 0", name="ck_media_interval_credited"),
        sa.CheckConstraint(f"exclusion_reason in ({reasons})", name="ck_media_interval_exclusion_reason"),
    )
    op.create_index("uq_media_interval_id", "media_interval", ["id"], unique=True)
    op.create_index("ix_media_interval_person_id_viewing_id", "media_interval", ["person_id", "viewing_id"])
    families.person("media_interval", commands="select, insert")


def downgrade() -> None:
    for table in ("media_interval", "media_playback", "media_viewing", "media_caption", "media_asset"):
        op.drop_table(table)
