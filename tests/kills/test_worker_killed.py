"""The worker is killed while its queue issues a certificate: another worker ends it, once."""

from __future__ import annotations

import signal
import sys
import uuid
from pathlib import Path

import pytest

from certs.issue.operations import request_certificate
from lms.core.access import SYSTEM
from lms.core.services import Services
from lms.core.tenancy import WORKER_SCOPE
from tests.certs import certificate_world as world
from tests.conftest import Admin, Instance
from tests.kills.processes import running
from tests.waiting import wait_for

JOBS = "select count(*) from procrastinate_jobs where args->>'certificate_id' = %s and status in ('todo', 'doing')"
LEAVES = "select count(*) from certs_leaf where certificate_id = %s"


def _count(connection: Admin, query: str, value: uuid.UUID) -> int:
    row = connection.execute(query, (str(value),)).fetchone()  # type: ignore[arg-type]  # queries of this file
    assert row
    return int(str(row[0]))


@pytest.mark.parametrize(("moment", "state"), [("stored", "requested"), ("issued", "issued")])
def test_a_worker_killed_while_it_issues_leaves_exactly_one_certificate(
    instance: Instance,
    jobs_services: Services,
    admin_connection: Admin,
    tmp_path: Path,
    moment: str,
    state: str,
) -> None:
    event = world.pass_exam(jobs_services, world.make_learner(jobs_services, world.make_enterprise(jobs_services)))
    # The announced exam would have the certificate issued as well, whenever its turn comes.
    admin_connection.execute("delete from procrastinate_jobs")
    with jobs_services.db.transaction(WORKER_SCOPE) as session:
        request_certificate(session, SYSTEM, person_id=event.person_id, attempt_id=event.attempt_id)
    rows = world.certificate_rows(jobs_services, event.person_id)
    assert [row.state for row in rows] == ["requested"]
    certificate_id = rows[0].id
    command, log = [sys.executable, "-m", "tests.kills.worker_and_die"], tmp_path / "worker.log"
    with running([*command, moment], instance.settings, log) as worker:
        wait_for("its death", lambda: worker.poll() is not None)
        assert worker.returncode == -signal.SIGKILL, log.read_text("utf8")
    assert [row.state for row in world.certificate_rows(jobs_services, event.person_id)] == [state]
    assert _count(admin_connection, JOBS, certificate_id) == 1
    with running([*command, "never"], instance.settings, log):
        wait_for("the end of the job", lambda: _count(admin_connection, JOBS, certificate_id) == 0)
    (row,) = world.certificate_rows(jobs_services, event.person_id)
    assert (row.id, row.state) == (certificate_id, "issued")
    assert _count(admin_connection, LEAVES, certificate_id) == 1
    folder = Path(jobs_services.settings.storage_url.removeprefix("file://")) / "certificates" / str(certificate_id)
    # What the killed run had stored stays behind, and nothing ever refers to it.
    assert Path(row.pdf_key or "").name in {file.name for file in folder.iterdir()}
