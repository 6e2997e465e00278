"""Attacks on stored rows that are put back whatever happens: the log's database is shared by all tests."""

from __future__ import annotations

import contextlib
import uuid
from collections.abc import Iterator

from tests.conftest import Admin


@contextlib.contextmanager
def altered(admin: Admin, table: str, change: str, where: str = "id = %(id)s", **names: object) -> Iterator[None]:
    """Update the rows of a place by ``change``; fails where there are none."""
    with kept(admin, table, where, **names):
        cursor = admin.execute(f"update {table} set {change} where {where}", names)
        assert cursor.rowcount
        yield


@contextlib.contextmanager
def deleted(admin: Admin, table: str, where: str = "id = %(id)s", **names: object) -> Iterator[None]:
    """Delete the rows of a place, past all triggers and references; fails where there are none."""
    with kept(admin, table, where, **names):
        with _unguarded(admin):
            assert admin.execute(f"delete from {table} where {where}", names).rowcount
        yield


@contextlib.contextmanager
def kept(admin: Admin, table: str, where: str = "id = %(id)s", **names: object) -> Iterator[None]:
    """Put the rows of a place back as they were, whatever is done to them: altered, deleted, exchanged."""
    copy, keys = f"kept_{uuid.uuid4().hex}", ", ".join(_keys(admin, table))
    # Temporary tables take no parameters in their definition.
    admin.execute(f"create temp table {copy} as select * from {table} with no data")
    admin.execute(f"insert into {copy} select * from {table} where {where}", names)
    try:
        yield
    finally:
        with _unguarded(admin):
            admin.execute(f"delete from {table} where ({keys}) in (select {keys} from {copy})")
            admin.execute(f"insert into {table} select * from {copy}")
        admin.execute(f"drop table {copy}")


@contextlib.contextmanager
def _unguarded(admin: Admin) -> Iterator[None]:
    with admin.transaction():
        admin.execute("set local session_replication_role = replica")
        yield


def _keys(admin: Admin, table: str) -> list[str]:
    rows = admin.execute(
        "select a.attname::text from pg_index i join pg_attribute a on a.attrelid = i.indrelid"
        " and a.attnum = any(i.indkey) where i.indrelid = %s::regclass and i.indisprimary",
        (table,),
    ).fetchall()
    return [str(name) for (name,) in rows]
