"""Migrations: one head, up-down-up, equal to the models, safe beside the running version."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path
from typing import Any

import psycopg
import pytest
from alembic import command
from alembic.config import Config
from alembic.script import ScriptDirectory

from lms.core import dbadmin
from lms.core.db import Base
from lms.core.services import Kernel
from tests.conftest import Instance, make_database

SCHEMA_QUERY = """
select 'column', table_name, column_name, data_type || coalesce('=' || column_default, '') || is_nullable
  from information_schema.columns where table_schema = 'public'
union all select 'index', tablename, indexname, indexdef from pg_indexes where schemaname = 'public'
union all select 'policy', tablename, policyname, coalesce(qual, '') || coalesce(with_check, '') || cmd || roles::text
  from pg_policies where schemaname = 'public'
union all select 'grant', table_name, grantee, string_agg(privilege_type, ',' order by privilege_type)
  from information_schema.role_table_grants where table_schema = 'public' and grantee like 'anzheng%' group by 2, 3
union all select 'function', proname, pg_get_function_identity_arguments(oid), prosecdef::text || md5(prosrc)
  from pg_proc p where pronamespace = 'public'::regnamespace
   and not exists (select from pg_depend d where d.objid = p.oid and d.deptype = 'e')
order by 1, 2, 3, 4
"""


@pytest.fixture
def empty(instance: Instance, worker_id: str) -> Config:
    """A database of its own, at the newest revision."""
    admin = make_database(instance.settings, f"anzheng_migrations_{worker_id}")
    return dbadmin.alembic_config(admin)


def _connected(config: Config) -> psycopg.Connection[tuple[Any, ...]]:
    return psycopg.connect((config.get_main_option("sqlalchemy.url") or "").replace("+psycopg", ""))


def _schema(config: Config) -> list[tuple[str, ...]]:
    with _connected(config) as connection:
        return connection.execute(SCHEMA_QUERY).fetchall()


def test_there_is_one_head() -> None:
    heads = ScriptDirectory.from_config(dbadmin.alembic_config("postgresql:///none")).get_heads()
    assert len(heads) == 1


def test_up_down_up_gives_the_same_schema(empty: Config) -> None:
    before = _schema(empty)
    command.downgrade(empty, "base")
    left = [row for row in _schema(empty) if row[1] != "alembic_version"]
    command.upgrade(empty, "head")
    assert left == []
    assert _schema(empty) == before


def test_each_revision_can_be_taken_back_alone(empty: Config) -> None:
    revisions = [script.revision for script in ScriptDirectory.from_config(empty).walk_revisions()]
    for _ in revisions:
        command.downgrade(empty, "-1")
    for _ in revisions:
        command.upgrade(empty, "+1")
    assert _schema(empty)


def test_schema_equals_the_models(empty: Config, kernel: Kernel) -> None:
    empty.attributes["target_metadata"] = Base.metadata
    command.check(empty)


def test_checkpoints_of_the_version_before_name_the_one_before_them(empty: Config) -> None:
    command.downgrade(empty, "0019-1")
    _sign_checkpoints(empty, 3, 5, 8)
    command.upgrade(empty, "head")
    _sign_checkpoints(empty, 9)
    with _connected(empty) as connection:
        rows = connection.execute("select tree_size, previous_size from certs_checkpoint order by 1").fetchall()
    assert rows == [(3, 0), (5, 3), (8, 5), (9, 8)]


def _sign_checkpoints(config: Config, *sizes: int) -> None:
    """Write checkpoints down as that version does, which knows nothing of the new column."""
    with _connected(config) as connection:
        connection.execute("alter table certs_checkpoint drop constraint if exists fk_certs_checkpoint_key_id")
        for size in sizes:
            columns = "(tree_size, root, note, key_id, at)"
            connection.execute(f"insert into certs_checkpoint {columns} values (%s, '', '', '', now())", (size,))


def _imported(path: Path) -> list[str]:
    nodes = list(ast.walk(ast.parse(path.read_text("utf8"))))
    plain = [alias.name for node in nodes if isinstance(node, ast.Import) for alias in node.names]
    return plain + [node.module or "" for node in nodes if isinstance(node, ast.ImportFrom)]


def test_migrations_import_no_application_code() -> None:
    rooms = {"lms", "media", "exams", "certs", "supervision"}
    offenders = [
        f"{path.name}: {module}"
        for path in (dbadmin.MIGRATIONS / "versions").glob("*.py")
        for module in _imported(path)
        if module.partition(".")[0] in rooms
    ]
    assert offenders == []


def test_new_migrations_pass_the_safety_linter(tmp_path: Path) -> None:
    """Squawk judges what comes after the first release; the founding schema has no rows to lock."""
    founding = "0008"
    scripts = ScriptDirectory.from_config(dbadmin.alembic_config("postgresql:///none"))
    later = [script for script in scripts.walk_revisions(base=founding) if script.revision != founding]
    if not later:
        assert scripts.get_current_head() == founding
        return
    sql = tmp_path / "upgrade.sql"
    config = dbadmin.alembic_config("postgresql:///none")
    with sql.open("w") as file:
        config.output_buffer = file
        command.upgrade(config, f"{founding}:head", sql=True)
    squawk = Path(sys.executable).with_name("squawk")
    result = subprocess.run([squawk, "--pg-version", "15", sql], capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stdout
