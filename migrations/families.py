"""Row-level security by family of table. Imports nothing of the application.

Every table belongs to one family (docs/security.md). A migration calls the family's function
right after ``op.create_table``; it enables row-level security, writes the policies and grants.
RLS is enabled without FORCE: the owner is a role that no process logs in as.
"""

from __future__ import annotations

from collections.abc import Sequence

from alembic import op

TENANT = "nullif(current_setting('app.tenant_id', true), '')::uuid"
PERSON = "nullif(current_setting('app.person_id', true), '')::uuid"
ACTOR = "nullif(current_setting('app.actor_id', true), '')::uuid"
REGION_LO = "nullif(current_setting('app.region_lo', true), '')::int"
REGION_HI = "nullif(current_setting('app.region_hi', true), '')::int"
INDUSTRIES = "string_to_array(current_setting('app.industries', true), ',')"
SCHEMES = "string_to_array(current_setting('app.schemes', true), ',')"

SCOPES = ("auth", "public", "person", "tenant", "region", "audit", "worker")
ALL = "select, insert, update, delete"


def in_region(*, industry: str | None = "industry_code", scheme: str | None = None, region: str = "region_code") -> str:
    """Return the condition under which a region scope sees a row."""
    parts = [f"{region} >= {REGION_LO}", f"{region} < {REGION_HI}"]
    if industry:
        parts.append(f"(current_setting('app.industries', true) = '*' or {industry} = any({INDUSTRIES}))")
    if scheme:
        parts.append(f"(current_setting('app.schemes', true) = '*' or {scheme} = any({SCHEMES}))")
    return " and ".join(parts)


def enable(table: str) -> None:
    """Turn row-level security on; without policies nobody but the owner sees a row."""
    op.execute(f"alter table {table} enable row level security")
    op.execute(f"revoke all on {table} from public")


def policy(table: str, scope: str, commands: str, using: str, *, check: str | None = None, columns: str = "") -> None:
    """Let ``scope`` do ``commands`` (comma-separated) on the rows where ``using`` holds.

    ``columns`` like ``(state, updated_at)`` narrows an update grant. Writes are checked
    against ``check``, by default the same condition.
    """
    names = [name.strip() for name in commands.split(",")]
    for name in names:
        target = f"{name} {columns}" if name == "update" and columns else name
        op.execute(f"grant {target} on {table} to anzheng_{scope}")
        clauses = []
        if name != "insert":
            clauses.append(f"using ({using})")
        if name in {"insert", "update"}:
            clauses.append(f"with check ({check or using})")
        op.execute(f"create policy {scope}_{name} on {table} for {name} to anzheng_{scope} {' '.join(clauses)}")


def worker_all(table: str) -> None:
    """Give the worker every row."""
    op.execute(f"grant {ALL} on {table} to anzheng_worker")
    op.execute(f"create policy worker_all on {table} to anzheng_worker using (true) with check (true)")


def reference(table: str, *, readers: Sequence[str] = SCOPES) -> None:
    """Reference family: everyone reads, only the worker writes; no row-level security."""
    op.execute(f"revoke all on {table} from public")
    for scope in readers:
        op.execute(f"grant select on {table} to anzheng_{scope}")
    op.execute(f"grant {ALL} on {table} to anzheng_worker")


def tenant(table: str, *, commands: str = ALL, key: str = "tenant_id", region: str | None = None) -> None:
    """Tenant family: that tenant, regulators in scope (condition ``region``), the worker."""
    enable(table)
    policy(table, "tenant", commands, f"{key} = {TENANT}")
    if region:
        policy(table, "region", "select", region)
    worker_all(table)


def person(
    table: str,
    *,
    commands: str = "select, insert, update",
    key: str = "person_id",
    tenant_reads: bool = True,
    region: str | None = None,
) -> None:
    """Person family: the person; the tenant it was done under; regulators in scope; the worker."""
    enable(table)
    policy(table, "person", commands, f"{key} = {PERSON}")
    if tenant_reads:
        policy(table, "tenant", "select", f"tenant_id = {TENANT}")
    if region:
        policy(table, "region", "select", region)
    worker_all(table)


def keys(table: str) -> None:
    """Keys family: the worker alone; others only through reviewed SECURITY DEFINER functions."""
    enable(table)
    worker_all(table)


def log(table: str, *, inserters: Sequence[str], check: str = "true") -> None:
    """Log family: insert-only for scopes, readable by the worker and by what a policy adds."""
    enable(table)
    for scope in inserters:
        policy(table, scope, "insert", "true", check=check)
    worker_all(table)


def definer(signature: str, returns: str, body: str, *, grantees: Sequence[str], language: str = "sql") -> None:
    """Create a SECURITY DEFINER function with a fixed search path for ``grantees`` (full role names).

    Each of them stands in the reviewed list of tests/walls/exceptions.py with its reason.
    """
    op.execute(
        f"create function {signature} returns {returns} language {language} security definer"
        f" set search_path = pg_catalog, public, pg_temp as $body$ {body} $body$"
    )
    name = signature[: signature.index("(")]
    op.execute(f"revoke all on function {name} from public")
    for grantee in grantees:
        op.execute(f"grant execute on function {name} to {grantee}")
