"""A batch as a whole: entered once whatever happens, within its scope, withdrawn by decisions."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from sqlalchemy.exc import ProgrammingError
from sqlalchemy.orm import Session

from certs.events import CertificateIssued
from certs.imports import operations
from certs.imports.earlier import EARLIER_CERTIFICATES
from certs.imports.limits import limits
from certs.registry.operations import sequence_all
from certs.registry.verification import verify
from lms.core import ids
from lms.core.imports.checking import check
from lms.core.imports.operations import Upload
from lms.core.imports.taking import take_over
from lms.core.services import Services
from tests.certs import certificate_world as world
from tests.certs.imports_desk import (
    SOURCE,
    ImportDesk,
    earlier,
    list_bytes,
    take,
)
from tests.conftest import Instance, Worker
from tests.kills.processes import run_to_its_death


class Interrupted(Exception):
    """What comes between."""


@contextlib.contextmanager
def failing_after(jobs: Services, count: int) -> Iterator[None]:
    """Let the announcement of every further certificate than ``count`` fail, and its transaction with it."""
    heard: list[object] = []

    def hear(_session: Session, event: CertificateIssued) -> None:
        heard.append(event)
        if len(heard) > count:
            raise Interrupted

    jobs.kernel.subscribe(CertificateIssued, hear, name="tests.interrupt", inline=True)
    try:
        yield
    finally:
        jobs.kernel.subscriptions["CertificateIssued"].pop()


def test_a_chunk_that_was_taken_is_not_taken_twice(desk: ImportDesk, queue_worker: Worker, tmp_path: Path) -> None:
    of_two = replace(EARLIER_CERTIFICATES, limits=replace(limits(), chunk_rows=2))
    import_id = desk.upload(list_bytes(tmp_path, earlier(5)))
    check(of_two, desk.jobs, import_id=str(import_id))
    desk.act(import_id, "confirm")
    with failing_after(desk.jobs, 2), pytest.raises(Interrupted):
        take_over(of_two, desk.jobs, import_id=str(import_id))
    assert desk.import_row(import_id).chunks_done == 1
    assert len(desk.certificates(import_id)) == 2
    take_over(of_two, desk.jobs, import_id=str(import_id))
    take_over(of_two, desk.jobs, import_id=str(import_id))
    row = desk.import_row(import_id)
    assert (row.state, row.chunks_done, row.certificates_added, len(desk.certificates(import_id))) == ("done", 3, 5, 5)


def test_killed_in_the_middle_and_run_again_each_row_is_entered_exactly_once(
    desk: ImportDesk, instance: Instance, queue_worker: Worker, tmp_path: Path
) -> None:
    count = limits().chunk_rows + 100
    rows = earlier(count)
    import_id = desk.upload(list_bytes(tmp_path, rows))
    queue_worker.drain()
    desk.act(import_id, "confirm")
    # The first commit is of reading where to begin, the second of the first chunk.
    run_to_its_death(instance.settings, "tests.run_and_die", "certificates", import_id, 3)
    row = desk.import_row(import_id)
    assert (row.state, row.chunks_done, len(desk.certificates(import_id))) == ("importing", 1, limits().chunk_rows)
    queue_worker.drain()
    found = desk.certificates(import_id)
    assert {one.number for one in found} == {str(row[3]) for row in rows}
    assert (len(found), len({one.status_index for one in found})) == (count, count)
    assert desk.import_row(import_id).certificates_added == count


def test_a_department_cannot_place_a_list_outside_its_scope(desk: ImportDesk, services: Services) -> None:
    actor = world.official_actor(desk.jobs)
    upload = Upload(ids.new_id(), "x.csv", "csv", "0" * 64)
    with services.db.transaction(actor.scope) as session:
        operations.add_import(session, actor, upload, source_system=SOURCE)
    wider = replace(actor, scope=replace(actor.scope, region_lo=410000, schemes=("other",)))
    other = replace(upload, import_id=ids.new_id())
    with pytest.raises(ProgrammingError, match="row-level security"), services.db.transaction(actor.scope) as session:
        operations.add_import(session, wider, other, source_system=SOURCE)


def test_a_whole_batch_is_withdrawn_by_decisions_and_nothing_is_deleted(
    desk: ImportDesk, queue_worker: Worker, tmp_path: Path, auditor_services: Services
) -> None:
    import_id = take(desk, queue_worker, list_bytes(tmp_path, earlier(3)))
    assert desk.act(import_id, "withdraw", reason="短") == 422
    assert desk.act(import_id, "withdraw", reason="原系统名单发错，整批作废") == 302
    queue_worker.drain()
    row = desk.import_row(import_id)
    assert (row.state, row.certificates_withdrawn) == ("withdrawn", 3)
    assert [one.status for one in desk.certificates(import_id)] == ["cancelled"] * 3
    assert "整批作废" in desk.page(import_id)
    assert desk.act(import_id, "withdraw", reason="再来一次也不行") == 409
    sequence_all(desk.jobs)
    assert verify(auditor_services).problem is None
