"""The kernel's commands: database, worker, audit. Rooms add theirs through ``commands.py``."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable

import click

from lms.core import bootstrap, dbadmin, sealing, worker
from lms.core.services import Kernel, Services
from lms.core.settings import load_secrets, load_settings, write_new_secrets

BuildServices = Callable[[str], Services]


def build_group(kernel: Kernel) -> click.Group:
    """Return the ``anzheng`` command with the kernel's and all rooms' subcommands."""

    @click.group(name="anzheng")
    @click.pass_context
    def group(context: click.Context) -> None:
        """安证 — safety training, certification and supervision."""
        bootstrap.configure_logging()
        settings = load_settings()

        def build(login: str) -> Services:
            return bootstrap.build_services(settings, kernel, login=login)

        context.obj = build

    for command in (db_group, worker_command, audit_group, secrets_group, *kernel.commands):
        group.add_command(command)
    return group


@click.group("db")
def db_group() -> None:
    """Make and upgrade the database."""


@db_group.command("init")
def db_init() -> None:
    """Create roles, logins and schema where missing; bring the schema to the newest revision."""
    settings = load_settings()
    dbadmin.initialise(settings, load_secrets(settings))
    click.echo("database ready")


@db_group.command("migrate")
@click.argument("revision", default="head")
def db_migrate(revision: str) -> None:
    """Bring the schema to REVISION."""
    dbadmin.migrate(dbadmin.admin_url(load_settings()), revision)


@db_group.command("url")
def db_url() -> None:
    """Print the address of the administrator's login."""
    click.echo(dbadmin.admin_url(load_settings()))


@click.command("worker")
@click.option("--concurrency", default=4, show_default=True, help="jobs at once")
@click.pass_obj
def worker_command(build: BuildServices, concurrency: int) -> None:
    """Work off queued jobs and the periodic work until stopped."""
    worker.run_worker(build("jobs"), bootstrap.worker_conninfo(load_settings()), concurrency=concurrency)


@click.group("audit")
def audit_group() -> None:
    """Prove the audit log."""


@audit_group.command("verify")
@click.pass_obj
def audit_verify(build: BuildServices) -> None:
    """Check every row, the chain, its signatures and that nothing waits unsealed."""
    report_verdict("audit", sealing.verify(build("auditor")))


def report_verdict(what: str, verdict: sealing.Verdict) -> None:
    """Print a verdict as one JSON object; exit 1 when it does not hold."""
    click.echo(json.dumps({"log": what, "rows": verdict.rows, "holds": verdict.holds, "problem": verdict.problem}))
    if not verdict.holds:
        sys.exit(1)


@click.group("secrets")
def secrets_group() -> None:
    """Key material of this instance."""


@secrets_group.command("new")
def secrets_new() -> None:
    """Write fresh secrets where there are none."""
    path = load_settings().home / "secrets.json"
    if path.exists():
        raise click.ClickException(f"{path} exists; move it away first, old data need its keys")
    write_new_secrets(path)
    click.echo(f"wrote {path}")
