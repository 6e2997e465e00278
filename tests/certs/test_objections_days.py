"""The days for an objection are days of the calendar, and that of the decision does not count."""

from __future__ import annotations

from datetime import datetime, time, timedelta

import psycopg
import pytest

from lms.core import clock
from tests.certs import test_objections
from tests.certs.test_objections import Scene

Admin = psycopg.Connection[tuple[object, ...]]
scene = test_objections.scene


@pytest.mark.parametrize(
    ("days", "at", "status"),
    [(60, time(0, 0, 1), 302), (60, time(23, 59, 59), 302), (61, time(0, 0, 1), 409), (61, time(23, 59, 59), 409)],
)
def test_the_last_day_is_a_whole_day_of_the_province(
    scene: Scene, admin_connection: Admin, days: int, at: time, status: int
) -> None:
    decided = datetime.combine(clock.today() - timedelta(days=days), at, clock.ZONE)
    change = "update certs_status_event set at = %s where id = %s"
    admin_connection.execute(change, (decided, scene.step.id))
    try:
        assert scene.object() == status
    finally:
        admin_connection.execute(change, (scene.step.at, scene.step.id))
    assert len(scene.objections()) == (status == 302)
