"""Figures on the command line: fold, rebuild, check."""

from __future__ import annotations

import json
import sys

import click

from lms.core.cli import BuildServices
from supervision import operations


@click.group("figures")
def figures_group() -> None:
    """Figures and warnings: add up, count anew, prove."""


@figures_group.command("fold")
@click.pass_obj
def fold_command(build: BuildServices) -> None:
    """Add up what waits, now."""
    done = operations.fold_all(build("jobs"))
    click.echo(json.dumps({"deltas": done.deltas, "opened": done.opened, "closed": done.closed}))


@figures_group.command("rebuild")
@click.pass_obj
def rebuild_command(build: BuildServices) -> None:
    """Count every figure from the source rows."""
    click.echo(json.dumps({"corrected": operations.rebuild(build("jobs"))}))


@figures_group.command("check")
@click.pass_obj
def check_command(build: BuildServices) -> None:
    """Compare the figures with the source rows; exit 1 when they differ."""
    wrong = operations.check(build("jobs"))
    for one in wrong:
        click.echo(f"{one.place} {one.subject}: folded {one.folded}, counted {one.counted}", err=True)
    click.echo(json.dumps({"holds": not wrong, "differences": len(wrong)}))
    if wrong:
        sys.exit(1)
