"""One real PostgreSQL for the run, one database for each xdist worker, real files.

Tests commit. They keep apart by making their own tenants and people, so no test may assert
a count over everybody's rows.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import shutil
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import psycopg
import pytest
from flask.testing import FlaskClient
from hypothesis import settings

from lms.app import build_kernel, create_app
from lms.core import bootstrap, dbadmin, worker
from lms.core.postgres import EmbeddedPostgres
from lms.core.services import Kernel, Services
from lms.core.settings import Settings, load_secrets, load_settings
from lms.core.web import AnzhengFlask

# A superuser's connection; psycopg types columns as objects.
# How long one example takes is the machine's affair; what is to be fast is measured by the benchmark.
settings.register_profile("anzheng", deadline=None)
settings.load_profile("anzheng")

Admin = psycopg.Connection[tuple[object, ...]]
HOME_VARIABLE = "ANZHENG_TEST_HOME"
TEMPLATE = "anzheng_template"


def pytest_configure(config: pytest.Config) -> None:
    """Make the run's home once, in the controlling process; workers inherit its name."""
    if not hasattr(config, "workerinput") and HOME_VARIABLE not in os.environ:
        home = tempfile.mkdtemp(prefix="anzheng-test-")
        Path(home).chmod(0o755)
        os.environ[HOME_VARIABLE] = home
        config.add_cleanup(lambda: _remove(Path(home)))


def _remove(home: Path) -> None:
    os.environ.pop(HOME_VARIABLE, None)
    server = EmbeddedPostgres(home / "pg")
    if server.is_alive():
        server.stop("immediate")
    shutil.rmtree(server.state_dir, ignore_errors=True)
    shutil.rmtree(home, ignore_errors=True)


@contextlib.contextmanager
def _locked(home: Path) -> Iterator[None]:
    with (home / "setup.lock").open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


@dataclass(frozen=True, slots=True)
class Instance:
    """One migrated database with its settings."""

    settings: Settings
    admin: str


def make_database(settings: Settings, name: str) -> str:
    """Clone a fresh database called ``name`` from the migrated template; return its admin URL."""
    home = settings.home
    server = EmbeddedPostgres(home / "pg")
    with _locked(home):
        server.ensure()
        base = server.dsn(database="postgres")
        with psycopg.connect(base, autocommit=True) as connection:
            exists = connection.execute("select 1 from pg_database where datname = %s", (TEMPLATE,)).fetchone()
            if not exists:
                connection.execute(f"create database {TEMPLATE}")
                template = server.dsn(database=TEMPLATE)
                secrets = load_secrets(settings)
                dbadmin.create_roles(template, secrets)
                dbadmin.prepare_database(template)
                dbadmin.migrate(template)
            connection.execute(f"drop database if exists {name} with (force)")
            connection.execute(f"create database {name} template {TEMPLATE}")
        admin = server.dsn(database=name)
        dbadmin.prepare_database(admin)
    return admin


def make_instance(settings: Settings, name: str) -> Instance:
    """Give a fresh database called ``name`` and empty storage: a published log belongs to one database only."""
    folder = settings.home / "objects" / name
    shutil.rmtree(folder, ignore_errors=True)
    admin = make_database(settings, name)
    return Instance(replace(settings, admin_database_url=admin, storage_url=folder.as_uri()), admin)


@pytest.fixture(scope="session")
def run_home() -> Path:
    """The folder of this run, shared by its workers."""
    return Path(os.environ[HOME_VARIABLE])


@pytest.fixture(scope="session")
def kernel() -> Kernel:
    """All rooms, registered."""
    return build_kernel()


@contextlib.contextmanager
def fresh_services(instance: Instance, kernel: Kernel, name: str) -> Iterator[Services]:
    """Give the worker's services of an instance of one's own, with the reference data in it."""
    fresh = make_instance(instance.settings, name)
    found = bootstrap.build_services(fresh.settings, kernel, login="jobs", admin=fresh.admin)
    try:
        _load_reference(found)
        yield found
    finally:
        found.db.dispose()


def _load_reference(services: Services) -> None:
    for _order, load in sorted(services.kernel.reference_steps, key=lambda step: step[0]):
        load(services)


@pytest.fixture(scope="session")
def instance(run_home: Path, worker_id: str, kernel: Kernel) -> Instance:
    """A database of this worker's own with the reference data in it."""
    settings = load_settings({"ANZHENG_ENV": "test", "ANZHENG_HOME": str(run_home)})
    found = make_instance(replace(settings, pool_size=10), f"anzheng_{worker_id}")
    jobs = bootstrap.build_services(found.settings, kernel, login="jobs", admin=found.admin)
    _load_reference(jobs)
    jobs.db.dispose()
    return found


def _services(instance: Instance, kernel: Kernel, login: str) -> Iterator[Services]:
    found = bootstrap.build_services(instance.settings, kernel, login=login, admin=instance.admin)
    yield found
    found.db.dispose()


@pytest.fixture(scope="session")
def services(instance: Instance, kernel: Kernel) -> Iterator[Services]:
    """Services of the web login: never the worker's eyes."""
    yield from _services(instance, kernel, "web")


@pytest.fixture(scope="session")
def jobs_services(instance: Instance, kernel: Kernel) -> Iterator[Services]:
    """Services of the jobs login."""
    yield from _services(instance, kernel, "jobs")


@pytest.fixture(scope="session")
def auditor_services(instance: Instance, kernel: Kernel) -> Iterator[Services]:
    """Services of the auditor's login."""
    yield from _services(instance, kernel, "auditor")


@pytest.fixture
def admin_connection(instance: Instance) -> Iterator[Admin]:
    """A superuser's connection, for looking at what is really stored and for attacks on it."""
    with psycopg.connect(instance.admin, autocommit=True) as connection:
        yield connection


@pytest.fixture(scope="session")
def app(services: Services) -> AnzhengFlask:
    """The web application; CSRF has a test of its own and is off elsewhere."""
    app = create_app(services=services)
    app.config.update(TESTING=False, WTF_CSRF_ENABLED=False, PROPAGATE_EXCEPTIONS=False)
    return app


@pytest.fixture
def client(app: AnzhengFlask) -> FlaskClient:
    """A visitor's browser."""
    return app.test_client()


class Worker:
    """Runs queued jobs and tickers at once, in this process."""

    def __init__(self, services: Services) -> None:
        self.services = services
        settings = services.settings
        self._conninfo = dbadmin.login_url(settings.admin_database_url or "", load_secrets(settings), "jobs")

    def drain(self) -> None:
        """Do everything that is queued now."""
        worker.drain(self.services, self._conninfo)

    def tick(self, name: str) -> None:
        """Run one ticker once."""
        for ticker in self.services.kernel.tickers:
            if ticker.name == name:
                worker.run_ticker_once(self.services, ticker)
                return
        raise LookupError(name)


@pytest.fixture(scope="session")
def queue_worker(jobs_services: Services) -> Worker:
    """The worker, driven by the test."""
    return Worker(jobs_services)
