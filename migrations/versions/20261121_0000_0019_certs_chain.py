"""Certs: each checkpoint of the log names the one before it. Core: files of jobs are found by their age."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0019"
down_revision = "0018"
branch_labels = None
depends_on = None

TABLE = "certs_checkpoint"
FILES = "ix_core_job_file"
FUNCTION = "certs_checkpoint_follows()"
# The database fills it in, so that the version that runs beside this one need not know of it.
FOLLOW = """
begin
  new.previous_size := coalesce((select max(tree_size) from certs_checkpoint), 0);
  return new;
end
"""
BACKFILL = """
update certs_checkpoint c set previous_size = before.size
  from (select tree_size, lag(tree_size, 1, 0::bigint) over (order by tree_size) as size from certs_checkpoint) before
  where before.tree_size = c.tree_size and c.previous_size is null
"""


def upgrade() -> None:
    op.add_column(TABLE, sa.Column("previous_size", sa.BigInteger()), if_not_exists=True)
    op.execute(f"create or replace function {FUNCTION} returns trigger language plpgsql as $body${FOLLOW}$body$")
    op.execute(
        "create or replace trigger certs_checkpoint_follows before insert on certs_checkpoint"
        f" for each row execute function {FUNCTION}"
    )
    # After the commit: readers of the log wait for the column and the trigger only, not for all the rows.
    with op.get_context().autocommit_block():
        op.execute("set statement_timeout = 0")
        op.execute(BACKFILL)
        op.create_index(
            FILES,
            "core_job",
            ["updated_at"],
            postgresql_where=sa.text("object_key is not null"),
            postgresql_concurrently=True,
            if_not_exists=True,
        )
        op.execute("set statement_timeout = '60s'")


def downgrade() -> None:
    op.drop_index(FILES, "core_job")
    op.execute("drop trigger certs_checkpoint_follows on certs_checkpoint")
    op.execute(f"drop function {FUNCTION}")
    op.drop_column(TABLE, "previous_size")
