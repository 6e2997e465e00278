"""Exams: the question bank, blueprints, attempts with their papers and answers, marking."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import ARRAY, JSONB

from migrations import families

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

MOMENT = sa.DateTime(timezone=True)
OWN_BANK = f"exists (select 1 from exams_bank b where b.code = bank_code and b.owner_tenant_id = {families.TENANT})"
READABLE_BANK = (
    "exists (select 1 from exams_bank b where b.code = bank_code"
    f" and (b.owner_tenant_id is null or b.owner_tenant_id = {families.TENANT}))"
)
OWN_KEY = (
    "exists (select 1 from exams_question q join exams_bank b on b.code = q.bank_code"
    f" where q.id = question_id and b.owner_tenant_id = {families.TENANT})"
)
MINE = f"person_id = {families.PERSON}"


def upgrade() -> None:
    _create_bank()
    _create_questions()
    _create_blueprints()
    _create_attempts()
    _create_items()
    _create_answers()
    _guard_bank()
    _guard_attempts()
    _create_pool()
    _create_marking()


def _create_bank() -> None:
    op.create_table(
        "exams_bank",
        sa.Column("code", sa.String(60), nullable=False),
        sa.Column("owner_tenant_id", sa.Uuid()),
        sa.Column("name_zh", sa.String(200), nullable=False),
        sa.Column("name_en", sa.String(200), nullable=False),
        sa.Column("knowledge_points", JSONB(), nullable=False),
        sa.Column("updated_at", MOMENT, nullable=False),
        sa.PrimaryKeyConstraint("code", name="pk_exams_bank"),
    )


def _create_questions() -> None:
    op.create_table(
        "exams_question",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("bank_code", sa.String(60), nullable=False),
        sa.Column("code", sa.String(60), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("kind", sa.String(12), nullable=False),
        sa.Column("knowledge_point", sa.String(40), nullable=False),
        sa.Column("difficulty", sa.SmallInteger(), nullable=False),
        sa.Column("stem_zh", sa.Text(), nullable=False),
        sa.Column("stem_en", sa.Text(), nullable=False),
        sa.Column("options", JSONB(), nullable=False),
        sa.Column("basis_zh", sa.Text(), nullable=False),
        sa.Column("fingerprint", sa.String(64), nullable=False),
        sa.Column("state", sa.String(12), nullable=False),
        sa.Column("created_at", MOMENT, nullable=False),
        sa.Column("created_by", sa.Uuid()),
        sa.Column("ended_at", MOMENT),
        sa.PrimaryKeyConstraint("id", name="pk_exams_question"),
        sa.ForeignKeyConstraint(["bank_code"], ["exams_bank.code"], name="fk_exams_question_bank_code"),
        sa.UniqueConstraint("bank_code", "code", "version", name="uq_exams_question_bank_code_code_version"),
        sa.CheckConstraint("kind in ('single', 'multiple', 'true_false')", name="ck_exams_question_kind"),
        sa.CheckConstraint("difficulty between 1 and 3", name="ck_exams_question_difficulty"),
        sa.CheckConstraint("state in ('live', 'superseded', 'retired')", name="ck_exams_question_state"),
        sa.CheckConstraint("(state = 'live') = (ended_at is null)", name="ck_exams_question_ended"),
    )
    live = sa.text("ended_at is null")
    for name, column in (("uq_exams_question_live", "code"), ("uq_exams_question_text", "fingerprint")):
        op.create_index(name, "exams_question", ["bank_code", column], unique=True, postgresql_where=live)
    op.create_table(
        "exams_question_key",
        sa.Column("question_id", sa.Uuid(), nullable=False),
        sa.Column("answer", JSONB(), nullable=False),
        sa.Column("explanation_zh", sa.Text(), nullable=False),
        sa.Column("explanation_en", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("question_id", name="pk_exams_question_key"),
        sa.ForeignKeyConstraint(["question_id"], ["exams_question.id"], name="fk_exams_question_key_question_id"),
    )


def _create_blueprints() -> None:
    op.create_table(
        "exams_blueprint",
        sa.Column("code", sa.String(60), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False, autoincrement=False),
        sa.Column("bank_code", sa.String(60), nullable=False),
        sa.Column("name_zh", sa.String(200), nullable=False),
        sa.Column("name_en", sa.String(200), nullable=False),
        sa.Column("effective_from", sa.Date(), nullable=False),
        sa.Column("legal_basis", sa.Text(), nullable=False),
        sa.Column("duration_min", sa.Integer(), nullable=False),
        sa.Column("grace_s", sa.Integer(), nullable=False),
        sa.Column("pass_score", sa.Integer(), nullable=False),
        sa.Column("max_attempts", sa.Integer(), nullable=False),
        sa.Column("identity_max_age_min", sa.Integer(), nullable=False),
        sa.Column("items", JSONB(), nullable=False),
        sa.PrimaryKeyConstraint("code", "version", name="pk_exams_blueprint"),
        sa.ForeignKeyConstraint(["bank_code"], ["exams_bank.code"], name="fk_exams_blueprint_bank_code"),
        sa.CheckConstraint("duration_min > 0 and grace_s >= 0 and max_attempts > 0", name="ck_exams_blueprint_limits"),
        sa.CheckConstraint("pass_score between 1 and 100", name="ck_exams_blueprint_pass_score"),
    )


def _create_attempts() -> None:
    op.create_table(
        "exams_attempt",
        sa.Column("person_id", sa.Uuid(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("enrolment_id", sa.Uuid(), nullable=False),
        sa.Column("tenant_id", sa.Uuid(), nullable=False),
        sa.Column("region_code", sa.Integer(), nullable=False),
        sa.Column("industry_code", sa.String(2), nullable=False),
        sa.Column("programme_code", sa.String(60), nullable=False),
        sa.Column("blueprint_code", sa.String(60), nullable=False),
        sa.Column("blueprint_version", sa.Integer(), nullable=False),
        sa.Column("attempt_no", sa.SmallInteger(), nullable=False),
        sa.Column("seed", sa.BigInteger(), nullable=False),
        sa.Column("pass_score", sa.SmallInteger(), nullable=False),
        sa.Column("state", sa.String(12), nullable=False),
        sa.Column("started_at", MOMENT, nullable=False),
        sa.Column("deadline_at", MOMENT, nullable=False),
        sa.Column("closes_at", MOMENT, nullable=False),
        sa.Column("submitted_at", MOMENT),
        sa.Column("submit_reason", sa.String(12)),
        sa.Column("graded_at", MOMENT),
        sa.Column("score", sa.SmallInteger()),
        sa.Column("passed", sa.Boolean()),
        sa.Column("due_on", sa.Date()),
        sa.Column("identity_verification_id", sa.Uuid(), nullable=False),
        sa.PrimaryKeyConstraint("person_id", "id", name="pk_exams_attempt"),
        *_attempt_constraints(),
    )
    _index_attempts()


def _attempt_constraints() -> tuple[sa.Constraint, ...]:
    """Return the invariants of an attempt: what may be set in which state."""
    return (
        sa.UniqueConstraint(
            "person_id", "enrolment_id", "attempt_no", name="uq_exams_attempt_person_id_enrolment_id_attempt_no"
        ),
        sa.ForeignKeyConstraint(
            ["blueprint_code", "blueprint_version"],
            ["exams_blueprint.code", "exams_blueprint.version"],
            name="fk_exams_attempt_blueprint_code_blueprint_version",
        ),
        sa.CheckConstraint("state in ('open', 'submitted', 'graded')", name="ck_exams_attempt_state"),
        sa.CheckConstraint(
            "attempt_no > 0 and deadline_at > started_at and closes_at >= deadline_at", name="ck_exams_attempt_times"
        ),
        sa.CheckConstraint("(state = 'open') = (submitted_at is null)", name="ck_exams_attempt_submitted"),
        sa.CheckConstraint("submit_reason in ('person', 'deadline')", name="ck_exams_attempt_submit_reason"),
        sa.CheckConstraint(
            "(state = 'graded') = (graded_at is not null and score is not null and passed is not null)",
            name="ck_exams_attempt_graded",
        ),
        sa.CheckConstraint("score between 0 and 100 and passed = (score >= pass_score)", name="ck_exams_attempt_score"),
    )


def _index_attempts() -> None:
    is_open = sa.text("state = 'open'")
    op.create_index("ix_exams_attempt_id", "exams_attempt", ["id"], unique=True)
    op.create_index("uq_exams_attempt_open", "exams_attempt", ["person_id"], unique=True, postgresql_where=is_open)
    op.create_index("ix_exams_attempt_closing", "exams_attempt", ["closes_at"], postgresql_where=is_open)
    op.create_index("ix_exams_attempt_tenant_id", "exams_attempt", ["tenant_id", "graded_at"])
    op.create_index("ix_exams_attempt_region_code", "exams_attempt", ["region_code", "graded_at"])


def _create_items() -> None:
    op.create_table(
        "exams_attempt_item",
        sa.Column("person_id", sa.Uuid(), nullable=False),
        sa.Column("attempt_id", sa.Uuid(), nullable=False),
        sa.Column("item_no", sa.SmallInteger(), nullable=False),
        sa.Column("question_id", sa.Uuid(), nullable=False),
        sa.Column("kind", sa.String(12), nullable=False),
        sa.Column("option_order", JSONB(), nullable=False),
        sa.Column("points", sa.SmallInteger(), nullable=False),
        sa.Column("score", sa.SmallInteger()),
        sa.PrimaryKeyConstraint("person_id", "attempt_id", "item_no", name="pk_exams_attempt_item"),
        sa.ForeignKeyConstraint(
            ["person_id", "attempt_id"],
            ["exams_attempt.person_id", "exams_attempt.id"],
            name="fk_exams_attempt_item_person_id_attempt_id",
        ),
        sa.CheckConstraint("points > 0 and score between 0 and points", name="ck_exams_attempt_item_score"),
    )


def _create_answers() -> None:
    op.create_table(
        "exams_answer",
        sa.Column("person_id", sa.Uuid(), nullable=False),
        sa.Column("attempt_id", sa.Uuid(), nullable=False),
        sa.Column("item_no", sa.SmallInteger(), nullable=False),
        sa.Column("keys", ARRAY(sa.Text()), nullable=False),
        sa.Column("seq", sa.BigInteger(), nullable=False),
        sa.Column("saved_at", MOMENT, nullable=False),
        sa.PrimaryKeyConstraint("person_id", "attempt_id", "item_no", name="pk_exams_answer"),
        sa.ForeignKeyConstraint(
            ["person_id", "attempt_id", "item_no"],
            ["exams_attempt_item.person_id", "exams_attempt_item.attempt_id", "exams_attempt_item.item_no"],
            name="fk_exams_answer_person_id_attempt_id_item_no",
        ),
    )


def _guard_bank() -> None:
    families.reference("exams_bank")
    families.reference("exams_blueprint")
    families.enable("exams_question")
    families.policy("exams_question", "tenant", "select", READABLE_BANK)
    families.policy("exams_question", "tenant", "insert", OWN_BANK)
    # A version is immutable: its end is the one thing that may be written later.
    families.policy("exams_question", "tenant", "update", OWN_BANK, columns="(state, ended_at)")
    # A candidate reads the questions of their own papers, never the bank.
    families.policy(
        "exams_question",
        "person",
        "select",
        f"exists (select 1 from exams_attempt_item i where i.question_id = exams_question.id and i.{MINE})",
    )
    families.worker_all("exams_question")
    families.keys("exams_question_key")
    # Whoever owns the bank wrote its answers; nobody else reads them, the province's bank included.
    families.policy("exams_question_key", "tenant", "select, insert", OWN_KEY)


def _guard_attempts() -> None:
    families.enable("exams_attempt")
    families.policy("exams_attempt", "person", "select", MINE)
    families.policy("exams_attempt", "person", "insert", MINE, check=f"{MINE} and state = 'open' and score is null")
    # The person hands in; deadlines and marks are beyond their reach (see exams_mark).
    families.policy(
        "exams_attempt",
        "person",
        "update",
        f"{MINE} and state = 'open'",
        check=f"{MINE} and state in ('open', 'submitted')",
        columns="(state, submitted_at, submit_reason)",
    )
    families.policy("exams_attempt", "tenant", "select", f"tenant_id = {families.TENANT}")
    families.policy("exams_attempt", "region", "select", families.in_region())
    families.worker_all("exams_attempt")
    families.enable("exams_attempt_item")
    families.policy("exams_attempt_item", "person", "select", MINE)
    families.policy("exams_attempt_item", "person", "insert", MINE, check=f"{MINE} and score is null")
    families.worker_all("exams_attempt_item")
    families.person("exams_answer", tenant_reads=False)


def _create_pool() -> None:
    """Let a candidate's own transaction draw a paper: tags and ids of a bank, no text and no answer."""
    families.definer(
        "exams_pool(p_bank text, p_at timestamptz)",
        "table (question_id uuid, kind text, knowledge_point text, difficulty int, option_keys text[])",
        """
        select q.id, q.kind, q.knowledge_point, q.difficulty,
               array(select o ->> 'key' from jsonb_array_elements(q.options) o)
          from exams_question q
         where q.bank_code = p_bank and q.created_at <= p_at and (q.ended_at is null or q.ended_at > p_at)
        """,
        grantees=("anzheng_person", "anzheng_tenant", "anzheng_worker"),
    )


def _create_marking() -> None:
    """Mark one submitted attempt against answers that its person may not read.

    Does nothing unless the attempt is the caller's own (or the caller is the worker) and waits for its mark.
    """
    families.definer(
        "exams_mark(p_person uuid, p_attempt uuid, p_at timestamptz)",
        "table (total int, has_passed boolean)",
        f"""
        declare
          mark int;
          needed int;
        begin
          if current_setting('role', true) <> 'anzheng_worker' and p_person is distinct from {families.PERSON} then
            return;
          end if;
          select a.pass_score into needed from exams_attempt a
            where a.person_id = p_person and a.id = p_attempt and a.state = 'submitted' for update;
          if not found then return; end if;
          update exams_attempt_item item set score = case when
              (select array_agg(k order by k) from jsonb_array_elements_text(key.answer) k)
              = (select array_agg(chosen order by chosen) from (
                  select item.option_order ->> (ascii(shown) - ascii('A')) as chosen
                    from exams_answer given, unnest(given.keys) shown
                   where given.person_id = item.person_id and given.attempt_id = item.attempt_id
                     and given.item_no = item.item_no) choice)
            then item.points else 0 end
            from exams_question_key key
            where item.person_id = p_person and item.attempt_id = p_attempt and key.question_id = item.question_id;
          select coalesce(sum(i.score), 0) into mark from exams_attempt_item i
            where i.person_id = p_person and i.attempt_id = p_attempt;
          update exams_attempt a set state = 'graded', graded_at = p_at, score = mark, passed = mark >= needed
            where a.person_id = p_person and a.id = p_attempt;
          return query select mark, mark >= needed;
        end
        """,
        grantees=("anzheng_person", "anzheng_worker"),
        language="plpgsql",
    )


def downgrade() -> None:
    op.execute("drop function exams_mark(uuid, uuid, timestamptz)")
    op.execute("drop function exams_pool(text, timestamptz)")
    op.execute("drop policy person_select on exams_question")
    for table in ("answer", "attempt_item", "attempt", "blueprint", "question_key", "question", "bank"):
        op.drop_table(f"exams_{table}")
