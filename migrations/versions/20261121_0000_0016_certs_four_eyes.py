"""Certs: a draft is published by another official than the one who asked for it; drafts of new codes."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from migrations import families

revision = "0016"
down_revision = "0015"
branch_labels = None
depends_on = None

MOMENT = sa.DateTime(timezone=True)
TENANT, ACTOR = families.TENANT, families.ACTOR
LO, HI = families.REGION_LO, families.REGION_HI
TABLE = "certs_draft"
ALIVE = "state in ('open', 'asked')"
COLUMNS = (
    ("asked_by", sa.Uuid()),
    ("asked_by_name", sa.Text()),
    ("asked_at", MOMENT),
    ("decided_by", sa.Uuid()),
    ("decided_by_name", sa.Text()),
    ("decision_reason", sa.Text()),
    ("decided_at", MOMENT),
)
CHECKS = {
    "states": "state in ('open', 'asked', 'published', 'discarded')",
    "over": f"({ALIVE}) = (ended_at is null)",
    "asked": "state <> 'asked' or asked_by is not null",
    # What was published before anybody had to ask names nobody who did.
    "four_eyes": "state <> 'published' or asked_by is null or (decided_by is not null and decided_by <> asked_by)",
}
CHECKS_BEFORE = {
    "state": "state in ('open', 'published', 'discarded')",
    "ended": "(state = 'open') = (ended_at is null)",
}

# {FOUND}: which draft may be published; {FIRST}: the number of a new code's version; {CHANGED}: what is noted with it.
_PUBLISH = """
declare
  drafted certs_draft;
  next_version bigint;
begin
  select * into drafted from certs_draft d
    where d.id = draft and d.tenant_id = {TENANT} and {FOUND} for update;
  if not found or {HI} - {LO} < 10000 then
    return null;
  end if;
  perform pg_advisory_xact_lock(hashtext('certs_publish:' || drafted.kind || ':' || drafted.code));
  if drafted.kind = 'scheme' then
    select {FIRST} into next_version from certs_scheme s where s.code = drafted.code;
  else
    select coalesce(max(t.version), 0) + 1 into next_version from certs_template t where t.code = drafted.code;
  end if;
  {REFUSED}
  if drafted.kind = 'scheme' then
    insert into certs_scheme select * from jsonb_populate_record(null::certs_scheme, drafted.content
      || jsonb_build_object('code', drafted.code, 'version', next_version,
                            'published_by_name', by_name, 'published_at', moment));
  else
    insert into certs_template select * from jsonb_populate_record(null::certs_template, drafted.content
      || jsonb_build_object('code', drafted.code, 'version', next_version,
                            'published_by_name', by_name, 'published_at', moment));
  end if;
  update certs_draft d set state = 'published', published_version = next_version, ended_at = moment{CHANGED}
    where d.tenant_id = drafted.tenant_id and d.id = drafted.id;
  return next_version;
end
"""


def _publish(*, found: str, first: str, refused: str = "", changed: str = "") -> str:
    return _PUBLISH.format(TENANT=TENANT, HI=HI, LO=LO, FOUND=found, FIRST=first, REFUSED=refused, CHANGED=changed)


# Whoever put the draft before the department is never the one who publishes it, and it becomes the
# version after the one that it was drafted from, or none.
PUBLISH = _publish(
    found=f"d.state = 'asked' and d.asked_by <> {ACTOR}",
    first="coalesce(max(s.version), 0) + 1",
    refused="if next_version <> drafted.base_version + 1 then return null; end if;",
    changed=f", decided_by = {ACTOR}, decided_by_name = by_name, decision_reason = null, decided_at = moment",
)
PUBLISH_BEFORE = _publish(found="d.state = 'open'", first="max(s.version) + 1")
SIGNATURE = "certs_publish(draft uuid, by_name text, moment timestamptz)"


def upgrade() -> None:
    _extend_drafts()
    mine = f"tenant_id = {TENANT}"
    op.execute(f"drop policy region_update on {TABLE}")
    # Who brings a draft before the department, and with which content, stands in it: nobody asks in another's name.
    families.policy(
        TABLE,
        "region",
        "update",
        f"{mine} and {ALIVE}",
        check=f"{mine} and (state in ('open', 'discarded') or (state = 'asked' and asked_by = {ACTOR}))",
        columns="(content, state, changed_at, ended_at, base_version, asked_by, asked_by_name, asked_at,"
        " decided_by, decided_by_name, decision_reason, decided_at)",
    )
    _replace_publish(PUBLISH)


def _extend_drafts() -> None:
    # First, since it ends the transaction: what is left of a failed attempt can then be run again.
    with op.get_context().autocommit_block():
        # A draft that is open now has to be saved once more, which shows its editor what it changes.
        base_version = sa.Column("base_version", sa.BigInteger(), nullable=False, server_default="0")
        op.add_column(TABLE, base_version, if_not_exists=True)
        for name, kind in COLUMNS:
            op.add_column(TABLE, sa.Column(name, kind), if_not_exists=True)
        for name, condition in CHECKS.items():
            _constrain(name, condition)
        # Only now: at no moment may a draft be in a state that nobody knows.
        for name in CHECKS_BEFORE:
            op.execute(f"do $$ begin alter table {TABLE} drop constraint if exists ck_{TABLE}_{name}; end $$")
        _replace_index("uq_certs_draft_alive", ALIVE, dropped="uq_certs_draft_open")


def _constrain(name: str, condition: str) -> None:
    """Add a constraint without a long lock. As blocks, for the linter does not know that repeating does no harm."""
    full = f"ck_{TABLE}_{name}"
    op.execute(
        f"do $$ begin if not exists (select from pg_constraint where conname = '{full}') then alter table {TABLE}"
        f" add constraint {full} check ({condition}) not valid; end if; end $$"
    )
    op.execute(f"do $$ begin alter table {TABLE} validate constraint {full}; end $$")


def _replace_index(name: str, condition: str, *, dropped: str) -> None:
    op.create_index(
        name,
        TABLE,
        ["tenant_id", "kind", "code"],
        unique=True,
        postgresql_where=sa.text(condition),
        postgresql_concurrently=True,
        if_not_exists=True,
    )
    op.drop_index(dropped, TABLE, postgresql_concurrently=True, if_exists=True)


def _replace_publish(body: str) -> None:
    op.execute(
        f"create or replace function {SIGNATURE} returns bigint language plpgsql security definer"
        f" set search_path = pg_catalog, public, pg_temp as $body$ {body} $body$"
    )


def downgrade() -> None:
    op.execute(f"update {TABLE} set state = 'open' where state = 'asked'")
    _replace_publish(PUBLISH_BEFORE)
    op.execute(f"drop policy region_update on {TABLE}")
    op.execute(f"revoke update on {TABLE} from anzheng_region")
    mine = f"tenant_id = {TENANT}"
    families.policy(
        TABLE,
        "region",
        "update",
        f"{mine} and state = 'open'",
        check=f"{mine} and state in ('open', 'discarded')",
        columns="(content, state, changed_at, ended_at)",
    )
    keys = ["tenant_id", "kind", "code"]
    op.create_index("uq_certs_draft_open", TABLE, keys, unique=True, postgresql_where=sa.text("state = 'open'"))
    op.drop_index("uq_certs_draft_alive", TABLE)
    for name, condition in CHECKS_BEFORE.items():
        op.create_check_constraint(f"ck_{TABLE}_{name}", TABLE, condition)
    for name in CHECKS:
        op.drop_constraint(f"ck_{TABLE}_{name}", TABLE)
    for name, _kind in COLUMNS:
        op.drop_column(TABLE, name)
    op.drop_column(TABLE, "base_version")
