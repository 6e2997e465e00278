"""Alembic's environment: the owner's role, short locks, one transaction per migration."""

from __future__ import annotations

from alembic import context
from sqlalchemy import create_engine, text
from sqlalchemy.pool import NullPool

# Waiting longer for a lock would queue every request behind the migration.
LOCK_TIMEOUT = "4s"
STATEMENT_TIMEOUT = "60s"
TIMEOUTS = (f"set lock_timeout = '{LOCK_TIMEOUT}'", f"set statement_timeout = '{STATEMENT_TIMEOUT}'")
MIGRATION_LOCK = 0x616E7A6D


def _is_ours(_object: object, name: str | None, kind: str, _reflected: bool, _compared: object) -> bool:  # noqa: FBT001 - Alembic's signature
    """Leave the queue's own tables out of comparisons: their schema is a copy."""
    return not (kind == "table" and (name or "").startswith("procrastinate_"))


def run() -> None:
    """Run the migrations as the owner, one runner at a time."""
    attributes = context.config.attributes
    engine = create_engine(context.config.get_main_option("sqlalchemy.url") or "", poolclass=NullPool)
    with engine.connect() as connection:
        connection.execute(text("select pg_advisory_lock(:key)"), {"key": MIGRATION_LOCK})
        connection.execute(text("set role anzheng_owner"))
        for timeout in TIMEOUTS:
            connection.execute(text(timeout))
        connection.commit()
        context.configure(
            connection=connection,
            target_metadata=attributes.get("target_metadata"),
            transaction_per_migration=True,
            compare_server_default=True,
            include_object=_is_ours,
        )
        with context.begin_transaction():
            context.run_migrations()
        connection.execute(text("select pg_advisory_unlock(:key)"), {"key": MIGRATION_LOCK})
        connection.commit()


def write_sql() -> None:
    """Print the SQL instead of running it, for review and linting."""
    context.configure(
        dialect_name="postgresql",
        literal_binds=True,
        dialect_opts={"paramstyle": "named"},
        transaction_per_migration=True,
    )
    for timeout in TIMEOUTS:
        context.execute(timeout)
    with context.begin_transaction():
        context.run_migrations()


if context.is_offline_mode():
    write_sql()
else:
    run()
