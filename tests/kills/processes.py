"""Real processes of the product for tests that kill them, and a browser that speaks to them."""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import re
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from flask.testing import FlaskClient

from lms.core import serve
from lms.core.postgres import EmbeddedPostgres
from lms.core.settings import Settings
from tests.waiting import wait_for

ROOT = Path(__file__).parents[2]
ANSWER_WITHIN_S = 10.0


def free_port() -> int:
    """Return a port of the loopback that nobody listens on."""
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


def environment_of(settings: Settings) -> dict[str, str]:
    """What a process of the product is told to work on the same instance as the test."""
    return {
        **os.environ,
        "ANZHENG_ENV": "test",
        "ANZHENG_HOME": str(settings.home),
        "ANZHENG_STORAGE_URL": settings.storage_url,
        "DATABASE_URL": settings.admin_database_url or "",
        "ANZHENG_POOL_SIZE": "8",
        "ANZHENG_BULK_CHUNK_PEOPLE": str(settings.bulk_chunk_people),
    }


def run_to_its_death(settings: Settings, module: str, *arguments: object) -> None:
    """Run a module that kills itself at a certain moment; fails when it lives on."""
    command = [sys.executable, "-m", module, *(str(one) for one in arguments)]
    done = subprocess.run(command, cwd=ROOT, env=environment_of(settings), capture_output=True, text=True, check=False)
    assert done.returncode == -signal.SIGKILL, done.stderr


@contextlib.contextmanager
def running(command: list[str], settings: Settings, log: Path) -> Iterator[subprocess.Popen[bytes]]:
    """Run a process of the product in a group of its own; ends it by force."""
    with log.open("ab") as output:
        process = subprocess.Popen(
            command, cwd=ROOT, env=environment_of(settings), start_new_session=True, stdout=output, stderr=output
        )
    try:
        yield process
    finally:
        kill_group(process)


def kill_group(process: subprocess.Popen[bytes]) -> None:
    """Kill a process with all its children, without a word."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait(10)


@contextlib.contextmanager
def web_server(port: int, settings: Settings, log: Path) -> Iterator[subprocess.Popen[bytes]]:
    """Serve the product on ``port`` by the product's own command; returns when it answers."""
    with running(serve.web_command(port), settings, log) as process:
        browser = Browser(port)
        wait_for("the web server", lambda: browser.get("/health").status == 200)
        yield process


def kill_postgres(server: EmbeddedPostgres) -> None:
    """Kill the server and all its processes, as a power cut does."""
    pid = int((server.state_dir / "data" / "postmaster.pid").read_text().split()[0])
    _kill(pid, *children_of(pid))


def kill_children(process: subprocess.Popen[bytes]) -> None:
    """Kill the processes that ``process`` has started, and not itself."""
    children = children_of(process.pid)
    assert children
    _kill(*children)


def children_of(pid: int) -> list[int]:
    """Return the processes that the process ``pid`` has started."""
    found = []
    for stat in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):
            # The second field may hold anything in its brackets; the fourth is the parent (proc(5)).
            if int(stat.read_text().rpartition(")")[2].split()[1]) == pid:
                found.append(int(stat.parent.name))
    return found


def _kill(*pids: int) -> None:
    for pid in pids:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back; status 0 when nothing did."""

    status: int
    text: str

    @property
    def json(self) -> dict[str, object]:
        found = json.loads(self.text)
        assert isinstance(found, dict)
        return found


class Browser:
    """One signed-in browser's cookies and forms, over real sockets."""

    def __init__(self, port: int, client: FlaskClient | None = None) -> None:
        """``client`` is a test client that has signed in with the same secrets."""
        self.port = port
        cookie = client.get_cookie("anzheng") if client else None
        self._headers = {"Cookie": f"anzheng={cookie.value}"} if cookie else {}

    def open(self, path: str) -> Answer:
        """Get a page and keep its token, as the product's script does."""
        answer = self.get(path)
        token = re.search(r'name="csrf-token" content="([^"]+)"', answer.text)
        assert token, answer
        self._headers["X-CSRFToken"] = token[1]
        return answer

    def get(self, path: str) -> Answer:
        return self._send("GET", path, None)

    def put(self, path: str, body: object) -> Answer:
        return self._send("PUT", path, body)

    def post(self, path: str) -> Answer:
        return self._send("POST", path, {})

    def _send(self, method: str, path: str, body: object) -> Answer:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=ANSWER_WITHIN_S)
        data = None if body is None else json.dumps(body)
        headers = dict(self._headers)
        if data is not None:
            headers |= {"Content-Type": "application/json", "Accept": "application/json"}
        try:
            connection.request(method, path, data, headers)
            answer = connection.getresponse()
            text = answer.read().decode()
        except (OSError, http.client.HTTPException) as error:
            return Answer(0, repr(error))
        finally:
            connection.close()
        for cookie in answer.headers.get_all("Set-Cookie") or []:
            if cookie.startswith("anzheng="):
                self._headers["Cookie"] = cookie.partition(";")[0]
        return Answer(answer.status, text)
