"""Permissions of the room."""

from __future__ import annotations

from enum import StrEnum


class P(StrEnum):
    """What one may be allowed to do here."""

    PROFILE_READ = "accounts.profile.read"
    AUDIT_READ = "accounts.audit.read"
    AUDIT_VERIFY = "accounts.audit.verify"
