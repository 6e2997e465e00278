"""Certs: schemes, keys, certificates with their history, the registry log and the public check."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

from migrations import families

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None

MOMENT = sa.DateTime(timezone=True)
CHECKERS = ("auth", "public", "person", "tenant", "region", "audit")
ROLES = [f"anzheng_{scope}" for scope in (*CHECKERS, "worker")]
IN_SCOPE = families.in_region(scheme="scheme_code")
TABLES = (
    "certs_scheme",
    "certs_issuer_key",
    "certs_issuer_secret",
    "certs_certificate",
    "certs_number",
    "certs_public_id",
    "certs_status_event",
    "certs_leaf",
    "certs_tree_node",
    "certs_checkpoint",
    "certs_check",
)


def upgrade() -> None:
    _create_schemes()
    _create_keys()
    _create_certificates()
    _index_certificates()
    _create_lookups()
    _create_history()
    _create_log()
    _create_checks()
    _guard_reference()
    _guard_certificates()
    _guard_history()
    _guard_log()
    _create_public_door()


def _create_schemes() -> None:
    op.create_table(
        "certs_scheme",
        sa.Column("code", sa.String(60), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False, autoincrement=False),
        sa.Column("effective_from", sa.Date(), nullable=False),
        sa.Column("legal_basis", sa.Text(), nullable=False),
        sa.Column("name_zh", sa.String(120), nullable=False),
        sa.Column("name_en", sa.String(200), nullable=False),
        sa.Column("issuer_name", sa.String(120), nullable=False),
        sa.Column("programme_code", sa.String(60), nullable=False),
        sa.Column("class", sa.String(20), nullable=False),
        sa.Column("validity_months", sa.Integer(), nullable=False),
        sa.Column("renewal_window_days", sa.Integer(), nullable=False),
        sa.Column("number_pattern", sa.String(80), nullable=False),
        sa.Column("rules", JSONB(), nullable=False),
        sa.Column("template", JSONB(), nullable=False),
        sa.PrimaryKeyConstraint("code", "version", name="pk_certs_scheme"),
        sa.CheckConstraint("validity_months > 0", name="ck_certs_scheme_validity"),
        sa.CheckConstraint("class in ('junior', 'intermediate', 'senior')", name="ck_certs_scheme_class"),
    )


def _create_keys() -> None:
    op.create_table(
        "certs_issuer_key",
        sa.Column("key_id", sa.String(32), nullable=False),
        sa.Column("kind", sa.String(10), nullable=False),
        sa.Column("name", sa.String(200), nullable=False),
        sa.Column("public_pem", sa.Text(), nullable=False),
        sa.Column("certificate_pem", sa.Text()),
        sa.Column("chain_pem", sa.Text()),
        sa.Column("created_at", MOMENT, nullable=False),
        sa.PrimaryKeyConstraint("key_id", name="pk_certs_issuer_key"),
        sa.CheckConstraint("kind in ('root', 'issuing', 'pdf', 'qr', 'log')", name="ck_certs_issuer_key_kind"),
    )
    op.create_index("ix_certs_issuer_key_kind", "certs_issuer_key", ["kind", "created_at"])
    op.create_table(
        "certs_issuer_secret",
        sa.Column("key_id", sa.String(32), nullable=False),
        sa.Column("private_sealed", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("key_id", name="pk_certs_issuer_secret"),
        sa.ForeignKeyConstraint(["key_id"], ["certs_issuer_key.key_id"], name="fk_certs_issuer_secret_key_id"),
    )


def _create_certificates() -> None:
    # Numbers the certificates: the place in status lists, and the serial in their printed number.
    op.execute("create sequence certs_status_index_seq as integer minvalue 1")
    op.create_table(
        "certs_certificate",
        *_identity_columns(),
        *_content_columns(),
        sa.PrimaryKeyConstraint("person_id", "id", name="pk_certs_certificate"),
        sa.ForeignKeyConstraint(
            ["scheme_code", "scheme_version"],
            ["certs_scheme.code", "certs_scheme.version"],
            name="fk_certs_certificate_scheme_code_scheme_version",
        ),
        sa.ForeignKeyConstraint(
            ["signer_key_id"], ["certs_issuer_key.key_id"], name="fk_certs_certificate_signer_key_id"
        ),
        sa.UniqueConstraint(
            "person_id",
            "scheme_code",
            "enrolment_id",
            name="uq_certs_certificate_person_id_scheme_code_enrolment_id",
        ),
        sa.UniqueConstraint("person_id", "attempt_id", name="uq_certs_certificate_person_id_attempt_id"),
        sa.CheckConstraint("state in ('requested', 'issued', 'failed')", name="ck_certs_certificate_state"),
        sa.CheckConstraint(
            "status in ('valid', 'suspended', 'revoked', 'cancelled', 'superseded')", name="ck_certs_certificate_status"
        ),
        sa.CheckConstraint("valid_until > valid_from", name="ck_certs_certificate_dates"),
        sa.CheckConstraint(
            "(state = 'issued') = (issued_at is not null) and (state = 'issued') = (pdf_sha256 is not null)"
            " and (state = 'issued') = (pdf_key is not null) and (state = 'issued') = (signer_key_id is not null)",
            name="ck_certs_certificate_issued",
        ),
    )


def _identity_columns() -> list[sa.Column[object]]:
    return [
        sa.Column("person_id", sa.Uuid(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("tenant_id", sa.Uuid(), nullable=False),
        sa.Column("region_code", sa.Integer(), nullable=False),
        sa.Column("industry_code", sa.String(2), nullable=False),
        sa.Column("scheme_code", sa.String(60), nullable=False),
        sa.Column("scheme_version", sa.Integer(), nullable=False),
        sa.Column("cycle", sa.SmallInteger(), nullable=False),
        sa.Column("enrolment_id", sa.Uuid(), nullable=False),
        sa.Column("attempt_id", sa.Uuid(), nullable=False),
        sa.Column("number", sa.String(60), nullable=False),
        sa.Column("public_id", sa.String(32), nullable=False),
        sa.Column("status_index", sa.Integer(), nullable=False),
        sa.Column("state", sa.String(12), nullable=False),
        sa.Column("status", sa.String(12), nullable=False),
        sa.Column("failure", sa.String(300), nullable=False),
    ]


def _content_columns() -> list[sa.Column[object]]:
    return [
        sa.Column("holder_name", sa.String(60), nullable=False),
        sa.Column("holder_name_masked", sa.String(60), nullable=False),
        sa.Column("id_number_masked", sa.String(18), nullable=False),
        sa.Column("sex", sa.String(1), nullable=False),
        sa.Column("post_code", sa.String(60), nullable=False),
        sa.Column("post_name", sa.String(60), nullable=False),
        sa.Column("industry_name", sa.String(120), nullable=False),
        sa.Column("enterprise_name", sa.String(120), nullable=False),
        sa.Column("licence_number", sa.String(60), nullable=False),
        sa.Column("licence_valid_until", sa.Date()),
        sa.Column("issuer_name", sa.String(120), nullable=False),
        sa.Column("valid_from", sa.Date(), nullable=False),
        sa.Column("valid_until", sa.Date(), nullable=False),
        sa.Column("requested_at", MOMENT, nullable=False),
        sa.Column("queued_at", MOMENT, nullable=False),
        sa.Column("issued_at", MOMENT),
        sa.Column("pdf_key", sa.String(200)),
        sa.Column("pdf_sha256", sa.LargeBinary()),
        sa.Column("signer_key_id", sa.String(32)),
    ]


def _index_certificates() -> None:
    table = "certs_certificate"
    op.create_index("ix_certs_certificate_id", table, ["id"], unique=True)
    op.create_index("ix_certs_certificate_public_id", table, ["public_id"])
    op.create_index("ix_certs_certificate_tenant_id", table, ["tenant_id", "id"])
    op.create_index("ix_certs_certificate_region_code", table, ["region_code", "id"])
    op.create_index("ix_certs_certificate_number", table, ["number"])
    op.create_index("ix_certs_certificate_holder_name", table, ["holder_name"])
    op.create_index(
        "ix_certs_certificate_unissued", table, ["queued_at"], postgresql_where=sa.text("state <> 'issued'")
    )


def _create_lookups() -> None:
    for table, key, length in (("certs_number", "number", 60), ("certs_public_id", "public_id", 32)):
        op.create_table(
            table,
            sa.Column(key, sa.String(length), nullable=False),
            sa.Column("person_id", sa.Uuid(), nullable=False),
            sa.Column("certificate_id", sa.Uuid(), nullable=False),
            sa.PrimaryKeyConstraint(key, name=f"pk_{table}"),
        )


def _create_history() -> None:
    op.create_table(
        "certs_status_event",
        sa.Column("person_id", sa.Uuid(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("certificate_id", sa.Uuid(), nullable=False),
        sa.Column("tenant_id", sa.Uuid(), nullable=False),
        sa.Column("region_code", sa.Integer(), nullable=False),
        sa.Column("industry_code", sa.String(2), nullable=False),
        sa.Column("scheme_code", sa.String(60), nullable=False),
        sa.Column("old_status", sa.String(12), nullable=False),
        sa.Column("new_status", sa.String(12), nullable=False),
        sa.Column("reason", sa.String(500), nullable=False),
        sa.Column("actor_id", sa.Uuid()),
        sa.Column("actor_name", sa.String(120), nullable=False),
        sa.Column("at", MOMENT, nullable=False),
        sa.PrimaryKeyConstraint("person_id", "id", name="pk_certs_status_event"),
        sa.ForeignKeyConstraint(
            ["person_id", "certificate_id"],
            ["certs_certificate.person_id", "certs_certificate.id"],
            name="fk_certs_status_event_person_id_certificate_id",
        ),
    )
    op.create_index("ix_certs_status_event_id", "certs_status_event", ["id"], unique=True)
    op.create_index("ix_certs_status_event_certificate_id", "certs_status_event", ["certificate_id", "id"])


def _create_log() -> None:
    op.create_table(
        "certs_leaf",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("seq", sa.BigInteger()),
        sa.Column("kind", sa.String(10), nullable=False),
        sa.Column("certificate_id", sa.Uuid(), nullable=False),
        sa.Column("leaf_data", sa.LargeBinary(), nullable=False),
        sa.Column("leaf_hash", sa.LargeBinary(), nullable=False),
        sa.Column("at", MOMENT, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_certs_leaf"),
        sa.UniqueConstraint("seq", name="uq_certs_leaf_seq"),
        sa.CheckConstraint("kind in ('issue', 'status')", name="ck_certs_leaf_kind"),
    )
    op.create_index("ix_certs_leaf_pending", "certs_leaf", ["id"], postgresql_where=sa.text("seq is null"))
    op.create_index("ix_certs_leaf_certificate_id", "certs_leaf", ["certificate_id", "id"])
    op.create_table(
        "certs_tree_node",
        sa.Column("level", sa.SmallInteger(), nullable=False, autoincrement=False),
        sa.Column("position", sa.BigInteger(), nullable=False, autoincrement=False),
        sa.Column("digest", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("level", "position", name="pk_certs_tree_node"),
    )
    op.create_table(
        "certs_checkpoint",
        sa.Column("tree_size", sa.BigInteger(), nullable=False, autoincrement=False),
        sa.Column("root", sa.LargeBinary(), nullable=False),
        sa.Column("note", sa.Text(), nullable=False),
        sa.Column("key_id", sa.String(32), nullable=False),
        sa.Column("at", MOMENT, nullable=False),
        sa.PrimaryKeyConstraint("tree_size", name="pk_certs_checkpoint"),
        sa.ForeignKeyConstraint(["key_id"], ["certs_issuer_key.key_id"], name="fk_certs_checkpoint_key_id"),
    )


def _create_checks() -> None:
    op.create_table(
        "certs_check",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("at", MOMENT, nullable=False),
        sa.Column("public_id", sa.String(32), nullable=False),
        sa.Column("certificate_id", sa.Uuid()),
        sa.Column("outcome", sa.String(20), nullable=False),
        sa.Column("address_digest", sa.LargeBinary(), nullable=False),
        sa.Column("agent_family", sa.String(20), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_certs_check"),
    )
    op.create_index("ix_certs_check_certificate_id", "certs_check", ["certificate_id", "at"])
    unknown = sa.text("certificate_id is null")
    op.create_index("ix_certs_check_unknown", "certs_check", ["address_digest", "at"], postgresql_where=unknown)


def _guard_reference() -> None:
    """Schemes, public keys, the tree's hashes and the checkpoints are for everyone to read."""
    families.reference("certs_scheme")
    families.reference("certs_issuer_key")
    families.keys("certs_issuer_secret")
    # Hashes and checkpoints are written once: not even the worker may change one.
    for table in ("certs_tree_node", "certs_checkpoint"):
        op.execute(f"revoke all on {table} from public")
        for role in ROLES:
            op.execute(f"grant select on {table} to {role}")
        op.execute(f"grant insert on {table} to anzheng_worker")


def _guard_certificates() -> None:
    """The worker issues; regulators in scope change the status; holder, enterprise and auditor read."""
    families.person("certs_certificate", commands="select", region=IN_SCOPE)
    families.policy("certs_certificate", "region", "update", IN_SCOPE, columns="(status)")
    families.policy("certs_certificate", "audit", "select", "true")
    # A certificate belongs to the person: whoever employs them now sees it, whoever they earned it under.
    op.execute(
        "create policy tenant_employer on certs_certificate for select to anzheng_tenant using (exists ("
        "select 1 from accounts_employment e where e.person_id = certs_certificate.person_id"
        f" and e.tenant_id = {families.TENANT} and e.left_on is null))"
    )
    op.execute("grant usage on sequence certs_status_index_seq to anzheng_worker")
    for table in ("certs_number", "certs_public_id"):
        families.enable(table)
        families.policy(table, "worker", "select, insert", "true")
        families.policy(table, "audit", "select", "true")
    op.execute(
        "create view certs_staff_certificate with (security_invoker = true) as"
        " select e.tenant_id as employer_id, c.person_id, c.id as certificate_id, e.department_name"
        " from accounts_employment e join certs_certificate c on c.person_id = e.person_id where e.left_on is null"
    )
    for scope in ("tenant", "worker"):
        op.execute(f"grant select on certs_staff_certificate to anzheng_{scope}")


def _guard_history() -> None:
    """History and checks only grow."""
    families.enable("certs_status_event")
    families.policy("certs_status_event", "person", "select", f"person_id = {families.PERSON}")
    # The look-up runs under the reader's own policies: who sees the certificate sees its history.
    families.policy(
        "certs_status_event",
        "tenant",
        "select",
        "exists (select 1 from certs_certificate c where c.person_id = certs_status_event.person_id"
        " and c.id = certs_status_event.certificate_id)",
    )
    families.policy("certs_status_event", "region", "select, insert", IN_SCOPE)
    families.policy("certs_status_event", "audit", "select", "true")
    families.policy("certs_status_event", "worker", "select, insert", "true")
    families.log("certs_check", inserters=CHECKERS)
    families.policy("certs_check", "audit", "select", "true")


def _guard_log() -> None:
    families.enable("certs_leaf")
    families.policy("certs_leaf", "region", "insert", "true", check="seq is null and kind = 'status'")
    families.policy("certs_leaf", "audit", "select", "true")
    # The sequencer may number a pending leaf and do nothing else to it.
    families.policy("certs_leaf", "worker", "select", "true")
    families.policy("certs_leaf", "worker", "insert", "true", check="seq is null")
    families.policy("certs_leaf", "worker", "update", "seq is null", check="true", columns="(seq)")


def _create_public_door() -> None:
    """What anyone may learn about one certificate whose code they hold, and nothing more."""
    families.definer(
        "certs_lookup(wanted text)",
        "table (certificate_id uuid, number text, holder_name_masked text, scheme_name_zh text, scheme_name_en text,"
        " status text, valid_from date, valid_until date, issued_at timestamptz, issuer_name text,"
        " enterprise_name text, licence_number text, licence_valid_until date, renewal_window_days int,"
        " leaf_seq bigint)",
        "select c.id, c.number, c.holder_name_masked, s.name_zh, s.name_en, c.status, c.valid_from, c.valid_until,"
        " c.issued_at, c.issuer_name, c.enterprise_name, c.licence_number, c.licence_valid_until,"
        " s.renewal_window_days, (select max(l.seq) from certs_leaf l where l.certificate_id = c.id)"
        " from certs_certificate c join certs_scheme s on s.code = c.scheme_code and s.version = c.scheme_version"
        " where c.public_id = wanted and c.state = 'issued'",
        grantees=ROLES,
    )
    families.definer(
        "certs_find(wanted_number text, wanted_name text)",
        "text",
        "select public_id from certs_certificate"
        " where number = wanted_number and holder_name = wanted_name and state = 'issued'",
        grantees=ROLES,
    )
    # Leaves hold digests and codes, no personal data; the holder of the code may carry the proof away.
    families.definer(
        "certs_leaves_of(wanted text)",
        "table (id uuid, seq bigint, kind text, leaf_data bytea, leaf_hash bytea)",
        "select l.id, l.seq, l.kind, l.leaf_data, l.leaf_hash from certs_certificate c"
        " join certs_leaf l on l.certificate_id = c.id where c.public_id = wanted order by l.id",
        grantees=ROLES,
    )
    # Tells only how often an address guessed wrong, so that guessing can be slowed down.
    families.definer(
        "certs_count_unknown(address bytea, since timestamptz)",
        "bigint",
        "select count(*) from certs_check where address_digest = address and at >= since and certificate_id is null",
        grantees=ROLES,
    )


def downgrade() -> None:
    for signature in (
        "certs_count_unknown(bytea, timestamptz)",
        "certs_leaves_of(text)",
        "certs_find(text, text)",
        "certs_lookup(text)",
    ):
        op.execute(f"drop function {signature}")
    op.execute("drop view certs_staff_certificate")
    # The tenant's policy on the history asks the certificates, so the tables fall in reverse order.
    for table in reversed(TABLES):
        op.drop_table(table)
    op.execute("drop sequence certs_status_index_seq")
