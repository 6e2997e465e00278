"""``anzheng verify FILE``: the strict verification on the command line."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path

import click

from certs.check.queries import ADDRESS_DIGEST, Visitor
from certs.verify import operations, texts
from certs.verify.limits import limits
from certs.verify.operations import Report
from certs.verify.rules import Outcome, State
from lms.core.i18n import LANGUAGES, page_text
from lms.core.services import Services

MARKS = {State.OK: "✓", State.FAILED: "✗", State.UNCHECKED: "?"}
# Scripts that only ask for zero or not are right too; the difference is for those who look closer.
EXITS = {Outcome.TRUSTED: 0, Outcome.NOT_IN_FORCE: 1, Outcome.REFUSED: 1, Outcome.UNDETERMINED: 3}
COMMAND_LINE = "command_line"
FILE = click.Path(exists=True, dir_okay=False, path_type=Path)


@click.command("verify")
@click.argument("file", type=FILE)
@click.option("--root", type=FILE, help="PEM of the roots to trust; asks no register, so the status stays unknown")
@click.option("--json", "wants_json", is_flag=True, help="one JSON object")
@click.option("--language", type=click.Choice(list(LANGUAGES)), default="zh", show_default=True)
@click.pass_obj
def verify_command(
    build: Callable[[str], Services],
    file: Path,
    root: Path | None,
    wants_json: bool,  # noqa: FBT001 - a flag
    language: str,
) -> None:
    """Verify a certificate FILE. Exit 0: genuine and in force; 1: not; 3: cannot be told."""
    if file.stat().st_size > limits().max_file_bytes:
        raise click.ClickException(f"the file is larger than {limits().max_file_bytes >> 20} MB")
    pdf = file.read_bytes()
    report = _alone(pdf, root) if root else _ask(build("web"), pdf)
    click.echo(json.dumps(texts.plain(report), ensure_ascii=False) if wants_json else _readable(report, language))
    sys.exit(EXITS[report.outcome])


def _alone(pdf: bytes, root: Path) -> Report:
    try:
        return operations.verify_alone(pdf, [root.read_bytes()])
    except ValueError as error:
        raise click.ClickException(f"{root} holds no certificate that can be read: {error}") from error


def _ask(services: Services, pdf: bytes) -> Report:
    visitor = Visitor(services.vault.digest(COMMAND_LINE, kind=ADDRESS_DIGEST), COMMAND_LINE)
    return operations.verify_file(services, pdf, visitor, throttle=False)


def _readable(report: Report, language: str) -> str:
    def said(text: object) -> str:
        return str(page_text(str(text), language))

    title, text, _tone = texts.OUTCOMES[report.outcome]
    lines = [f"{report.outcome.value}: {said(title)}", said(text), ""]
    for finding in report.findings:
        reason = f"  [{finding.reason}] {said(texts.reason_text(finding))}" if finding.reason else ""
        lines.append(f"{MARKS[finding.state]} {said(texts.CHECKS[finding.check])}{reason}")
    if report.facts and report.shown:
        lines += ["", f"{report.facts.number}  {report.facts.holder_name_masked}  {report.shown.value}"]
    return "\n".join([*lines, "", f"SHA-256 {report.sha256}"])
