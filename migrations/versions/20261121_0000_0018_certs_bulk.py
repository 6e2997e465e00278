"""Certs: why entries of a bulk issue were refused."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

revision = "0018"
down_revision = "0017"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("certs_bulk", sa.Column("refusals", JSONB(), nullable=False, server_default="{}"))


def downgrade() -> None:
    op.drop_column("certs_bulk", "refusals")
