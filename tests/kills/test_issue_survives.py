"""Web server, worker and database are killed at random while certificates are issued by the hundred.

80 people by default; ``ANZHENG_SURVIVAL_PEOPLE=5000 pytest tests/kills/test_issue_survives.py`` for the full run,
and 100000 for the largest order that is planned for.
"""

from __future__ import annotations

import os
import random
import shutil
import subprocess
import sys
import tempfile
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path

import psycopg
import pytest
from sqlalchemy import select

from certs.adapters.verifying import verify_pdf
from certs.keys.operations import root_pems
from certs.models import Certificate
from certs.registry import verification
from certs.registry.operations import sequence_all
from lms.app import create_app
from lms.core import bootstrap, clock, serve
from lms.core.access import Role
from lms.core.services import Kernel
from lms.core.tenancy import WORKER_SCOPE
from tests.certs import certificate_world as world
from tests.kills.processes import Browser, free_port, kill_group, kill_postgres, running
from tests.kills.test_postgres_killed import Installation
from tests.waiting import wait_for

PEOPLE = int(os.environ.get("ANZHENG_SURVIVAL_PEOPLE", "80"))
CHUNK_PEOPLE = max(5, PEOPLE // 200)
# One certificate takes some 20 ms of a core that others use too.
CHUNK_S = 0.02 * CHUNK_PEOPLE
# The longest stretch without a kill is a sixth of the order.
WAITING_S = 120.0 + 0.1 * PEOPLE / 6
# Each signature is checked up to here; of more people a random choice, because that takes longer than the issue.
SIGNATURES_CHECKED = 5000
VICTIMS = ("database", "worker", "web")
PROGRESS = "select people_done from certs_bulk where id = %s"


@pytest.fixture
def installation(kernel: Kernel) -> Iterator[Installation]:
    home = Path(tempfile.mkdtemp(prefix="anzheng-kills-"))
    home.chmod(0o755)
    found = Installation(home, kernel)
    yield found
    found.close()
    shutil.rmtree(home, ignore_errors=True)


class House:
    """The running processes, each of which can be killed and comes back by itself, as under ``anzheng run``."""

    def __init__(self, installation: Installation, stack: ExitStack, folder: Path) -> None:
        self.installation, self.stack, self.folder, self.port = installation, stack, folder, free_port()
        self.commands = {
            "web": serve.web_command(self.port),
            "worker": [sys.executable, "-m", "tests.kills.impatient_worker"],
        }
        self.processes: dict[str, subprocess.Popen[bytes]] = {}
        for name in self.commands:
            self.start(name)

    def start(self, name: str) -> None:
        log = self.folder / f"{name}.log"
        settings = replace(self.installation.settings, bulk_chunk_people=CHUNK_PEOPLE)
        process = running(self.commands[name], settings, log)
        self.processes[name] = self.stack.enter_context(process)

    def kill(self, victim: str) -> None:
        if victim == "database":
            kill_postgres(self.installation.server)
            self.installation.server.ensure()
            return
        kill_group(self.processes[victim])
        self.start(victim)


def counted(installation: Installation, query: str, *values: object) -> int:
    return int(str(installation.one(query, *values)[0]))


def wait_into_a_chunk(installation: Installation, bulk_id: uuid.UUID, goal: int) -> None:
    """Wait until so many are done, and then for a random part of the time that a chunk takes.

    Progress is seen only when a chunk is written, so a kill at that moment would never find one half done.
    """
    wait_for("progress", lambda: counted(installation, PROGRESS, bulk_id) >= min(PEOPLE, goal), WAITING_S)
    time.sleep(random.uniform(0, CHUNK_S))


def order(installation: Installation) -> tuple[uuid.UUID, Callable[[int], Browser]]:
    """Let everybody pass, lose the jobs of their exams, and order certificates for all of them."""
    jobs = installation.jobs
    department = world.make_department(jobs, region_code=world.COUNTY)
    official = world.make_official(jobs, department)
    tenant_id = world.make_enterprise(jobs)
    for _ in range(PEOPLE):
        world.pass_exam(jobs, world.make_learner(jobs, tenant_id))
    with psycopg.connect(installation.settings.admin_database_url or "", autocommit=True) as connection:
        connection.execute("delete from procrastinate_jobs")
    app = create_app(services=installation.web)
    app.config.update(WTF_CSRF_ENABLED=False)
    client = world.client_for(app, jobs, official, department, Role.REGULATOR)
    answer = client.post("/regulator/bulk", data={"scheme": world.SCHEME})
    assert answer.status_code == 302, answer.text
    return uuid.UUID(answer.location.rsplit("/", 1)[1]), lambda port: Browser(port, client)


@pytest.mark.timeout(600 + PEOPLE)
def test_everybody_gets_one_valid_logged_certificate_whatever_is_killed(
    installation: Installation, tmp_path: Path
) -> None:
    bulk_id, browser_at = order(installation)
    killed: list[str] = []
    with ExitStack() as stack:
        house = House(installation, stack, tmp_path)
        while (done := counted(installation, PROGRESS, bulk_id)) < PEOPLE:
            # The first three each get their turn early, while there is work to be killed in.
            is_early = len(killed) < len(VICTIMS)
            wait_into_a_chunk(installation, bulk_id, done + (1 if is_early else random.randint(1, max(1, PEOPLE // 6))))
            victim = VICTIMS[len(killed)] if is_early else random.choice(VICTIMS)
            house.kill(victim)
            killed.append(victim)
        browser = browser_at(house.port)
        wait_for("the page of the order", lambda: "已完成" in browser.get(f"/regulator/bulk/{bulk_id}").text)
    assert set(killed) == set(VICTIMS)
    state = "select state, people, people_done, failed from certs_bulk where id = %s"
    assert installation.one(state, bulk_id) == ("done", PEOPLE, PEOPLE, 0)
    _assert_all_valid(installation)


def _assert_all_valid(installation: Installation) -> None:
    jobs = installation.jobs
    jobs.db.dispose()
    sequence_all(jobs)
    with jobs.db.transaction(WORKER_SCOPE, read_only=True) as session:
        roots = [pem.encode() for pem in root_pems(session)]
        rows = session.scalars(select(Certificate)).all()
    assert len(rows) == PEOPLE
    for distinct in ("person_id", "number", "public_id", "status_index", "pdf_key", "pdf_sha256"):
        assert len({getattr(row, distinct) for row in rows}) == PEOPLE, distinct
    for row in random.sample(rows, min(PEOPLE, SIGNATURES_CHECKED)):
        assert verify_pdf(jobs.storage.get(row.pdf_key or ""), roots, clock.now()).genuine, row.number
    leaves = "select count(*), count(distinct certificate_id), count(seq), max(seq) + 1 from certs_leaf"
    assert installation.one(leaves) == (PEOPLE, PEOPLE, PEOPLE, PEOPLE)
    auditor = bootstrap.build_services(installation.settings, jobs.kernel, login="auditor")
    verdict = verification.verify(auditor, files=True)
    auditor.db.dispose()
    assert verdict.problem is None
