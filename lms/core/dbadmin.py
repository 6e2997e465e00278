"""Making and upgrading the database: roles, logins, migrations. Run by ``anzheng db``."""

from __future__ import annotations

from pathlib import Path
from urllib.parse import quote, urlsplit, urlunsplit

import psycopg
from alembic import command
from alembic.config import Config
from psycopg import sql

from lms.core.postgres import EmbeddedPostgres, libpq_url, normalise_url
from lms.core.settings import Secrets, Settings

OWNER = "anzheng_owner"
SCOPE_ROLES = (
    "anzheng_auth",
    "anzheng_public",
    "anzheng_person",
    "anzheng_tenant",
    "anzheng_region",
    "anzheng_audit",
    "anzheng_worker",
)
# Which scopes each login may take. One login holding all of them would let any injected SQL
# become the worker.
LOGINS = {
    "web": SCOPE_ROLES[:5],
    "jobs": SCOPE_ROLES,
    "auditor": ("anzheng_audit",),
}
ROLE_LOCK = 0x616E7A68  # any fixed number; parallel role DDL fails in PostgreSQL
MIGRATIONS = Path(__file__).resolve().parents[2] / "migrations"


def admin_url(settings: Settings) -> str:
    """Return a libpq URL of a login that may create roles; starts the embedded server if need be."""
    if settings.admin_database_url:
        return libpq_url(settings.admin_database_url)
    server = EmbeddedPostgres(settings.home / "pg")
    server.ensure()
    return server.dsn()


def login_url(admin: str, secrets: Secrets, login: str) -> str:
    """Return the libpq URL of one of our own logins on the server of ``admin``."""
    parts = urlsplit(admin)
    at = parts.netloc.rpartition("@")[2]
    netloc = f"anzheng_{login}:{quote(secrets.passwords[login], safe='')}@{at}"
    return urlunsplit(parts._replace(netloc=netloc))


def sqlalchemy_url(libpq: str) -> str:
    """Return the SQLAlchemy form of a libpq URL."""
    return normalise_url(libpq)


def create_roles(admin: str, secrets: Secrets) -> None:
    """Make owner, scopes and logins where they are missing; set the logins' passwords."""
    with psycopg.connect(admin) as connection:
        connection.execute("select pg_advisory_xact_lock(%s)", (ROLE_LOCK,))
        existing = {row[0] for row in connection.execute("select rolname from pg_roles where rolname like 'anzheng%'")}
        for role in (OWNER, *SCOPE_ROLES):
            if role not in existing:
                connection.execute(sql.SQL("create role {} nologin noinherit").format(sql.Identifier(role)))
        for login, scopes in LOGINS.items():
            name = sql.Identifier(f"anzheng_{login}")
            if f"anzheng_{login}" not in existing:
                connection.execute(sql.SQL("create role {} login noinherit").format(name))
                for scope in scopes:
                    connection.execute(sql.SQL("grant {} to {}").format(sql.Identifier(scope), name))
            connection.execute(sql.SQL("alter role {} password {}").format(name, sql.Literal(secrets.passwords[login])))
        connection.execute(sql.SQL("grant {} to current_user").format(sql.Identifier(OWNER)))


def prepare_database(admin: str) -> None:
    """Give the owner its schema and close the database to everyone else."""
    with psycopg.connect(admin) as connection:
        connection.execute("select pg_advisory_xact_lock(%s)", (ROLE_LOCK,))
        name = sql.Identifier(connection.info.dbname)
        connection.execute(sql.SQL("revoke all on database {} from public").format(name))
        connection.execute(sql.SQL("grant create, temporary on database {} to {}").format(name, sql.Identifier(OWNER)))
        for login in LOGINS:
            connection.execute(
                sql.SQL("grant connect, temporary on database {} to {}").format(
                    name, sql.Identifier(f"anzheng_{login}")
                )
            )
        connection.execute(sql.SQL("revoke all on schema public from public"))
        connection.execute(sql.SQL("grant all on schema public to {}").format(sql.Identifier(OWNER)))
        for role in (*SCOPE_ROLES, *(f"anzheng_{login}" for login in LOGINS)):
            connection.execute(sql.SQL("grant usage on schema public to {}").format(sql.Identifier(role)))
        connection.execute("create extension if not exists pg_trgm")


def alembic_config(admin: str) -> Config:
    """Return Alembic's configuration for the database of ``admin``."""
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    config.set_main_option("sqlalchemy.url", sqlalchemy_url(admin).replace("%", "%%"))
    return config


def migrate(admin: str, revision: str = "head") -> None:
    """Bring the schema to ``revision``."""
    command.upgrade(alembic_config(admin), revision)


def initialise(settings: Settings, secrets: Secrets) -> str:
    """Do all of the above; return the admin URL. Safe to repeat and to run at once in several."""
    admin = admin_url(settings)
    create_roles(admin, secrets)
    prepare_database(admin)
    migrate(admin)
    return admin
