"""Killed or raced at any moment, the issue ends in exactly one certificate."""

from __future__ import annotations

import threading
import uuid
from pathlib import Path

import pytest
from sqlalchemy import select

from certs.issue import tasks
from certs.issue.operations import queue_forgotten, request_certificate
from certs.models import Leaf
from lms.core import clock
from lms.core.access import SYSTEM
from lms.core.services import Services
from lms.core.tenancy import WORKER_SCOPE
from tests.certs import certificate_world as world
from tests.conftest import Admin, Instance, Worker
from tests.kills.processes import run_to_its_death


@pytest.fixture
def requested(jobs_services: Services, admin_connection: Admin) -> tuple[uuid.UUID, uuid.UUID]:
    """A requested certificate whose queued jobs were lost: the test itself runs the task."""
    learner = world.make_learner(jobs_services, world.make_enterprise(jobs_services))
    event = world.pass_exam(jobs_services, learner)
    with jobs_services.db.transaction(WORKER_SCOPE) as session:
        certificate_id = request_certificate(session, SYSTEM, person_id=event.person_id, attempt_id=event.attempt_id)
    assert certificate_id
    admin_connection.execute("delete from procrastinate_jobs where args->>'person_id' = %s", (str(event.person_id),))
    return event.person_id, certificate_id


def _leaves(services: Services, certificate_id: uuid.UUID) -> int:
    with services.db.transaction(WORKER_SCOPE, read_only=True) as session:
        return len(session.scalars(select(Leaf.id).where(Leaf.certificate_id == certificate_id)).all())


@pytest.mark.parametrize("moment", ["stored", "marked"])
def test_a_kill_leaves_nothing_half_done_and_the_next_run_finishes(
    instance: Instance, jobs_services: Services, requested: tuple[uuid.UUID, uuid.UUID], moment: str
) -> None:
    person_id, certificate_id = requested
    run_to_its_death(instance.settings, "tests.certs.issue_and_die", *requested, moment)
    (row,) = world.certificate_rows(jobs_services, person_id)
    assert (row.state, row.pdf_key) == ("requested", None)
    assert _leaves(jobs_services, certificate_id) == 0

    tasks.issue(jobs_services, person_id=str(person_id), certificate_id=str(certificate_id))
    (row,) = world.certificate_rows(jobs_services, person_id)
    assert row.state == "issued"
    assert _leaves(jobs_services, certificate_id) == 1


def test_of_two_runs_at_once_one_wins(jobs_services: Services, requested: tuple[uuid.UUID, uuid.UUID]) -> None:
    person_id, certificate_id = requested
    arguments = {"person_id": str(person_id), "certificate_id": str(certificate_id)}
    threads = [threading.Thread(target=tasks.issue, args=(jobs_services,), kwargs=arguments) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    (row,) = world.certificate_rows(jobs_services, person_id)
    assert row.state == "issued"
    assert _leaves(jobs_services, certificate_id) == 1
    folder = Path(jobs_services.settings.storage_url.removeprefix("file://")) / "certificates" / str(certificate_id)
    assert [file.name for file in folder.iterdir()] == [Path(row.pdf_key or "").name]


def test_a_forgotten_request_is_queued_again(
    jobs_services: Services, queue_worker: Worker, requested: tuple[uuid.UUID, uuid.UUID]
) -> None:
    person_id, _certificate_id = requested
    with jobs_services.db.transaction(WORKER_SCOPE) as session:
        assert queue_forgotten(session, clock.now()) >= 1
    world.settle(queue_worker)
    assert world.certificate_rows(jobs_services, person_id)[0].state == "issued"
