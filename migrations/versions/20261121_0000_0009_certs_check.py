"""Certificates: one call that looks one up and writes down that it was asked."""

from __future__ import annotations

from alembic import op

from migrations import families

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None

LOOKUP = """
select c.id, c.number::text, c.holder_name_masked::text, s.name_zh::text, s.name_en::text, c.status::text, c.valid_from,
  c.valid_until, c.issued_at, c.issuer_name::text, c.enterprise_name::text, c.licence_number::text,
  c.licence_valid_until, s.renewal_window_days, (select max(l.seq) from certs_leaf l where l.certificate_id = c.id)
from certs_certificate c join certs_scheme s on s.code = c.scheme_code and s.version = c.scheme_version
where c.public_id = wanted and c.state = 'issued'
"""
LOOKUP_SIGNATURE = (
    "certs_lookup(wanted text) returns table (certificate_id uuid, number text, holder_name_masked text,"
    " scheme_name_zh text, scheme_name_en text, status text, valid_from date, valid_until date, issued_at timestamptz,"
    " issuer_name text, enterprise_name text, licence_number text, licence_valid_until date, renewal_window_days int,"
    " leaf_seq bigint)"
)
SAFE = "security definer set search_path = pg_catalog, public, pg_temp"

# A gate may check a whole shift in a minute. Look-up, record and commit in one round trip cost a
# third of the four that they were. The calendar is joined with the decided status as
# certs.rules.shown_status does; a test holds the two together. An id that comes a second time,
# because the connection broke before the answer, is not recorded again.
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


def upgrade() -> None:
    # As plpgsql it keeps its plan from call to call.
    op.execute(
        f"create or replace function {LOOKUP_SIGNATURE} language plpgsql {SAFE} as"
        f" $body$ #variable_conflict use_column\nbegin return query {LOOKUP}; end $body$"
    )
    families.definer(
        "certs_check_now(wanted text, check_id uuid, moment timestamptz, today date, address bytea, agent text,"
        " since timestamptz)",
        "jsonb",
        CHECK,
        grantees=["anzheng_public"],
        language="plpgsql",
    )


def downgrade() -> None:
    op.execute("drop function certs_check_now(text, uuid, timestamptz, date, bytea, text, timestamptz)")
    op.execute(f"create or replace function {LOOKUP_SIGNATURE} language sql {SAFE} as $body$ {LOOKUP} $body$")
