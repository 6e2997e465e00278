"""The bank on the command line: ``anzheng bank …``."""

from __future__ import annotations

import json
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from exams.bank import operations
from exams.bank.adapters import sheets
from exams.errors import QuestionsRefused
from lms.core.access import SYSTEM
from lms.core.errors import Invalid
from lms.core.services import Services
from lms.core.tenancy import WORKER_SCOPE

REFERENCE = Path(__file__).parent / "reference"


def load_file(services: Services, path: Path, owner: uuid.UUID | None = None) -> operations.LoadReport:
    """Load a bank from its JSON file; what has not changed is left alone. Raises QuestionsRefused."""
    document: dict[str, Any] = json.loads(path.read_text("utf8"))
    code = document["bank"]["code"]
    with services.db.transaction(WORKER_SCOPE) as session:
        operations.put_bank(session, SYSTEM, document["bank"], document["knowledge_points"], owner)
        return operations.import_questions(session, SYSTEM, code, operations.drafts_of(sheets.read_document(document)))


def load_blueprints(services: Services, path: Path = REFERENCE / "blueprints.json") -> int:
    """Load the blueprints of a file; return how many there are. Raises Invalid."""
    document = json.loads(path.read_text("utf8"))
    with services.db.transaction(WORKER_SCOPE) as session:
        for raw in document["blueprints"]:
            operations.put_blueprint(session, SYSTEM, raw)
    return len(document["blueprints"])


def load_reference(services: Services) -> None:
    """Load the bank and the blueprints that the product brings."""
    load_file(services, REFERENCE / "chemical_safety.json")
    load_blueprints(services)


@click.group("bank")
def bank_group() -> None:
    """Question banks and blueprints."""


@bank_group.command("load")
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path), required=False)
@click.option("--owner", type=click.UUID, help="tenant that maintains the bank; by default the province")
@click.pass_obj
def bank_load(build: Callable[[str], Services], file: Path | None, owner: uuid.UUID | None) -> None:
    """Load FILE (by default the bank that the product brings) and the blueprints; safe to repeat."""
    services = build("jobs")
    try:
        report = load_file(services, file or REFERENCE / "chemical_safety.json", owner)
        count = load_blueprints(services)
    except QuestionsRefused as error:
        lines = [f"{problem.place}: {problem.field}: {problem.code}" for problem in error.problems]
        raise click.ClickException("\n".join(["nothing was loaded", *lines])) from None
    except Invalid as error:
        raise click.ClickException(error.text()) from None
    click.echo(
        f"questions: {report.added} added, {report.changed} changed, {report.unchanged} unchanged; {count} blueprints"
    )
