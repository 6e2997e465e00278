"""Certificates: coded reasons, decisions by two officials, bans, corrections, objections."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from migrations import families

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None

MOMENT = sa.DateTime(timezone=True)
IN_SCOPE = families.in_region(scheme="scheme_code")
TENANT, ACTOR, PERSON = families.TENANT, families.ACTOR, families.PERSON
LO, HI = families.REGION_LO, families.REGION_HI
STEPS = (
    "('', 'valid'), ('valid', 'suspended'), ('valid', 'revoked'), ('valid', 'cancelled'), ('valid', 'superseded'),"
    " ('suspended', 'valid'), ('suspended', 'revoked'), ('suspended', 'cancelled')"
)
TABLES = ("certs_objection", "certs_correction", "certs_ban", "certs_proposal", "certs_reason")
# Who sees the certificate sees what was asked about it: the look-up runs under the reader's own policies.
SEEN_WITH_CERTIFICATE = (
    "exists (select 1 from certs_certificate c where c.person_id = {table}.person_id and c.id = {table}.certificate_id)"
)

CHECK = """
declare
  facts record;
  shown text;
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
  end if;
  return jsonb_build_object('shown', shown, 'facts', to_jsonb(facts));
end
"""
# What was decided is looked up only where something was; a valid certificate costs what it did.
DECIDED = """  if facts.status <> 'valid' then
    return jsonb_build_object('shown', shown, 'facts', to_jsonb(facts), 'decided', certs_decided(facts.certificate_id));
  end if;
"""
RETURNED = "  return jsonb_build_object('shown', shown, 'facts', to_jsonb(facts));"
CHECK_SIGNATURE = (
    "certs_check_now(wanted text, check_id uuid, moment timestamptz, today date, address bytea, agent text,"
    " since timestamptz)"
)


def upgrade() -> None:
    _extend_history()
    # The status list is as long as the sequence has come.
    op.execute("grant select on sequence certs_status_index_seq to anzheng_worker")
    _create_reasons()
    _create_proposals()
    _create_bans()
    _create_corrections()
    _create_objections()
    _guard_status()
    _create_doors()


def _case_columns() -> list[sa.Column[object]]:
    """Return whose case it is: frozen from the certificate, for the walls."""
    return [
        sa.Column("person_id", sa.Uuid(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("certificate_id", sa.Uuid(), nullable=False),
        sa.Column("tenant_id", sa.Uuid(), nullable=False),
        sa.Column("region_code", sa.BigInteger(), nullable=False),
        sa.Column("industry_code", sa.Text(), nullable=False),
        sa.Column("scheme_code", sa.Text(), nullable=False),
    ]


def _reason_columns() -> list[sa.Column[object]]:
    return [
        sa.Column("reason_code", sa.Text(), nullable=False),
        sa.Column("reason_version", sa.BigInteger(), nullable=False),
    ]


def _decided_columns() -> list[sa.Column[object]]:
    return [
        sa.Column("decided_by", sa.Uuid()),
        sa.Column("decider_name", sa.Text()),
        sa.Column("decision_reason", sa.Text()),
        sa.Column("decided_at", MOMENT),
    ]


def _reason_key(table: str) -> sa.ForeignKeyConstraint:
    return sa.ForeignKeyConstraint(
        ["reason_code", "reason_version"],
        ["certs_reason.code", "certs_reason.version"],
        name=f"fk_{table}_reason_code_reason_version",
    )


def _certificate_key(table: str) -> sa.ForeignKeyConstraint:
    return sa.ForeignKeyConstraint(
        ["person_id", "certificate_id"],
        ["certs_certificate.person_id", "certs_certificate.id"],
        name=f"fk_{table}_person_id_certificate_id",
    )


def _create_reasons() -> None:
    op.create_table(
        "certs_reason",
        sa.Column("code", sa.Text(), nullable=False),
        sa.Column("version", sa.BigInteger(), nullable=False, autoincrement=False),
        sa.Column("decision", sa.Text(), nullable=False),
        sa.Column("effective_from", sa.Date(), nullable=False),
        sa.Column("name_zh", sa.Text(), nullable=False),
        sa.Column("name_en", sa.Text(), nullable=False),
        sa.Column("legal_basis_zh", sa.Text(), nullable=False),
        sa.Column("legal_basis_en", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("code", "version", name="pk_certs_reason"),
        sa.CheckConstraint(
            "decision in ('suspend', 'reinstate', 'revoke', 'cancel', 'supersede', 'ban')",
            name="ck_certs_reason_decision",
        ),
    )
    families.reference("certs_reason")
    # No step has a reason yet, so there is nothing to validate.
    op.execute(
        "alter table certs_status_event add constraint fk_certs_status_event_reason_code_reason_version"
        " foreign key (reason_code, reason_version) references certs_reason (code, version) not valid"
    )


def _extend_history() -> None:
    """Give the history its reasons and its steps a rule; list decided certificates by their status index."""
    # First, since it ends the transaction: what is left of a failed attempt can then be run again.
    with op.get_context().autocommit_block():
        # Thirty million rows take longer than a statement usually may.
        op.execute("set statement_timeout = 0")
        op.create_index(
            "ix_certs_certificate_decided",
            "certs_certificate",
            ["status_index"],
            postgresql_where=sa.text("status <> 'valid'"),
            postgresql_concurrently=True,
            if_not_exists=True,
        )
        for name, kind in (("reason_code", sa.Text()), ("reason_version", sa.BigInteger()), ("proposal_id", sa.Uuid())):
            op.add_column("certs_status_event", sa.Column(name, kind), if_not_exists=True)
        op.execute(
            "do $$ begin if not exists (select from pg_constraint where conname = 'ck_certs_status_event_step')"
            " then alter table certs_status_event add constraint ck_certs_status_event_step"
            f" check ((old_status, new_status) in ({STEPS})) not valid; end if; end $$"
        )
        # A block, for the linter does not know that validating twice does no harm.
        op.execute("do $$ begin alter table certs_status_event validate constraint ck_certs_status_event_step; end $$")
        op.execute("set statement_timeout = '60s'")


def _create_proposals() -> None:
    table = "certs_proposal"
    op.create_table(
        table,
        *_case_columns(),
        sa.Column("kind", sa.Text(), nullable=False),
        *_reason_columns(),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("ban_until", sa.Date()),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("proposed_by", sa.Uuid(), nullable=False),
        sa.Column("proposer_name", sa.Text(), nullable=False),
        sa.Column("department_id", sa.Uuid(), nullable=False),
        sa.Column("department_name", sa.Text(), nullable=False),
        sa.Column("department_lo", sa.BigInteger(), nullable=False),
        sa.Column("department_hi", sa.BigInteger(), nullable=False),
        sa.Column("proposed_at", MOMENT, nullable=False),
        *_decided_columns(),
        sa.PrimaryKeyConstraint("person_id", "id", name=f"pk_{table}"),
        _certificate_key(table),
        _reason_key(table),
        sa.CheckConstraint("kind in ('revoke', 'ban')", name=f"ck_{table}_kind"),
        sa.CheckConstraint("kind = 'ban' or ban_until is null", name=f"ck_{table}_until"),
        sa.CheckConstraint("state in ('open', 'approved', 'refused', 'withdrawn')", name=f"ck_{table}_state"),
        sa.CheckConstraint("(state = 'open') = (decided_at is null)", name=f"ck_{table}_decided"),
        sa.CheckConstraint(
            "state in ('open', 'withdrawn') or (decided_by is not null and decided_by <> proposed_by)",
            name=f"ck_{table}_four_eyes",
        ),
    )
    op.create_index("ix_certs_proposal_id", table, ["id"], unique=True)
    op.create_index("ix_certs_proposal_region_code", table, ["region_code", "id"])
    is_open = sa.text("state = 'open'")
    op.create_index("uq_certs_proposal_open", table, ["certificate_id", "kind"], unique=True, postgresql_where=is_open)
    families.enable(table)
    families.policy(table, "region", "select", IN_SCOPE)
    mine = f"proposed_by = {ACTOR} and department_id = {TENANT}"
    families.policy(
        table,
        "region",
        "insert",
        IN_SCOPE,
        check=f"{IN_SCOPE} and state = 'open' and {mine} and department_lo = {LO} and department_hi = {HI}",
    )
    # Who decides is another official, whose department oversees all that the proposer's does.
    another = f"decided_by = {ACTOR} and proposed_by <> {ACTOR} and {LO} <= department_lo and {HI} >= department_hi"
    families.policy(
        table,
        "region",
        "update",
        f"{IN_SCOPE} and state = 'open'",
        check=f"(state in ('approved', 'refused') and {another}) or (state = 'withdrawn' and proposed_by = {ACTOR})",
        columns="(state, decided_by, decider_name, decision_reason, decided_at)",
    )
    families.worker_all(table)


def _approved(kind: str, where: str) -> str:
    """Return the condition that the one who acts has just approved such a proposal."""
    return (
        f"exists (select 1 from certs_proposal p where {where} and p.kind = '{kind}' and p.state = 'approved'"
        f" and p.decided_by = {ACTOR})"
    )


def _create_bans() -> None:
    table = "certs_ban"
    op.create_table(
        table,
        *_case_columns(),
        sa.Column("proposal_id", sa.Uuid(), nullable=False),
        sa.Column("from_on", sa.Date(), nullable=False),
        sa.Column("until_on", sa.Date()),
        *_reason_columns(),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("actor_id", sa.Uuid(), nullable=False),
        sa.Column("actor_name", sa.Text(), nullable=False),
        sa.Column("at", MOMENT, nullable=False),
        sa.PrimaryKeyConstraint("person_id", "id", name=f"pk_{table}"),
        sa.UniqueConstraint("proposal_id", name=f"uq_{table}_proposal_id"),
        _certificate_key(table),
        _reason_key(table),
        sa.CheckConstraint("until_on >= from_on", name=f"ck_{table}_dates"),
    )
    op.create_index("ix_certs_ban_person_id", table, ["person_id", "scheme_code"])
    op.create_index("ix_certs_ban_region_code", table, ["region_code", "id"])
    families.person(table, commands="select", tenant_reads=False, region=IN_SCOPE)
    approved = _approved("ban", "p.id = proposal_id and p.person_id = certs_ban.person_id")
    families.policy(table, "region", "insert", IN_SCOPE, check=f"{IN_SCOPE} and actor_id = {ACTOR} and {approved}")


def _create_corrections() -> None:
    table = "certs_correction"
    op.create_table(
        table,
        *_case_columns(),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("new_name", sa.Text(), nullable=False),
        sa.Column("employer_id", sa.Uuid()),
        sa.Column("note", sa.Text(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("requested_by", sa.Uuid(), nullable=False),
        sa.Column("requester_name", sa.Text(), nullable=False),
        sa.Column("requester_tenant_id", sa.Uuid()),
        sa.Column("requested_at", MOMENT, nullable=False),
        *_decided_columns(),
        sa.Column("successor_id", sa.Uuid()),
        sa.Column("finished_at", MOMENT),
        sa.PrimaryKeyConstraint("person_id", "id", name=f"pk_{table}"),
        _certificate_key(table),
        sa.CheckConstraint("kind in ('name', 'photo', 'employer')", name=f"ck_{table}_kind"),
        sa.CheckConstraint("(kind = 'name') = (new_name <> '')", name=f"ck_{table}_name"),
        sa.CheckConstraint("(kind = 'employer') = (employer_id is not null)", name=f"ck_{table}_employer"),
        sa.CheckConstraint("state in ('open', 'approved', 'refused', 'done')", name=f"ck_{table}_state"),
        sa.CheckConstraint("(state = 'open') = (decided_at is null)", name=f"ck_{table}_decided"),
        sa.CheckConstraint("(state = 'done') = (finished_at is not null)", name=f"ck_{table}_finished"),
    )
    op.create_index("ix_certs_correction_id", table, ["id"], unique=True)
    op.create_index("ix_certs_correction_region_code", table, ["region_code", "id"])
    op.create_index("ix_certs_correction_certificate_id", table, ["certificate_id"])
    unfinished = sa.text("state in ('open', 'approved')")
    op.create_index("uq_certs_correction_open", table, ["certificate_id"], unique=True, postgresql_where=unfinished)
    families.person(table, commands="select", tenant_reads=False, region=IN_SCOPE)
    asked = f"state = 'open' and requested_by = {ACTOR}"
    families.policy(
        table,
        "person",
        "insert",
        f"person_id = {PERSON}",
        check=f"person_id = {PERSON} and {asked} and requester_tenant_id is null",
    )
    seen = SEEN_WITH_CERTIFICATE.format(table=table)
    families.policy(table, "tenant", "select", seen)
    families.policy(table, "tenant", "insert", seen, check=f"{asked} and requester_tenant_id = {TENANT} and {seen}")
    families.policy(
        table,
        "region",
        "update",
        f"{IN_SCOPE} and state = 'open'",
        check=f"{IN_SCOPE} and state in ('approved', 'refused') and decided_by = {ACTOR}",
        columns="(state, decided_by, decider_name, decision_reason, decided_at)",
    )


def _create_objections() -> None:
    table = "certs_objection"
    op.create_table(
        table,
        *_case_columns(),
        sa.Column("subject", sa.Text(), nullable=False),
        sa.Column("subject_id", sa.Uuid(), nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("filed_at", MOMENT, nullable=False),
        sa.Column("answer_due_on", sa.Date(), nullable=False),
        sa.Column("outcome", sa.Text()),
        *_decided_columns(),
        sa.PrimaryKeyConstraint("person_id", "id", name=f"pk_{table}"),
        sa.UniqueConstraint("person_id", "subject_id", name=f"uq_{table}_person_id_subject_id"),
        _certificate_key(table),
        sa.CheckConstraint("subject in ('status', 'ban')", name=f"ck_{table}_subject"),
        sa.CheckConstraint("state in ('open', 'answered')", name=f"ck_{table}_state"),
        sa.CheckConstraint("outcome in ('upheld', 'rejected')", name=f"ck_{table}_outcome"),
        sa.CheckConstraint(
            "(state = 'open') = (decided_at is null) and (state = 'open') = (outcome is null)",
            name=f"ck_{table}_answered",
        ),
    )
    op.create_index("ix_certs_objection_id", table, ["id"], unique=True)
    op.create_index("ix_certs_objection_region_code", table, ["region_code", "id"])
    families.person(table, commands="select", tenant_reads=False, region=IN_SCOPE)
    families.policy(
        table, "person", "insert", f"person_id = {PERSON}", check=f"person_id = {PERSON} and state = 'open'"
    )
    families.policy(
        table,
        "region",
        "update",
        f"{IN_SCOPE} and state = 'open'",
        check=f"{IN_SCOPE} and state = 'answered' and decided_by = {ACTOR}",
        columns="(state, outcome, decided_by, decider_name, decision_reason, decided_at)",
    )


def _guard_status() -> None:
    """No official leads a certificate out of a final status, nor into revocation without the second one."""
    op.execute("drop policy region_update on certs_certificate")
    approved = _approved("revoke", "p.certificate_id = certs_certificate.id")
    op.execute(
        "create policy region_update on certs_certificate for update to anzheng_region"
        f" using ({IN_SCOPE} and status in ('valid', 'suspended'))"
        f" with check ({IN_SCOPE} and (status in ('valid', 'suspended', 'cancelled')"
        f" or (status = 'revoked' and {approved})))"
    )


def _create_doors() -> None:
    # The reason's name and the successor's number are public; the text of the decision is not.
    families.definer(
        "certs_decided(certificate uuid)",
        "jsonb",
        "select jsonb_build_object('at', e.at, 'reason_zh', r.name_zh, 'reason_en', r.name_en, 'successor',"
        " (select n.number from certs_correction x join certs_certificate n on n.id = x.successor_id"
        " where x.certificate_id = certificate and x.state = 'done'))"
        " from certs_status_event e left join certs_reason r on r.code = e.reason_code and r.version = e.reason_version"
        " where e.certificate_id = certificate order by e.id desc limit 1",
        grantees=["anzheng_worker"],
    )
    # The holder reads who looked the certificate up: days, browser families and answers, never addresses.
    families.definer(
        "certs_checks_of(certificate uuid, since timestamptz, zone text)",
        "table (day date, agent_family text, outcome text, checks bigint, last_at timestamptz)",
        "select (k.at at time zone zone)::date, k.agent_family::text, k.outcome::text, count(*), max(k.at)"
        " from certs_check k where k.certificate_id = certificate and k.at >= since and exists (select 1"
        f" from certs_certificate c where c.id = certificate and c.person_id = {PERSON})"
        " group by 1, 2, 3 order by 1 desc, 4 desc",
        grantees=["anzheng_person"],
    )
    _replace_check(CHECK.replace(RETURNED, f"{DECIDED}{RETURNED}"))


def _replace_check(body: str) -> None:
    op.execute(
        f"create or replace function {CHECK_SIGNATURE} returns jsonb language plpgsql security definer"
        f" set search_path = pg_catalog, public, pg_temp as $body$ {body} $body$"
    )


def downgrade() -> None:
    op.drop_index("ix_certs_certificate_decided", "certs_certificate")
    _replace_check(CHECK)
    op.execute("drop function certs_checks_of(uuid, timestamptz, text)")
    op.execute("drop function certs_decided(uuid)")
    op.execute("drop policy region_update on certs_certificate")
    op.execute(
        "create policy region_update on certs_certificate for update to anzheng_region"
        f" using ({IN_SCOPE}) with check ({IN_SCOPE})"
    )
    op.drop_constraint("fk_certs_status_event_reason_code_reason_version", "certs_status_event")
    op.drop_constraint("ck_certs_status_event_step", "certs_status_event")
    for column in ("proposal_id", "reason_version", "reason_code"):
        op.drop_column("certs_status_event", column)
    op.execute("revoke select on sequence certs_status_index_seq from anzheng_worker")
    for table in TABLES:
        op.drop_table(table)
