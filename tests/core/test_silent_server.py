"""A database server that takes the connection and says nothing."""

from __future__ import annotations

import asyncio
import socket
import time

import pytest
from sqlalchemy.exc import OperationalError

from lms.core.bootstrap import worker_conninfo
from lms.core.db import Database
from lms.core.services import Services
from lms.core.tenancy import PUBLIC_SCOPE
from lms.core.worker import build_queue_app


def test_a_silent_server_is_given_up_soon() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        database = Database(f"postgresql+psycopg://x@127.0.0.1:{server.getsockname()[1]}/x", pool_size=1, info={})
        begun = time.monotonic()
        with pytest.raises(OperationalError):
            database.begin(PUBLIC_SCOPE)
        assert time.monotonic() - begun < 20


def test_a_server_that_falls_silent_is_given_up(services: Services) -> None:
    with services.db.engine.connect() as connection:
        driver = connection.connection.driver_connection
        assert driver is not None
        assert driver.info.get_parameters()["tcp_user_timeout"] == "15000"


def test_the_queue_gives_a_silent_server_up_as_soon(jobs_services: Services) -> None:
    app = build_queue_app(jobs_services, worker_conninfo(jobs_services.settings))

    async def told() -> dict[str, str]:
        async with app.open_async(), app.connector.pool.connection() as connection:  # type: ignore[attr-defined]  # psycopg's
            found: dict[str, str] = connection.info.get_parameters()
            return found

    parameters = asyncio.run(told())
    assert (parameters["connect_timeout"], parameters["tcp_user_timeout"]) == ("5", "15000")
