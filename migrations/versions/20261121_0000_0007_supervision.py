"""Supervision: deltas, folded figures, warnings as cases, rules and definitions."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import ARRAY, JSONB

from migrations import families

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None

MOMENT = sa.DateTime(timezone=True)
ZONE = "Asia/Shanghai"
IN_SCOPE = families.in_region()
COUNTS = ("due", "completed", "attempts", "passed", "certificates")
DELTAS = (*COUNTS, "staff", "covered")

# Figures are counted from the rows of the rooms below, over tens of millions of rows and therefore
# in SQL. Each view is what one room offers for counting: the worker alone may read it, it shows no
# names, numbers or answers but for the two of accounts that say which enterprise and whom to tell.
VIEWS = {
    "accounts_enterprise_figures": (
        "Enterprises with the groups that they are counted in.",
        """
        select id as tenant_id, name, region_code, coalesce(industry_code, '') as industry_code,
               coalesce(risk_class, '') as risk_class, coalesce(size_class, '') as size_class
          from accounts_tenant where kind = 'enterprise'
        """,
    ),
    "accounts_staff_figures": (
        "Who is employed where at present.",
        "select tenant_id, person_id from accounts_employment where left_on is null",
    ),
    "accounts_official_figures": (
        "Who is told of a warning: administrators of enterprises, regulators with what they oversee.",
        """
        select g.person_id, p.name, g.tenant_id, t.name as organisation, g.role,
               s.region_lo, s.region_hi, s.industries
          from accounts_role_grant g
          join accounts_person p on p.id = g.person_id
          join accounts_tenant t on t.id = g.tenant_id
          left join accounts_department_scope s on s.tenant_id = g.tenant_id
         where g.role in ('enterprise_admin', 'regulator')
        """,
    ),
    "courses_due_figures": (
        "Enrolments that stand, by the month of their deadline.",
        """
        select tenant_id, date_trunc('month', due_on::timestamp)::date as month, count(*) as due
          from courses_enrolment where state <> 'cancelled' group by 1, 2
        """,
    ),
    "courses_credit_figures": (
        "Who has been credited seconds at which enterprise, also where the lesson had to start over.",
        "select distinct tenant_id, person_id from courses_credit",
    ),
    "exams_attempt_figures": (
        "Graded attempts with the month of grading and the month of the deadline.",
        f"""
        select tenant_id, person_id, enrolment_id, attempt_no, passed, graded_at,
               date_trunc('month', graded_at at time zone '{ZONE}')::date as month,
               date_trunc('month', coalesce(due_on, (graded_at at time zone '{ZONE}')::date)::timestamp)::date
                 as due_month
          from exams_attempt where state = 'graded'
        """,
    ),
    "certs_certificate_figures": (
        "Certificates by movement: +1 when one is issued or in force again, -1 when it is withdrawn.",
        f"""
        select tenant_id, date_trunc('month', issued_at at time zone '{ZONE}')::date as month, 1 as movement
          from certs_certificate where issued_at is not null
        union all
        select c.tenant_id, date_trunc('month', e.at at time zone '{ZONE}')::date,
               case when e.new_status = 'valid' then 1 else -1 end
          from certs_status_event e
          join certs_certificate c on c.person_id = e.person_id and c.id = e.certificate_id
         where (e.old_status = 'valid') <> (e.new_status = 'valid')
           and e.old_status in ('valid', 'suspended', 'revoked', 'cancelled', 'superseded')
        """,
    ),
    "supervision_source_month": (
        "What the source rows say for each enterprise and month; the folded figures must equal it.",
        """
        select f.tenant_id, f.month, sum(f.due)::int as due, sum(f.completed)::int as completed,
               sum(f.attempts)::int as attempts, sum(f.passed)::int as passed,
               sum(f.certificates)::int as certificates
          from (
            select tenant_id, month, due, 0 as completed, 0 as attempts, 0 as passed, 0 as certificates
              from courses_due_figures
            union all
            select tenant_id, month, 0, 0, count(*), count(*) filter (where passed), 0
              from exams_attempt_figures group by 1, 2
            union all
            select tenant_id, due_month, 0, 1, 0, 0, 0 from (
              select distinct on (enrolment_id) tenant_id, due_month
                from exams_attempt_figures where passed order by enrolment_id, graded_at, attempt_no) first_passes
            union all
            select tenant_id, month, 0, 0, 0, 0, movement from certs_certificate_figures
          ) f
          join accounts_enterprise_figures e on e.tenant_id = f.tenant_id
         group by 1, 2
        """,
    ),
}


def upgrade() -> None:
    _create_delta()
    _create_marks()
    _create_enterprise_month()
    _create_enterprise_total()
    _create_region_tables()
    _create_rebuild()
    _create_reference()
    _create_warning()
    _create_note()
    for name, (comment, query) in VIEWS.items():
        op.execute(f"create view {name} as {query}")
        op.execute(f"comment on view {name} is '{comment}'")
        op.execute(f"revoke all on {name} from public")
        op.execute(f"grant select on {name} to anzheng_worker")


def _counts() -> list[sa.Column[int]]:
    return [sa.Column(name, sa.Integer(), nullable=False) for name in COUNTS]


def _groups() -> list[sa.Column[object]]:
    """Return the columns that say in which groups an enterprise is counted."""
    return [
        sa.Column("region_code", sa.Integer(), nullable=False),
        sa.Column("industry_code", sa.String(2), nullable=False),
        sa.Column("risk_class", sa.String(10), nullable=False),
        sa.Column("size_class", sa.String(10), nullable=False),
    ]


def _create_delta() -> None:
    table = "supervision_delta"
    op.create_table(
        table,
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("tenant_id", sa.Uuid(), nullable=False),
        sa.Column("person_id", sa.Uuid()),
        sa.Column("enrolment_id", sa.Uuid()),
        sa.Column("region_code", sa.Integer(), nullable=False),
        sa.Column("industry_code", sa.String(2)),
        sa.Column("month", sa.Date(), nullable=False),
        *(sa.Column(f"d_{name}", sa.Integer(), nullable=False) for name in DELTAS),
        sa.Column("at", MOMENT, nullable=False),
        sa.PrimaryKeyConstraint("id", name=f"pk_{table}"),
        sa.CheckConstraint("d_completed = 0 or enrolment_id is not null", name=f"ck_{table}_completed"),
        sa.CheckConstraint("d_covered = 0 or person_id is not null", name=f"ck_{table}_covered"),
        sa.CheckConstraint("extract(day from month) = 1", name=f"ck_{table}_month"),
    )
    op.create_index(f"ix_{table}_tenant_id", table, ["tenant_id"])
    families.enable(table)
    # Insert-only, and each scope only for what is its own: nobody moves a stranger's figures.
    families.policy(table, "person", "insert", "true", check=f"person_id = {families.PERSON}")
    families.policy(table, "tenant", "insert", "true", check=f"tenant_id = {families.TENANT}")
    families.policy(table, "region", "insert", "true", check=IN_SCOPE)
    families.worker_all(table)


def _create_marks() -> None:
    """Make what the fold remembers so that each enrolment and each person counts once."""
    op.create_table(
        "supervision_completed",
        sa.Column("enrolment_id", sa.Uuid(), nullable=False),
        sa.Column("tenant_id", sa.Uuid(), nullable=False),
        sa.Column("month", sa.Date(), nullable=False),
        sa.PrimaryKeyConstraint("enrolment_id", name="pk_supervision_completed"),
    )
    op.create_table(
        "supervision_covered",
        sa.Column("tenant_id", sa.Uuid(), nullable=False),
        sa.Column("person_id", sa.Uuid(), nullable=False),
        sa.PrimaryKeyConstraint("tenant_id", "person_id", name="pk_supervision_covered"),
    )
    for table in ("supervision_completed", "supervision_covered"):
        families.keys(table)


def _create_enterprise_month() -> None:
    table = "supervision_enterprise_month"
    op.create_table(
        table,
        sa.Column("tenant_id", sa.Uuid(), nullable=False),
        sa.Column("month", sa.Date(), nullable=False),
        *_groups(),
        *_counts(),
        sa.PrimaryKeyConstraint("tenant_id", "month", name=f"pk_{table}"),
    )
    op.create_index(f"ix_{table}_region_code_month_industry_code", table, ["region_code", "month", "industry_code"])
    families.tenant(table, commands="select", region=IN_SCOPE)


def _create_enterprise_total() -> None:
    table = "supervision_enterprise_total"
    op.create_table(
        table,
        sa.Column("tenant_id", sa.Uuid(), nullable=False),
        sa.Column("name", sa.String(120), nullable=False),
        *_groups(),
        sa.Column("period_from", sa.Date(), nullable=False),
        sa.Column("period_to", sa.Date(), nullable=False),
        *_counts(),
        sa.Column("staff", sa.Integer(), nullable=False),
        sa.Column("covered", sa.Integer(), nullable=False),
        sa.Column("counted_at", MOMENT, nullable=False),
        sa.PrimaryKeyConstraint("tenant_id", name=f"pk_{table}"),
        sa.CheckConstraint("covered between 0 and staff", name=f"ck_{table}_covered"),
    )
    op.create_index(f"ix_{table}_region_code_industry_code", table, ["region_code", "industry_code"])
    op.create_index(f"ix_{table}_period_to", table, ["period_to"])
    families.tenant(table, commands="select", region=IN_SCOPE)


def _create_region_tables() -> None:
    keys = ("region_code", "industry_code", "risk_class", "size_class")
    op.create_table(
        "supervision_region_month",
        *_groups(),
        sa.Column("month", sa.Date(), nullable=False),
        *_counts(),
        sa.PrimaryKeyConstraint(*keys, "month", name="pk_supervision_region_month"),
    )
    op.create_table(
        "supervision_region_total",
        *_groups(),
        sa.Column("enterprises", sa.Integer(), nullable=False),
        sa.Column("staff", sa.Integer(), nullable=False),
        sa.Column("covered", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint(*keys, name="pk_supervision_region_total"),
    )
    for table in ("supervision_region_month", "supervision_region_total"):
        families.enable(table)
        families.policy(table, "region", "select", IN_SCOPE)
        families.worker_all(table)


def _create_rebuild() -> None:
    """Make where a rebuild lays down what it has counted before it compares."""
    op.create_table(
        "supervision_rebuild",
        sa.Column("tenant_id", sa.Uuid(), nullable=False),
        sa.Column("month", sa.Date(), nullable=False),
        *_counts(),
        sa.PrimaryKeyConstraint("tenant_id", "month", name="pk_supervision_rebuild"),
    )
    families.keys("supervision_rebuild")


def _create_reference() -> None:
    op.create_table(
        "supervision_rule",
        sa.Column("code", sa.String(60), nullable=False),
        sa.Column("region_code", sa.Integer(), nullable=False, autoincrement=False),
        sa.Column("version", sa.Integer(), nullable=False, autoincrement=False),
        sa.Column("effective_from", sa.Date(), nullable=False),
        sa.Column("purpose", sa.String(10), nullable=False),
        sa.Column("figure", sa.String(20), nullable=False),
        sa.Column("level", sa.String(10)),
        sa.Column("threshold_pct", sa.Integer(), nullable=False),
        sa.Column("size_classes", ARRAY(sa.String(10)), nullable=False),
        sa.Column("industries", ARRAY(sa.String(2)), nullable=False),
        sa.Column("legal_basis_zh", sa.Text(), nullable=False),
        sa.Column("legal_basis_en", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("code", "region_code", "version", name="pk_supervision_rule"),
        sa.CheckConstraint("purpose in ('warning', 'target')", name="ck_supervision_rule_purpose"),
        sa.CheckConstraint("(purpose = 'warning') = (level is not null)", name="ck_supervision_rule_level"),
    )
    op.create_table(
        "supervision_definition",
        sa.Column("figure", sa.String(20), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False, autoincrement=False),
        sa.Column("effective_from", sa.Date(), nullable=False),
        sa.Column("name_zh", sa.String(60), nullable=False),
        sa.Column("name_en", sa.String(80), nullable=False),
        sa.Column("text_zh", sa.Text(), nullable=False),
        sa.Column("text_en", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("figure", "version", name="pk_supervision_definition"),
    )
    for table in ("supervision_rule", "supervision_definition"):
        families.reference(table)


def _create_warning() -> None:
    table = "supervision_warning"
    op.create_table(
        table,
        sa.Column("tenant_id", sa.Uuid(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("kind", sa.String(20), nullable=False),
        sa.Column("level", sa.String(10), nullable=False),
        sa.Column("state", sa.String(10), nullable=False),
        sa.Column("subject_id", sa.Uuid(), nullable=False),
        sa.Column("region_code", sa.Integer(), nullable=False),
        sa.Column("industry_code", sa.String(2), nullable=False),
        sa.Column("period_from", sa.Date(), nullable=False),
        sa.Column("period_to", sa.Date(), nullable=False),
        sa.Column("rule_code", sa.String(60), nullable=False),
        sa.Column("rule_region_code", sa.Integer(), nullable=False),
        sa.Column("rule_version", sa.Integer(), nullable=False),
        sa.Column("figures", JSONB(), nullable=False),
        sa.Column("latest", JSONB(), nullable=False),
        sa.Column("told", JSONB(), nullable=False),
        sa.Column("opened_at", MOMENT, nullable=False),
        sa.Column("closed_at", MOMENT),
        sa.Column("closed_by", sa.Uuid()),
        sa.Column("closing_figures", JSONB()),
        sa.PrimaryKeyConstraint("tenant_id", "id", name=f"pk_{table}"),
        sa.CheckConstraint("kind in ('completion', 'pass_rate', 'failed_twice')", name=f"ck_{table}_kind"),
        sa.CheckConstraint("level in ('yellow', 'orange', 'red')", name=f"ck_{table}_level"),
        sa.CheckConstraint(
            "(state = 'open') = (closed_at is null) and state in ('open', 'closed')", name=f"ck_{table}_state"
        ),
    )
    is_open = sa.text("state = 'open'")
    op.create_index(f"ix_{table}_id", table, ["id"], unique=True)
    op.create_index(
        f"uq_{table}_open", table, ["tenant_id", "kind", "subject_id"], unique=True, postgresql_where=is_open
    )
    op.create_index(f"ix_{table}_open_region_code", table, ["region_code", "level"], postgresql_where=is_open)
    op.create_index(f"ix_{table}_region_code_id", table, ["region_code", "id"])
    families.tenant(table, commands="select", region=IN_SCOPE)
    # Yellow and orange go when their cause goes; a red case ends with the result of its check on site.
    families.policy(
        table,
        "region",
        "update",
        f"{IN_SCOPE} and level = 'red' and state = 'open'",
        check=f"{IN_SCOPE} and level = 'red' and state = 'closed'",
        columns="(state, closed_at, closed_by, closing_figures)",
    )


def _create_note() -> None:
    table = "supervision_warning_note"
    op.create_table(
        table,
        sa.Column("tenant_id", sa.Uuid(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("warning_id", sa.Uuid(), nullable=False),
        sa.Column("region_code", sa.Integer(), nullable=False),
        sa.Column("industry_code", sa.String(2), nullable=False),
        sa.Column("kind", sa.String(15), nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        sa.Column("author_id", sa.Uuid(), nullable=False),
        sa.Column("author_name", sa.String(60), nullable=False),
        sa.Column("organisation", sa.String(120), nullable=False),
        sa.Column("at", MOMENT, nullable=False),
        sa.PrimaryKeyConstraint("tenant_id", "id", name=f"pk_{table}"),
        sa.ForeignKeyConstraint(
            ["tenant_id", "warning_id"],
            ["supervision_warning.tenant_id", "supervision_warning.id"],
            name=f"fk_{table}_tenant_id_warning_id",
        ),
        sa.CheckConstraint("kind in ('acknowledged', 'comment', 'check_result')", name=f"ck_{table}_kind"),
    )
    op.create_index(f"ix_{table}_id", table, ["id"], unique=True)
    op.create_index(f"ix_{table}_tenant_id_warning_id", table, ["tenant_id", "warning_id"])
    op.create_index(
        f"uq_{table}_acknowledged",
        table,
        ["tenant_id", "warning_id", "author_id"],
        unique=True,
        postgresql_where=sa.text("kind = 'acknowledged'"),
    )
    families.tenant(table, commands="select", region=IN_SCOPE)
    families.policy(table, "region", "insert", "true", check=f"{IN_SCOPE} and author_id = {families.ACTOR}")


def downgrade() -> None:
    for name in reversed(VIEWS):
        op.execute(f"drop view {name}")
    for table in (
        "warning_note", "warning", "definition", "rule", "rebuild", "region_total", "region_month",
        "enterprise_total", "enterprise_month", "covered", "completed", "delta",
    ):  # fmt: skip
        op.drop_table(f"supervision_{table}")
