"""Permissions of the room."""

from __future__ import annotations

from enum import StrEnum


class P(StrEnum):
    """What one may be allowed to do here."""

    AUDIT_READ = "accounts.audit.read"
    AUDIT_VERIFY = "accounts.audit.verify"
    STAFF_READ = "accounts.staff.read"
    STAFF_EDIT = "accounts.staff.edit"
    STAFF_REVEAL = "accounts.staff.reveal"
    STAFF_IMPORT = "accounts.staff.import"
    IDENTITY_CONFIRM = "accounts.identity.confirm"
