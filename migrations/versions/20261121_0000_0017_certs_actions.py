"""Certificates: what a department does to many of them at once; what an employer reads of bans and objections."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

from migrations import families

revision = "0017"
down_revision = "0016"
branch_labels = None
depends_on = None

MOMENT = sa.DateTime(timezone=True)
# Bans in force and objections of the asking employer's present staff: what, since when and how far, never the texts.
BARS = f"""
select b.certificate_id, 'ban', b.from_on, b.until_on, b.reason_code, b.reason_version, null::text
from certs_ban b
where b.person_id = any(people) and b.from_on <= today and (b.until_on is null or b.until_on >= today)
and exists (select 1 from accounts_employment e where e.person_id = b.person_id
  and e.tenant_id = {families.TENANT} and e.left_on is null)
union all
select o.certificate_id, 'objection', (o.filed_at at time zone zone)::date, o.answer_due_on, null, null,
  coalesce(o.outcome, o.state)
from certs_objection o
where o.person_id = any(people)
and exists (select 1 from accounts_employment e where e.person_id = o.person_id
  and e.tenant_id = {families.TENANT} and e.left_on is null)
"""


def upgrade() -> None:
    _create_actions()
    _create_items()
    # The department that ordered sees and stops it; its certificates are reached through its own walls.
    mine = f"tenant_id = {families.TENANT}"
    for table, columns in (("certs_action", "(state, ended_at)"), ("certs_action_item", "(state, refusal)")):
        families.enable(table)
        families.policy(table, "region", "select, insert", mine)
        families.policy(table, "region", "update", mine, columns=columns)
        families.worker_all(table)
    families.definer(
        "certs_bars_of_staff(people uuid[], today date, zone text)",
        "table (certificate_id uuid, kind text, since date, until date, reason_code text, reason_version bigint,"
        " outcome text)",
        BARS,
        grantees=["anzheng_tenant"],
    )


def _create_actions() -> None:
    op.create_table(
        "certs_action",
        sa.Column("tenant_id", sa.Uuid(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("scope", JSONB(), nullable=False),
        sa.Column("role", sa.Text(), nullable=False),
        sa.Column("reason_code", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("certificates", sa.BigInteger(), nullable=False),
        sa.Column("job_id", sa.Uuid(), nullable=False),
        sa.Column("ordered_by", sa.Uuid(), nullable=False),
        sa.Column("ordered_by_name", sa.Text(), nullable=False),
        sa.Column("department_name", sa.Text(), nullable=False),
        sa.Column("ordered_at", MOMENT, nullable=False),
        sa.Column("ended_at", MOMENT),
        sa.PrimaryKeyConstraint("tenant_id", "id", name="pk_certs_action"),
        sa.CheckConstraint("kind in ('files', 'suspend', 'revoke')", name="ck_certs_action_kind"),
        sa.CheckConstraint("state in ('running', 'done', 'stopped')", name="ck_certs_action_state"),
        sa.CheckConstraint("(state = 'running') = (ended_at is null)", name="ck_certs_action_ended"),
        sa.CheckConstraint("(kind = 'files') = (reason_code = '')", name="ck_certs_action_reason"),
    )
    op.create_index("ix_certs_action_id", "certs_action", ["id"], unique=True)


def _create_items() -> None:
    op.create_table(
        "certs_action_item",
        sa.Column("tenant_id", sa.Uuid(), nullable=False),
        sa.Column("action_id", sa.Uuid(), nullable=False),
        sa.Column("certificate_id", sa.Uuid(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("refusal", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("tenant_id", "action_id", "certificate_id", name="pk_certs_action_item"),
        sa.ForeignKeyConstraint(
            ["tenant_id", "action_id"],
            ["certs_action.tenant_id", "certs_action.id"],
            name="fk_certs_action_item_tenant_id_action_id",
        ),
        sa.CheckConstraint("state in ('open', 'done', 'refused')", name="ck_certs_action_item_state"),
        sa.CheckConstraint("(state = 'refused') = (refusal <> '')", name="ck_certs_action_item_refusal"),
    )


def downgrade() -> None:
    op.execute("drop function certs_bars_of_staff(uuid[], date, text)")
    op.drop_table("certs_action_item")
    op.drop_table("certs_action")
