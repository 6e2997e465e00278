"""Certificates: witnesses of the log and their co-signatures; a look at its published entries."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from migrations import families

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None

MOMENT = sa.DateTime(timezone=True)


def upgrade() -> None:
    op.create_table(
        "certs_witness",
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("verifier_key", sa.Text(), nullable=False),
        sa.Column("added_at", MOMENT, nullable=False),
        sa.PrimaryKeyConstraint("name", name="pk_certs_witness"),
    )
    op.create_table(
        "certs_cosignature",
        sa.Column("tree_size", sa.BigInteger(), nullable=False, autoincrement=False),
        sa.Column("witness", sa.Text(), nullable=False),
        sa.Column("line", sa.Text(), nullable=False),
        sa.Column("at", MOMENT, nullable=False),
        sa.PrimaryKeyConstraint("tree_size", "witness", name="pk_certs_cosignature"),
        sa.ForeignKeyConstraint(["tree_size"], ["certs_checkpoint.tree_size"], name="fk_certs_cosignature_tree_size"),
        sa.ForeignKeyConstraint(["witness"], ["certs_witness.name"], name="fk_certs_cosignature_witness"),
    )
    # Both only grow: not even the worker may change a key or a signature.
    for table in ("certs_witness", "certs_cosignature"):
        op.execute(f"revoke all on {table} from public")
        for scope in families.SCOPES:
            op.execute(f"grant select on {table} to anzheng_{scope}")
        op.execute(f"grant insert on {table} to anzheng_worker")
    # Whatever has a place in the log stands in its public files: codes and digests, no personal data.
    families.definer(
        "certs_entries(low bigint, high bigint)",
        "table (seq bigint, kind text, leaf_data bytea, leaf_hash bytea, at timestamptz)",
        "select seq, kind, leaf_data, leaf_hash, at from certs_leaf where seq between low and least(high, low + 99)"
        " order by seq desc",
        grantees=[f"anzheng_{scope}" for scope in families.SCOPES],
    )


def downgrade() -> None:
    op.execute("drop function certs_entries(bigint, bigint)")
    op.drop_table("certs_cosignature")
    op.drop_table("certs_witness")
