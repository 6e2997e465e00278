"""Accounts: regions, organisations, people, employment, sign-in, consent and faces."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import ARRAY, JSONB

from migrations import families

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

SELF = f"person_id = {families.PERSON}"
OURS = f"tenant_id = {families.TENANT}"
MOMENT = sa.DateTime(timezone=True)
TABLES = (
    "accounts_region",
    "accounts_industry",
    "accounts_post",
    "accounts_rule",
    "accounts_tenant",
    "accounts_department_scope",
    "accounts_person",
    "accounts_employment",
    "accounts_account",
    "accounts_role_grant",
    "accounts_session",
    "accounts_activation_code",
    "accounts_sign_in_failure",
    "accounts_consent",
    "accounts_identity_confirmation",
    "accounts_face_template",
    "accounts_portrait",
    "accounts_face_verification",
)

# The bare web login turns a cookie into an actor with this and can do nothing else.
OPEN_SESSION = """
select s.person_id, p.name::text, s.tenant_id, t.name::text, s.role::text,
  d.region_lo, d.region_hi, d.industries, d.schemes,
  (select coalesce(jsonb_agg(jsonb_build_array(g.tenant_id, g.role, o.name) order by o.name, g.role), '[]'::jsonb)
    from accounts_role_grant g join accounts_tenant o on o.id = g.tenant_id
    where g.person_id = s.person_id and not (g.tenant_id = s.tenant_id and g.role = s.role))
from accounts_session s
join accounts_account a on a.person_id = s.person_id and a.state = 'active'
join accounts_person p on p.id = s.person_id
join accounts_tenant t on t.id = s.tenant_id
left join accounts_department_scope d on d.tenant_id = s.tenant_id
where s.digest = token_digest and s.revoked_at is null and s.expires_at > moment
"""

# Gives sign-in one account's hash and roles, so that no scope has to read the table of hashes.
# The role used last comes first.
FIND_ACCOUNT = """
select a.person_id, a.password_hash::text,
  (select coalesce(jsonb_agg(jsonb_build_array(g.tenant_id, g.role, g.last_used)
      order by g.last_used desc nulls last), '[]'::jsonb)
    from (select tenant_id, role,
        (select max(created_at) from accounts_session s
          where s.person_id = r.person_id and s.tenant_id = r.tenant_id and s.role = r.role) as last_used
      from accounts_role_grant r where r.person_id = a.person_id) g)
from accounts_account a join accounts_person p on p.id = a.person_id
where a.state = 'active' and (a.login_name = lower(login) or p.id_number_digest = id_digest)
order by (a.login_name = lower(login)) desc nulls last limit 1
"""

# Uses up one code and opens the account in one step. Answers null, and uses nothing up, when the
# code or the id number is wrong, or when the person has an account already: an employer's new
# code must never take over an account that somebody uses.
ACTIVATE = """
declare
  who uuid;
begin
  select c.person_id into who
    from accounts_activation_code c join accounts_person p on p.id = c.person_id
    where c.digest = code_digest and c.used_at is null and c.expires_at > moment and p.id_number_digest = id_digest
    for update of c;
  if who is null then
    return null;
  end if;
  insert into accounts_account (person_id, login_name, password_hash, activated_at, state)
    values (who, null, new_hash, moment, 'active') on conflict (person_id) do nothing;
  if not found then
    return null;
  end if;
  update accounts_activation_code set used_at = moment where person_id = who and used_at is null;
  return who;
end
"""

# Attaches people set-wise. A person whom another employer registered cannot be seen by this one,
# so that ON CONFLICT under its own rights would fail; a name that differs gives no id back.
# Two statements, so that the second sees what others committed while the first waited for them.
REGISTER_PEOPLE = """
begin
  insert into accounts_person
      (id, id_number_digest, id_number_sealed, id_number_masked, name, name_pinyin, sex, birth_date, created_at)
    select distinct on (g.digest) g.id, g.digest, g.sealed, g.masked, g.name, g.pinyin, g.sex, g.birth, moment
      from unnest(ids, digests, sealed_numbers, masked_numbers, names, pinyins, sexes, births) with ordinality
        as g(id, digest, sealed, masked, name, pinyin, sex, birth, n)
      order by g.digest, g.n
    on conflict (id_number_digest) do nothing;
  return query
    select g.digest, case when p.name = g.name then p.id end, p.id = g.id, p.name = g.name
      from unnest(ids, digests, names) with ordinality as g(id, digest, name, n)
      join accounts_person p on p.id_number_digest = g.digest order by g.n;
end
"""

FUNCTIONS = (
    "accounts_open_session(bytea, timestamptz)",
    "accounts_find_account(text, bytea)",
    "accounts_activate(bytea, bytea, text, timestamptz)",
    "accounts_register_people(uuid[], bytea[], bytea[], text[], text[], text[], text[], date[], timestamptz)",
)


def _employed(table: str, *, only_active: bool) -> str:
    """Return the condition that the row's person works (or ever worked) for the present tenant."""
    active = " and e.left_on is null" if only_active else ""
    return (
        "exists (select 1 from accounts_employment e"
        f" where e.person_id = {table}.person_id and e.tenant_id = {families.TENANT}{active})"
    )


def upgrade() -> None:
    _create_reference()
    _create_tenant()
    _create_department_scope()
    _create_person()
    _create_employment()
    _create_person_and_tenant_policies()
    _create_account()
    _create_role_grant()
    _create_session()
    _create_activation_code()
    _create_sign_in_failure()
    _create_consent()
    _create_identity_confirmation()
    _create_face_template()
    _create_portrait()
    _create_face_verification()
    _create_functions()


def _person_fk() -> sa.ForeignKey:
    return sa.ForeignKey("accounts_person.id")


def _tenant_fk() -> sa.ForeignKey:
    return sa.ForeignKey("accounts_tenant.id")


def _column(name: str, kind: Any, *rest: Any, null: bool = False) -> sa.Column[Any]:
    return sa.Column(name, kind, *rest, nullable=null)


def _create_reference() -> None:
    op.create_table(
        "accounts_region",
        sa.Column("code", sa.Integer(), primary_key=True, autoincrement=False),
        _column("name", sa.String(60)),
        _column("level", sa.String(10)),
        _column("parent_code", sa.Integer(), sa.ForeignKey("accounts_region.code"), null=True),
    )
    op.create_index("ix_accounts_region_parent_code", "accounts_region", ["parent_code"])
    op.create_table(
        "accounts_industry",
        sa.Column("code", sa.String(2), primary_key=True),
        _column("name_zh", sa.String(120)),
        _column("name_en", sa.String(160)),
        _column("parent_code", sa.String(2), null=True),
    )
    op.create_table(
        "accounts_post",
        sa.Column("code", sa.String(40), primary_key=True),
        _column("name_zh", sa.String(60)),
        _column("name_en", sa.String(120)),
        _column("high_risk", sa.Boolean()),
    )
    op.create_table(
        "accounts_rule",
        _column("code", sa.String(60)),
        _column("region_code", sa.Integer()),
        _column("version", sa.Integer()),
        _column("effective_from", sa.Date()),
        _column("legal_basis", sa.Text()),
        _column("value", JSONB()),
        sa.PrimaryKeyConstraint("code", "region_code", "version", name="pk_accounts_rule"),
    )
    for table in TABLES[:4]:
        families.reference(table)


def _create_tenant() -> None:
    op.create_table(
        "accounts_tenant",
        sa.Column("id", sa.Uuid(), primary_key=True),
        _column("kind", sa.String(20)),
        _column("name", sa.String(200)),
        _column("credit_code", sa.String(18)),
        _column("region_code", sa.Integer(), sa.ForeignKey("accounts_region.code")),
        _column("industry_code", sa.String(2), sa.ForeignKey("accounts_industry.code"), null=True),
        _column("risk_class", sa.String(20), null=True),
        _column("size_class", sa.String(20), null=True),
        _column("licence_number", sa.String(60), null=True),
        _column("licence_valid_from", sa.Date(), null=True),
        _column("licence_valid_until", sa.Date(), null=True),
        _column("created_at", MOMENT),
        sa.UniqueConstraint("credit_code", name="uq_accounts_tenant_credit_code"),
        sa.CheckConstraint(
            "kind in ('enterprise', 'institution', 'department', 'association')", name="ck_accounts_tenant_kind"
        ),
        sa.CheckConstraint("credit_code ~ '^[0-9A-HJ-NPQRTUWXY]{18}$'", name="ck_accounts_tenant_credit_code"),
        sa.CheckConstraint(
            "kind <> 'enterprise' or (industry_code is not null and risk_class is not null and size_class is not null)",
            name="ck_accounts_tenant_enterprise_is_classed",
        ),
        sa.CheckConstraint("risk_class in ('high', 'ordinary')", name="ck_accounts_tenant_risk_class"),
        sa.CheckConstraint("size_class in ('large', 'medium', 'small', 'micro')", name="ck_accounts_tenant_size_class"),
        sa.CheckConstraint("licence_valid_from <= licence_valid_until", name="ck_accounts_tenant_licence_dates"),
    )
    op.create_index("ix_accounts_tenant_region_code_id", "accounts_tenant", ["region_code", "id"])


def _create_department_scope() -> None:
    table = "accounts_department_scope"
    op.create_table(
        table,
        sa.Column("tenant_id", sa.Uuid(), _tenant_fk(), primary_key=True),
        _column("region_lo", sa.Integer()),
        _column("region_hi", sa.Integer()),
        _column("industries", ARRAY(sa.Text())),
        _column("schemes", ARRAY(sa.Text())),
        sa.CheckConstraint("region_lo < region_hi", name="ck_accounts_department_scope_range"),
    )
    families.enable(table)
    families.policy(table, "region", "select", OURS)
    families.worker_all(table)


def _create_person() -> None:
    table = "accounts_person"
    op.create_table(
        table,
        sa.Column("id", sa.Uuid(), primary_key=True),
        _column("id_number_sealed", sa.LargeBinary()),
        _column("id_number_digest", sa.LargeBinary()),
        _column("id_number_masked", sa.String(18)),
        _column("name", sa.String(60)),
        _column("name_pinyin", sa.String(240)),
        _column("sex", sa.String(1)),
        _column("birth_date", sa.Date()),
        _column("created_at", MOMENT),
        sa.UniqueConstraint("id_number_digest", name="uq_accounts_person_id_number_digest"),
        sa.CheckConstraint("sex in ('M', 'F')", name="ck_accounts_person_sex"),
    )
    families.enable(table)
    families.policy(table, "person", "select", f"id = {families.PERSON}")
    families.worker_all(table)


def _create_employment() -> None:
    table = "accounts_employment"
    op.create_table(
        table,
        _column("id", sa.Uuid()),
        _column("tenant_id", sa.Uuid(), _tenant_fk()),
        _column("person_id", sa.Uuid(), _person_fk()),
        _column("name", sa.String(60)),
        _column("name_pinyin", sa.String(240)),
        _column("id_number_masked", sa.String(18)),
        _column("id_number_last4", sa.String(4)),
        _column("post_code", sa.String(40), sa.ForeignKey("accounts_post.code")),
        _column("department_name", sa.String(80)),
        _column("phone_sealed", sa.LargeBinary(), null=True),
        _column("phone_masked", sa.String(20)),
        _column("hired_on", sa.Date()),
        _column("left_on", sa.Date(), null=True),
        _column("region_code", sa.Integer()),
        _column("industry_code", sa.String(2), null=True),
        _column("created_at", MOMENT),
        sa.PrimaryKeyConstraint("tenant_id", "id", name="pk_accounts_employment"),
        sa.UniqueConstraint("id", name="uq_accounts_employment_id"),
        sa.CheckConstraint("left_on >= hired_on", name="ck_accounts_employment_dates"),
        sa.CheckConstraint("(phone_sealed is null) = (phone_masked = '')", name="ck_accounts_employment_phone"),
    )
    active = sa.text("left_on is null")
    columns = ["tenant_id", "person_id"]
    op.create_index("uq_accounts_employment_active", table, columns, unique=True, postgresql_where=active)
    op.create_index("ix_accounts_employment_person_id", table, ["person_id"])
    op.create_index("ix_accounts_employment_tenant_id_name_pinyin_id", table, ["tenant_id", "name_pinyin", "id"])
    op.create_index("ix_accounts_employment_tenant_id_name", table, ["tenant_id", "name"])
    op.create_index("ix_accounts_employment_tenant_id_id_number_last4", table, ["tenant_id", "id_number_last4"])
    op.create_index("ix_accounts_employment_tenant_id_post_code", table, ["tenant_id", "post_code"])
    op.create_index("ix_accounts_employment_region_code", table, ["region_code", "industry_code"])


def _create_person_and_tenant_policies() -> None:
    families.tenant("accounts_employment", commands="select, insert, update", region=families.in_region())
    families.policy("accounts_employment", "person", "select", SELF)
    families.tenant(
        "accounts_tenant",
        commands="select",
        key="id",
        region=f"id = {families.TENANT} or (kind = 'enterprise' and {families.in_region()})",
    )
    families.policy(
        "accounts_tenant",
        "person",
        "select",
        "exists (select 1 from accounts_employment e"
        f" where e.tenant_id = accounts_tenant.id and e.person_id = {families.PERSON})",
    )
    # An auditor must be able to tell who acted: names, and nothing else of the person.
    op.execute("grant select (id, name) on accounts_person to anzheng_audit")
    op.execute("create policy audit_select on accounts_person for select to anzheng_audit using (true)")
    op.execute("grant select (id, name) on accounts_tenant to anzheng_audit")
    op.execute("create policy audit_select on accounts_tenant for select to anzheng_audit using (true)")


def _create_account() -> None:
    table = "accounts_account"
    op.create_table(
        table,
        sa.Column("person_id", sa.Uuid(), _person_fk(), primary_key=True),
        _column("login_name", sa.String(60), null=True),
        _column("password_hash", sa.String(200)),
        _column("activated_at", MOMENT),
        _column("state", sa.String(20)),
        sa.UniqueConstraint("login_name", name="uq_accounts_account_login_name"),
        sa.CheckConstraint("state in ('active', 'closed')", name="ck_accounts_account_state"),
    )
    families.keys(table)
    # Without the hash: an administrator sees who has activated, a person sees the own login name.
    op.execute(f"grant select (person_id, activated_at, state) on {table} to anzheng_tenant")
    employed = _employed(table, only_active=True)
    op.execute(f"create policy tenant_select on {table} for select to anzheng_tenant using ({employed})")
    op.execute(f"grant select (person_id, login_name, activated_at, state) on {table} to anzheng_person")
    op.execute(f"create policy person_select on {table} for select to anzheng_person using ({SELF})")


def _create_role_grant() -> None:
    table = "accounts_role_grant"
    op.create_table(
        table,
        _column("person_id", sa.Uuid(), _person_fk()),
        _column("tenant_id", sa.Uuid(), _tenant_fk()),
        _column("role", sa.String(20)),
        _column("granted_at", MOMENT),
        sa.PrimaryKeyConstraint("person_id", "tenant_id", "role", name="pk_accounts_role_grant"),
    )
    op.create_index("ix_accounts_role_grant_tenant_id", table, ["tenant_id", "role"])
    families.keys(table)
    families.policy(table, "person", "select", SELF)
    families.policy(table, "tenant", "select, delete", OURS)
    # An employer makes its own staff trainees; every other role is given by the operator.
    trainee = f"{OURS} and role = 'trainee' and {_employed(table, only_active=True)}"
    families.policy(table, "tenant", "insert", trainee)


def _create_session() -> None:
    table = "accounts_session"
    op.create_table(
        table,
        sa.Column("digest", sa.LargeBinary(), primary_key=True),
        _column("person_id", sa.Uuid()),
        _column("tenant_id", sa.Uuid()),
        _column("role", sa.String(20)),
        _column("device", sa.String(60)),
        _column("created_at", MOMENT),
        _column("expires_at", MOMENT),
        _column("revoked_at", MOMENT, null=True),
        sa.ForeignKeyConstraint(
            ["person_id", "tenant_id", "role"],
            ["accounts_role_grant.person_id", "accounts_role_grant.tenant_id", "accounts_role_grant.role"],
            name="fk_accounts_session_person_id_tenant_id_role",
            ondelete="CASCADE",
        ),
    )
    op.create_index("ix_accounts_session_person_id", table, ["person_id", "created_at"])
    families.keys(table)
    families.policy(table, "auth", "insert", "true", check="revoked_at is null")
    families.policy(table, "person", "select, insert", SELF)
    families.policy(table, "person", "update", SELF, columns="(revoked_at)")


def _create_activation_code() -> None:
    table = "accounts_activation_code"
    op.create_table(
        table,
        sa.Column("digest", sa.LargeBinary(), primary_key=True),
        _column("person_id", sa.Uuid(), _person_fk()),
        _column("tenant_id", sa.Uuid(), _tenant_fk()),
        _column("created_at", MOMENT),
        _column("expires_at", MOMENT),
        _column("used_at", MOMENT, null=True),
    )
    op.create_index("ix_accounts_activation_code_tenant_id", table, ["tenant_id", "person_id"])
    families.keys(table)
    families.policy(table, "tenant", "select, update, delete", OURS)
    families.policy(table, "tenant", "insert", f"{OURS} and {_employed(table, only_active=True)}")


def _create_sign_in_failure() -> None:
    table = "accounts_sign_in_failure"
    op.create_table(
        table,
        sa.Column("id", sa.Uuid(), primary_key=True),
        _column("subject_digest", sa.LargeBinary()),
        _column("address_digest", sa.LargeBinary()),
        _column("at", MOMENT),
    )
    op.create_index("ix_accounts_sign_in_failure_subject_digest_at", table, ["subject_digest", "at"])
    op.create_index("ix_accounts_sign_in_failure_address_digest_at", table, ["address_digest", "at"])
    families.log(table, inserters=["auth"])
    # The throttle counts; the rows hold keyed digests only.
    families.policy(table, "auth", "select", "true")


def _create_consent() -> None:
    table = "accounts_consent"
    op.create_table(
        table,
        _column("id", sa.Uuid()),
        _column("person_id", sa.Uuid(), _person_fk()),
        _column("kind", sa.String(20)),
        _column("version", sa.Integer()),
        _column("given", sa.Boolean()),
        _column("text_sha256", sa.String(64)),
        _column("at", MOMENT),
        sa.PrimaryKeyConstraint("person_id", "id", name="pk_accounts_consent"),
        sa.UniqueConstraint("id", name="uq_accounts_consent_id"),
        sa.CheckConstraint("kind in ('biometric', 'portrait')", name="ck_accounts_consent_kind"),
    )
    op.create_index("ix_accounts_consent_person_id_kind_at", table, ["person_id", "kind", "at"])
    families.person(table, commands="select, insert", tenant_reads=False)
    # The employer has to know whose id it must check by hand.
    families.policy(table, "tenant", "select", _employed(table, only_active=True))


def _create_identity_confirmation() -> None:
    table = "accounts_identity_confirmation"
    op.create_table(
        table,
        _column("id", sa.Uuid()),
        _column("person_id", sa.Uuid(), _person_fk()),
        _column("tenant_id", sa.Uuid(), _tenant_fk()),
        _column("confirmed_by", sa.Uuid()),
        _column("at", MOMENT),
        _column("expires_at", MOMENT),
        sa.PrimaryKeyConstraint("person_id", "id", name="pk_accounts_identity_confirmation"),
        sa.UniqueConstraint("id", name="uq_accounts_identity_confirmation_id"),
    )
    families.person(table, commands="select")
    employed = f"{OURS} and {_employed(table, only_active=True)}"
    families.policy(table, "tenant", "insert", employed)


def _create_face_template() -> None:
    table = "accounts_face_template"
    op.create_table(
        table,
        _column("id", sa.Uuid()),
        _column("person_id", sa.Uuid(), _person_fk()),
        _column("sealed", sa.LargeBinary(), null=True),
        _column("engine_id", sa.String(20)),
        _column("engine_version", sa.String(80)),
        _column("model_sha256", sa.String(64)),
        _column("created_at", MOMENT),
        _column("revoked_at", MOMENT, null=True),
        sa.PrimaryKeyConstraint("person_id", "id", name="pk_accounts_face_template"),
        sa.UniqueConstraint("id", name="uq_accounts_face_template_id"),
        sa.CheckConstraint(
            "(revoked_at is null) = (sealed is not null)", name="ck_accounts_face_template_revoked_is_destroyed"
        ),
    )
    active = sa.text("revoked_at is null")
    op.create_index("uq_accounts_face_template_active", table, ["person_id"], unique=True, postgresql_where=active)
    families.person(table, tenant_reads=False)
    # The employer may know that there is a template, never what is in it.
    op.execute(f"grant select (id, person_id, created_at, revoked_at) on {table} to anzheng_tenant")
    employed = _employed(table, only_active=True)
    op.execute(f"create policy tenant_select on {table} for select to anzheng_tenant using ({employed})")


def _create_portrait() -> None:
    table = "accounts_portrait"
    op.create_table(
        table,
        sa.Column("person_id", sa.Uuid(), _person_fk(), primary_key=True),
        _column("object_key", sa.String(200)),
        _column("agreed_at", MOMENT),
    )
    families.person(table, commands=families.ALL, tenant_reads=False)


def _create_face_verification() -> None:
    table = "accounts_face_verification"
    op.create_table(
        table,
        _column("id", sa.Uuid()),
        _column("person_id", sa.Uuid(), _person_fk()),
        _column("tenant_id", sa.Uuid()),
        _column("region_code", sa.Integer()),
        _column("industry_code", sa.String(2), null=True),
        _column("purpose", sa.String(20)),
        _column("subject_id", sa.Uuid()),
        _column("outcome", sa.String(20)),
        _column("engine_id", sa.String(20)),
        _column("engine_version", sa.String(80)),
        _column("model_sha256", sa.String(64)),
        _column("liveness", sa.String(20)),
        _column("advice", JSONB()),
        _column("evidence_key", sa.String(200), null=True),
        _column("evidence_expires_at", MOMENT, null=True),
        _column("at", MOMENT),
        sa.PrimaryKeyConstraint("person_id", "id", name="pk_accounts_face_verification"),
        sa.UniqueConstraint("id", name="uq_accounts_face_verification_id"),
        sa.CheckConstraint(
            "outcome in ('match', 'no_match', 'undetermined', 'confirmed_by_admin')",
            name="ck_accounts_face_verification_outcome",
        ),
    )
    op.create_index("ix_accounts_face_verification_person_id_at", table, ["person_id", "at"])
    op.create_index("ix_accounts_face_verification_tenant_id_at", table, ["tenant_id", "at"])
    op.create_index("ix_accounts_face_verification_region_code", table, ["region_code", "industry_code"])
    kept = sa.text("evidence_key is not null")
    op.create_index("ix_accounts_face_verification_evidence", table, ["evidence_expires_at"], postgresql_where=kept)
    families.person(table, commands="select, insert", region=families.in_region())


def _create_functions() -> None:
    families.definer(
        "accounts_open_session(token_digest bytea, moment timestamptz)",
        "table (person_id uuid, display_name text, tenant_id uuid, tenant_name text, role text, region_lo int,"
        " region_hi int, industries text[], schemes text[], other_roles jsonb)",
        OPEN_SESSION,
        grantees=["anzheng_web"],
    )
    families.definer(
        "accounts_find_account(login text, id_digest bytea)",
        "table (person_id uuid, password_hash text, grants jsonb)",
        FIND_ACCOUNT,
        grantees=["anzheng_auth"],
    )
    families.definer(
        "accounts_activate(code_digest bytea, id_digest bytea, new_hash text, moment timestamptz)",
        "uuid",
        ACTIVATE,
        grantees=["anzheng_auth"],
        language="plpgsql",
    )
    families.definer(
        "accounts_register_people(ids uuid[], digests bytea[], sealed_numbers bytea[], masked_numbers text[],"
        " names text[], pinyins text[], sexes text[], births date[], moment timestamptz)",
        "table (digest bytea, person_id uuid, is_new boolean, name_matches boolean)",
        REGISTER_PEOPLE,
        grantees=["anzheng_worker", "anzheng_tenant"],
        language="plpgsql",
    )


def downgrade() -> None:
    for function in FUNCTIONS:
        op.execute(f"drop function {function}")
    # One table's policies look at another, which a plain drop would refuse.
    for table in reversed(TABLES):
        op.execute(f"drop table {table} cascade")
