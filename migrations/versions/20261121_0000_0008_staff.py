"""Staff: imports of rosters, their faults, whom they brought; unmasking of one id number."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

from migrations import families

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None

MOMENT = sa.DateTime(timezone=True)
COUNTS = (
    *("rows_total", "rows_new", "rows_unchanged", "rows_changed", "rows_bad"),
    *("chunks_total", "chunks_done", "people_added", "people_changed"),
)
STATES = "state in ('checking', 'refused', 'ready', 'importing', 'done', 'cancelled')"


def upgrade() -> None:
    _create_import()
    _create_import_fault()
    _create_import_employment()
    # An employer may not read the register, but may see the number of one of its present staff for
    # a stated reason. The function gives the sealed bytes of one person; the operation unseals and audits.
    families.definer(
        "accounts_sealed_id_number(employment uuid)",
        "table (person_id uuid, sealed bytea)",
        f"""
        select p.id, p.id_number_sealed
          from accounts_employment e join accounts_person p on p.id = e.person_id
         where e.id = employment and e.tenant_id = {families.TENANT} and e.left_on is null
        """,
        grantees=("anzheng_tenant",),
    )


def _create_import() -> None:
    op.create_table(
        "accounts_import",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("tenant_id", sa.Uuid(), nullable=False),
        sa.Column("file_name", sa.String(200), nullable=False),
        sa.Column("kind", sa.String(4), nullable=False),
        sa.Column("sha256", sa.String(64), nullable=False),
        sa.Column("state", sa.String(20), nullable=False),
        sa.Column("refusal_code", sa.String(40)),
        sa.Column("refusal_data", JSONB(), nullable=False),
        *(sa.Column(name, sa.Integer(), nullable=False) for name in COUNTS),
        sa.Column("job_id", sa.Uuid(), nullable=False),
        sa.Column("created_by", sa.Uuid()),
        sa.Column("created_by_name", sa.String(60), nullable=False),
        sa.Column("created_at", MOMENT, nullable=False),
        sa.Column("finished_at", MOMENT),
        sa.Column("codes_taken_at", MOMENT),
        sa.Column("codes_taken_by_name", sa.String(60)),
        sa.Column("files_forgotten_at", MOMENT),
        sa.PrimaryKeyConstraint("tenant_id", "id", name="pk_accounts_import"),
        sa.UniqueConstraint("id", name="uq_accounts_import_id"),
        sa.CheckConstraint(STATES, name="ck_accounts_import_state"),
        sa.CheckConstraint("kind in ('xlsx', 'csv')", name="ck_accounts_import_kind"),
        sa.CheckConstraint("chunks_done between 0 and chunks_total", name="ck_accounts_import_chunks"),
    )
    families.tenant("accounts_import", commands="select, insert, update")


def _create_import_fault() -> None:
    op.create_table(
        "accounts_import_fault",
        sa.Column("tenant_id", sa.Uuid(), nullable=False),
        sa.Column("import_id", sa.Uuid(), nullable=False),
        sa.Column("row_number", sa.Integer(), nullable=False, autoincrement=False),
        sa.Column("column_name", sa.String(20), nullable=False),
        sa.Column("code", sa.String(30), nullable=False),
        sa.Column("shown", sa.String(80), nullable=False),
        sa.Column("hint", sa.String(80), nullable=False),
        sa.PrimaryKeyConstraint(
            "tenant_id", "import_id", "row_number", "column_name", "code", name="pk_accounts_import_fault"
        ),
        sa.ForeignKeyConstraint(
            ["tenant_id", "import_id"],
            ["accounts_import.tenant_id", "accounts_import.id"],
            name="fk_accounts_import_fault_tenant_id_import_id",
        ),
    )
    families.tenant("accounts_import_fault", commands="select")


def _create_import_employment() -> None:
    op.create_table(
        "accounts_import_employment",
        sa.Column("tenant_id", sa.Uuid(), nullable=False),
        sa.Column("import_id", sa.Uuid(), nullable=False),
        sa.Column("employment_id", sa.Uuid(), nullable=False),
        sa.PrimaryKeyConstraint("tenant_id", "import_id", "employment_id", name="pk_accounts_import_employment"),
        sa.ForeignKeyConstraint(
            ["tenant_id", "import_id"],
            ["accounts_import.tenant_id", "accounts_import.id"],
            name="fk_accounts_import_employment_tenant_id_import_id",
        ),
    )
    families.tenant("accounts_import_employment", commands="select")


def downgrade() -> None:
    op.execute("drop function accounts_sealed_id_number")
    for table in ("accounts_import_employment", "accounts_import_fault", "accounts_import"):
        op.drop_table(table)
