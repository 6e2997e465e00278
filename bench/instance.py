"""An instance of the product in a temporary folder, and web servers beside it, under the product's own settings."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import psycopg

from lms.app import build_kernel
from lms.core import bootstrap, cli, dbadmin, worker
from lms.core.postgres import EmbeddedPostgres
from lms.core.serve import web_command
from lms.core.services import Services
from lms.core.settings import Settings, load_secrets, load_settings

ROOT = Path(__file__).resolve().parents[1]
READY_WITHIN_S = 60.0


@dataclass(frozen=True, slots=True)
class Instance:
    """A database with reference data, and the services of both logins. Nothing else runs."""

    settings: Settings
    jobs: Services
    web: Services
    admin_url: str
    bin_dir: Path

    def settle(self) -> None:
        """Do what is queued, fold the figures, enter certificates into the log, refresh the planner's statistics."""
        conninfo = dbadmin.login_url(self.admin_url, load_secrets(self.settings), "jobs")
        while worker.count_waiting(self.jobs):
            worker.drain(self.jobs, conninfo)
        for ticker in self.jobs.kernel.tickers:
            if ticker.name in {"supervision.fold", "certs.sequence"}:
                worker.run_ticker_once(self.jobs, ticker)
        self.tidy()

    def tidy(self) -> None:
        """Have the server clean up behind what was done so far, which it otherwise does during the next measure."""
        subprocess.run([self.bin_dir / "vacuumdb", "-q", "-z", "-d", self.admin_url], check=True)
        with psycopg.connect(self.admin_url, autocommit=True) as connection:
            connection.execute("checkpoint")


@contextlib.contextmanager
def running_instance() -> Iterator[Instance]:
    """Boot an empty instance; leaving stops its server and removes the folder."""
    folder = Path(tempfile.mkdtemp(prefix="anzheng-bench-"))
    folder.chmod(0o755)
    home = folder / "home"
    home.mkdir()
    os.environ.update(ANZHENG_HOME=str(home), ANZHENG_ENV="demo")
    for name in ("DATABASE_URL", "ANZHENG_STORAGE_URL", "ANZHENG_FACE_ENGINE"):
        os.environ.pop(name, None)
    server = EmbeddedPostgres(home / "pg")
    try:
        bin_dir = server.ensure().bin_dir
        settings = load_settings()
        dbadmin.initialise(settings, load_secrets(settings))
        kernel = build_kernel()
        jobs, web = (bootstrap.build_services(settings, kernel, login=login) for login in ("jobs", "web"))
        cli.load_reference(jobs)
        yield Instance(settings, jobs, web, dbadmin.admin_url(settings), bin_dir)
        jobs.db.dispose()
        web.db.dispose()
    finally:
        if server.is_alive():
            server.stop("immediate")
        shutil.rmtree(server.state_dir, ignore_errors=True)
        shutil.rmtree(folder, ignore_errors=True)


def free_port() -> int:
    """Return a port of this machine that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextlib.contextmanager
def serving(application: str = "wsgi:app", path: str = "/health") -> Iterator[str]:
    """Serve ``application`` as ``anzheng run`` serves the product; yields the address."""
    port = free_port()
    command: Sequence[str] = [*web_command(port)[:-1], application]
    process = subprocess.Popen(command, cwd=ROOT, start_new_session=True)
    address = f"http://127.0.0.1:{port}"
    try:
        _wait_until_ready(process, address + path)
        yield address
    finally:
        os.killpg(process.pid, signal.SIGTERM)
        try:
            process.wait(15)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)


def _wait_until_ready(process: subprocess.Popen[bytes], url: str) -> None:
    deadline = time.monotonic() + READY_WITHIN_S
    while process.poll() is None and time.monotonic() < deadline:
        try:
            with urllib.request.urlopen(url, timeout=2):
                return
        except (urllib.error.URLError, ConnectionError, TimeoutError):
            time.sleep(0.1)
    raise RuntimeError(f"{url} did not answer")
