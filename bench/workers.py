"""A bulk order by two workers beside one: no lock, queue or table of the issue may make the second one wait."""

from __future__ import annotations

import contextlib
import os
import time
import uuid
from collections.abc import Iterator
from pathlib import Path

import psycopg

from bench.instance import Instance
from bench.results import Result, measured
from certs.issue.bulk import order_bulk
from lms.core.serve import worker_command
from tests.certs import certificate_world as world
from tests.kills.processes import children_of, running

PEOPLE = 500
ROUNDS = 2
MEMORY_GROWS_MAX = 1.1
POLLED_EVERY_S = 0.05
MOVES_WITHIN_S = 60.0


def two_workers(instance: Instance) -> Result:
    """Certificates a second by two workers with the database on two cores, beside one with it on one core.

    The database shares the cores, as on a machine of the smallest size; with both cores to itself one
    worker would use half of the second for the database's work.
    """
    rounds = [(_rate(instance, 1), _rate(instance, 2)) for _ in range(ROUNDS)]
    one, two = (max(side) for side in zip(*rounds, strict=True))
    return measured("two_workers", two, "certificates/s", one, 2 * ROUNDS * PEOPLE)


def _rate(instance: Instance, workers: int) -> float:
    with psycopg.connect(instance.admin_url, autocommit=True) as admin, contextlib.ExitStack() as stack:
        bulk_id = _order(instance, admin)
        stack.enter_context(_on_cores(admin, sorted(os.sched_getaffinity(0))[:workers]))
        log = instance.settings.home / "workers.log"
        processes = [stack.enter_context(running(worker_command(), instance.settings, log)) for _ in range(workers)]
        at, done = _progress(admin, bulk_id, 1)
        grown_from = [_memory_kb(process.pid) for process in processes]
        end, all_done = _progress(admin, bulk_id, PEOPLE)
        grown_to = [_memory_kb(process.pid) for process in processes]
    if any(now > before * MEMORY_GROWS_MAX for before, now in zip(grown_from, grown_to, strict=True)):
        raise RuntimeError(f"the workers grew from {grown_from} to {grown_to} kB")
    return (all_done - done) / (end - at)


def _order(instance: Instance, admin: psycopg.Connection[tuple[object, ...]]) -> uuid.UUID:
    """Let people of a county without any exam pass, lose the jobs of their certificates, and order them all."""
    region_code = world.untouched_county(admin, "exams_attempt")
    tenant_id = world.make_enterprise(instance.jobs, region_code=region_code)
    for _ in range(PEOPLE):
        world.pass_exam(instance.jobs, world.make_learner(instance.jobs, tenant_id))
    admin.execute("delete from procrastinate_jobs where status = 'todo'")
    actor = world.official_actor(instance.jobs, region_code=region_code)
    with instance.web.db.transaction(actor.scope) as session:
        return order_bulk(session, actor, world.SCHEME)


@contextlib.contextmanager
def _on_cores(admin: psycopg.Connection[tuple[object, ...]], cores: list[int]) -> Iterator[None]:
    """Keep the server's processes, and what this one starts, on some of the cores."""
    before = os.sched_getaffinity(0)
    # Of a server's process, the parent is the one that all others come from (proc(5), fourth field).
    stat = Path(f"/proc/{admin.info.backend_pid}/stat").read_text()
    postmaster = int(stat.rpartition(")")[2].split()[1])

    def pin(allowed: set[int]) -> None:
        for pid in (postmaster, *children_of(postmaster), 0):
            with contextlib.suppress(ProcessLookupError):
                os.sched_setaffinity(pid, allowed)

    pin(set(cores))
    try:
        yield
    finally:
        pin(before)


def _progress(admin: psycopg.Connection[tuple[object, ...]], bulk_id: uuid.UUID, people: int) -> tuple[float, int]:
    """Wait until so many of an order are done; return when that was and how many they are.

    Raises RuntimeError when the order stands still.
    """
    moved_at, before = time.perf_counter(), 0
    while True:
        row = admin.execute("select people_done from certs_bulk where id = %s", (bulk_id,)).fetchone()
        now, done = time.perf_counter(), int(str(row and row[0]))
        if done >= people:
            return now, done
        if done > before:
            moved_at, before = now, done
        if now - moved_at > MOVES_WITHIN_S:
            raise RuntimeError(f"the order has stood still at {done} people for {MOVES_WITHIN_S:.0f} s")
        time.sleep(POLLED_EVERY_S)


def _memory_kb(pid: int) -> int:
    """Return the most memory that the process ever had (proc(5), VmHWM)."""
    status = Path(f"/proc/{pid}/status").read_text()
    return next(int(line.split()[1]) for line in status.splitlines() if line.startswith("VmHWM"))
