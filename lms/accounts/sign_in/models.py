"""Tables of accounts, roles, sessions and activation codes."""

from __future__ import annotations

import uuid
from datetime import datetime

from sqlalchemy import (
    CheckConstraint,
    ForeignKey,
    ForeignKeyConstraint,
    Index,
    LargeBinary,
    PrimaryKeyConstraint,
    String,
)
from sqlalchemy.orm import Mapped, mapped_column

from lms.core.db import Base


class Account(Base):
    """A person's way in. There is a row from activation on, never before."""

    __tablename__ = "accounts_account"
    __table_args__ = (CheckConstraint("state in ('active', 'closed')", name="state"),)

    person_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("accounts_person.id"), primary_key=True)
    login_name: Mapped[str | None] = mapped_column(String(60), unique=True)
    password_hash: Mapped[str] = mapped_column(String(200))
    activated_at: Mapped[datetime]
    state: Mapped[str] = mapped_column(String(20))


class RoleGrant(Base):
    """A part that a person may play for one organisation."""

    __tablename__ = "accounts_role_grant"
    __table_args__ = (
        PrimaryKeyConstraint("person_id", "tenant_id", "role"),
        Index("ix_accounts_role_grant_tenant_id", "tenant_id", "role"),
    )

    person_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("accounts_person.id"))
    tenant_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("accounts_tenant.id"))
    role: Mapped[str] = mapped_column(String(20))
    granted_at: Mapped[datetime]


class SignInSession(Base):
    """One signed-in browser in one role; the token itself is stored nowhere."""

    __tablename__ = "accounts_session"
    __table_args__ = (
        # A role that is taken back ends the sessions that use it.
        ForeignKeyConstraint(
            ["person_id", "tenant_id", "role"],
            ["accounts_role_grant.person_id", "accounts_role_grant.tenant_id", "accounts_role_grant.role"],
            ondelete="CASCADE",
        ),
        Index("ix_accounts_session_person_id", "person_id", "created_at"),
    )

    digest: Mapped[bytes] = mapped_column(LargeBinary, primary_key=True)
    person_id: Mapped[uuid.UUID]
    tenant_id: Mapped[uuid.UUID]
    role: Mapped[str] = mapped_column(String(20))
    device: Mapped[str] = mapped_column(String(60))
    created_at: Mapped[datetime]
    expires_at: Mapped[datetime]
    revoked_at: Mapped[datetime | None]


class ActivationCode(Base):
    """A code that opens an account once; only its keyed digest is stored."""

    __tablename__ = "accounts_activation_code"
    __table_args__ = (Index("ix_accounts_activation_code_tenant_id", "tenant_id", "person_id"),)

    digest: Mapped[bytes] = mapped_column(LargeBinary, primary_key=True)
    person_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("accounts_person.id"))
    tenant_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("accounts_tenant.id"))
    created_at: Mapped[datetime]
    expires_at: Mapped[datetime]
    used_at: Mapped[datetime | None]


class SignInFailure(Base):
    """One refused sign-in or activation, by keyed digests of what was typed and from where."""

    __tablename__ = "accounts_sign_in_failure"
    __table_args__ = (
        Index("ix_accounts_sign_in_failure_subject_digest_at", "subject_digest", "at"),
        Index("ix_accounts_sign_in_failure_address_digest_at", "address_digest", "at"),
    )

    id: Mapped[uuid.UUID] = mapped_column(primary_key=True)
    subject_digest: Mapped[bytes] = mapped_column(LargeBinary)
    address_digest: Mapped[bytes] = mapped_column(LargeBinary)
    at: Mapped[datetime]
