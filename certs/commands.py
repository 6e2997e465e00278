"""Certificates on the command line: ``anzheng certs …``."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from datetime import datetime
from pathlib import Path

import click
from sqlalchemy import select

from certs.errors import KeyRefused, NoKeys
from certs.issue.operations import retry_failed
from certs.keys.operations import SIGNING_KINDS, Adopted, adopt_key, make_keys, public_keys, root_pems, rotate_key
from certs.keys.revocation import revoke_key
from certs.models import Certificate
from certs.schemes.operations import load_schemes, read_file
from certs.status import lists, reasons
from lms.core import clock
from lms.core.access import SYSTEM
from lms.core.errors import Conflict
from lms.core.services import Services
from lms.core.tenancy import WORKER_SCOPE

Build = Callable[[str], Services]
PEM_FILE = click.Path(exists=True, dir_okay=False, path_type=Path)


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
    """Make the signing keys that are missing; outside production also a demonstration's authority."""
    services = build("jobs")
    with services.db.transaction(WORKER_SCOPE) as session:
        load_schemes(session, read_file())
        reasons.load_reasons(session, reasons.read_file())
        made = make_keys(session, SYSTEM)
        documents = bool(public_keys(session, "pdf"))
    click.echo("keys made" if made else "keys were there already")
    if not documents:
        click.echo("documents cannot be signed yet: run `anzheng certs adopt-key` with the authority's certificate")


@certs_group.command("rotate-key")
@click.argument("kind", type=click.Choice(SIGNING_KINDS))
@click.option("--from", "signs_from", type=click.DateTime(), help="when it begins to sign, in the province's time")
@click.pass_obj
def certs_rotate_key(build: Build, kind: str, signs_from: datetime | None) -> None:
    """Make a fresh signing key; what the older ones signed stays verifiable."""
    services = build("jobs")
    try:
        with services.db.transaction(WORKER_SCOPE) as session:
            key_id = rotate_key(session, SYSTEM, kind, _moment(signs_from))
    except (KeyRefused, NoKeys) as error:
        raise click.ClickException(str(error)) from error
    click.echo(key_id)


@certs_group.command("adopt-key")
@click.option("--certificate", type=PEM_FILE, required=True, help="of the document signer")
@click.option("--chain", type=PEM_FILE, help="issuing authorities, the nearest first, without the root")
@click.option("--root", type=PEM_FILE, required=True)
@click.option("--key", type=PEM_FILE, help="private key (PKCS#8, P-256)")
@click.option("--token-key", help="label of the key in the PKCS#11 token instead of --key")
@click.option("--from", "signs_from", type=click.DateTime(), help="when it begins to sign, in the province's time")
@click.pass_obj
def certs_adopt_key(
    build: Build,
    *,
    certificate: Path,
    chain: Path | None,
    root: Path,
    key: Path | None,
    token_key: str | None,
    signs_from: datetime | None,
) -> None:
    """Sign documents with a key that the province's authority certified."""
    if (key is None) == (token_key is None):
        raise click.UsageError("give either --key or --token-key")
    services = build("jobs")
    adopted = Adopted(
        certificate=certificate.read_bytes(),
        chain=chain.read_bytes() if chain else b"",
        root=root.read_bytes(),
        key=key.read_bytes() if key else None,
        token_key=token_key,
    )
    try:
        with services.db.transaction(WORKER_SCOPE) as session:
            key_id = adopt_key(session, SYSTEM, adopted, _moment(signs_from))
    except (KeyRefused, NoKeys) as error:
        raise click.ClickException(str(error)) from error
    click.echo(key_id)


def _moment(local: datetime | None) -> datetime | None:
    return local.replace(tzinfo=clock.ZONE) if local else None


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
