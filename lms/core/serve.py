"""``anzheng run``: database, web server and worker of one machine, kept alive until stopped."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from dataclasses import dataclass, field

import structlog

from lms.core.dbadmin import MIGRATIONS
from lms.core.postgres import EmbeddedPostgres
from lms.core.settings import Settings

log = structlog.get_logger()

WEB_PROCESSES = 2
WEB_THREADS = 16
# A small machine that is busy with something else needs more than a minute.
READY_WITHIN_S = 180
WATCH_EVERY_S = 1.0


def web_command(port: int) -> list[str]:
    """Return the command line of the web server, the one that ``make bench`` measures too."""
    return [
        sys.executable,
        "-m",
        "granian",
        "--interface",
        "wsgi",
        "--host",
        "127.0.0.1",
        "--port",
        str(port),
        "--workers",
        str(WEB_PROCESSES),
        "--blocking-threads",
        str(WEB_THREADS),
        "--backlog",
        "1024",
        "--no-ws",
        "--respawn-failed-workers",
        "--log-level",
        "error",
        "wsgi:app",
    ]


def worker_command() -> list[str]:
    """Return the command line of the worker."""
    return [sys.executable, "-m", "lms.app", "worker"]


@dataclass(slots=True)
class Supervisor:
    """Starts the processes and starts again what dies."""

    settings: Settings
    port: int
    stopping: threading.Event = field(default_factory=threading.Event)
    processes: dict[str, subprocess.Popen[bytes]] = field(default_factory=dict)

    def start(self, name: str, command: list[str]) -> None:
        """Start one process in the checkout, in a process group of its own."""
        self.processes[name] = subprocess.Popen(
            command, cwd=MIGRATIONS.parent, env=dict(os.environ), start_new_session=True
        )

    def wait_until_ready(self) -> None:
        """Return when the web server answers; raises TimeoutError."""
        address = f"http://127.0.0.1:{self.port}/health"
        deadline = time.monotonic() + READY_WITHIN_S
        while time.monotonic() < deadline:
            try:
                with urllib.request.urlopen(address, timeout=2):
                    return
            except (urllib.error.URLError, ConnectionError, TimeoutError):
                self.stopping.wait(0.1)
        raise TimeoutError(f"the web server did not answer on port {self.port} within {READY_WITHIN_S} s")

    def run(self, on_ready: Callable[[], None]) -> None:
        """Serve until SIGINT or SIGTERM; then stop the processes, the database last."""
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, lambda *_: self.stopping.set())
        commands = {"web": web_command(self.port), "worker": worker_command()}
        for name, command in commands.items():
            self.start(name, command)
        try:
            self.wait_until_ready()
            on_ready()
            while not self.stopping.wait(WATCH_EVERY_S):
                self._watch(commands)
        finally:
            self._stop()

    def _watch(self, commands: dict[str, list[str]]) -> None:
        if not self.settings.admin_database_url:
            EmbeddedPostgres(self.settings.home / "pg").ensure()
        for name, command in commands.items():
            if self.processes[name].poll() is not None:
                log.warning("process_restarted", process=name, code=self.processes[name].returncode)
                self.start(name, command)

    def _stop(self) -> None:
        for process in self.processes.values():
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGTERM)
        for process in self.processes.values():
            try:
                process.wait(15)
            except subprocess.TimeoutExpired:
                os.killpg(process.pid, signal.SIGKILL)
        if not self.settings.admin_database_url:
            EmbeddedPostgres(self.settings.home / "pg").stop()
