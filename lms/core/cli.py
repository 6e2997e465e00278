"""The kernel's commands: database, worker, audit. Rooms add theirs through ``commands.py``."""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Callable

import click

from lms.core import bootstrap, dbadmin, sealing, serve, worker
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

    own = (run_command, db_group, worker_command, reference_command, demo_command, audit_group, secrets_group)
    for command in (*own, *kernel.commands):
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


@click.command("run")
@click.option("--port", default=8000, show_default=True)
@click.option("--demo/--no-demo", default=True, show_default=True, help="make the demo province in an empty database")
@click.pass_obj
def run_command(build: BuildServices, port: int, demo: bool) -> None:  # noqa: FBT001 - a flag
    """Set up what is missing, then serve web and worker until stopped."""
    started = time.monotonic()
    # Codes and links lead to where the pages are, on another port too; processes started from here inherit it.
    os.environ.setdefault("ANZHENG_BASE_URL", f"http://127.0.0.1:{port}")
    settings = load_settings()
    dbadmin.initialise(settings, load_secrets(settings))
    services = build("jobs")
    load_reference(services)
    if demo and not settings.is_production:
        make_demo(services)
    services.db.dispose()

    def ready() -> None:
        click.echo(
            f"\n安证 is ready on {settings.base_url} after {time.monotonic() - started:.1f} s. Stop with Ctrl-C."
        )
        sign_ins = settings.home / "demo-sign-ins.txt"
        if demo and sign_ins.exists():
            click.echo(sign_ins.read_text("utf8"))

    serve.Supervisor(settings, port).run(ready)


def load_reference(services: Services) -> None:
    """Bring the reference tables to what the data files of this version say."""
    for _order, load in sorted(services.kernel.reference_steps, key=lambda step: step[0]):
        load(services)


def make_demo(services: Services) -> None:
    """Make the demo province unless there is one; a half-made one is refused with what to do."""
    home = services.settings.home
    done, begun = home / "demo-complete", home / "demo-begun"
    if done.exists():
        return
    if begun.exists():
        raise click.ClickException(
            f"the demo was interrupted while it was being made; remove the folder {home} and start again"
        )
    begun.touch()
    for _order, step in sorted(services.kernel.demo_steps, key=lambda step: step[0]):
        step(services)
    done.touch()


@click.command("reference")
@click.pass_obj
def reference_command(build: BuildServices) -> None:
    """Load the reference data files into the database."""
    load_reference(build("jobs"))


@click.command("demo")
@click.pass_obj
def demo_command(build: BuildServices) -> None:
    """Make the demo province in an empty database."""
    make_demo(build("jobs"))


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
