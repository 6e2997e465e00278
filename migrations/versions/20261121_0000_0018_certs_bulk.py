"""Certs: why entries of a bulk issue were refused, and an index of who is due."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

revision = "0018"
down_revision = "0017"
branch_labels = None
depends_on = None

DUE = "ix_exams_attempt_passed"
STALLED = "ix_certs_bulk_chunk_queued_at"


def upgrade() -> None:
    # First, since it ends the transaction: what is left of a failed attempt can then be run again.
    with op.get_context().autocommit_block():
        # Tens of millions of rows take longer than a statement usually may.
        op.execute("set statement_timeout = 0")
        op.create_index(
            DUE,
            "exams_attempt",
            ["programme_code", "id"],
            # Spelt as the query has it: "passed" alone is not seen to follow from it.
            postgresql_where=sa.text("passed is true"),
            postgresql_concurrently=True,
            if_not_exists=True,
        )
        # Stalled orders are found by their primary key; nothing ever read this one.
        op.drop_index(STALLED, "certs_bulk_chunk", postgresql_concurrently=True, if_exists=True)
        op.execute("set statement_timeout = '60s'")
    refusals = sa.Column("refusals", JSONB(), nullable=False, server_default="{}")
    op.add_column("certs_bulk", refusals, if_not_exists=True)


def downgrade() -> None:
    op.create_index(STALLED, "certs_bulk_chunk", ["queued_at"], postgresql_where=sa.text("done_at is null"))
    op.drop_index(DUE, "exams_attempt")
    op.drop_column("certs_bulk", "refusals")
