"""The walls as migrated, and that the inspection sees a hole. With rows it runs at the journey's end."""

from __future__ import annotations

import uuid
from typing import Any

import psycopg
import pytest

from tests.walls.walls import Inspection

Connection = psycopg.Connection[tuple[Any, ...]]
TENANT = "nullif(current_setting('app.tenant_id', true), '')::uuid"
OPEN_TABLE = "create table walls_open (id uuid)"
WALLED = "create table walls_tried (id uuid, tenant_id uuid); alter table walls_tried enable row level security;"
HOLES = {
    "walls_open: no row-level security and not listed": OPEN_TABLE,
    "walls_tried: policy for tenant select does not look at who asks": (
        f"{WALLED} create policy tenant_select on walls_tried for select to anzheng_tenant using (true)"
    ),
    "walls_tried: policy for public select does not look at who asks": (
        f"{WALLED} create policy public_select on walls_tried for select to anzheng_public using (id is not null)"
    ),
    "walls_seen: a view that is not listed": "create view walls_seen as select id from accounts_person",
    "walls_asked: SECURITY DEFINER and not listed": (
        "create function walls_asked() returns int language sql security definer as 'select 1'"
    ),
    "certs_scheme: scope tenant may update": "grant update on certs_scheme to anzheng_tenant",
    "procrastinate_jobs: scope public may select": "grant select on procrastinate_jobs to anzheng_public",
    "role anzheng_web stands above the walls": "alter role anzheng_web bypassrls",
}


def test_structure_is_as_listed(admin_connection: Connection) -> None:
    """Nothing is open that the reviewed list does not name."""
    assert Inspection(admin_connection).check_structure() == []


@pytest.mark.parametrize("problem", HOLES)
def test_inspection_names_a_hole(admin_connection: Connection, problem: str) -> None:
    """Each kind of hole is seen."""
    with admin_connection.transaction(force_rollback=True):
        admin_connection.execute(HOLES[problem])
        assert problem in Inspection(admin_connection).check_structure()


@pytest.mark.parametrize(
    ("condition", "problem"),
    [
        ("true", "walls_tried: a foreign tenant scope got through with select (1)"),
        (f"tenant_id <> {TENANT}", "walls_tried: a foreign tenant scope got through with select (1)"),
        ("false", "walls_tried: no tenant scope of this database reads its own rows"),
    ],
)
def test_rows_are_tried_from_both_sides(admin_connection: Connection, condition: str, problem: str) -> None:
    """A wall with a hole and a wall without a door are both named."""
    with admin_connection.transaction(force_rollback=True):
        admin_connection.execute(f"{WALLED} grant select on walls_tried to anzheng_tenant")
        admin_connection.execute(
            f"create policy tenant_select on walls_tried for select to anzheng_tenant using ({condition})"
        )
        admin_connection.execute("insert into walls_tried values (%s, %s)", (uuid.uuid4(), uuid.uuid4()))
        assert problem in Inspection(admin_connection).run()
