"""The queue: jobs stand or fall with their transaction, and outlive a killed worker."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import text
from sqlalchemy.exc import ProgrammingError

from lms.core import jobs, queue
from lms.core.access import SYSTEM
from lms.core.services import Services
from lms.core.tenancy import PUBLIC_SCOPE, WORKER_SCOPE
from tests.conftest import Admin, Instance, Worker
from tests.waiting import wait_for

DONE: list[str] = []


@pytest.fixture
def counted(services: Services, jobs_services: Services) -> Iterator[str]:
    """A task that counts its runs."""
    name = f"tests.count.{uuid.uuid4()}"

    def count(_services: Services, *, label: str) -> None:
        DONE.append(label)

    services.kernel.task(name, count)
    yield name
    del services.kernel.tasks[name]


def test_a_committed_job_runs_once(services: Services, queue_worker: Worker, counted: str) -> None:
    label = str(uuid.uuid4())
    with services.db.transaction(PUBLIC_SCOPE) as session:
        queue.enqueue(session, counted, label=label)
    queue_worker.drain()
    queue_worker.drain()
    assert DONE.count(label) == 1


def test_a_rolled_back_job_never_runs(services: Services, queue_worker: Worker, counted: str) -> None:
    label = str(uuid.uuid4())
    with pytest.raises(ZeroDivisionError), services.db.transaction(PUBLIC_SCOPE) as session:
        queue.enqueue(session, counted, label=label)
        _ = 1 / 0
    queue_worker.drain()
    assert label not in DONE


def test_scopes_may_enqueue_but_not_read_jobs(services: Services) -> None:
    with pytest.raises(ProgrammingError, match="permission denied"), services.db.transaction(PUBLIC_SCOPE) as session:
        session.execute(text("select count(*) from procrastinate_jobs"))


SLOW_WORKER = """
import sys, time
from lms.app import build_kernel
from lms.core import bootstrap, worker
from lms.core.settings import load_settings
kernel = build_kernel()
kernel.tickers.clear()
def slow(services, *, path):
    with open(path, "a") as file:
        file.write("run\\n")
    if open(path).read().count("run") == 1:
        time.sleep(60)
kernel.task("tests.slow", slow)
worker.STALLED_AFTER_S = 2
worker.UPDATE_HEARTBEAT_S = 0.5
worker.RECOVER_EVERY_S = 0.5
settings = load_settings()
worker.run_worker(bootstrap.build_services(settings, kernel, login="jobs"), bootstrap.worker_conninfo(settings))
"""


def _start(instance: Instance) -> subprocess.Popen[bytes]:
    environment = dict(os.environ, DATABASE_URL=instance.admin, ANZHENG_HOME=str(instance.settings.home))
    return subprocess.Popen([sys.executable, "-c", SLOW_WORKER], env=environment)


def _wait_for_runs(path: Path, count: int) -> None:
    wait_for(f"run {count} of the job", lambda: path.exists() and path.read_text().count("run") >= count, 40)


def test_the_job_of_a_killed_worker_runs_again(
    instance: Instance, services: Services, tmp_path: Path, admin_connection: Admin
) -> None:
    path = tmp_path / "runs"
    services.kernel.task("tests.slow", lambda _services, *, path: None)
    try:
        with services.db.transaction(PUBLIC_SCOPE) as session:
            queue.enqueue(session, "tests.slow", path=str(path))
    finally:
        del services.kernel.tasks["tests.slow"]
    first = _start(instance)
    _wait_for_runs(path, 1)
    first.send_signal(signal.SIGKILL)
    first.wait()
    second = _start(instance)
    try:
        _wait_for_runs(path, 2)
        time.sleep(1)
        left = admin_connection.execute(
            "select count(*) from procrastinate_jobs where task_name = 'tests.slow' and status <> 'succeeded'"
        ).fetchone()
        assert left == (0,)
    finally:
        second.terminate()
        second.wait(20)


def test_a_job_that_is_given_up_says_so_on_its_page(
    jobs_services: Services, queue_worker: Worker, admin_connection: Admin
) -> None:
    name = f"tests.fail.{uuid.uuid4()}"

    def fail(_services: Services, *, job_id: str) -> None:
        raise ZeroDivisionError(job_id)

    jobs_services.kernel.task(name, fail, max_attempts=1)
    try:
        with jobs_services.db.transaction(WORKER_SCOPE) as session:
            job_id = jobs.start(session, SYSTEM, name, "导出清单")
            queue.enqueue(session, name, job_id=str(job_id))
        queue_worker.drain()
        assert _state(jobs_services, job_id) is jobs.JobState.QUEUED, "it is tried again"
        admin_connection.execute("update procrastinate_jobs set scheduled_at = now() where task_name = %s", (name,))
        queue_worker.drain()
    finally:
        del jobs_services.kernel.tasks[name]
    assert _state(jobs_services, job_id) is jobs.JobState.FAILED


def _state(services: Services, job_id: uuid.UUID) -> jobs.JobState:
    with services.db.transaction(WORKER_SCOPE, read_only=True) as session:
        return jobs.access_job(session, job_id).state
