"""Kernel: queue, audit log with seals, notices, progress of long jobs."""

from __future__ import annotations

from pathlib import Path

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

from migrations import families

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

# A copy of the schema that Procrastinate 3.10 ships; its later migrations become ours.
QUEUE_SCHEMA = Path(__file__).parents[1] / "procrastinate_3_10.sql"
EVERY_SCOPE = ("auth", "public", "person", "tenant", "region", "audit")


def upgrade() -> None:
    _create_queue()
    _create_audit()
    _create_notices()
    _create_jobs()


def _create_queue() -> None:
    op.get_bind().exec_driver_sql(QUEUE_SCHEMA.read_text("utf8").replace("%", "%%"))
    for table in ("jobs", "events", "workers", "periodic_defers"):
        op.execute(f"revoke all on procrastinate_{table} from public")
        op.execute(f"grant all on procrastinate_{table} to anzheng_worker")
    op.execute("grant usage on all sequences in schema public to anzheng_worker")
    op.execute(
        "alter function procrastinate_defer_jobs_v1(procrastinate_job_to_defer_v1[])"
        " security definer set search_path = pg_catalog, public, pg_temp"
    )
    op.execute("revoke all on function procrastinate_defer_jobs_v1(procrastinate_job_to_defer_v1[]) from public")
    for scope in ("auth", "public", "person", "tenant", "region", "worker"):
        op.execute(
            f"grant execute on function procrastinate_defer_jobs_v1(procrastinate_job_to_defer_v1[]) to anzheng_{scope}"
        )


def _create_audit() -> None:
    op.create_table(
        "core_audit",
        sa.Column("id", sa.Uuid(), primary_key=True),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("actor_id", sa.Uuid()),
        sa.Column("actor_role", sa.String(40), nullable=False),
        sa.Column("tenant_id", sa.Uuid()),
        sa.Column("action", sa.String(80), nullable=False),
        sa.Column("subject_type", sa.String(60), nullable=False),
        sa.Column("subject_id", sa.String(80), nullable=False),
        sa.Column("data", JSONB(), nullable=False),
        sa.Column("seal_seq", sa.BigInteger()),
        sa.UniqueConstraint("seal_seq", name="uq_core_audit_seal_seq"),
    )
    op.create_index("ix_core_audit_unsealed", "core_audit", ["id"], postgresql_where=sa.text("seal_seq is null"))
    op.create_index("ix_core_audit_tenant_id_at", "core_audit", ["tenant_id", "at"])
    op.create_index("ix_core_audit_subject_id", "core_audit", ["subject_id"])
    op.create_index("ix_core_audit_at", "core_audit", ["at"])
    families.enable("core_audit")
    for scope in EVERY_SCOPE:
        families.policy("core_audit", scope, "insert", "true", check="seal_seq is null")
    families.policy("core_audit", "audit", "select", "true")
    # The worker seals: it may set the number of an unsealed row and nothing else.
    families.policy("core_audit", "worker", "select", "true")
    families.policy("core_audit", "worker", "insert", "true", check="seal_seq is null")
    families.policy("core_audit", "worker", "update", "seal_seq is null", check="true", columns="(seal_seq)")
    op.create_table(
        "core_audit_seal",
        sa.Column("seq", sa.BigInteger(), primary_key=True, autoincrement=False),
        sa.Column("audit_id", sa.Uuid(), nullable=False),
        sa.Column("row_hash", sa.LargeBinary(), nullable=False),
        sa.Column("chain_hash", sa.LargeBinary(), nullable=False),
        sa.UniqueConstraint("audit_id", name="uq_core_audit_seal_audit_id"),
    )
    op.create_table(
        "core_audit_checkpoint",
        sa.Column("upto_seq", sa.BigInteger(), primary_key=True, autoincrement=False),
        sa.Column("chain_hash", sa.LargeBinary(), nullable=False),
        sa.Column("signed_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("key_id", sa.String(16), nullable=False),
        sa.Column("signature", sa.LargeBinary(), nullable=False),
    )
    for table in ("core_audit_seal", "core_audit_checkpoint"):
        families.enable(table)
        families.policy(table, "audit", "select", "true")
        families.policy(table, "worker", "select, insert", "true")


def _create_notices() -> None:
    op.create_table(
        "core_notice",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("person_id", sa.Uuid(), nullable=False),
        sa.Column("dedup_key", sa.String(200), nullable=False),
        sa.Column("title_zh", sa.String(200), nullable=False),
        sa.Column("title_en", sa.String(200), nullable=False),
        sa.Column("body_zh", sa.Text(), nullable=False),
        sa.Column("body_en", sa.Text(), nullable=False),
        sa.Column("url", sa.String(300), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("read_at", sa.DateTime(timezone=True)),
        sa.PrimaryKeyConstraint("person_id", "id", name="pk_core_notice"),
        sa.UniqueConstraint("person_id", "dedup_key", name="uq_core_notice_person_id_dedup_key"),
    )
    op.create_index("ix_core_notice_unread", "core_notice", ["person_id"], postgresql_where=sa.text("read_at is null"))
    families.enable("core_notice")
    # A notice belongs to the human, whatever role they are in when they read it.
    for scope in ("person", "tenant", "region", "audit"):
        families.policy("core_notice", scope, "select", f"person_id = {families.ACTOR}")
        families.policy("core_notice", scope, "update", f"person_id = {families.ACTOR}", columns="(read_at)")
        families.policy("core_notice", scope, "insert", "true", check="read_at is null")
    families.worker_all("core_notice")


def _create_jobs() -> None:
    op.create_table(
        "core_job",
        sa.Column("id", sa.Uuid(), primary_key=True),
        sa.Column("owner_id", sa.Uuid()),
        sa.Column("tenant_id", sa.Uuid()),
        sa.Column("kind", sa.String(60), nullable=False),
        sa.Column("title", sa.String(200), nullable=False),
        sa.Column("state", sa.String(20), nullable=False),
        sa.Column("done", sa.Integer(), nullable=False),
        sa.Column("total", sa.Integer(), nullable=False),
        sa.Column("message", sa.String(500), nullable=False),
        sa.Column("detail", JSONB(), nullable=False),
        sa.Column("object_key", sa.String(300)),
        sa.Column("file_name", sa.String(200)),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
    )
    op.create_index("ix_core_job_tenant_id", "core_job", ["tenant_id", "id"])
    op.create_index("ix_core_job_owner_id", "core_job", ["owner_id", "id"])
    families.tenant("core_job")
    for scope in ("person", "region"):
        families.policy("core_job", scope, families.ALL, f"owner_id = {families.ACTOR}")


def downgrade() -> None:
    for table in ("core_job", "core_notice", "core_audit_checkpoint", "core_audit_seal", "core_audit"):
        op.drop_table(table)
    _drop_queue()


def _drop_queue() -> None:
    op.execute(
        """
        do $$ declare item record; begin
          for item in select format('drop table %I cascade', relname) as statement from pg_class
            where relname like 'procrastinate%' and relkind = 'r' and relnamespace = 'public'::regnamespace
          loop execute item.statement; end loop;
          for item in select format('drop function %s cascade', oid::regprocedure) as statement from pg_proc
            where proname like 'procrastinate%' and pronamespace = 'public'::regnamespace
          loop execute item.statement; end loop;
          for item in select format('drop type %I cascade', typname) as statement from pg_type
            where typname like 'procrastinate%' and typnamespace = 'public'::regnamespace
              and typtype in ('e', 'c')
          loop execute item.statement; end loop;
        end $$
        """
    )
