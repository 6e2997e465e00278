"""Certs: keys that begin to sign later or live in a token, and bulk issue."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0013"
down_revision = "0012"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("certs_issuer_key", sa.Column("signs_from", sa.DateTime(timezone=True)))
    op.add_column("certs_issuer_key", sa.Column("token_key", sa.Text()))
    # Every document key there is was made by the product for a demonstration.
    op.add_column("certs_issuer_key", sa.Column("is_demo", sa.Boolean(), nullable=False, server_default="true"))


def downgrade() -> None:
    for column in ("is_demo", "token_key", "signs_from"):
        op.drop_column("certs_issuer_key", column)
