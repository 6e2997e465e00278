"""Scopes: whose rows a transaction may see. PostgreSQL enforces them (row-level security)."""

from __future__ import annotations

import re
import uuid
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from enum import StrEnum
from typing import Any

ALL = ("*",)


class ScopeRole(StrEnum):
    """The database roles a transaction may take; ``NONE`` is the bare login."""

    NONE = "none"
    AUTH = "anzheng_auth"
    PUBLIC = "anzheng_public"
    PERSON = "anzheng_person"
    TENANT = "anzheng_tenant"
    REGION = "anzheng_region"
    AUDIT = "anzheng_audit"
    WORKER = "anzheng_worker"


@dataclass(frozen=True, slots=True)
class Scope:
    """What row-level security lets through. An unset value lets nothing through.

    ``region_lo`` (inclusive) and ``region_hi`` (exclusive) are GB/T 2260 codes;
    ``industries`` are GB/T 4754 divisions and ``schemes`` certificate types, or ``ALL``.
    """

    role: ScopeRole
    actor_id: uuid.UUID | None = None
    person_id: uuid.UUID | None = None
    tenant_id: uuid.UUID | None = None
    region_lo: int | None = None
    region_hi: int | None = None
    industries: tuple[str, ...] = ()
    schemes: tuple[str, ...] = ()

    def to_data(self) -> dict[str, Any]:
        """Return plain values, by which a job takes the scope of whoever ordered it."""
        return {key: str(value) if isinstance(value, uuid.UUID) else value for key, value in asdict(self).items()}

    @staticmethod
    def from_data(data: Mapping[str, Any]) -> Scope:
        """Undo ``to_data`` after JSON."""
        ids = {key: uuid.UUID(data[key]) if data[key] else None for key in ("actor_id", "person_id", "tenant_id")}
        lists = {key: tuple(data[key]) for key in ("industries", "schemes")}
        return Scope(**{**data, "role": ScopeRole(data["role"]), **ids, **lists})


AUTH_SCOPE = Scope(ScopeRole.AUTH)
PUBLIC_SCOPE = Scope(ScopeRole.PUBLIC)
AUDIT_SCOPE = Scope(ScopeRole.AUDIT)
WORKER_SCOPE = Scope(ScopeRole.WORKER)

# What a scope value may hold: ids, codes, role names, commas and the star. Anything else would
# have to be quoted, and nothing that a user types ever becomes a scope.
_PLAIN = re.compile(r"[A-Za-z0-9_,*-]*")


def enter_statement(scope: Scope, *, read_only: bool, begin: bool, snapshot: bool = False) -> bytes:
    """Return the SQL that takes ``scope``, after BEGIN if asked: one round trip for both.

    With ``snapshot`` all statements of the transaction see the database as it is at the first.

    Every variable is set each time, also to nothing, so that a value can never outlive the
    transaction that it was meant for. Raises ValueError for a value that is not plain.
    """
    beginning = f"begin{' isolation level repeatable read' if snapshot else ''}; " if begin else ""
    return f"{beginning}select {_settings(scope, read_only=read_only)}".encode("ascii")


def ask_statement(question: str, guess: Scope | None, *, read_only: bool) -> bytes:
    """Return the SQL that begins, asks ``question`` as the bare login and then takes the scope ``guess``.

    It answers one row whose first column is the answer. Where the question has none there is no
    row, and the bare login is kept: settings end with their transaction, so each begins without
    any. Raises ValueError for a value that is not plain.
    """
    taken = f", {_settings(guess, read_only=read_only)}" if guess else ""
    asked = f"select answer{taken} from ({question}) as asked(answer)"  # noqa: S608 - by the room that keeps sessions
    return f"begin; {asked}".encode("ascii")


def _settings(scope: Scope, *, read_only: bool) -> str:
    values = {
        "role": scope.role.value,
        "app.actor_id": scope.actor_id or scope.person_id or "",
        "app.person_id": scope.person_id or "",
        "app.tenant_id": scope.tenant_id or "",
        "app.region_lo": "" if scope.region_lo is None else scope.region_lo,
        "app.region_hi": "" if scope.region_hi is None else scope.region_hi,
        "app.industries": ",".join(scope.industries),
        "app.schemes": ",".join(scope.schemes),
        "transaction_read_only": "on" if read_only else "off",
    }
    if not all(_PLAIN.fullmatch(str(value)) for value in values.values()):
        raise ValueError(f"a scope value is not plain: {values}")
    return ", ".join(f"set_config('{name}', '{value}', true)" for name, value in values.items())
