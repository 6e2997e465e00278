"""Certs: schemes and templates as drafted and published versions, decision records, recorded credentials."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

from migrations import families

revision = "0015"
down_revision = "0014"
branch_labels = None
depends_on = None

MOMENT = sa.DateTime(timezone=True)
IN_REGION, TENANT, ACTOR, PERSON = families.in_region(), families.TENANT, families.ACTOR, families.PERSON
LO, HI = families.REGION_LO, families.REGION_HI
LEARNS_HERE = f"exists (select 1 from courses_enrolment e where e.person_id = {{person}} and {IN_REGION})"
DRAFTED = "certs_draft", "certs_template", "certs_credential", "certs_refusal"

# What of a person only the worker may read, for judging: for the worker, the person, and departments in
# whose scope the person learns. A ban or a record made elsewhere counts here too.
FACTS = f"""
select p.id, p.birth_date, b.banned is not null, b.until_on,
       c.education, c.practice_months, coalesce(c.papers, '{{}}'), c.recorded_at
from unnest(people) as wanted(id)
join accounts_person p on p.id = wanted.id
left join lateral (
  select true as banned, x.until_on from certs_ban x
  where x.person_id = p.id and x.scheme_code = scheme and x.from_on <= day
    and (x.until_on is null or x.until_on >= day)
  order by x.until_on desc nulls first limit 1) b on true
left join lateral (
  select array_agg(distinct x.code) filter (where x.kind = 'education') as education,
         sum(x.months) filter (where x.kind = 'practice')::int as practice_months,
         array_agg(distinct x.code) filter (where x.kind = 'paper') as papers,
         max(x.recorded_at) as recorded_at
  from certs_credential x where x.person_id = p.id and x.withdrawn_at is null) c on true
where current_setting('role', true) = 'anzheng_worker'
   or (current_setting('role', true) = 'anzheng_region' and {LEARNS_HERE.format(person="p.id")})
"""

# A scheme or template is the whole province's: only its own department publishes, and only what it drafted.
PUBLISH = f"""
declare
  drafted certs_draft;
  next_version bigint;
begin
  select * into drafted from certs_draft d
    where d.id = draft and d.tenant_id = {TENANT} and d.state = 'open' for update;
  if not found or {HI} - {LO} < 10000 then
    return null;
  end if;
  perform pg_advisory_xact_lock(hashtext('certs_publish:' || drafted.kind || ':' || drafted.code));
  if drafted.kind = 'scheme' then
    select max(s.version) + 1 into next_version from certs_scheme s where s.code = drafted.code;
    insert into certs_scheme select * from jsonb_populate_record(null::certs_scheme, drafted.content
      || jsonb_build_object('code', drafted.code, 'version', next_version,
                            'published_by_name', by_name, 'published_at', moment));
  else
    select coalesce(max(t.version), 0) + 1 into next_version from certs_template t where t.code = drafted.code;
    insert into certs_template select * from jsonb_populate_record(null::certs_template, drafted.content
      || jsonb_build_object('code', drafted.code, 'version', next_version,
                            'published_by_name', by_name, 'published_at', moment));
  end if;
  update certs_draft d set state = 'published', published_version = next_version, ended_at = moment
    where d.tenant_id = drafted.tenant_id and d.id = drafted.id;
  return next_version;
end
"""
PUBLISH_SIGNATURE = "certs_publish(draft uuid, by_name text, moment timestamptz)"
FACTS_SIGNATURE = "certs_facts_of(people uuid[], scheme text, day date)"
FACTS_COLUMNS = (
    "table (person_id uuid, birth_date date, banned boolean, ban_until date,"
    " education text[], practice_months int, papers text[], recorded_at timestamptz)"
)


def upgrade() -> None:
    op.add_column(
        "certs_scheme", sa.Column("continuing_hours_per_year", sa.BigInteger(), nullable=False, server_default="0")
    )
    op.add_column("certs_scheme", sa.Column("published_by_name", sa.Text()))
    op.add_column("certs_scheme", sa.Column("published_at", MOMENT))
    # Certificates refer to versions: none is ever changed or taken away, not even by the worker.
    op.execute("revoke update, delete on certs_scheme from anzheng_worker")
    op.add_column("certs_certificate", sa.Column("decision", JSONB()))
    _create_templates()
    _create_drafts()
    _create_refusals()
    _create_credentials()
    families.definer(FACTS_SIGNATURE, FACTS_COLUMNS, FACTS, grantees=["anzheng_worker", "anzheng_region"])
    families.definer(PUBLISH_SIGNATURE, "bigint", PUBLISH, grantees=["anzheng_region"], language="plpgsql")


def _create_templates() -> None:
    op.create_table(
        "certs_template",
        sa.Column("code", sa.Text(), nullable=False),
        sa.Column("version", sa.BigInteger(), nullable=False, autoincrement=False),
        sa.Column("name_zh", sa.Text(), nullable=False),
        sa.Column("name_en", sa.Text(), nullable=False),
        sa.Column("spec", JSONB(), nullable=False),
        sa.Column("published_by_name", sa.Text()),
        sa.Column("published_at", MOMENT),
        sa.PrimaryKeyConstraint("code", "version", name="pk_certs_template"),
    )
    families.reference("certs_template")
    op.execute("revoke update, delete on certs_template from anzheng_worker")


def _create_drafts() -> None:
    table = "certs_draft"
    op.create_table(
        table,
        sa.Column("tenant_id", sa.Uuid(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("code", sa.Text(), nullable=False),
        sa.Column("content", JSONB(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("made_by", sa.Uuid(), nullable=False),
        sa.Column("made_by_name", sa.Text(), nullable=False),
        sa.Column("made_at", MOMENT, nullable=False),
        sa.Column("changed_at", MOMENT, nullable=False),
        sa.Column("published_version", sa.BigInteger()),
        sa.Column("ended_at", MOMENT),
        sa.PrimaryKeyConstraint("tenant_id", "id", name=f"pk_{table}"),
        sa.CheckConstraint("kind in ('scheme', 'template')", name=f"ck_{table}_kind"),
        sa.CheckConstraint("state in ('open', 'published', 'discarded')", name=f"ck_{table}_state"),
        sa.CheckConstraint("(state = 'open') = (ended_at is null)", name=f"ck_{table}_ended"),
        sa.CheckConstraint("(state = 'published') = (published_version is not null)", name=f"ck_{table}_published"),
    )
    op.create_index("ix_certs_draft_id", table, ["id"], unique=True)
    is_open = sa.text("state = 'open'")
    op.create_index("uq_certs_draft_open", table, ["tenant_id", "kind", "code"], unique=True, postgresql_where=is_open)
    mine = f"tenant_id = {TENANT}"
    families.enable(table)
    families.policy(table, "region", "select", mine)
    families.policy(table, "region", "insert", mine, check=f"{mine} and state = 'open' and made_by = {ACTOR}")
    families.policy(
        table,
        "region",
        "update",
        f"{mine} and state = 'open'",
        check=f"{mine} and state in ('open', 'discarded')",
        columns="(content, state, changed_at, ended_at)",
    )
    families.worker_all(table)


def _create_refusals() -> None:
    table = "certs_refusal"
    op.create_table(
        table,
        sa.Column("person_id", sa.Uuid(), nullable=False),
        sa.Column("scheme_code", sa.Text(), nullable=False),
        sa.Column("tenant_id", sa.Uuid(), nullable=False),
        sa.Column("region_code", sa.BigInteger(), nullable=False),
        sa.Column("industry_code", sa.Text(), nullable=False),
        sa.Column("scheme_version", sa.BigInteger(), nullable=False),
        sa.Column("enrolment_id", sa.Uuid(), nullable=False),
        sa.Column("attempt_id", sa.Uuid(), nullable=False),
        sa.Column("decision", JSONB(), nullable=False),
        sa.Column("at", MOMENT, nullable=False),
        sa.PrimaryKeyConstraint("person_id", "scheme_code", name=f"pk_{table}"),
    )
    families.person(table, commands="select", tenant_reads=False, region=families.in_region(scheme="scheme_code"))


def _create_credentials() -> None:
    table = "certs_credential"
    op.create_table(
        table,
        sa.Column("person_id", sa.Uuid(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("region_code", sa.BigInteger(), nullable=False),
        sa.Column("industry_code", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("code", sa.Text(), nullable=False),
        sa.Column("months", sa.BigInteger(), nullable=False),
        sa.Column("detail", sa.Text(), nullable=False),
        sa.Column("document", sa.Text(), nullable=False),
        sa.Column("recorded_by", sa.Uuid(), nullable=False),
        sa.Column("recorder_name", sa.Text(), nullable=False),
        sa.Column("recorded_at", MOMENT, nullable=False),
        sa.Column("withdrawn_at", MOMENT),
        sa.Column("withdrawn_by", sa.Uuid()),
        sa.PrimaryKeyConstraint("person_id", "id", name=f"pk_{table}"),
        sa.CheckConstraint(
            "(kind = 'education' and code in ('secondary', 'college', 'bachelor', 'master'))"
            " or (kind = 'paper' and code in ('application', 'diploma', 'health', 'pledge'))"
            " or (kind = 'practice' and code = '')",
            name=f"ck_{table}_kind",
        ),
        sa.CheckConstraint("(kind = 'practice') = (months > 0) and months >= 0", name=f"ck_{table}_months"),
        sa.CheckConstraint("(withdrawn_at is null) = (withdrawn_by is null)", name=f"ck_{table}_withdrawn"),
    )
    op.create_index("ix_certs_credential_id", table, ["id"], unique=True)
    learns = LEARNS_HERE.format(person=f"{table}.person_id")
    families.person(table, commands="select", tenant_reads=False, region=IN_REGION)
    families.policy(
        table,
        "region",
        "insert",
        IN_REGION,
        check=f"{IN_REGION} and recorded_by = {ACTOR} and withdrawn_at is null and {learns}",
    )
    families.policy(
        table,
        "region",
        "update",
        f"{IN_REGION} and withdrawn_at is null",
        check=f"{IN_REGION} and withdrawn_by = {ACTOR}",
        columns="(withdrawn_at, withdrawn_by)",
    )


def downgrade() -> None:
    op.execute("drop function certs_publish(uuid, text, timestamptz)")
    op.execute("drop function certs_facts_of(uuid[], text, date)")
    for table in DRAFTED:
        op.drop_table(table)
    op.drop_column("certs_certificate", "decision")
    op.execute("grant update, delete on certs_scheme to anzheng_worker")
    for column in ("published_at", "published_by_name", "continuing_hours_per_year"):
        op.drop_column("certs_scheme", column)
