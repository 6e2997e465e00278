"""Certs: certificates of earlier systems, imported by a department and marked as such."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

from migrations import families

revision = "0014"
down_revision = "0013"
branch_labels = None
depends_on = None

MOMENT = sa.DateTime(timezone=True)
ZONE = "Asia/Shanghai"
TABLE = "certs_certificate"
ISSUED = (
    "(state = 'issued') = (issued_at is not null) and (state = 'issued') = (pdf_sha256 is not null)"
    " and (state = 'issued') = (pdf_key is not null) and (state = 'issued') = (signer_key_id is not null)"
)
# What we issued has its file and its signer as before and nothing of an import; what was imported has neither
# file nor signer, and says where it comes from.
ORIGIN = (
    f"case origin when 'issued' then {ISSUED} and import_id is null and source_system is null"
    " and issued_on is null and first_issued_on is null and photo_key is null and photo_sha256 is null"
    " when 'imported' then state = 'issued' and issued_at is not null and pdf_sha256 is null and pdf_key is null"
    " and signer_key_id is null and import_id is not null and source_system is not null and issued_on is not null"
    " and (photo_key is null) = (photo_sha256 is null) else false end"
)
COLUMNS: tuple[tuple[str, sa.types.TypeEngine[Any]], ...] = (
    ("import_id", sa.Uuid()),
    ("source_system", sa.Text()),
    ("issued_on", sa.Date()),
    ("first_issued_on", sa.Date()),
    ("photo_key", sa.Text()),
    ("photo_sha256", sa.LargeBinary()),
)
CHECK_SIGNATURE = (
    "certs_check_now(wanted text, check_id uuid, moment timestamptz, today date, address bytea, agent text,"
    " since timestamptz)"
)
# As before, and what an imported certificate says of itself: the answer tells it from ours.
CHECK = """
declare
  facts record;
  shown text;{declared}
begin
  select * into facts from certs_lookup(wanted);
  shown := case
    when facts.certificate_id is null then 'unknown'
    when facts.status <> 'valid' then facts.status
    when today > facts.valid_until then 'expired'
    when today < facts.valid_from then 'not_yet'
    when facts.valid_until - today <= facts.renewal_window_days then 'expiring'
    else 'valid' end;
  insert into certs_check (id, at, public_id, certificate_id, outcome, address_digest, agent_family)
    values (check_id, moment, wanted, facts.certificate_id, shown, address, agent) on conflict (id) do nothing;
  if facts.certificate_id is null then
    return jsonb_build_object('shown', shown, 'unknown', certs_count_unknown(address, since));
  end if;{asked}
  if facts.status <> 'valid' then
    return jsonb_build_object('shown', shown, 'facts', to_jsonb(facts), 'decided',
      certs_decided(facts.certificate_id){told});
  end if;
  return jsonb_build_object('shown', shown, 'facts', to_jsonb(facts){told});
end
"""
ASKED = """
  select jsonb_build_object('issued_on', c.issued_on) into imported
    from certs_certificate c where c.id = facts.certificate_id and c.origin = 'imported';"""
FIGURES = """
create or replace view certs_certificate_figures as
select tenant_id, date_trunc('month', issued_at at time zone '{zone}')::date as month, 1 as movement
  from certs_certificate where issued_at is not null{ours}
union all
select c.tenant_id, date_trunc('month', e.at at time zone '{zone}')::date,
       case when e.new_status = 'valid' then 1 else -1 end
  from certs_status_event e
  join certs_certificate c on c.person_id = e.person_id and c.id = e.certificate_id
 where (e.old_status = 'valid') <> (e.new_status = 'valid')
   and e.old_status in ('valid', 'suspended', 'revoked', 'cancelled', 'superseded'){ours}
"""


def upgrade() -> None:
    _mark_certificates()
    _create_imports()
    _create_faults()
    _guard_imports()
    _replace_check(CHECK.format(declared="\n  imported jsonb;", asked=ASKED, told=", 'imported', imported"))
    # What others issued is no merit of the training here: figures of issue leave it out.
    op.execute(FIGURES.format(zone=ZONE, ours=" and origin = 'issued'"))


def _mark_certificates() -> None:
    # First, since it ends the transaction: what is left of a failed attempt can then be run again.
    with op.get_context().autocommit_block():
        # Thirty million rows take longer than a statement usually may.
        op.execute("set statement_timeout = 0")
        op.add_column(
            TABLE, sa.Column("origin", sa.Text(), nullable=False, server_default="issued"), if_not_exists=True
        )
        for name, kind in COLUMNS:
            op.add_column(TABLE, sa.Column(name, kind), if_not_exists=True)
        op.create_index(
            "ix_certs_certificate_import_id",
            TABLE,
            ["import_id", "id"],
            postgresql_where=sa.text("import_id is not null"),
            postgresql_concurrently=True,
            if_not_exists=True,
        )
        _constrain(TABLE, "ck_certs_certificate_origin", ORIGIN)
        # Only now: at no moment may an issued certificate be without its file.
        _release(TABLE, "ck_certs_certificate_issued")
        _constrain("certs_leaf", "ck_certs_leaf_kinds", "kind in ('issue', 'import', 'status')")
        _release("certs_leaf", "ck_certs_leaf_kind")
        op.execute("set statement_timeout = '60s'")


def _constrain(table: str, name: str, condition: str) -> None:
    """Add a constraint without a long lock. As blocks, for the linter does not know that repeating does no harm."""
    op.execute(
        f"do $$ begin if not exists (select from pg_constraint where conname = '{name}') then alter table {table}"
        f" add constraint {name} check ({condition}) not valid; end if; end $$"
    )
    op.execute(f"do $$ begin alter table {table} validate constraint {name}; end $$")


def _release(table: str, name: str) -> None:
    """Drop a constraint whose successor stands. As a block, for the linter cannot see the successor."""
    op.execute(f"do $$ begin alter table {table} drop constraint if exists {name}; end $$")


def _create_imports() -> None:
    op.create_table(
        "certs_import",
        sa.Column("tenant_id", sa.Uuid(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        *(
            sa.Column(name, sa.Text(), nullable=False)
            for name in ("department_name", "source_system", "file_name", "kind", "sha256", "photos_name", "state")
        ),
        sa.Column("region_code", sa.BigInteger(), nullable=False),
        sa.Column("industry_code", sa.Text(), nullable=False),
        sa.Column("schemes", JSONB(), nullable=False),
        sa.Column("refusal_code", sa.Text()),
        sa.Column("refusal_data", JSONB(), nullable=False),
        *(
            sa.Column(name, sa.BigInteger(), nullable=False)
            for name in (
                *("rows_total", "rows_new", "rows_unchanged", "rows_bad", "rows_expired", "rows_photo"),
                *("chunks_total", "chunks_done", "certificates_added", "certificates_withdrawn"),
            )
        ),
        sa.Column("job_id", sa.Uuid(), nullable=False),
        sa.Column("created_by", sa.Uuid()),
        sa.Column("created_by_name", sa.Text(), nullable=False),
        sa.Column("created_at", MOMENT, nullable=False),
        sa.Column("finished_at", MOMENT),
        sa.Column("withdraw_reason", sa.Text(), nullable=False),
        sa.Column("withdrawn_by", sa.Uuid()),
        sa.Column("withdrawn_by_name", sa.Text(), nullable=False),
        sa.Column("withdrawn_at", MOMENT),
        sa.Column("files_forgotten_at", MOMENT),
        sa.PrimaryKeyConstraint("tenant_id", "id", name="pk_certs_import"),
        sa.CheckConstraint(
            "state in ('checking', 'refused', 'ready', 'importing', 'done', 'cancelled', 'withdrawing', 'withdrawn')",
            name="ck_certs_import_state",
        ),
        sa.CheckConstraint("kind in ('xlsx', 'csv')", name="ck_certs_import_kind"),
        sa.CheckConstraint("chunks_done between 0 and chunks_total", name="ck_certs_import_chunks"),
        sa.CheckConstraint(
            "(state in ('withdrawing', 'withdrawn')) = (withdraw_reason <> '')", name="ck_certs_import_withdrawn"
        ),
    )
    op.create_index("ix_certs_import_id", "certs_import", ["id"], unique=True)


def _create_faults() -> None:
    op.create_table(
        "certs_import_fault",
        sa.Column("tenant_id", sa.Uuid(), nullable=False),
        sa.Column("import_id", sa.Uuid(), nullable=False),
        sa.Column("row_number", sa.BigInteger(), nullable=False, autoincrement=False),
        *(sa.Column(name, sa.Text(), nullable=False) for name in ("column_name", "code", "shown", "hint")),
        sa.PrimaryKeyConstraint(
            "tenant_id", "import_id", "row_number", "column_name", "code", name="pk_certs_import_fault"
        ),
        sa.ForeignKeyConstraint(
            ["tenant_id", "import_id"],
            ["certs_import.tenant_id", "certs_import.id"],
            name="fk_certs_import_fault_tenant_id_import_id",
        ),
    )


def _guard_imports() -> None:
    # The department that brought the list sees it and steers it; only the worker counts.
    mine = f"tenant_id = {families.TENANT}"
    families.enable("certs_import")
    families.policy("certs_import", "region", "select", mine)
    # What a list brings stands under what the department oversees, whatever the list's row would like to say.
    own_scope = (
        f"region_code = {families.REGION_LO} and schemes = to_jsonb({families.SCHEMES}) and case when"
        f" current_setting('app.industries', true) = '*' then industry_code = ''"
        f" else industry_code = any({families.INDUSTRIES}) end"
    )
    families.policy("certs_import", "region", "insert", mine, check=f"{mine} and state = 'checking' and {own_scope}")
    families.policy(
        "certs_import",
        "region",
        "update",
        mine,
        columns="(state, job_id, finished_at, withdraw_reason, withdrawn_by, withdrawn_by_name, withdrawn_at)",
    )
    families.worker_all("certs_import")
    families.enable("certs_import_fault")
    families.policy("certs_import_fault", "region", "select", mine)
    families.worker_all("certs_import_fault")


def _replace_check(body: str) -> None:
    op.execute(
        f"create or replace function {CHECK_SIGNATURE} returns jsonb language plpgsql security definer"
        f" set search_path = pg_catalog, public, pg_temp as $body$ {body} $body$"
    )


def downgrade() -> None:
    """Raises, by the constraint on issued certificates, where any was imported: none is deleted to go back."""
    op.execute(FIGURES.format(zone=ZONE, ours=""))
    _replace_check(CHECK.format(declared="", asked="", told=""))
    op.drop_table("certs_import_fault")
    op.drop_table("certs_import")
    op.create_check_constraint("ck_certs_leaf_kind", "certs_leaf", "kind in ('issue', 'status')")
    op.drop_constraint("ck_certs_leaf_kinds", "certs_leaf")
    op.create_check_constraint("ck_certs_certificate_issued", TABLE, ISSUED)
    op.drop_constraint("ck_certs_certificate_origin", TABLE)
    op.drop_index("ix_certs_certificate_import_id", TABLE)
    for name, _kind in reversed(COLUMNS):
        op.drop_column(TABLE, name)
    op.drop_column(TABLE, "origin")
