"""Accounts: regions, tenants, people, employment, sign-in, consent and faces."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import ARRAY, JSONB

from migrations import families

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

MOMENT = sa.DateTime(timezone=True)
IN_SCOPE = families.in_region()
WEB = "anzheng_web"


def upgrade() -> None:
    _create_reference()
    _create_tenants()
    _create_people()
    _create_employment()
    _add_tenant_policies()
    _create_sign_in()
    _create_codes_and_failures()
    _create_consents()
    _create_faces()
    _create_session_lookup()
    _create_credential_lookup()
    _create_registration()


def _create_reference() -> None:
    op.create_table(
        "accounts_region",
        sa.Column("code", sa.Integer(), primary_key=True, autoincrement=False),
        sa.Column("name", sa.String(60), nullable=False),
        sa.Column("level", sa.String(10), nullable=False),
        sa.Column("parent_code", sa.Integer()),
    )
    op.create_table(
        "accounts_industry",
        sa.Column("code", sa.String(2), primary_key=True),
        sa.Column("name_zh", sa.String(120), nullable=False),
        sa.Column("name_en", sa.String(200), nullable=False),
        sa.Column("parent_code", sa.String(2)),
    )
    op.create_table(
        "accounts_post",
        sa.Column("code", sa.String(60), primary_key=True),
        sa.Column("name_zh", sa.String(60), nullable=False),
        sa.Column("name_en", sa.String(120), nullable=False),
        sa.Column("high_risk", sa.Boolean(), nullable=False),
    )
    op.create_table(
        "accounts_rule",
        sa.Column("code", sa.String(60), nullable=False),
        sa.Column("region_code", sa.Integer(), nullable=False, autoincrement=False),
        sa.Column("version", sa.Integer(), nullable=False, autoincrement=False),
        sa.Column("effective_from", sa.Date(), nullable=False),
        sa.Column("legal_basis", sa.Text(), nullable=False),
        sa.Column("value", JSONB(), nullable=False),
        sa.PrimaryKeyConstraint("code", "region_code", "version", name="pk_accounts_rule"),
    )
    for table in ("region", "industry", "post", "rule"):
        families.reference(f"accounts_{table}")


def _create_tenants() -> None:
    op.create_table(
        "accounts_tenant",
        sa.Column("id", sa.Uuid(), primary_key=True),
        sa.Column("kind", sa.String(20), nullable=False),
        sa.Column("name", sa.String(120), nullable=False),
        sa.Column("credit_code", sa.String(18), nullable=False),
        sa.Column("region_code", sa.Integer(), nullable=False),
        sa.Column("industry_code", sa.String(2)),
        sa.Column("risk_class", sa.String(10)),
        sa.Column("size_class", sa.String(10)),
        sa.Column("licence_number", sa.String(60)),
        sa.Column("licence_valid_from", sa.Date()),
        sa.Column("licence_valid_until", sa.Date()),
        sa.Column("created_at", MOMENT, nullable=False),
        sa.UniqueConstraint("credit_code", name="uq_accounts_tenant_credit_code"),
        sa.CheckConstraint(
            "kind in ('enterprise', 'institution', 'department', 'association')", name="ck_accounts_tenant_kind"
        ),
    )
    op.create_index("ix_accounts_tenant_region_code", "accounts_tenant", ["region_code", "industry_code"])
    op.create_table(
        "accounts_department_scope",
        sa.Column("tenant_id", sa.Uuid(), sa.ForeignKey("accounts_tenant.id"), primary_key=True),
        sa.Column("region_lo", sa.Integer(), nullable=False),
        sa.Column("region_hi", sa.Integer(), nullable=False),
        sa.Column("industries", ARRAY(sa.String(2)), nullable=False),
        sa.Column("schemes", ARRAY(sa.String(60)), nullable=False),
    )
    families.tenant("accounts_department_scope", commands="select")


def _create_people() -> None:
    op.create_table(
        "accounts_person",
        sa.Column("id", sa.Uuid(), primary_key=True),
        sa.Column("id_number_sealed", sa.LargeBinary(), nullable=False),
        sa.Column("id_number_digest", sa.LargeBinary(), nullable=False),
        sa.Column("id_number_masked", sa.String(18), nullable=False),
        sa.Column("name", sa.String(60), nullable=False),
        sa.Column("name_pinyin", sa.String(200), nullable=False),
        sa.Column("sex", sa.String(1), nullable=False),
        sa.Column("birth_date", sa.Date(), nullable=False),
        sa.Column("created_at", MOMENT, nullable=False),
        sa.UniqueConstraint("id_number_digest", name="uq_accounts_person_id_number_digest"),
    )
    families.person("accounts_person", key="id", commands="select", tenant_reads=False)


def _create_employment() -> None:
    op.create_table(
        "accounts_employment",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("tenant_id", sa.Uuid(), sa.ForeignKey("accounts_tenant.id"), nullable=False),
        sa.Column("person_id", sa.Uuid(), nullable=False),
        sa.Column("name", sa.String(60), nullable=False),
        sa.Column("name_pinyin", sa.String(200), nullable=False),
        sa.Column("id_number_masked", sa.String(18), nullable=False),
        sa.Column("post_code", sa.String(60), sa.ForeignKey("accounts_post.code"), nullable=False),
        sa.Column("department_name", sa.String(60), nullable=False),
        sa.Column("phone_sealed", sa.LargeBinary()),
        sa.Column("phone_masked", sa.String(20), nullable=False),
        sa.Column("hired_on", sa.Date(), nullable=False),
        sa.Column("left_on", sa.Date()),
        sa.Column("region_code", sa.Integer(), nullable=False),
        sa.Column("industry_code", sa.String(2)),
        sa.Column("created_at", MOMENT, nullable=False),
        sa.PrimaryKeyConstraint("tenant_id", "id", name="pk_accounts_employment"),
        sa.UniqueConstraint("id", name="uq_accounts_employment_id"),
        sa.CheckConstraint("left_on is null or left_on >= hired_on", name="ck_accounts_employment_dates"),
    )
    active = sa.text("left_on is null")
    table = "accounts_employment"
    op.create_index(f"uq_{table}_active", table, ["tenant_id", "person_id"], unique=True, postgresql_where=active)
    op.create_index(f"ix_{table}_person_id", table, ["person_id"])
    op.create_index(f"ix_{table}_tenant_id_post_code", table, ["tenant_id", "post_code"])
    op.create_index(f"ix_{table}_tenant_id_name_pinyin", table, ["tenant_id", "name_pinyin", "id"])
    families.tenant(table, commands="select, insert, update", region=IN_SCOPE)
    families.policy(table, "person", "select", f"person_id = {families.PERSON}")


def _add_tenant_policies() -> None:
    table = "accounts_tenant"
    families.enable(table)
    families.policy(table, "tenant", "select", f"id = {families.TENANT}")
    families.policy(
        table,
        "region",
        "select",
        f"(kind = 'enterprise' and {IN_SCOPE}) or id = {families.TENANT}",
    )
    employed = (
        "exists (select from accounts_employment e where e.tenant_id = accounts_tenant.id"
        f" and e.person_id = {families.PERSON})"
    )
    families.policy(table, "person", "select", employed)
    families.worker_all(table)


def _create_sign_in() -> None:
    op.create_table(
        "accounts_account",
        sa.Column("person_id", sa.Uuid(), primary_key=True),
        sa.Column("login_name", sa.String(60)),
        sa.Column("password_hash", sa.String(200), nullable=False),
        sa.Column("state", sa.String(20), nullable=False),
        sa.Column("activated_at", MOMENT, nullable=False),
        sa.UniqueConstraint("login_name", name="uq_accounts_account_login_name"),
    )
    families.keys("accounts_account")
    families.policy("accounts_account", "auth", "insert", "true")
    op.create_table(
        "accounts_role_grant",
        sa.Column("person_id", sa.Uuid(), nullable=False),
        sa.Column("tenant_id", sa.Uuid(), sa.ForeignKey("accounts_tenant.id"), nullable=False),
        sa.Column("role", sa.String(30), nullable=False),
        sa.Column("granted_at", MOMENT, nullable=False),
        sa.PrimaryKeyConstraint("person_id", "tenant_id", "role", name="pk_accounts_role_grant"),
    )
    families.person("accounts_role_grant", commands="select")
    op.create_table(
        "accounts_session",
        sa.Column("digest", sa.LargeBinary(), primary_key=True),
        sa.Column("person_id", sa.Uuid(), nullable=False),
        sa.Column("tenant_id", sa.Uuid(), nullable=False),
        sa.Column("role", sa.String(30), nullable=False),
        sa.Column("device", sa.String(200), nullable=False),
        sa.Column("created_at", MOMENT, nullable=False),
        sa.Column("expires_at", MOMENT, nullable=False),
        sa.Column("revoked_at", MOMENT),
    )
    op.create_index("ix_accounts_session_person_id", "accounts_session", ["person_id"])
    families.keys("accounts_session")
    families.policy("accounts_session", "auth", "insert", "true", check="revoked_at is null")
    # A signed-in human sees and ends their own sessions, whatever role they are in.
    for scope in ("person", "tenant", "region"):
        families.policy("accounts_session", scope, "select", f"person_id = {families.ACTOR}")
        families.policy("accounts_session", scope, "update", f"person_id = {families.ACTOR}", columns="(revoked_at)")


def _create_codes_and_failures() -> None:
    op.create_table(
        "accounts_activation_code",
        sa.Column("digest", sa.LargeBinary(), primary_key=True),
        sa.Column("person_id", sa.Uuid(), nullable=False),
        sa.Column("tenant_id", sa.Uuid(), nullable=False),
        sa.Column("created_at", MOMENT, nullable=False),
        sa.Column("expires_at", MOMENT, nullable=False),
        sa.Column("used_at", MOMENT),
    )
    op.create_index("ix_accounts_activation_code_person_id", "accounts_activation_code", ["person_id"])
    families.keys("accounts_activation_code")
    families.policy("accounts_activation_code", "tenant", "select, insert, update", f"tenant_id = {families.TENANT}")
    op.create_table(
        "accounts_sign_in_failure",
        sa.Column("id", sa.Uuid(), primary_key=True),
        sa.Column("subject_digest", sa.LargeBinary(), nullable=False),
        sa.Column("address_digest", sa.LargeBinary(), nullable=False),
        sa.Column("at", MOMENT, nullable=False),
    )
    for column in ("subject_digest", "address_digest"):
        op.create_index(f"ix_accounts_sign_in_failure_{column}", "accounts_sign_in_failure", [column, "at"])
    families.log("accounts_sign_in_failure", inserters=("auth",))
    families.policy("accounts_sign_in_failure", "auth", "select", "true")


def _create_consents() -> None:
    op.create_table(
        "accounts_consent",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("person_id", sa.Uuid(), nullable=False),
        sa.Column("kind", sa.String(30), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("given", sa.Boolean(), nullable=False),
        sa.Column("text_sha256", sa.String(64), nullable=False),
        sa.Column("at", MOMENT, nullable=False),
        sa.PrimaryKeyConstraint("person_id", "id", name="pk_accounts_consent"),
    )
    families.person("accounts_consent", commands="select, insert", tenant_reads=False)
    # The employer must know who declined, to look at the id instead; only of its own people.
    employed = (
        "exists (select from accounts_employment e where e.person_id = accounts_consent.person_id"
        f" and e.tenant_id = {families.TENANT})"
    )
    families.policy("accounts_consent", "tenant", "select", employed)
    op.create_table(
        "accounts_identity_confirmation",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("person_id", sa.Uuid(), nullable=False),
        sa.Column("tenant_id", sa.Uuid(), nullable=False),
        sa.Column("confirmed_by", sa.Uuid(), nullable=False),
        sa.Column("at", MOMENT, nullable=False),
        sa.Column("expires_at", MOMENT, nullable=False),
        sa.PrimaryKeyConstraint("person_id", "id", name="pk_accounts_identity_confirmation"),
    )
    families.person("accounts_identity_confirmation", commands="select")
    families.policy("accounts_identity_confirmation", "tenant", "insert", f"tenant_id = {families.TENANT}")


def _create_faces() -> None:
    op.create_table(
        "accounts_face_template",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("person_id", sa.Uuid(), nullable=False),
        sa.Column("sealed", sa.LargeBinary(), nullable=False),
        sa.Column("engine_id", sa.String(30), nullable=False),
        sa.Column("engine_version", sa.String(60), nullable=False),
        sa.Column("model_sha256", sa.String(64), nullable=False),
        sa.Column("created_at", MOMENT, nullable=False),
        sa.Column("revoked_at", MOMENT),
        sa.PrimaryKeyConstraint("person_id", "id", name="pk_accounts_face_template"),
    )
    op.create_index(
        "uq_accounts_face_template_active",
        "accounts_face_template",
        ["person_id"],
        unique=True,
        postgresql_where=sa.text("revoked_at is null"),
    )
    families.person("accounts_face_template", commands="select, insert, update, delete", tenant_reads=False)
    op.create_table(
        "accounts_portrait",
        sa.Column("person_id", sa.Uuid(), primary_key=True),
        sa.Column("object_key", sa.String(300), nullable=False),
        sa.Column("agreed_at", MOMENT, nullable=False),
    )
    families.person("accounts_portrait", commands=families.ALL, tenant_reads=False)
    _create_verifications()


def _create_verifications() -> None:
    table = "accounts_face_verification"
    op.create_table(
        table,
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("person_id", sa.Uuid(), nullable=False),
        sa.Column("tenant_id", sa.Uuid(), nullable=False),
        sa.Column("region_code", sa.Integer(), nullable=False),
        sa.Column("industry_code", sa.String(2)),
        sa.Column("purpose", sa.String(30), nullable=False),
        sa.Column("subject_id", sa.Uuid(), nullable=False),
        sa.Column("outcome", sa.String(20), nullable=False),
        sa.Column("engine_id", sa.String(30), nullable=False),
        sa.Column("engine_version", sa.String(60), nullable=False),
        sa.Column("model_sha256", sa.String(64), nullable=False),
        sa.Column("liveness", sa.String(20), nullable=False),
        sa.Column("advice", JSONB(), nullable=False),
        sa.Column("evidence_key", sa.String(300)),
        sa.Column("evidence_expires_at", MOMENT),
        sa.Column("at", MOMENT, nullable=False),
        sa.PrimaryKeyConstraint("person_id", "id", name=f"pk_{table}"),
        sa.CheckConstraint(
            "outcome in ('match', 'no_match', 'undetermined', 'confirmed_by_admin')", name=f"ck_{table}_outcome"
        ),
    )
    op.create_index(f"ix_{table}_subject_id", table, ["person_id", "purpose", "subject_id"])
    families.person(table, commands="select, insert", region=IN_SCOPE)


def _create_session_lookup() -> None:
    """Resolve a session in one statement, as the bare web login, before any scope is taken."""
    families.definer(
        "accounts_open_session(token_digest bytea, moment timestamptz)",
        "table (person_id uuid, display_name text, tenant_id uuid, tenant_name text, role text,"
        " region_lo int, region_hi int, industries text[], schemes text[], other_roles jsonb)",
        """
        select s.person_id, p.name::text, s.tenant_id, t.name::text, s.role::text,
               d.region_lo, d.region_hi, d.industries::text[], d.schemes::text[],
               (select coalesce(jsonb_agg(jsonb_build_array(g.role, g.tenant_id, o.name) order by g.role, o.name), '[]')
                  from accounts_role_grant g join accounts_tenant o on o.id = g.tenant_id
                 where g.person_id = s.person_id and (g.role, g.tenant_id) <> (s.role, s.tenant_id))
          from accounts_session s
          join accounts_person p on p.id = s.person_id
          join accounts_tenant t on t.id = s.tenant_id
          join accounts_account a on a.person_id = s.person_id and a.state = 'active'
          join accounts_role_grant r on (r.person_id, r.tenant_id, r.role) = (s.person_id, s.tenant_id, s.role)
          left join accounts_department_scope d on d.tenant_id = s.tenant_id
         where s.digest = token_digest and s.revoked_at is null and s.expires_at > moment
        """,
        grantees=(WEB, "anzheng_worker"),
    )


def _create_credential_lookup() -> None:
    """Sign-in and activation see one account at a time, found by digest or login name."""
    families.definer(
        "accounts_credentials(number_digest bytea, login text)",
        "table (person_id uuid, password_hash text, state text, roles jsonb)",
        """
        select a.person_id, a.password_hash::text, a.state::text,
               (select coalesce(jsonb_agg(jsonb_build_array(g.role, g.tenant_id) order by g.granted_at, g.role), '[]')
                  from accounts_role_grant g where g.person_id = a.person_id)
          from accounts_account a
          join accounts_person p on p.id = a.person_id
         where p.id_number_digest = number_digest or a.login_name = login
         limit 1
        """,
        grantees=("anzheng_auth",),
    )
    families.definer(
        "accounts_use_activation_code(code_digest bytea, number_digest bytea, hashed text, moment timestamptz)",
        "uuid",
        """
        with code as (
          update accounts_activation_code c set used_at = moment
            from accounts_person p
           where c.digest = code_digest and p.id = c.person_id and p.id_number_digest = number_digest
             and c.used_at is null and c.expires_at > moment
          returning c.person_id
        )
        insert into accounts_account (person_id, password_hash, state, activated_at)
        select person_id, hashed, 'active', moment from code
        on conflict (person_id) do update set password_hash = excluded.password_hash
        returning person_id
        """,
        grantees=("anzheng_auth",),
    )


def _create_registration() -> None:
    """Find or register people set-wise; a name other than the register's is only said to differ."""
    families.definer(
        "accounts_register_people(ids uuid[], digests bytea[], sealed bytea[], masked text[], names text[],"
        " pinyins text[], sexes text[], birth_dates date[], moment timestamptz)",
        "table (digest bytea, person_id uuid, is_new boolean, name_matches boolean)",
        """
        with given as (
          select * from unnest(ids, digests, sealed, masked, names, pinyins, sexes, birth_dates)
            as g (id, digest, sealed, masked, name, pinyin, sex, birth_date)
        ), added as (
          insert into accounts_person (id, id_number_sealed, id_number_digest, id_number_masked, name,
                                       name_pinyin, sex, birth_date, created_at)
          select id, sealed, digest, masked, name, pinyin, sex, birth_date, moment from given order by digest
          on conflict (id_number_digest) do nothing
          returning id, id_number_digest
        )
        select g.digest, coalesce(a.id, p.id), a.id is not null, coalesce(a.id is not null or p.name = g.name, false)
          from given g
          left join added a on a.id_number_digest = g.digest
          left join accounts_person p on p.id_number_digest = g.digest
        """,
        grantees=("anzheng_worker", "anzheng_tenant"),
    )


def downgrade() -> None:
    for function in (
        "accounts_register_people",
        "accounts_use_activation_code",
        "accounts_credentials",
        "accounts_open_session",
    ):
        op.execute(f"drop function {function}")
    for table in (
        "face_verification", "portrait", "face_template", "identity_confirmation", "consent", "sign_in_failure",
        "activation_code", "session", "role_grant", "account", "employment", "person", "department_scope",
        "tenant", "rule", "post", "industry", "region",
    ):  # fmt: skip
        if table == "employment":
            op.execute("drop policy person_select on accounts_tenant")
        op.drop_table(f"accounts_{table}")
