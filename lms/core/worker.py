"""The worker process: queued jobs, recovery of jobs whose worker died, and periodic work."""

from __future__ import annotations

import asyncio
import signal
import threading
import uuid
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import procrastinate
import psycopg
import structlog
from procrastinate.exceptions import ConnectorException
from procrastinate.job_context import JobContext
from procrastinate.jobs import Job, Status
from procrastinate.worker import Worker
from sqlalchemy import text

from lms.core import jobs
from lms.core.db import GIVEN_UP_SOON
from lms.core.services import Services, Task, Ticker
from lms.core.tenancy import WORKER_SCOPE

log = structlog.get_logger()

STALLED_AFTER_S = 30
UPDATE_HEARTBEAT_S = 5
RECOVER_EVERY_S = 10
RECONNECT_AFTER_S = 1
TICKER_RETRY_S = 30
# What a vanished server looks like from the queue's own connections.
DATABASE_LOST = (psycopg.OperationalError, psycopg.InterfaceError)


def build_queue_app(services: Services, conninfo: str) -> procrastinate.App:
    """Make the Procrastinate app with one entry for each registered task."""
    # Losing a "succeeded" in a crash only runs an idempotent job again, so the queue's own
    # bookkeeping need not wait for the disk.
    options = "-c role=anzheng_worker -c synchronous_commit=off"
    asked = {"options": options, **GIVEN_UP_SOON}
    app = procrastinate.App(connector=procrastinate.PsycopgConnector(conninfo=conninfo, kwargs=asked))
    for task in services.kernel.tasks.values():
        _add_task(app, services, task)
    return app


def _add_task(app: procrastinate.App, services: Services, task: Task) -> None:
    def run(context: JobContext, /, **arguments: Any) -> None:
        try:
            task.function(services, **arguments)
        except Exception:  # whatever it was, for the retry strategy below asks for no kind either; it goes on to it
            if context.job.attempts >= task.max_attempts:
                _give_up(services, arguments)
            raise

    retry = procrastinate.RetryStrategy(max_attempts=task.max_attempts, exponential_wait=2)
    app.task(name=task.name, queue=task.queue, retry=retry, pass_context=True)(run)


def _give_up(services: Services, arguments: Mapping[str, Any]) -> None:
    """Let the page of a job say that it has failed: it would wait for ever."""
    if "job_id" in arguments:
        with services.db.transaction(WORKER_SCOPE) as session:
            jobs.give_up(session, uuid.UUID(arguments["job_id"]))


@dataclass(slots=True)
class Hands:
    """What this worker has in hand, by the queue's job ids, to tell which jobs nobody works on."""

    worker_id: int | None = None
    jobs: set[int | None] = field(default_factory=set)
    missed: set[int | None] = field(default_factory=set)

    async def note(self, run_job: Callable[[], Awaitable[Any]], context: JobContext, worker: Worker) -> Any:
        """Run a job and know of it meanwhile (Procrastinate's worker middleware)."""
        self.worker_id = worker.worker_id
        self.jobs.add(context.job.id)
        try:
            return await run_job()
        finally:
            self.jobs.discard(context.job.id)


async def _left_lying(app: procrastinate.App, hands: Hands) -> list[Job]:
    """Return the jobs of killed workers, and those of this one whose end the database did not take."""
    manager = app.job_manager
    found = list(await manager.get_stalled_jobs(seconds_since_heartbeat=STALLED_AFTER_S))
    if hands.worker_id is not None:
        rows = await manager.list_jobs_async(status=Status.DOING.value, worker_id=hands.worker_id)
        mine = {job.id: job for job in rows if job.id not in hands.jobs}
        # A job is in nobody's hands for a moment before and after its run; twice running it is lost.
        found += [job for job_id, job in mine.items() if job_id in hands.missed]
        hands.missed = set(mine)
    return found


async def _recover_stalled(app: procrastinate.App, services: Services, hands: Hands) -> None:
    """Give the jobs that nobody works on back to the queue; Procrastinate does not by itself."""
    while True:
        try:
            for job in await _left_lying(app, hands):
                task = services.kernel.tasks.get(job.task_name)
                if task is not None and job.attempts < task.max_attempts:
                    await app.job_manager.retry_job(job)
                else:
                    await app.job_manager.finish_job(job, status=Status.FAILED, delete_job=False)
                    await asyncio.to_thread(_give_up, services, job.task_kwargs)
                log.warning("job_recovered", job=job.id, task=job.task_name, attempts=job.attempts)
        except (*DATABASE_LOST, ConnectorException) as error:
            # The next round tries again: without recovery a killed worker's jobs would stay undone.
            log.warning("recovery_postponed", error=repr(error))
        await asyncio.sleep(RECOVER_EVERY_S)


def run_ticker_once(services: Services, ticker: Ticker) -> bool:
    """Run ``ticker`` unless another process does at this moment; tell whether it ran."""
    with services.db.alone(f"ticker.{ticker.name}") as is_mine:
        if is_mine:
            ticker.function(services)
        return is_mine


def _tick(services: Services, ticker: Ticker, stopping: threading.Event) -> None:
    pause_s = ticker.every_s
    while not stopping.wait(pause_s):
        pause_s = ticker.every_s
        try:
            run_ticker_once(services, ticker)
        except Exception:  # a process edge: tried again soon, for the next turn may be a day away
            log.exception("ticker_failed", ticker=ticker.name)
            pause_s = min(ticker.every_s, TICKER_RETRY_S)


async def _work(services: Services, conninfo: str, concurrency: int) -> None:
    """Work off the queue until cancelled, or until the database goes away under it."""
    app, hands = build_queue_app(services, conninfo), Hands()
    async with app.open_async():
        recovery = asyncio.create_task(_recover_stalled(app, services, hands))
        try:
            await app.run_worker_async(
                concurrency=concurrency,
                fetch_job_polling_interval=2.0,
                update_heartbeat_interval=UPDATE_HEARTBEAT_S,
                stalled_worker_timeout=STALLED_AFTER_S,
                install_signal_handlers=False,
                shutdown_graceful_timeout=10,
                delete_jobs="successful",
                worker_middleware=[hands.note],
            )
        finally:
            recovery.cancel()


async def _work_whatever_happens(services: Services, conninfo: str, concurrency: int) -> None:
    """Work until cancelled. Procrastinate's worker ends with its connections; here a new one begins."""
    while True:
        try:
            await _work(services, conninfo, concurrency)
        except (*DATABASE_LOST, ConnectorException) as error:
            log.warning("queue_lost", error=repr(error))
        else:
            log.warning("queue_lost")
        await asyncio.sleep(RECONNECT_AFTER_S)


async def _main(services: Services, conninfo: str, concurrency: int) -> None:
    stopping = threading.Event()
    threads = [
        threading.Thread(target=_tick, args=(services, ticker, stopping), name=ticker.name, daemon=True)
        for ticker in services.kernel.tickers
    ]
    for thread in threads:
        thread.start()
    working = asyncio.create_task(_work_whatever_happens(services, conninfo, concurrency))
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, working.cancel)
    try:
        await working
    except asyncio.CancelledError:
        log.info("worker_stopping")
    finally:
        stopping.set()
    for thread in threads:
        await asyncio.to_thread(thread.join, 15)


def run_worker(services: Services, conninfo: str, *, concurrency: int = 4) -> None:
    """Work until SIGTERM or SIGINT."""
    asyncio.run(_main(services, conninfo, concurrency))


def drain(services: Services, conninfo: str) -> None:
    """Do all that is queued now, then return (tests, demo)."""

    async def once() -> None:
        app = build_queue_app(services, conninfo)
        async with app.open_async():
            await app.run_worker_async(
                wait=False, install_signal_handlers=False, concurrency=2, delete_jobs="successful", listen_notify=False
            )

    asyncio.run(once())


def count_waiting(services: Services) -> int:
    """Return how many jobs wait or run."""
    with services.db.transaction(WORKER_SCOPE, read_only=True) as session:
        return int(
            session.execute(
                text("select count(*) from procrastinate_jobs where status in ('todo', 'doing')")
            ).scalar_one()
        )
