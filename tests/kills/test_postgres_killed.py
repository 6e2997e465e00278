"""PostgreSQL is killed in the middle of an import: every row comes in, once, by itself."""

from __future__ import annotations

import json
import shutil
import tempfile
import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import psycopg
import pytest

from lms.app import create_app
from lms.core import bootstrap, dbadmin, serve
from lms.core.postgres import EmbeddedPostgres
from lms.core.services import Kernel
from lms.core.settings import Settings, load_secrets, load_settings
from tests.accounts.staffing import Desk, open_desk, roster_bytes
from tests.kills.processes import Answer, Browser, free_port, kill_postgres, running, web_server
from tests.rosters import roster
from tests.waiting import wait_for

ROWS = 7_000


class Installation:
    """A database server of this test's own, with the product in it and an administrator signed in."""

    def __init__(self, home: Path, kernel: Kernel) -> None:
        self.server = EmbeddedPostgres(home / "pg", settings={"shared_buffers": "32MB"})
        self.server.ensure()
        admin = self.server.dsn()
        settings = load_settings({"ANZHENG_ENV": "test", "ANZHENG_HOME": str(home)})
        self.settings: Settings = replace(settings, admin_database_url=admin, pool_size=4)
        dbadmin.initialise(self.settings, load_secrets(self.settings))
        self.jobs = bootstrap.build_services(self.settings, kernel, login="jobs")
        for _order, load in sorted(kernel.reference_steps, key=lambda step: step[0]):
            load(self.jobs)
        self.web = bootstrap.build_services(self.settings, kernel)
        app = create_app(services=self.web)
        app.config.update(WTF_CSRF_ENABLED=False)
        self.desk: Desk = open_desk(app, self.jobs)

    def one(self, query: str, *values: object) -> tuple[object, ...]:
        """Ask the database as superuser over a connection of its own."""
        with psycopg.connect(self.settings.admin_database_url or "") as connection:
            row = connection.execute(query, values).fetchone()  # type: ignore[arg-type]  # queries of this file
        assert row
        return row

    def close(self) -> None:
        self.jobs.db.dispose()
        self.web.db.dispose()
        self.server.stop("immediate")
        shutil.rmtree(self.server.state_dir, ignore_errors=True)


@pytest.fixture
def installation(kernel: Kernel) -> Iterator[Installation]:
    home = Path(tempfile.mkdtemp(prefix="anzheng-test-"))
    home.chmod(0o755)
    found = Installation(home, kernel)
    yield found
    found.close()
    shutil.rmtree(home, ignore_errors=True)


class Onlooker(threading.Thread):
    """Somebody who reloads a page all the time, and keeps what came."""

    def __init__(self, browser: Browser, path: str) -> None:
        super().__init__(daemon=True)
        self.browser, self.path = browser, path
        self.seen: list[Answer] = []
        self.leaving = threading.Event()

    def run(self) -> None:
        while not self.leaving.wait(0.05):
            self.seen.append(self.browser.get(self.path))

    def leave(self) -> list[Answer]:
        self.leaving.set()
        self.join()
        return self.seen


PROGRESS = "select state, chunks_done, chunks_total, people_added, rows_bad from accounts_import where id = %s"

WAITING = "select count(*) from procrastinate_jobs where status in ('todo', 'doing')"


def test_an_import_outlives_the_database(installation: Installation, tmp_path: Path) -> None:
    desk, log, web_log, port = installation.desk, tmp_path / "worker.log", tmp_path / "web.log", free_port()
    rows = roster(ROWS, region=desk.region)
    with (
        web_server(port, installation.settings, web_log),
        running(serve.worker_command(), installation.settings, log) as worker,
    ):
        import_id = desk.upload(roster_bytes(tmp_path, rows))
        wait_for("the check", lambda: installation.one(PROGRESS, import_id)[0] == "ready")
        assert desk.act(import_id, "confirm") == 302
        wait_for("the first chunk", lambda: int(str(installation.one(PROGRESS, import_id)[1])) >= 1)
        onlooker = Onlooker(Browser(port, desk.client), f"/staff/import/{import_id}")
        before = installation.one(PROGRESS, import_id)
        kill_postgres(installation.server)
        onlooker.start()
        wait_for("the page of a database that is away", lambda: any(one.status == 503 for one in onlooker.seen))
        installation.server.ensure()
        after = installation.one(PROGRESS, import_id)
        wait_for("the end of the import", lambda: installation.one(PROGRESS, import_id)[0] == "done")
        wait_for("the web server", lambda: onlooker.seen[-1].status == 200)
        wait_for("the end of all jobs", lambda: installation.one(WAITING) == (0,))
        seen = onlooker.leave()
        assert worker.poll() is None
    assert before[0] == "importing"
    assert int(str(after[1])) >= int(str(before[1]))
    _assert_each_row_once(installation, rows, import_id)
    _assert_no_details_shown(seen)
    assert "Traceback" not in web_log.read_text("utf8")


def _assert_each_row_once(installation: Installation, rows: list[tuple[object, ...]], import_id: object) -> None:
    assert installation.one(PROGRESS, import_id)[3:] == (ROWS, 0)
    tenant_id = installation.desk.tenant_id
    count = "select count(*), count(distinct person_id) from accounts_employment where tenant_id = %s"
    assert installation.one(count, tenant_id) == (ROWS, ROWS)
    vault = installation.jobs.vault
    with psycopg.connect(installation.settings.admin_database_url or "") as connection:
        stored = connection.execute(
            "select p.id, p.id_number_sealed, e.name from accounts_person p"
            " join accounts_employment e on e.person_id = p.id where e.tenant_id = %s",
            (tenant_id,),
        ).fetchall()
    numbers = sorted((name, vault.decrypt(sealed, context=f"id_number:{who}").decode()) for who, sealed, name in stored)
    assert numbers == sorted((str(row[0]), str(row[1])) for row in rows)
    sealed = "select count(*), sum((data->>'added')::int) from core_audit where action = %s and subject_id = %s"
    chunks, added = installation.one(sealed, "accounts.employments.imported", str(import_id))
    assert (chunks, added) == (installation.one(PROGRESS, import_id)[2], ROWS)


def _assert_no_details_shown(seen: list[Answer]) -> None:
    assert {(one.status, one.text if not one.status else "") for one in seen} == {(200, ""), (503, "")}
    for one in seen:
        assert not any(word in one.text for word in ("Traceback", "psycopg", "sqlalchemy", "OperationalError"))
    refused = next(one.text for one in seen if one.status == 503)
    assert "系统正在恢复" in refused or "recovering" in refused.lower(), json.dumps(refused[:2000])
