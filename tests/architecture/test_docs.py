"""What an operator or a developer looks up stands in the documents, and nothing else does."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import unquote

import click

from lms.core.access import Role
from lms.core.cli import build_group
from lms.core.events import Event
from lms.core.services import Kernel

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
VARIABLE = re.compile(r"`((?:ANZHENG|DATABASE)_[A-Z_]+)`")
LINK = re.compile(r"\[[^\]]*\]\(([^)#\s]+)(?:#[^)]*)?\)|<img[^>]*\ssrc=\"([^\"]+)\"")


def section(name: str) -> str:
    """Return one second-level section of the reference."""
    text = (DOCS / "reference.md").read_text(encoding="utf8")
    return text.split(f"## {name}\n", 1)[1].split("\n## ", 1)[0]


def first_cells(table: str) -> set[str]:
    """Return the code in the first cell of each row of a table."""
    return set(re.findall(r"^\| `([^`]+)` \|", table, re.MULTILINE))


def test_every_variable_that_settings_read_is_documented() -> None:
    tree = ast.parse((ROOT / "lms/core/settings.py").read_text(encoding="utf8"))
    read = {
        call.args[0].value
        for call in ast.walk(tree)
        if isinstance(call, ast.Call)
        and isinstance(call.func, ast.Attribute)
        and call.func.attr == "get"
        and call.args
        and isinstance(call.args[0], ast.Constant)
        and isinstance(call.args[0].value, str)
    }
    text = (DOCS / "settings.md").read_text(encoding="utf8")
    assert len(read) > 5
    assert {name for name in read if f"`{name}`" not in text} == set()


def test_every_documented_variable_is_read_somewhere() -> None:
    sources = [path for room in ("lms", "tests") for path in (ROOT / room).rglob("*.py") if path != Path(__file__)]
    code = "\n".join(path.read_text(encoding="utf8") for path in sources)
    named = set(VARIABLE.findall((DOCS / "settings.md").read_text(encoding="utf8")))
    assert {name for name in named if f'"{name}"' not in code} == set()


def test_permissions_are_documented(kernel: Kernel) -> None:
    granted = {str(permission) for role in Role for permission in kernel.permissions_of(role)}
    assert first_cells(section("Permissions")) == granted


def events_below(parent: type[Event]) -> Iterator[str]:
    """Yield the names of all product events."""
    child: type[Event]
    for child in parent.__subclasses__():
        if not child.__module__.startswith("tests"):
            yield child.__name__
        yield from events_below(child)


def test_events_are_documented(kernel: Kernel) -> None:
    announced = {name for name in events_below(Event) if not name.startswith("_")}
    documented = first_cells(section("Events"))
    assert set(kernel.events) <= documented <= announced
    files = "\n".join(path.read_text(encoding="utf8") for path in ROOT.glob("*/events.py"))
    files += "\n".join(path.read_text(encoding="utf8") for path in ROOT.glob("lms/*/events.py"))
    assert set(re.findall(r"^class (\w+)\(Event\)", files, re.MULTILINE)) == documented


def commands_of(command: click.Command, name: str) -> Iterator[str]:
    """Yield the full names of all commands that do something."""
    if isinstance(command, click.Group):
        for part, child in command.commands.items():
            yield from commands_of(child, f"{name} {part}")
    else:
        yield name


def test_commands_are_documented(kernel: Kernel) -> None:
    assert first_cells(section("Commands")) == set(commands_of(build_group(kernel), "anzheng"))


def test_links_of_the_documents_lead_somewhere() -> None:
    broken = []
    for path in (*ROOT.glob("*.md"), *DOCS.rglob("*.md")):
        for found in LINK.finditer(path.read_text(encoding="utf8")):
            target = found.group(1) or found.group(2)
            if "://" not in target and not (path.parent / unquote(target)).exists():
                broken.append(f"{path.relative_to(ROOT)}: {target}")
    assert broken == []


def test_pictures_are_light() -> None:
    heavy = [path.name for path in (DOCS / "pictures").glob("*") if path.stat().st_size > 250_000]
    assert heavy == []
