"""Certificates on the command line: ``anzheng certs …``."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from pathlib import Path

import click
from sqlalchemy import select

from certs.issue.operations import retry_failed
from certs.keys.operations import make_keys, root_pems
from certs.keys.revocation import revoke_key
from certs.models import Certificate
from certs.schemes.operations import load_schemes, read_file
from certs.status import lists, reasons
from lms.core.access import SYSTEM
from lms.core.errors import Conflict
from lms.core.services import Services
from lms.core.tenancy import WORKER_SCOPE

Build = Callable[[str], Services]


def load_reference(services: Services) -> None:
    """Load the schemes; outside production also make the instance's own keys."""
    with services.db.transaction(WORKER_SCOPE) as session:
        load_schemes(session, read_file())
        reasons.load_reasons(session, reasons.read_file())
        if not services.settings.is_production:
            make_keys(session, SYSTEM)


@click.group("certs")
def certs_group() -> None:
    """Issuing keys and certificates."""


@certs_group.command("init")
@click.pass_obj
def certs_init(build: Build) -> None:
    """Make an issuing authority of this instance's own, with all signing keys, unless there is one."""
    services = build("jobs")
    with services.db.transaction(WORKER_SCOPE) as session:
        load_schemes(session, read_file())
        reasons.load_reasons(session, reasons.read_file())
        made = make_keys(session, SYSTEM)
    click.echo("keys made" if made else "keys were there already")


@certs_group.command("root")
@click.argument("file", type=click.Path(dir_okay=False, path_type=Path))
@click.pass_obj
def certs_root(build: Build, file: Path) -> None:
    """Write the root certificates (PEM) to FILE, for those who check signatures."""
    services = build("jobs")
    with services.db.transaction(WORKER_SCOPE, read_only=True) as session:
        file.write_text("".join(root_pems(session)), encoding="ascii")


@certs_group.command("revoke-key")
@click.argument("key_id")
@click.option("--reason", required=True, help="why; stands in the audit log")
@click.pass_obj
def certs_revoke_key(build: Build, key_id: str, reason: str) -> None:
    """Stop believing a document key from now on; what the register entered before stays good."""
    services = build("jobs")
    try:
        with services.db.transaction(WORKER_SCOPE) as session:
            revoke_key(session, SYSTEM, key_id, reason=reason)
    except Conflict as error:
        raise click.ClickException("no document key in force has this id") from error
    click.echo("revoked")


@certs_group.command("failed")
@click.pass_obj
def certs_failed(build: Build) -> None:
    """List certificates that could not be made, with the reason."""
    services = build("jobs")
    with services.db.transaction(WORKER_SCOPE, read_only=True) as session:
        query = select(Certificate.id, Certificate.number, Certificate.failure).where(Certificate.state == "failed")
        for certificate_id, number, failure in session.execute(query.order_by(Certificate.id)):
            click.echo(f"{certificate_id}  {number}  {failure}")


@certs_group.command("retry")
@click.argument("certificate_id", type=click.UUID)
@click.pass_obj
def certs_retry(build: Build, certificate_id: uuid.UUID) -> None:
    """Queue a failed certificate again, after its cause was removed."""
    services = build("jobs")
    try:
        with services.db.transaction(WORKER_SCOPE) as session:
            retry_failed(session, SYSTEM, certificate_id)
    except Conflict as error:
        raise click.ClickException("no failed certificate has this id") from error
    click.echo("queued")


@certs_group.command("status-list")
@click.pass_obj
def certs_status_list(build: Build) -> None:
    """Build and sign the status list for offline inspectors now, instead of waiting for the worker."""
    click.echo(f"{lists.build(build('jobs'))} bytes")
