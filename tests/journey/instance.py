"""An empty instance of the product in a folder of its own: the real server, worker and database."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from dataclasses import dataclass, field
from pathlib import Path

from click.testing import CliRunner

from lms.app import build_kernel
from lms.core import cli
from lms.core.postgres import EmbeddedPostgres

ROOT = Path(__file__).resolve().parents[2]
READY_WITHIN_S = 90.0
STOP_WITHIN_S = 30.0


class JourneyFailed(Exception):
    """Something is not as the story wants it; the message says what."""


def free_port() -> int:
    """Return a port of this machine that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@dataclass(slots=True)
class Instance:
    """One running ``anzheng run --no-demo`` with its folder, and the operator's terminal beside it."""

    folder: Path
    port: int
    process: subprocess.Popen[bytes] | None = None
    _operator: object = field(default=None, repr=False)

    @property
    def home(self) -> Path:
        return self.folder / "home"

    @property
    def log(self) -> Path:
        return self.folder / "server.log"

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def database_url(self) -> str:
        return self.command("db", "url").strip()

    def start(self) -> None:
        """Start the product and return when it answers. Raises JourneyFailed with the end of its log."""
        os.environ.update(ANZHENG_HOME=str(self.home), ANZHENG_ENV="demo")
        # Where its pages are, the product says by itself from the port.
        for name in ("ANZHENG_BASE_URL", "DATABASE_URL", "ANZHENG_STORAGE_URL", "ANZHENG_FACE_ENGINE"):
            os.environ.pop(name, None)
        self.home.mkdir()
        command = [sys.executable, "-m", "lms.app", "run", "--no-demo", "--port", str(self.port)]
        with self.log.open("wb") as log:
            self.process = subprocess.Popen(
                command, cwd=ROOT, stdout=log, stderr=subprocess.STDOUT, start_new_session=True
            )
        deadline = time.monotonic() + READY_WITHIN_S
        while not self._answers():
            if self.process.poll() is not None or time.monotonic() > deadline:
                raise JourneyFailed(f"the instance did not start:\n{self.log.read_text('utf8')[-4000:]}")
            time.sleep(0.2)

    def _answers(self) -> bool:
        try:
            with urllib.request.urlopen(f"{self.address}/health", timeout=2):
                return True
        except (urllib.error.URLError, ConnectionError, TimeoutError):
            return False

    def command(self, *arguments: str) -> str:
        """Type ``anzheng …`` at the operator's terminal and return what it prints. Raises JourneyFailed.

        The command runs in this process: starting Python anew for each of them costs seconds.
        """
        if self._operator is None:
            self._operator = cli.build_group(build_kernel())
        # The terminal's own log goes to standard error, which is not part of the answer.
        result = CliRunner().invoke(self._operator, arguments)  # type: ignore[arg-type]  # a click group
        if result.exit_code:
            raise JourneyFailed(f"anzheng {' '.join(arguments)}: {result.output or result.exception!r}")
        return str(result.stdout)

    def stop(self) -> None:
        """Stop web, worker and database, the last of these also after a kill; remove everything."""
        if self.process is not None and self.process.poll() is None:
            os.killpg(self.process.pid, signal.SIGTERM)
            try:
                self.process.wait(STOP_WITHIN_S)
            except subprocess.TimeoutExpired:
                os.killpg(self.process.pid, signal.SIGKILL)
        server = EmbeddedPostgres(self.home / "pg")
        if server.is_alive():
            server.stop("immediate")
        shutil.rmtree(server.state_dir, ignore_errors=True)
        shutil.rmtree(self.folder, ignore_errors=True)


def new_instance() -> Instance:
    """Return an instance in a fresh folder that the database's own user may enter."""
    folder = Path(tempfile.mkdtemp(prefix="anzheng-journey-"))
    folder.chmod(0o755)
    return Instance(folder, free_port())
