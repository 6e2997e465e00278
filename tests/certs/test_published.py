"""What was published of types and pages stays as it is: the database refuses every hand."""

from __future__ import annotations

import pytest
from sqlalchemy import text
from sqlalchemy.exc import ProgrammingError

from lms.core.services import Services
from lms.core.tenancy import PUBLIC_SCOPE, WORKER_SCOPE, Scope
from tests.certs import certificate_world as world
from tests.conftest import Admin

KEY = {"certs_scheme": world.SCHEME, "certs_template": "standard"}


def scope_of(services: Services, hand: str) -> Scope:
    """The scope of the worker, of a visitor, or of an official of the whole province."""
    return {"worker": WORKER_SCOPE, "visitor": PUBLIC_SCOPE}.get(hand) or world.official_actor(
        services, region_code=410_000
    ).scope


@pytest.mark.parametrize("change", ["update {table} set name_zh = name_zh || '改'", "delete from {table}"])
@pytest.mark.parametrize("table", KEY)
@pytest.mark.parametrize("hand", ["worker", "official", "visitor"])
def test_no_published_version_is_changed_or_deleted(
    jobs_services: Services, admin_connection: Admin, hand: str, table: str, change: str
) -> None:
    mine, key = f"{table} where code = %s and version = 1", KEY[table]
    before = admin_connection.execute(f"select * from {mine}", (key,)).fetchall()
    assert len(before) == 1
    statement = text(f"{change.format(table=table)} where code = :key and version = 1")
    with (
        pytest.raises(ProgrammingError, match=f"permission denied for table {table}"),
        jobs_services.db.transaction(scope_of(jobs_services, hand)) as session,
    ):
        session.execute(statement, {"key": key})
    assert admin_connection.execute(f"select * from {mine}", (key,)).fetchall() == before
