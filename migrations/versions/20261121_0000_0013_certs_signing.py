"""Certs: keys that begin to sign later or live in a token, and bulk issue."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

from migrations import families

revision = "0013"
down_revision = "0012"
branch_labels = None
depends_on = None

MOMENT = sa.DateTime(timezone=True)
OPEN = "state in ('preparing', 'running', 'paused')"


def upgrade() -> None:
    op.add_column("certs_issuer_key", sa.Column("signs_from", MOMENT))
    op.add_column("certs_issuer_key", sa.Column("token_key", sa.Text()))
    # Every document key there is was made by the product for a demonstration.
    op.add_column("certs_issuer_key", sa.Column("is_demo", sa.Boolean(), nullable=False, server_default="true"))
    _create_bulk()
    _create_chunks()
    # The order's own department sees and steers it; only the worker counts.
    families.enable("certs_bulk")
    mine = f"tenant_id = {families.TENANT}"
    families.policy("certs_bulk", "region", "select, insert", mine)
    families.policy("certs_bulk", "region", "update", mine, columns="(state, ended_at)")
    families.worker_all("certs_bulk")
    families.keys("certs_bulk_chunk")


def _create_bulk() -> None:
    op.create_table(
        "certs_bulk",
        sa.Column("tenant_id", sa.Uuid(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("scheme_code", sa.Text(), nullable=False),
        sa.Column("scope", JSONB(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        *(
            sa.Column(name, sa.BigInteger(), nullable=False)
            for name in ("people", "people_done", "issued", "failed", "chunks", "chunks_done")
        ),
        sa.Column("ordered_by", sa.Uuid()),
        sa.Column("ordered_by_name", sa.Text(), nullable=False),
        sa.Column("ordered_at", MOMENT, nullable=False),
        sa.Column("ended_at", MOMENT),
        sa.PrimaryKeyConstraint("tenant_id", "id", name="pk_certs_bulk"),
        sa.CheckConstraint(
            "state in ('preparing', 'running', 'paused', 'done', 'cancelled')", name="ck_certs_bulk_state"
        ),
    )
    op.create_index("ix_certs_bulk_id", "certs_bulk", ["id"], unique=True)
    op.create_index(
        "uq_certs_bulk_open", "certs_bulk", ["tenant_id", "scheme_code"], unique=True, postgresql_where=sa.text(OPEN)
    )


def _create_chunks() -> None:
    op.create_table(
        "certs_bulk_chunk",
        sa.Column("bulk_id", sa.Uuid(), nullable=False),
        sa.Column("number", sa.BigInteger(), nullable=False, autoincrement=False),
        sa.Column("entries", JSONB(), nullable=False),
        sa.Column("queued_at", MOMENT, nullable=False),
        sa.Column("done_at", MOMENT),
        sa.PrimaryKeyConstraint("bulk_id", "number", name="pk_certs_bulk_chunk"),
    )
    op.create_index(
        "ix_certs_bulk_chunk_queued_at",
        "certs_bulk_chunk",
        ["queued_at"],
        postgresql_where=sa.text("done_at is null"),
    )


def downgrade() -> None:
    op.drop_table("certs_bulk_chunk")
    op.drop_table("certs_bulk")
    for column in ("is_demo", "token_key", "signs_from"):
        op.drop_column("certs_issuer_key", column)
