"""The house rules that a machine can see."""

from __future__ import annotations

import ast
import re
import subprocess
from pathlib import Path

import pytest

from lms.core.services import Kernel
from lms.core.web import AnzhengFlask

ROOT = Path(__file__).parents[2]
ROOMS = ("lms", "media", "exams", "certs", "supervision")
MAX_FILE_LINES = 400
MAX_FUNCTION_LINES = 45
MEASURED = (*ROOMS, "tests", "bench")
# The customer fixed these; beside them stands only what such a repository always has.
TOP_LEVEL = {
    "lms", "exams", "certs", "supervision", "migrations", "media", "tests", "wsgi.py", "setup.cfg",
    "README.md", "README.zh-CN.md", "CONTRIBUTING.md", "CHANGELOG.md", "LICENSE", "Makefile", "pyproject.toml",
    ".ruff.toml", "requirements", "package.json", "package-lock.json", ".npmrc", "frontend", "bench", "deploy",
    "docs", ".ci", ".gitignore", "MANIFEST.in", "babel.cfg",
}  # fmt: skip


def tracked(pattern: str = "*") -> list[Path]:
    """Return the tracked files of the checkout."""
    listed = subprocess.run(["git", "ls-files", pattern], cwd=ROOT, capture_output=True, text=True, check=True)
    return [ROOT / name for name in listed.stdout.splitlines()]


def product_files() -> list[Path]:
    """Return the product's own Python files."""
    return [path for path in tracked("*.py") if path.relative_to(ROOT).parts[0] in ROOMS]


def test_top_level_holds_nothing_unexpected() -> None:
    assert {path.relative_to(ROOT).parts[0] for path in tracked()} <= TOP_LEVEL


def measured_files() -> list[str]:
    """Return the names of all Python files that are to stay small, tests among them."""
    names = [str(path.relative_to(ROOT)) for path in tracked("*.py")]
    return [name for name in names if name.split("/")[0] in MEASURED]


@pytest.mark.parametrize("name", measured_files())
def test_files_and_functions_stay_small(name: str) -> None:
    text = (ROOT / name).read_text("utf8")
    assert text.count("\n") <= MAX_FILE_LINES
    long = [
        f"{node.name}: {node.end_lineno - node.lineno + 1}"
        for node in ast.walk(ast.parse(text))
        if isinstance(node, ast.FunctionDef) and (node.end_lineno or 0) - node.lineno >= MAX_FUNCTION_LINES
    ]
    assert long == []


def test_every_route_declares_who_may_call_it(app: AnzhengFlask) -> None:
    undeclared = [
        rule.endpoint
        for rule in app.url_map.iter_rules()
        if rule.endpoint != "static" and not hasattr(app.view_functions[rule.endpoint], "anzheng_permission")
    ]
    assert undeclared == []


def test_every_required_permission_is_granted_to_some_role(app: AnzhengFlask, kernel: Kernel) -> None:
    granted = {permission for permissions in kernel.grants.values() for permission in permissions}
    required = {getattr(view, "anzheng_permission", "") for view in app.view_functions.values()} - {"", "*"}
    assert required <= granted


def test_every_navigation_entry_leads_somewhere(app: AnzhengFlask, kernel: Kernel) -> None:
    endpoints = {rule.endpoint for rule in app.url_map.iter_rules()}
    assert {item.endpoint for item in kernel.nav} <= endpoints
    assert set(kernel.homes.values()) <= endpoints


def test_only_core_commits() -> None:
    offenders = [
        str(path.relative_to(ROOT))
        for path in product_files()
        if "lms/core" not in str(path) and re.search(r"\.(commit|rollback)\(\)", path.read_text("utf8"))
    ]
    assert offenders == []


def test_nobody_asks_the_database_what_day_it_is() -> None:
    """Its sessions count days in UTC, the province eight hours ahead: the day comes from ``clock.today()``."""
    asking = re.compile(r"current_date|local(time|timestamp)\b|(now\(\)|current_timestamp)::date", re.IGNORECASE)
    here = Path(__file__)
    offenders = [
        str(path.relative_to(ROOT))
        for path in tracked("*.py")
        if path != here and asking.search(path.read_text("utf8"))
    ]
    assert offenders == []


def test_nothing_names_a_machine_or_a_registry() -> None:
    forbidden = re.compile(r"/work/main|registry\.npmjs|files\.pythonhosted|pypi\.org|deb\.debian\.org")
    suffixes = {".py", ".md", ".cfg", ".toml", ".json", ".js", ".mjs", ".sh", ".html", ".lock", ".css", ""}
    here = Path(__file__)
    offenders = [
        str(path.relative_to(ROOT))
        for path in tracked()
        if path != here
        and path.suffix in suffixes
        and path.is_file()
        and forbidden.search(path.read_text("utf8", "ignore"))
    ]
    assert offenders == []
