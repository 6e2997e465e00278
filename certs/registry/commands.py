"""The log on the command line: ``anzheng registry …``, for its operator, for auditors and for witnesses."""

from __future__ import annotations

import contextlib
import json
import os
import sys
from collections.abc import Callable, Sequence
from dataclasses import asdict
from pathlib import Path

import click

from certs.registry import publishing, verification
from certs.registry.auditing import AuditReport, audit
from certs.registry.notes import KeyTextInvalidError, VerifierKey, new_witness_key, read_signer_key
from certs.registry.operations import add_cosignatures, add_witness, sequence_all
from certs.registry.outside import DistrustError, StateInvalidError, alone_with, read_key, recall, remember
from certs.registry.queries import latest_checkpoint
from certs.registry.sources import SourceError, source_at
from certs.registry.witnessing import witness
from lms.core import clock
from lms.core.access import SYSTEM
from lms.core.cli import report_verdict
from lms.core.errors import DomainError
from lms.core.services import Services
from lms.core.storage import ObjectMissing
from lms.core.tenancy import WORKER_SCOPE

Build = Callable[[str], Services]
FILE = click.Path(dir_okay=False, path_type=Path)
HOW_TO_GET_THE_KEY = (
    "give the log's public key with --key: the text name+id+base64 on the page /registry,"
    " better from a letter or another site than from the log itself"
)
UNREADABLE = 2


@click.group("registry")
def registry_group() -> None:
    """The certificates' public log."""


@registry_group.command("verify")
@click.option("--files", is_flag=True, help="also compare every stored PDF with its digest (reads them all)")
@click.pass_obj
def registry_verify(build: Build, files: bool) -> None:  # noqa: FBT001 - a flag
    """Recompute the log from the stored rows; name the first row that does not hold."""
    report_verdict("registry", verification.verify(build("auditor"), files=files))


@registry_group.command("sequence")
@click.pass_obj
def registry_sequence(build: Build) -> None:
    """Number and publish pending entries now instead of waiting for the worker."""
    sequence_all(build("jobs"))


@registry_group.command("checkpoint")
@click.pass_obj
def registry_checkpoint(build: Build) -> None:
    """Print the newest signed checkpoint, for a witness to keep."""
    services = build("jobs")
    with services.db.transaction(WORKER_SCOPE, read_only=True) as session:
        found = latest_checkpoint(session)
        click.echo(found.note if found else "", nl=False)


@registry_group.command("export")
@click.argument("folder", type=click.Path(file_okay=False, path_type=Path))
@click.pass_obj
def registry_export(build: Build, folder: Path) -> None:
    """Copy the published log into FOLDER; a later export adds what is new."""
    folder.mkdir(parents=True, exist_ok=True)
    try:
        size = publishing.export(build("jobs").storage, folder)
    except ObjectMissing as error:
        raise click.ClickException(f"the published file {error} is missing") from error
    click.echo(f"{size} entries")


@registry_group.command("audit")
@click.argument("place")
@click.option("--key", "keys", multiple=True, help="the log's public key, or a file with it; kept in the state file")
@click.option("--state", type=FILE, help="file that remembers this audit for the next one")
@click.option("--witness", "witnesses", multiple=True, help="demand a co-signature by this public key")
@click.option("--json", "as_json", is_flag=True, help="print the report as one JSON object")
def registry_audit(
    place: str,
    keys: Sequence[str],
    state: Path | None,
    witnesses: Sequence[str],
    as_json: bool,  # noqa: FBT001 - a flag
) -> None:
    """Check a published log from outside: PLACE is its address or a folder with its files.

    Needs no database. Exit 0: holds; 1: does not, with the first entry or tile that differs; 2:
    could not be read.
    """
    try:
        holds = _audit(place, keys, state, [read_key(one) for one in witnesses], as_json=as_json)
    except (SourceError, StateInvalidError, KeyTextInvalidError) as error:
        click.echo(f"not audited: {error}", err=True)
        sys.exit(UNREADABLE)
    if not holds:
        sys.exit(1)


def _audit(
    place: str, keys: Sequence[str], state: Path | None, witnesses: Sequence[VerifierKey], *, as_json: bool
) -> bool:
    # From the look at the memory to its change nobody else may audit against it.
    with alone_with(state) if state else contextlib.nullcontext():
        remembered = recall(state) if state else None
        trusted = [read_key(one) for one in keys or ([remembered.key] if remembered else [])]
        if not trusted:
            raise KeyTextInvalidError(HOW_TO_GET_THE_KEY)
        with source_at(place) as source, click.progressbar(length=1, label="entries", file=sys.stderr) as bar:

            def progress(done: int, total: int) -> None:
                bar.length = total
                bar.update(done - bar.pos)

            report, found = audit(source, trusted, remembered, witnesses=witnesses, progress=progress)
        if state and found:
            remember(state, found)
    _print_report(report, as_json=as_json)
    return report.holds


def _print_report(report: AuditReport, *, as_json: bool) -> None:
    if as_json:
        click.echo(json.dumps({"holds": report.holds, **asdict(report)}, ensure_ascii=False))
    elif report.holds:
        since = f", continues the {report.consistent_with} seen before" if report.consistent_with is not None else ""
        click.echo(f"holds: {report.origin}, {report.size} entries, root {report.root}{since}")
        for name in report.witnesses:
            click.echo(f"co-signed by {name}")
    else:
        click.echo(f"does not hold: {report.problem}")


@registry_group.command("witness-key")
@click.argument("name")
@click.argument("file", type=FILE)
def registry_witness_key(name: str, file: Path) -> None:
    """Make a key for the witness NAME, keep its private half in FILE and print the public one for the log."""
    try:
        key = new_witness_key(name)
        with os.fdopen(os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf8") as secret:
            secret.write(f"{key.text}\n")
    except FileExistsError as error:
        raise click.ClickException(f"{file} exists; move it away first") from error
    except (KeyTextInvalidError, OSError) as error:
        raise click.ClickException(str(error)) from error
    click.echo(key.verifier.text)


@registry_group.command("witness")
@click.argument("place")
@click.option("--key", "secret", type=FILE, required=True, help="the witness's private key")
@click.option("--state", type=FILE, required=True, help="file that remembers the last checkpoint co-signed")
@click.option("--log-key", help="the log's public key, or a file with it; kept in the state file")
@click.option("--output", type=FILE, help="write the co-signed checkpoint here instead of printing it")
def registry_witness(place: str, secret: Path, state: Path, log_key: str | None, output: Path | None) -> None:
    """Co-sign the checkpoint of the log at PLACE if it continues the last one seen; refuse a fork with exit 1."""
    try:
        signer = read_signer_key(secret.read_text("utf8").strip())
        remembered = recall(state)
        trusted = log_key or (remembered.key if remembered else None)
        if trusted is None:
            raise KeyTextInvalidError(HOW_TO_GET_THE_KEY.replace("--key", "--log-key"))
        with source_at(place) as source:
            note, checkpoint = witness(source, signer, state, [read_key(trusted)], clock.now())
        if output:
            output.write_text(note, encoding="utf8")
    except DistrustError as error:
        click.echo(f"refused: {error}", err=True)
        sys.exit(1)
    except (SourceError, ValueError, OSError) as error:
        click.echo(f"not co-signed: {error}", err=True)
        sys.exit(UNREADABLE)
    click.echo(f"co-signed: {checkpoint.origin}, {checkpoint.size} entries" if output else note, nl=output is not None)


@registry_group.command("add-witness")
@click.argument("key")
@click.pass_obj
def registry_add_witness(build: Build, key: str) -> None:
    """Take co-signatures by the witness's public KEY (name+id+base64) from now on."""
    services = build("jobs")
    try:
        with services.db.transaction(WORKER_SCOPE) as session:
            found = read_key(key)
            add_witness(session, SYSTEM, found)
    except KeyTextInvalidError as error:
        raise click.ClickException(str(error)) from error
    except DomainError as error:
        raise click.ClickException(error.text()) from error
    click.echo(f"witness {found.name}")


@registry_group.command("add-cosignature")
@click.argument("file", type=click.Path(dir_okay=False, exists=True, path_type=Path))
@click.pass_obj
def registry_add_cosignature(build: Build, file: Path) -> None:
    """Take the co-signatures from the co-signed checkpoint in FILE and publish them."""
    services = build("jobs")
    try:
        with services.db.transaction(WORKER_SCOPE) as session:
            names = add_cosignatures(session, SYSTEM, file.read_text("utf8"))
    except UnicodeDecodeError as error:
        raise click.ClickException(f"{file} is not a text") from error
    except DomainError as error:
        raise click.ClickException(error.text()) from error
    click.echo(f"co-signed by {', '.join(names)}; published within a second")
