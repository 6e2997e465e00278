"""Certificates: finding one by the digest of its file; keys that are no longer believed."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from migrations import families

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None

INDEX = "ix_certs_certificate_pdf_sha256"


def upgrade() -> None:
    # First, since it ends the transaction: what is left of a failed attempt can then be run again.
    with op.get_context().autocommit_block():
        # Thirty million rows take longer than a statement usually may.
        op.execute("set statement_timeout = 0")
        op.create_index(INDEX, "certs_certificate", ["pdf_sha256"], postgresql_concurrently=True, if_not_exists=True)
        op.execute("set statement_timeout = '60s'")
    op.add_column("certs_issuer_key", sa.Column("revoked_at", sa.DateTime(timezone=True)), if_not_exists=True)
    # Whoever holds the file knows what it says; its digest leads to the code that is printed on it.
    families.definer(
        "certs_file_of(digest bytea)",
        "table (public_id text, signer_key_id text, issued_at timestamptz)",
        "select c.public_id::text, c.signer_key_id::text, c.issued_at from certs_certificate c"
        " where c.pdf_sha256 = digest and c.state = 'issued' limit 1",
        grantees=["anzheng_public"],
    )


def downgrade() -> None:
    op.drop_index(INDEX, "certs_certificate")
    op.execute("drop function certs_file_of(bytea)")
    op.drop_column("certs_issuer_key", "revoked_at")
