"""Courses: catalogue, programmes, assignments, and what each person has learned."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

from migrations import families

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

TABLES = (
    "courses_course",
    "courses_lesson",
    "courses_lesson_question",
    "courses_lesson_key",
    "courses_programme",
    "courses_programme_course",
    "courses_assignment",
    "courses_enrolment",
    "courses_lesson_progress",
    "courses_credit",
    "courses_face_check",
    "courses_quiz",
)
MINE = f"person_id = {families.PERSON}"
OURS = f"tenant_id = {families.TENANT}"

# Marks one quiz that its own learner has handed in, and only once. It is the only way by which the
# answers of courses_lesson_key reach a learner, and it tells of a question's reasons no more than
# that learner has earned: all of them with a passed quiz, else those of the right answers.
MARK_QUIZ = f"""
declare
  found courses_quiz%rowtype;
  bar integer;
  marks jsonb;
  points integer;
begin
  select * into found from courses_quiz where id = quiz and {MINE} and state = 'submitted' for update;
  if found.id is null then
    return null;
  end if;
  select pass_score into bar from courses_lesson where id = found.lesson_id;
  select jsonb_agg(jsonb_build_object(
      'question_id', item.value ->> 'question_id',
      'right', coalesce(k.answer = found.answers -> (item.value ->> 'question_id'), false),
      'explanation_zh', k.explanation_zh, 'explanation_en', k.explanation_en, 'basis_zh', k.basis_zh)
      order by item.ordinality)
    into marks
    from jsonb_array_elements(found.items) with ordinality item
    join courses_lesson_key k on k.question_id = cast(item.value ->> 'question_id' as uuid);
  select round(100.0 * count(*) filter (where (mark ->> 'right')::boolean) / jsonb_array_length(found.items))
    into points from jsonb_array_elements(marks) mark;
  if points < bar then
    select jsonb_agg(case when (mark ->> 'right')::boolean then mark
        else mark - 'explanation_zh' - 'explanation_en' - 'basis_zh' end order by ordinality)
      into marks from jsonb_array_elements(marks) with ordinality as listed(mark, ordinality);
  end if;
  update courses_quiz set score = points, results = marks,
    state = case when points < bar then 'failed' else 'passed' end where id = quiz;
  return points;
end
"""


def upgrade() -> None:
    _create_course()
    _create_lesson()
    _create_lesson_question()
    _create_lesson_key()
    _create_programme()
    _create_programme_course()
    _create_assignment()
    _create_enrolment()
    _create_lesson_progress()
    _create_credit()
    _create_face_check()
    _create_quiz()
    _guard_catalogue()
    _guard_enrolments()
    _guard_progress()
    _guard_checks()
    families.definer(
        "courses_mark_quiz(quiz uuid)", "integer", MARK_QUIZ, grantees=["anzheng_person"], language="plpgsql"
    )


def _create_course() -> None:
    op.create_table(
        "courses_course",
        sa.Column("tenant_id", sa.Uuid(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("code", sa.String(60), nullable=False),
        sa.Column("title_zh", sa.String(120), nullable=False),
        sa.Column("title_en", sa.String(200), nullable=False),
        sa.Column("summary_zh", sa.Text(), nullable=False),
        sa.Column("summary_en", sa.Text(), nullable=False),
        sa.Column("industry_tag", sa.String(2), nullable=False),
        sa.Column("post_tag", sa.String(60), nullable=False),
        sa.Column("risk_tag", sa.String(60), nullable=False),
        sa.Column("state", sa.String(12), nullable=False),
        sa.Column("case_lesson_id", sa.Uuid(), nullable=True),
        sa.Column("no_case_reason", sa.String(500), nullable=True),
        sa.Column("created_by", sa.Uuid(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("published_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint("(state = 'published') = (published_at is not null)", name="ck_courses_course_published_at"),
        sa.CheckConstraint(
            "state = 'draft' or case_lesson_id is not null or char_length(coalesce(no_case_reason, '')) >= 10",
            name="ck_courses_course_risk_case",
        ),
        sa.CheckConstraint("state in ('draft', 'published')", name="ck_courses_course_state"),
        sa.PrimaryKeyConstraint("tenant_id", "id", name="pk_courses_course"),
        sa.UniqueConstraint("tenant_id", "code", name="uq_courses_course_tenant_id_code"),
    )
    op.create_index("ix_courses_course_id", "courses_course", ["id"], unique=True)
    op.create_index(
        "ix_courses_course_published_code",
        "courses_course",
        ["code"],
        unique=True,
        postgresql_where=sa.text("state = 'published'"),
    )


def _create_lesson() -> None:
    op.create_table(
        "courses_lesson",
        sa.Column("tenant_id", sa.Uuid(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("course_id", sa.Uuid(), nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("kind", sa.String(12), nullable=False),
        sa.Column("title_zh", sa.String(120), nullable=False),
        sa.Column("title_en", sa.String(200), nullable=False),
        sa.Column("media_asset_id", sa.Uuid(), nullable=False),
        sa.Column("duration_s", sa.Integer(), nullable=False),
        sa.Column("quiz_required", sa.Boolean(), nullable=False),
        sa.Column("pass_score", sa.Integer(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint("kind in ('video')", name="ck_courses_lesson_kind"),
        sa.CheckConstraint("duration_s between 1 and 900", name="ck_courses_lesson_duration_s"),
        sa.CheckConstraint("pass_score between 0 and 100", name="ck_courses_lesson_pass_score"),
        sa.ForeignKeyConstraint(
            ["tenant_id", "course_id"],
            ["courses_course.tenant_id", "courses_course.id"],
            name="fk_courses_lesson_tenant_id_course_id",
        ),
        sa.PrimaryKeyConstraint("tenant_id", "id", name="pk_courses_lesson"),
        sa.UniqueConstraint(
            "tenant_id", "course_id", "position", name="uq_courses_lesson_tenant_id_course_id_position"
        ),
    )
    op.create_index("ix_courses_lesson_id", "courses_lesson", ["id"], unique=True)


def _create_lesson_question() -> None:
    op.create_table(
        "courses_lesson_question",
        sa.Column("tenant_id", sa.Uuid(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("lesson_id", sa.Uuid(), nullable=False),
        sa.Column("code", sa.String(60), nullable=False),
        sa.Column("kind", sa.String(12), nullable=False),
        sa.Column("stem_zh", sa.Text(), nullable=False),
        sa.Column("stem_en", sa.Text(), nullable=False),
        sa.Column("options", JSONB(), nullable=False),
        sa.CheckConstraint("kind in ('single', 'multiple', 'true_false')", name="ck_courses_lesson_question_kind"),
        sa.ForeignKeyConstraint(
            ["tenant_id", "lesson_id"],
            ["courses_lesson.tenant_id", "courses_lesson.id"],
            name="fk_courses_lesson_question_tenant_id_lesson_id",
        ),
        sa.PrimaryKeyConstraint("tenant_id", "id", name="pk_courses_lesson_question"),
        sa.UniqueConstraint(
            "tenant_id", "lesson_id", "code", name="uq_courses_lesson_question_tenant_id_lesson_id_code"
        ),
    )
    op.create_index("ix_courses_lesson_question_id", "courses_lesson_question", ["id"], unique=True)


def _create_lesson_key() -> None:
    op.create_table(
        "courses_lesson_key",
        sa.Column("tenant_id", sa.Uuid(), nullable=False),
        sa.Column("question_id", sa.Uuid(), nullable=False),
        sa.Column("answer", JSONB(), nullable=False),
        sa.Column("explanation_zh", sa.Text(), nullable=False),
        sa.Column("explanation_en", sa.Text(), nullable=False),
        sa.Column("basis_zh", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(
            ["tenant_id", "question_id"],
            ["courses_lesson_question.tenant_id", "courses_lesson_question.id"],
            name="fk_courses_lesson_key_tenant_id_question_id",
        ),
        sa.PrimaryKeyConstraint("tenant_id", "question_id", name="pk_courses_lesson_key"),
    )
    op.create_index("ix_courses_lesson_key_question_id", "courses_lesson_key", ["question_id"], unique=True)


def _create_programme() -> None:
    op.create_table(
        "courses_programme",
        sa.Column("code", sa.String(60), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("name_zh", sa.String(120), nullable=False),
        sa.Column("name_en", sa.String(200), nullable=False),
        sa.Column("effective_from", sa.Date(), nullable=False),
        sa.Column("effective_to", sa.Date(), nullable=True),
        sa.Column("legal_basis_zh", sa.Text(), nullable=False),
        sa.Column("legal_basis_en", sa.Text(), nullable=False),
        sa.Column("post_code", sa.String(60), nullable=False),
        sa.Column("blueprint_code", sa.String(60), nullable=False),
        sa.Column("scheme_code", sa.String(60), nullable=False),
        sa.Column("pass_score", sa.Integer(), nullable=False),
        sa.Column("class_hours", sa.Double(), nullable=False),
        sa.CheckConstraint("pass_score between 0 and 100", name="ck_courses_programme_pass_score"),
        sa.PrimaryKeyConstraint("code", "version", name="pk_courses_programme"),
    )


def _create_programme_course() -> None:
    op.create_table(
        "courses_programme_course",
        sa.Column("programme_code", sa.String(60), nullable=False),
        sa.Column("programme_version", sa.Integer(), nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("course_code", sa.String(60), nullable=False),
        sa.ForeignKeyConstraint(
            ["programme_code", "programme_version"],
            ["courses_programme.code", "courses_programme.version"],
            name="fk_courses_programme_course_programme_code_programme_version",
        ),
        sa.PrimaryKeyConstraint("programme_code", "programme_version", "position", name="pk_courses_programme_course"),
        sa.UniqueConstraint(
            "programme_code", "programme_version", "course_code", name="uq_courses_programme_course_code"
        ),
    )


def _create_assignment() -> None:
    op.create_table(
        "courses_assignment",
        sa.Column("tenant_id", sa.Uuid(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("programme_code", sa.String(60), nullable=False),
        sa.Column("programme_version", sa.Integer(), nullable=False),
        sa.Column("target", sa.String(12), nullable=False),
        sa.Column("post_code", sa.String(60), nullable=True),
        sa.Column("due_on", sa.Date(), nullable=False),
        sa.Column("state", sa.String(12), nullable=False),
        sa.Column("region_code", sa.Integer(), nullable=False),
        sa.Column("industry_code", sa.String(2), nullable=False),
        sa.Column("created_by", sa.Uuid(), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("cancelled_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint("(target = 'post') = (post_code is not null)", name="ck_courses_assignment_target"),
        sa.CheckConstraint("state in ('open', 'cancelled')", name="ck_courses_assignment_state"),
        sa.PrimaryKeyConstraint("tenant_id", "id", name="pk_courses_assignment"),
    )
    op.create_index("ix_courses_assignment_id", "courses_assignment", ["id"], unique=True)
    op.create_index(
        "ix_courses_assignment_open_post",
        "courses_assignment",
        ["tenant_id", "programme_code", "post_code", "due_on"],
        unique=True,
        postgresql_where=sa.text("state = 'open' and target = 'post'"),
    )


def _create_enrolment() -> None:
    op.create_table(
        "courses_enrolment",
        sa.Column("person_id", sa.Uuid(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("tenant_id", sa.Uuid(), nullable=False),
        sa.Column("employment_id", sa.Uuid(), nullable=False),
        sa.Column("region_code", sa.Integer(), nullable=False),
        sa.Column("industry_code", sa.String(2), nullable=False),
        sa.Column("programme_code", sa.String(60), nullable=False),
        sa.Column("programme_version", sa.Integer(), nullable=False),
        sa.Column("assignment_id", sa.Uuid(), nullable=False),
        sa.Column("cycle", sa.Integer(), nullable=False),
        sa.Column("due_on", sa.Date(), nullable=False),
        sa.Column("state", sa.String(12), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("learning_completed_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint(
            "(state = 'learned') = (learning_completed_at is not null)", name="ck_courses_enrolment_learned"
        ),
        sa.CheckConstraint(
            "state in ('assigned', 'learning', 'learned', 'cancelled')", name="ck_courses_enrolment_state"
        ),
        sa.PrimaryKeyConstraint("person_id", "id", name="pk_courses_enrolment"),
        sa.UniqueConstraint("person_id", "assignment_id", name="uq_courses_enrolment_person_id_assignment_id"),
    )
    _index_enrolment()


def _index_enrolment() -> None:
    op.create_index("ix_courses_enrolment_id", "courses_enrolment", ["id"], unique=True)
    op.create_index(
        "ix_courses_enrolment_open",
        "courses_enrolment",
        ["person_id", "tenant_id", "programme_code"],
        unique=True,
        postgresql_where=sa.text("state in ('assigned', 'learning')"),
    )
    op.create_index(
        "ix_courses_enrolment_region_code",
        "courses_enrolment",
        ["region_code", "industry_code", "due_on"],
        unique=False,
    )
    op.create_index(
        "ix_courses_enrolment_tenant_id_assignment_id",
        "courses_enrolment",
        ["tenant_id", "assignment_id", "id"],
        unique=False,
    )


def _create_lesson_progress() -> None:
    op.create_table(
        "courses_lesson_progress",
        sa.Column("person_id", sa.Uuid(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("tenant_id", sa.Uuid(), nullable=False),
        sa.Column("region_code", sa.Integer(), nullable=False),
        sa.Column("industry_code", sa.String(2), nullable=False),
        sa.Column("enrolment_id", sa.Uuid(), nullable=False),
        sa.Column("lesson_id", sa.Uuid(), nullable=False),
        sa.Column("viewing_cycle", sa.Integer(), nullable=False),
        sa.Column("credited_s", sa.Double(), nullable=False),
        sa.Column("furthest_s", sa.Double(), nullable=False),
        sa.Column("opened_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("playback_id", sa.Uuid(), nullable=True),
        sa.Column("last_beat_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("video_completed_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("quiz_passed_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("completed_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("restarts", sa.Integer(), nullable=False),
        sa.CheckConstraint(
            "completed_at is null or video_completed_at is not null", name="ck_courses_lesson_progress_completed"
        ),
        sa.CheckConstraint("credited_s >= 0", name="ck_courses_lesson_progress_credited_s"),
        sa.ForeignKeyConstraint(
            ["person_id", "enrolment_id"],
            ["courses_enrolment.person_id", "courses_enrolment.id"],
            name="fk_courses_lesson_progress_person_id_enrolment_id",
        ),
        sa.PrimaryKeyConstraint("person_id", "id", name="pk_courses_lesson_progress"),
        sa.UniqueConstraint(
            "person_id", "enrolment_id", "lesson_id", name="uq_courses_lesson_progress_person_id_enrolment_id_lesson_id"
        ),
    )
    op.create_index("ix_courses_lesson_progress_id", "courses_lesson_progress", ["id"], unique=True)


def _create_credit() -> None:
    op.create_table(
        "courses_credit",
        sa.Column("person_id", sa.Uuid(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("tenant_id", sa.Uuid(), nullable=False),
        sa.Column("region_code", sa.Integer(), nullable=False),
        sa.Column("industry_code", sa.String(2), nullable=False),
        sa.Column("enrolment_id", sa.Uuid(), nullable=False),
        sa.Column("lesson_id", sa.Uuid(), nullable=False),
        sa.Column("viewing_cycle", sa.Integer(), nullable=False),
        sa.Column("on_day", sa.Date(), nullable=False),
        sa.Column("credited_s", sa.Double(), nullable=False),
        sa.Column("exclusion_reason", sa.String(40), nullable=True),
        sa.CheckConstraint("credited_s > 0", name="ck_courses_credit_credited_s"),
        sa.ForeignKeyConstraint(
            ["person_id", "enrolment_id"],
            ["courses_enrolment.person_id", "courses_enrolment.id"],
            name="fk_courses_credit_person_id_enrolment_id",
        ),
        sa.PrimaryKeyConstraint("person_id", "id", name="pk_courses_credit"),
        sa.UniqueConstraint(
            "person_id", "enrolment_id", "lesson_id", "viewing_cycle", "on_day", name="uq_courses_credit_day"
        ),
    )
    op.create_index("ix_courses_credit_id", "courses_credit", ["id"], unique=True)
    op.create_index("ix_courses_credit_person_id_on_day", "courses_credit", ["person_id", "on_day"], unique=False)


def _create_face_check() -> None:
    op.create_table(
        "courses_face_check",
        sa.Column("person_id", sa.Uuid(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("tenant_id", sa.Uuid(), nullable=False),
        sa.Column("progress_id", sa.Uuid(), nullable=False),
        sa.Column("enrolment_id", sa.Uuid(), nullable=False),
        sa.Column("lesson_id", sa.Uuid(), nullable=False),
        sa.Column("viewing_cycle", sa.Integer(), nullable=False),
        sa.Column("at_s", sa.Integer(), nullable=False),
        sa.Column("state", sa.String(12), nullable=False),
        sa.Column("tries", sa.Integer(), nullable=False),
        sa.Column("mismatches", sa.Integer(), nullable=False),
        sa.Column("due_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("settled_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("verification_id", sa.Uuid(), nullable=True),
        sa.Column("decided_by", sa.Uuid(), nullable=True),
        sa.Column("decision_reason", sa.String(300), nullable=True),
        sa.CheckConstraint(
            "state in ('planned', 'due', 'passed', 'referred', 'confirmed', 'rejected')",
            name="ck_courses_face_check_state",
        ),
        sa.ForeignKeyConstraint(
            ["person_id", "progress_id"],
            ["courses_lesson_progress.person_id", "courses_lesson_progress.id"],
            name="fk_courses_face_check_person_id_progress_id",
        ),
        sa.PrimaryKeyConstraint("person_id", "id", name="pk_courses_face_check"),
        sa.UniqueConstraint(
            "person_id",
            "progress_id",
            "viewing_cycle",
            "at_s",
            name="uq_courses_face_check_person_id_progress_id_viewing_cycle_at_s",
        ),
    )
    _index_face_check()


def _index_face_check() -> None:
    op.create_index("ix_courses_face_check_id", "courses_face_check", ["id"], unique=True)
    op.create_index(
        "ix_courses_face_check_referred",
        "courses_face_check",
        ["tenant_id", "id"],
        unique=False,
        postgresql_where=sa.text("state = 'referred'"),
    )


def _create_quiz() -> None:
    op.create_table(
        "courses_quiz",
        sa.Column("person_id", sa.Uuid(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("tenant_id", sa.Uuid(), nullable=False),
        sa.Column("progress_id", sa.Uuid(), nullable=False),
        sa.Column("enrolment_id", sa.Uuid(), nullable=False),
        sa.Column("lesson_id", sa.Uuid(), nullable=False),
        sa.Column("viewing_cycle", sa.Integer(), nullable=False),
        sa.Column("seed", sa.String(32), nullable=False),
        sa.Column("items", JSONB(), nullable=False),
        sa.Column("answers", JSONB(), nullable=False),
        sa.Column("results", JSONB(), nullable=True),
        sa.Column("state", sa.String(12), nullable=False),
        sa.Column("score", sa.Integer(), nullable=True),
        sa.Column("drawn_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("submitted_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint("state in ('drawn', 'submitted', 'passed', 'failed')", name="ck_courses_quiz_state"),
        sa.CheckConstraint("score between 0 and 100", name="ck_courses_quiz_score"),
        sa.ForeignKeyConstraint(
            ["person_id", "progress_id"],
            ["courses_lesson_progress.person_id", "courses_lesson_progress.id"],
            name="fk_courses_quiz_person_id_progress_id",
        ),
        sa.PrimaryKeyConstraint("person_id", "id", name="pk_courses_quiz"),
        sa.UniqueConstraint(
            "person_id", "progress_id", "viewing_cycle", name="uq_courses_quiz_person_id_progress_id_viewing_cycle"
        ),
    )
    op.create_index("ix_courses_quiz_id", "courses_quiz", ["id"], unique=True)


def _guard_catalogue() -> None:
    """Institutions write drafts; once published a course is everyone's to read and nobody's to change."""
    draft = (
        "exists (select 1 from courses_course c where c.tenant_id = {0}.tenant_id"
        " and c.id = {0}.course_id and c.state = 'draft')"
    )
    of_draft_lesson = (
        "exists (select 1 from courses_lesson l join courses_course c on c.tenant_id = l.tenant_id"
        " and c.id = l.course_id where l.tenant_id = {0}.tenant_id and l.id = {0}.{1} and c.state = 'draft')"
    )
    of_draft_question = (
        "exists (select 1 from courses_lesson_question q join courses_lesson l on l.tenant_id = q.tenant_id"
        " and l.id = q.lesson_id join courses_course c on c.tenant_id = l.tenant_id and c.id = l.course_id"
        " where q.tenant_id = {0}.tenant_id and q.id = {0}.question_id and c.state = 'draft')"
    )
    writable = {
        "courses_course": "state = 'draft'",
        "courses_lesson": draft.format("courses_lesson"),
        "courses_lesson_question": of_draft_lesson.format("courses_lesson_question", "lesson_id"),
        "courses_lesson_key": of_draft_question.format("courses_lesson_key"),
    }
    for table, condition in writable.items():
        families.enable(table)
        families.policy(table, "tenant", "select", OURS)
        families.policy(table, "tenant", "insert", OURS, check=f"{OURS} and {condition}")
        families.policy(table, "tenant", "delete", f"{OURS} and {condition}")
        check = OURS if table == "courses_course" else f"{OURS} and {condition}"
        families.policy(table, "tenant", "update", f"{OURS} and {condition}", check=check)
        families.worker_all(table)
    _publish_catalogue()
    families.reference("courses_programme")
    families.reference("courses_programme_course")


def _publish_catalogue() -> None:
    """Let every scope that shows courses read the published ones; the keys are not among them."""
    of_published = (
        "exists (select 1 from courses_course c where c.tenant_id = courses_lesson.tenant_id"
        " and c.id = courses_lesson.course_id and c.state = 'published')"
    )
    # The look-up runs under the reader's own policies: a lesson that they can see is a published one.
    of_visible = (
        "exists (select 1 from courses_lesson l where l.tenant_id = courses_lesson_question.tenant_id"
        " and l.id = courses_lesson_question.lesson_id)"
    )
    for scope in ("person", "tenant", "region", "public"):
        for table, condition in (("courses_course", "state = 'published'"), ("courses_lesson", of_published)):
            op.execute(f"grant select on {table} to anzheng_{scope}")
            op.execute(f"create policy {scope}_published on {table} for select to anzheng_{scope} using ({condition})")
    op.execute("grant select on courses_lesson_question to anzheng_person")
    op.execute(
        f"create policy person_published on courses_lesson_question for select to anzheng_person using ({of_visible})"
    )


def _guard_enrolments() -> None:
    """The enterprise assigns and cancels; only the learner's own doing moves an enrolment on."""
    families.tenant("courses_assignment", commands="select, insert, update", region=families.in_region())
    families.person("courses_enrolment", commands="select", region=families.in_region())
    families.policy(
        "courses_enrolment",
        "person",
        "update",
        f"{MINE} and state in ('assigned', 'learning')",
        check=f"{MINE} and state in ('learning', 'learned')",
        columns="(state, learning_completed_at)",
    )
    families.policy("courses_enrolment", "tenant", "insert", OURS, check=f"{OURS} and state = 'assigned'")
    families.policy(
        "courses_enrolment",
        "tenant",
        "update",
        f"{OURS} and state in ('assigned', 'learning')",
        check=f"{OURS} and state = 'cancelled'",
        columns="(state)",
    )


def _guard_progress() -> None:
    for table in ("courses_lesson_progress", "courses_credit"):
        families.person(table, region=families.in_region())


def _guard_checks() -> None:
    """Learners answer checks and quizzes; a referred check is the enterprise's to decide, a mark the function's."""
    families.person("courses_face_check", commands="select")
    families.policy("courses_face_check", "person", "insert", MINE, check=f"{MINE} and state = 'planned'")
    families.policy(
        "courses_face_check",
        "person",
        "update",
        f"{MINE} and state in ('planned', 'due')",
        check=f"{MINE} and state in ('due', 'passed', 'confirmed', 'referred')",
        columns="(state, tries, mismatches, due_at, settled_at, verification_id)",
    )
    families.policy(
        "courses_face_check",
        "tenant",
        "update",
        f"{OURS} and state = 'referred'",
        check=f"{OURS} and state in ('confirmed', 'rejected')",
        columns="(state, settled_at, decided_by, decision_reason)",
    )
    families.person("courses_quiz", commands="select")
    families.policy(
        "courses_quiz",
        "person",
        "insert",
        MINE,
        check=f"{MINE} and state = 'drawn' and score is null and results is null",
    )
    families.policy(
        "courses_quiz",
        "person",
        "update",
        f"{MINE} and state = 'drawn'",
        check=f"{MINE} and state = 'submitted' and score is null",
        columns="(state, answers, submitted_at)",
    )


def downgrade() -> None:
    op.execute("drop function courses_mark_quiz(uuid)")
    for table in reversed(TABLES):
        op.drop_table(table)
