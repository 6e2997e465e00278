"""Sequencing and publishing beside one another, and with nothing to do."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import psycopg
import pytest
from sqlalchemy.exc import DBAPIError

from certs.commands import load_reference
from certs.registry import operations, publishing
from lms.core import bootstrap
from lms.core.services import Kernel
from lms.core.storage import Storage
from tests.certs.test_registry_published import Log
from tests.conftest import Instance, make_instance
from tests.waiting import wait_for

SEQUENCING = "locktype = 'advisory' and database = (select oid from pg_database where datname = current_database())"


class Watched(Storage):
    """Storage that counts its reads, and does something before the first tile is written."""

    def __init__(self, url: str, before_tile: Callable[[], None] = lambda: None) -> None:
        super().__init__(url)
        self._before_tile = before_tile
        self._begun = False
        self._lock = threading.Lock()
        self.reads: list[str] = []

    def get(self, key: str) -> bytes:
        self.reads.append(key.removeprefix("registry/"))
        return super().get(key)

    def put(self, key: str, data: bytes | Path) -> None:
        with self._lock:
            begun, self._begun = self._begun, True
            if not begun:
                self._before_tile()
        super().put(key, data)


@pytest.fixture
def log(instance: Instance, kernel: Kernel, worker_id: str) -> Iterator[Log]:
    own = make_instance(replace(instance.settings, pool_size=6), f"anzheng_running_{worker_id}")
    jobs = bootstrap.build_services(own.settings, kernel, login="jobs", admin=own.admin)
    load_reference(jobs)
    yield Log(own, jobs, jobs)
    jobs.db.dispose()


def published_size(log: Log) -> int:
    return int((publishing.published(log.services.storage) or "").split("\n")[1])


@pytest.mark.parametrize("lock", ["held", "lost"])
def test_the_published_checkpoint_never_goes_back(log: Log, lock: str) -> None:
    log.add(3)
    operations.sequence_all(log.services)
    beside: list[threading.Thread] = []

    def sequence_beside() -> None:
        log.add(300)
        with psycopg.connect(log.instance.admin, autocommit=True) as admin:
            if lock == "lost":
                admin.execute(f"select pg_terminate_backend(pid) from pg_locks where {SEQUENCING}")
            beside.append(threading.Thread(target=lambda: log.run("sequence")))
            beside[0].start()
            waits = f"select 1 from pg_locks where not granted and {SEQUENCING}"
            # Where the lock was lost, nothing is waited for.
            wait_for("its turn", lambda: not beside[0].is_alive() or admin.execute(waits).fetchone())

    log.add(5)
    watched = Watched(log.services.settings.storage_url, sequence_beside)
    with contextlib.suppress(DBAPIError) if lock == "lost" else contextlib.nullcontext():
        operations.sequence_all(replace(log.services, storage=watched))
    beside[0].join()
    assert published_size(log) == 308
    assert log.audit(log.files).exit_code == 0


def test_with_nothing_to_do_one_file_is_read(log: Log, tmp_path: Path) -> None:
    log.add(3)
    operations.sequence_all(log.services)
    watched = Watched(log.services.settings.storage_url)
    idle = replace(log.services, storage=watched)
    operations.sequence_all(idle)
    assert watched.reads == ["checkpoint"]

    public = log.run("witness-key", "witness.example.org", str(tmp_path / "key")).stdout.strip()
    cosigned = tmp_path / "cosigned"
    command = ["witness", str(log.files), "--key", str(tmp_path / "key"), "--state", str(tmp_path / "state")]
    assert log.run(*command, "--log-key", log.key(), "--output", str(cosigned)).exit_code == 0
    assert log.run("add-witness", public).exit_code == 0
    assert log.run("add-cosignature", str(cosigned)).exit_code == 0
    operations.sequence_all(idle)
    assert publishing.published(log.services.storage) == cosigned.read_text()
    watched.reads.clear()
    operations.sequence_all(idle)
    assert watched.reads == ["checkpoint"]

    log.add(1)
    operations.sequence_all(idle)
    watched.reads.clear()
    operations.sequence_all(idle)
    assert watched.reads == ["checkpoint", "witnessed"]
