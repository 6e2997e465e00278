"""Tables of schemes, keys, certificates, their history, the registry log and the checks."""

from __future__ import annotations

import uuid
from datetime import date, datetime
from typing import Any

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    ForeignKeyConstraint,
    Index,
    Integer,
    LargeBinary,
    PrimaryKeyConstraint,
    SmallInteger,
    String,
    Text,
    UniqueConstraint,
)
from sqlalchemy.orm import Mapped, mapped_column

from lms.core.db import Base


class Scheme(Base):
    """One version of a certificate type: who gets it, from whom, for how long (requirement V1).

    No version is ever changed: certificates refer to it. ``published_at`` is empty for what the product brings.
    """

    __tablename__ = "certs_scheme"
    __table_args__ = (
        PrimaryKeyConstraint("code", "version"),
        CheckConstraint("validity_months > 0", name="validity"),
        CheckConstraint("class in ('junior', 'intermediate', 'senior')", name="class"),
    )

    code: Mapped[str] = mapped_column(String(60))
    version: Mapped[int] = mapped_column(Integer, autoincrement=False)
    effective_from: Mapped[date]
    legal_basis: Mapped[str] = mapped_column(Text)
    name_zh: Mapped[str] = mapped_column(String(120))
    name_en: Mapped[str] = mapped_column(String(200))
    issuer_name: Mapped[str] = mapped_column(String(120))
    programme_code: Mapped[str] = mapped_column(String(60))
    class_: Mapped[str] = mapped_column("class", String(20))
    validity_months: Mapped[int]
    renewal_window_days: Mapped[int]
    number_pattern: Mapped[str] = mapped_column(String(80))
    rules: Mapped[dict[str, Any]]
    template: Mapped[dict[str, Any]]
    continuing_hours_per_year: Mapped[int] = mapped_column(BigInteger, server_default="0")
    published_by_name: Mapped[str | None] = mapped_column(Text)
    published_at: Mapped[datetime | None]


class IssuerKey(Base):
    """The public half of a key; the newest of a kind whose time has come signs, all of them are believed.

    ``signs_from`` is ``created_at`` where it is null; ``token_key`` is the label of a key in the PKCS#11 token.
    A revoked key signs no more, and a document that the register did not enter before ``revoked_at`` is refused.
    """

    __tablename__ = "certs_issuer_key"
    __table_args__ = (
        CheckConstraint("kind in ('root', 'issuing', 'pdf', 'qr', 'log')", name="kind"),
        Index("ix_certs_issuer_key_kind", "kind", "created_at"),
    )

    key_id: Mapped[str] = mapped_column(String(32), primary_key=True)
    kind: Mapped[str] = mapped_column(String(10))
    name: Mapped[str] = mapped_column(String(200))
    public_pem: Mapped[str] = mapped_column(Text)
    certificate_pem: Mapped[str | None] = mapped_column(Text)
    chain_pem: Mapped[str | None] = mapped_column(Text)
    created_at: Mapped[datetime]
    revoked_at: Mapped[datetime | None]
    signs_from: Mapped[datetime | None]
    token_key: Mapped[str | None] = mapped_column(Text)
    is_demo: Mapped[bool] = mapped_column(server_default="true")


class IssuerSecret(Base):
    """The private half, sealed by the vault; only the worker reads it. A key in a token has none."""

    __tablename__ = "certs_issuer_secret"
    __table_args__ = (ForeignKeyConstraint(["key_id"], ["certs_issuer_key.key_id"]),)

    key_id: Mapped[str] = mapped_column(String(32), primary_key=True)
    private_sealed: Mapped[bytes] = mapped_column(LargeBinary)


class Certificate(Base):
    """One certificate. What it says is frozen when it is requested; only its status changes later.

    ``origin`` tells what we issued and signed from what an earlier system did and we entered only. Of an imported
    one ``issued_at`` is the moment of the entry, ``issued_on`` the day on the paper; it was earned by no exam here,
    so that its own id stands for enrolment and attempt.
    """

    __tablename__ = "certs_certificate"
    __table_args__ = (
        PrimaryKeyConstraint("person_id", "id"),
        ForeignKeyConstraint(["scheme_code", "scheme_version"], ["certs_scheme.code", "certs_scheme.version"]),
        ForeignKeyConstraint(["signer_key_id"], ["certs_issuer_key.key_id"]),
        UniqueConstraint("person_id", "scheme_code", "enrolment_id"),
        UniqueConstraint("person_id", "attempt_id"),
        CheckConstraint("state in ('requested', 'issued', 'failed')", name="state"),
        CheckConstraint("status in ('valid', 'suspended', 'revoked', 'cancelled', 'superseded')", name="status"),
        CheckConstraint("valid_until > valid_from", name="dates"),
        # What we issued has its file and signer; what was imported has neither and says where it comes from.
        CheckConstraint(
            "case origin when 'issued' then"
            " (state = 'issued') = (issued_at is not null) and (state = 'issued') = (pdf_sha256 is not null)"
            " and (state = 'issued') = (pdf_key is not null) and (state = 'issued') = (signer_key_id is not null)"
            " and import_id is null and source_system is null"
            " and issued_on is null and first_issued_on is null and photo_key is null and photo_sha256 is null"
            " when 'imported' then state = 'issued' and issued_at is not null and pdf_sha256 is null"
            " and pdf_key is null and signer_key_id is null and import_id is not null and source_system is not null"
            " and issued_on is not null and (photo_key is null) = (photo_sha256 is null) else false end",
            name="origin",
        ),
        Index("ix_certs_certificate_id", "id", unique=True),
        Index("ix_certs_certificate_public_id", "public_id"),
        Index("ix_certs_certificate_tenant_id", "tenant_id", "id"),
        Index("ix_certs_certificate_region_code", "region_code", "id"),
        Index("ix_certs_certificate_number", "number"),
        Index("ix_certs_certificate_pdf_sha256", "pdf_sha256"),
        Index("ix_certs_certificate_holder_name", "holder_name"),
        Index("ix_certs_certificate_decided", "status_index", postgresql_where="status <> 'valid'"),
        Index("ix_certs_certificate_import_id", "import_id", "id", postgresql_where="import_id is not null"),
        Index("ix_certs_certificate_unissued", "queued_at", postgresql_where="state <> 'issued'"),
    )

    person_id: Mapped[uuid.UUID]
    id: Mapped[uuid.UUID]
    tenant_id: Mapped[uuid.UUID]
    region_code: Mapped[int]
    industry_code: Mapped[str] = mapped_column(String(2))
    scheme_code: Mapped[str] = mapped_column(String(60))
    scheme_version: Mapped[int]
    cycle: Mapped[int] = mapped_column(SmallInteger)
    enrolment_id: Mapped[uuid.UUID]
    attempt_id: Mapped[uuid.UUID]
    number: Mapped[str] = mapped_column(String(60))
    public_id: Mapped[str] = mapped_column(String(32))
    status_index: Mapped[int] = mapped_column(Integer)
    state: Mapped[str] = mapped_column(String(12))
    status: Mapped[str] = mapped_column(String(12))
    failure: Mapped[str] = mapped_column(String(300))
    holder_name: Mapped[str] = mapped_column(String(60))
    holder_name_masked: Mapped[str] = mapped_column(String(60))
    id_number_masked: Mapped[str] = mapped_column(String(18))
    sex: Mapped[str] = mapped_column(String(1))
    post_code: Mapped[str] = mapped_column(String(60))
    post_name: Mapped[str] = mapped_column(String(60))
    industry_name: Mapped[str] = mapped_column(String(120))
    enterprise_name: Mapped[str] = mapped_column(String(120))
    licence_number: Mapped[str] = mapped_column(String(60))
    licence_valid_until: Mapped[date | None]
    issuer_name: Mapped[str] = mapped_column(String(120))
    valid_from: Mapped[date]
    valid_until: Mapped[date]
    requested_at: Mapped[datetime]
    queued_at: Mapped[datetime]
    issued_at: Mapped[datetime | None]
    pdf_key: Mapped[str | None] = mapped_column(String(200))
    pdf_sha256: Mapped[bytes | None] = mapped_column(LargeBinary)
    signer_key_id: Mapped[str | None] = mapped_column(String(32))
    origin: Mapped[str] = mapped_column(Text, server_default="issued")
    import_id: Mapped[uuid.UUID | None]
    source_system: Mapped[str | None] = mapped_column(Text)
    issued_on: Mapped[date | None]
    first_issued_on: Mapped[date | None]
    photo_key: Mapped[str | None] = mapped_column(Text)
    photo_sha256: Mapped[bytes | None] = mapped_column(LargeBinary)
    decision: Mapped[dict[str, Any] | None]


class NumberEntry(Base):
    """Makes a certificate's number unique in the province, whatever table partition it is in."""

    __tablename__ = "certs_number"

    number: Mapped[str] = mapped_column(String(60), primary_key=True)
    person_id: Mapped[uuid.UUID]
    certificate_id: Mapped[uuid.UUID]


class PublicId(Base):
    """Makes a public id unique and leads from it to the certificate."""

    __tablename__ = "certs_public_id"

    public_id: Mapped[str] = mapped_column(String(32), primary_key=True)
    person_id: Mapped[uuid.UUID]
    certificate_id: Mapped[uuid.UUID]


class StatusEvent(Base):
    """One step in a certificate's life, the issue first; each has a leaf of the same id."""

    __tablename__ = "certs_status_event"
    __table_args__ = (
        PrimaryKeyConstraint("person_id", "id"),
        ForeignKeyConstraint(["person_id", "certificate_id"], ["certs_certificate.person_id", "certs_certificate.id"]),
        ForeignKeyConstraint(
            ["reason_code", "reason_version"],
            ["certs_reason.code", "certs_reason.version"],
            name="fk_certs_status_event_reason_code_reason_version",
        ),
        # Which step may follow which (certs.rules.TRANSITIONS); the walls keep officials out of final states.
        CheckConstraint(
            "(old_status, new_status) in (('', 'valid'), ('valid', 'suspended'), ('valid', 'revoked'),"
            " ('valid', 'cancelled'), ('valid', 'superseded'), ('suspended', 'valid'), ('suspended', 'revoked'),"
            " ('suspended', 'cancelled'))",
            name="step",
        ),
        Index("ix_certs_status_event_id", "id", unique=True),
        Index("ix_certs_status_event_certificate_id", "certificate_id", "id"),
    )

    person_id: Mapped[uuid.UUID]
    id: Mapped[uuid.UUID]
    certificate_id: Mapped[uuid.UUID]
    tenant_id: Mapped[uuid.UUID]
    region_code: Mapped[int]
    industry_code: Mapped[str] = mapped_column(String(2))
    scheme_code: Mapped[str] = mapped_column(String(60))
    old_status: Mapped[str] = mapped_column(String(12))
    new_status: Mapped[str] = mapped_column(String(12))
    reason: Mapped[str] = mapped_column(String(500))
    reason_code: Mapped[str | None] = mapped_column(Text)
    reason_version: Mapped[int | None] = mapped_column(BigInteger)
    proposal_id: Mapped[uuid.UUID | None]
    actor_id: Mapped[uuid.UUID | None]
    actor_name: Mapped[str] = mapped_column(String(120))
    at: Mapped[datetime]


class Leaf(Base):
    """One entry of the registry log; ``seq`` is its place from 0, unset until the sequencer sets it."""

    __tablename__ = "certs_leaf"
    __table_args__ = (
        UniqueConstraint("seq"),
        CheckConstraint("kind in ('issue', 'import', 'status')", name="kinds"),
        Index("ix_certs_leaf_pending", "id", postgresql_where="seq is null"),
        Index("ix_certs_leaf_certificate_id", "certificate_id", "id"),
    )

    id: Mapped[uuid.UUID] = mapped_column(primary_key=True)
    seq: Mapped[int | None] = mapped_column(BigInteger)
    kind: Mapped[str] = mapped_column(String(10))
    certificate_id: Mapped[uuid.UUID]
    leaf_data: Mapped[bytes] = mapped_column(LargeBinary)
    leaf_hash: Mapped[bytes] = mapped_column(LargeBinary)
    at: Mapped[datetime]


class TreeNode(Base):
    """Hash of a complete subtree: ``position`` n of level k covers leaves n·2^k to (n+1)·2^k - 1."""

    __tablename__ = "certs_tree_node"

    level: Mapped[int] = mapped_column(SmallInteger, primary_key=True, autoincrement=False)
    position: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False)
    digest: Mapped[bytes] = mapped_column(LargeBinary)


class LogCheckpoint(Base):
    """A signed statement: the log has this many leaves and this root.

    ``previous_size`` is the size that the checkpoint before it states, 0 for the first; the database fills it in.
    """

    __tablename__ = "certs_checkpoint"
    __table_args__ = (ForeignKeyConstraint(["key_id"], ["certs_issuer_key.key_id"]),)

    tree_size: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False)
    root: Mapped[bytes] = mapped_column(LargeBinary)
    note: Mapped[str] = mapped_column(Text)
    key_id: Mapped[str] = mapped_column(String(32))
    at: Mapped[datetime]
    previous_size: Mapped[int | None] = mapped_column(BigInteger)


class Witness(Base):
    """Who may co-sign checkpoints, by which key (C2SP signed-note verifier key)."""

    __tablename__ = "certs_witness"

    name: Mapped[str] = mapped_column(Text, primary_key=True)
    verifier_key: Mapped[str] = mapped_column(Text)
    added_at: Mapped[datetime]


class Cosignature(Base):
    """A witness's statement that the log of this size continues all that it saw before; ``at`` is the witness's."""

    __tablename__ = "certs_cosignature"
    __table_args__ = (
        ForeignKeyConstraint(["tree_size"], ["certs_checkpoint.tree_size"]),
        ForeignKeyConstraint(["witness"], ["certs_witness.name"]),
    )

    tree_size: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False)
    witness: Mapped[str] = mapped_column(Text, primary_key=True)
    line: Mapped[str] = mapped_column(Text)
    at: Mapped[datetime]


class PublicCheck(Base):
    """One look-up by anyone; the address is kept as a keyed digest only."""

    __tablename__ = "certs_check"
    __table_args__ = (
        Index("ix_certs_check_certificate_id", "certificate_id", "at"),
        Index("ix_certs_check_unknown", "address_digest", "at", postgresql_where="certificate_id is null"),
    )

    id: Mapped[uuid.UUID] = mapped_column(primary_key=True)
    at: Mapped[datetime]
    public_id: Mapped[str] = mapped_column(String(32))
    certificate_id: Mapped[uuid.UUID | None]
    outcome: Mapped[str] = mapped_column(String(20))
    address_digest: Mapped[bytes] = mapped_column(LargeBinary)
    agent_family: Mapped[str] = mapped_column(String(20))


class Bulk(Base):
    """One order to issue everything that is due of a scheme in a department's scope, and how far it is.

    ``scope`` is the department's at the time of the order. The counters move with the chunks. ``refusals``
    counts the reasons for which nothing could be requested.
    """

    __tablename__ = "certs_bulk"
    __table_args__ = (
        PrimaryKeyConstraint("tenant_id", "id"),
        CheckConstraint("state in ('preparing', 'running', 'paused', 'done', 'cancelled')", name="state"),
        Index("ix_certs_bulk_id", "id", unique=True),
        Index(
            "uq_certs_bulk_open",
            "tenant_id",
            "scheme_code",
            unique=True,
            postgresql_where="state in ('preparing', 'running', 'paused')",
        ),
    )

    tenant_id: Mapped[uuid.UUID]
    id: Mapped[uuid.UUID]
    scheme_code: Mapped[str] = mapped_column(Text)
    scope: Mapped[dict[str, Any]]
    state: Mapped[str] = mapped_column(Text)
    people: Mapped[int] = mapped_column(BigInteger)
    people_done: Mapped[int] = mapped_column(BigInteger)
    issued: Mapped[int] = mapped_column(BigInteger)
    failed: Mapped[int] = mapped_column(BigInteger)
    chunks: Mapped[int] = mapped_column(BigInteger)
    chunks_done: Mapped[int] = mapped_column(BigInteger)
    ordered_by: Mapped[uuid.UUID | None]
    ordered_by_name: Mapped[str] = mapped_column(Text)
    ordered_at: Mapped[datetime]
    ended_at: Mapped[datetime | None]
    refusals: Mapped[dict[str, Any]] = mapped_column(server_default="{}")


class BulkChunk(Base):
    """A few people of an order: the checkpoint. ``entries`` are pairs of person and attempt id."""

    __tablename__ = "certs_bulk_chunk"
    __table_args__ = (PrimaryKeyConstraint("bulk_id", "number"),)

    bulk_id: Mapped[uuid.UUID]
    number: Mapped[int] = mapped_column(BigInteger, autoincrement=False)
    entries: Mapped[list[Any]]
    queued_at: Mapped[datetime]
    done_at: Mapped[datetime | None]
