"""The worker process: queued jobs, recovery of jobs whose worker died, and periodic work."""

from __future__ import annotations

import asyncio
import signal
import threading
from typing import Any

import procrastinate
import structlog
from procrastinate.jobs import Status
from sqlalchemy import text

from lms.core.services import Services, Task, Ticker
from lms.core.tenancy import WORKER_SCOPE

log = structlog.get_logger()

STALLED_AFTER_S = 30
UPDATE_HEARTBEAT_S = 5
RECOVER_EVERY_S = 10


def build_queue_app(services: Services, conninfo: str) -> procrastinate.App:
    """Make the Procrastinate app with one entry for each registered task."""
    # Losing a "succeeded" in a crash only runs an idempotent job again, so the queue's own
    # bookkeeping need not wait for the disk.
    options = "-c role=anzheng_worker -c synchronous_commit=off"
    app = procrastinate.App(connector=procrastinate.PsycopgConnector(conninfo=conninfo, kwargs={"options": options}))
    for task in services.kernel.tasks.values():
        _add_task(app, services, task)
    return app


def _add_task(app: procrastinate.App, services: Services, task: Task) -> None:
    def run(**arguments: Any) -> None:
        task.function(services, **arguments)

    retry = procrastinate.RetryStrategy(max_attempts=task.max_attempts, exponential_wait=2)
    app.task(name=task.name, queue=task.queue, retry=retry)(run)


async def _recover_stalled(app: procrastinate.App, services: Services) -> None:
    """Give the jobs of killed workers back to the queue; Procrastinate does not by itself."""
    manager = app.job_manager
    while True:
        for job in await manager.get_stalled_jobs(seconds_since_heartbeat=STALLED_AFTER_S):
            if job.attempts < services.kernel.tasks[job.task_name].max_attempts:
                await manager.retry_job(job)
            else:
                await manager.finish_job(job, status=Status.FAILED, delete_job=False)
            log.warning("job_recovered", job=job.id, task=job.task_name, attempts=job.attempts)
        await asyncio.sleep(RECOVER_EVERY_S)


def run_ticker_once(services: Services, ticker: Ticker) -> bool:
    """Run ``ticker`` unless another process does at this moment; tell whether it ran."""
    with services.db.engine.connect() as connection:
        key = {"name": f"anzheng.ticker.{ticker.name}"}
        got = connection.execute(text("select pg_try_advisory_lock(hashtextextended(:name, 0))"), key).scalar()
        connection.commit()
        if not got:
            return False
        try:
            ticker.function(services)
        finally:
            connection.execute(text("select pg_advisory_unlock(hashtextextended(:name, 0))"), key)
            connection.commit()
    return True


def _tick(services: Services, ticker: Ticker, stopping: threading.Event) -> None:
    while not stopping.wait(ticker.every_s):
        try:
            run_ticker_once(services, ticker)
        except Exception:  # a process edge: the next tick tries again
            log.exception("ticker_failed", ticker=ticker.name)


async def _main(services: Services, conninfo: str, concurrency: int) -> None:
    stopping = threading.Event()
    threads = [
        threading.Thread(target=_tick, args=(services, ticker, stopping), name=ticker.name, daemon=True)
        for ticker in services.kernel.tickers
    ]
    app = build_queue_app(services, conninfo)
    async with app.open_async():
        for thread in threads:
            thread.start()
        recovery = asyncio.create_task(_recover_stalled(app, services))
        worker = asyncio.create_task(
            app.run_worker_async(
                concurrency=concurrency,
                fetch_job_polling_interval=2.0,
                update_heartbeat_interval=UPDATE_HEARTBEAT_S,
                stalled_worker_timeout=STALLED_AFTER_S,
                install_signal_handlers=False,
                shutdown_graceful_timeout=10,
                delete_jobs="successful",
            )
        )
        for number in (signal.SIGINT, signal.SIGTERM):
            asyncio.get_running_loop().add_signal_handler(number, worker.cancel)
        try:
            await worker
        except asyncio.CancelledError:
            log.info("worker_stopping")
        finally:
            stopping.set()
            recovery.cancel()
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
