"""Archives of the chosen certificates' files."""

from __future__ import annotations

import io
import re
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from zipfile import ZipFile

import pytest
from sqlalchemy import select

from certs.actions import tasks
from certs.models import Certificate
from lms.core import audit
from lms.core.services import Services
from lms.core.storage import ObjectMissing, Storage
from lms.core.tenancy import WORKER_SCOPE
from lms.core.web import AnzhengFlask
from tests.certs import certificate_world as world
from tests.certs.actions_desk import Desk, open_desk, sheet
from tests.certs.altering import altered
from tests.conftest import Admin, Worker

IMPORTED = (
    "origin = 'imported', import_id = gen_random_uuid(), source_system = '旧系统', issued_on = valid_from,"
    " pdf_key = null, pdf_sha256 = null, signer_key_id = null"
)


@pytest.fixture
def desk(app: AnzhengFlask, jobs_services: Services, queue_worker: Worker, admin_connection: Admin) -> Desk:
    return open_desk(app, jobs_services, queue_worker, admin_connection)


def _alter_file(jobs: Services, row: Certificate) -> None:
    assert row.pdf_key
    jobs.storage.put(row.pdf_key, jobs.storage.get(row.pdf_key) + b"\n")


@pytest.fixture
def mixed(desk: Desk, admin_connection: Admin) -> Iterator[Desk]:
    """Of the three certificates the second's file was altered, and the third has none of ours."""
    _alter_file(desk.jobs, desk.mine[1])
    with altered(admin_connection, "certs_certificate", IMPORTED, id=desk.mine[2].id):
        yield desk


def test_the_archive_holds_the_signed_files_and_a_list_of_all(mixed: Desk) -> None:
    desk = mixed
    chosen = [*(one.id for one in desk.mine), desk.elsewhere.id]
    action_id = desk.settled(desk.order("files", chosen))
    assert desk.items(action_id) == {
        desk.mine[0].id: ("done", ""),
        desk.mine[1].id: ("refused", "file_altered"),
        desk.mine[2].id: ("refused", "not_signed_here"),
        desk.elsewhere.id: ("refused", "not_found"),
    }
    page = desk.client.get(f"/regulator/actions/{action_id}").text
    link = re.search(r'href="(/jobs/[0-9a-f-]{36}/file)"', page)
    assert link
    answer = desk.client.get(link[1])
    assert answer.headers["Content-Length"] == str(len(answer.data))
    with ZipFile(io.BytesIO(answer.data)) as found:
        assert found.namelist() == [f"{desk.mine[0].number}.pdf", "清单.xlsx"]
        pdf = found.read(f"{desk.mine[0].number}.pdf")
        lines = {row[0]: row[4:] for row in sheet(found.read("清单.xlsx"))[1:]}
    assert pdf == desk.client.get(f"/regulator/certificates/{desk.mine[0].id}/pdf").data
    assert lines[desk.mine[0].number] == [f"{desk.mine[0].number}.pdf", ""]
    assert "没有本平台签名的电子文件" in str(lines[desk.mine[2].number][1])
    assert "校验不一致" in str(lines[desk.mine[1].number][1])
    assert desk.statuses() == ["valid"] * 4
    with desk.jobs.db.transaction(WORKER_SCOPE, read_only=True) as session:
        query = select(audit.AuditRow.action).where(
            audit.AuditRow.subject_id.in_([str(action_id), str(desk.mine[1].id)])
        )
        deeds = session.scalars(query).all()
    assert {"certs.action.ordered", "certs.action.done", "certs.certificate.file_refused"} <= set(deeds)
    stranger = desk.official(department=world.make_department(desk.jobs, region_code=world.OTHER_COUNTY))
    assert stranger.get(link[1]).status_code == 404


def test_the_list_in_the_archive_says_which_certificates_have_expired(desk: Desk, admin_connection: Admin) -> None:
    dates = "valid_from = '2020-03-01', valid_until = '2023-02-28'"
    with altered(admin_connection, "certs_certificate", dates, id=desk.mine[0].id):
        answer = desk.order("files", [one.id for one in desk.mine[:2]])
        desk.settled(answer)
    link = re.search(r'href="(/jobs/[0-9a-f-]{36}/file)"', desk.client.get(answer.location).text)
    assert link
    with ZipFile(io.BytesIO(desk.client.get(link[1]).data)) as found:
        lines = {row[0]: row[3] for row in sheet(found.read("清单.xlsx"))[1:]}
    assert lines == {desk.mine[0].number: "过期", desk.mine[1].number: "有效"}


def test_an_archive_stopped_before_its_end_is_not_handed_out(desk: Desk) -> None:
    answer = desk.order("files", [one.id for one in desk.mine])
    assert desk.client.post(f"{answer.location}/stop").status_code == 302
    action_id = desk.settled(answer)
    assert set(desk.items(action_id).values()) == {("open", "")}
    assert "下载压缩包" not in desk.client.get(answer.location).text


class StoppedMeanwhile(Storage):
    """Storage in which the order is stopped as soon as its archive lies there."""

    def __init__(self, url: str, stop: Callable[[], object]) -> None:
        super().__init__(url)
        self._stop = stop

    def put(self, key: str, data: bytes | Path) -> None:
        super().put(key, data)
        self._stop()


def test_an_archive_stopped_at_its_end_is_not_kept(desk: Desk) -> None:
    answer = desk.order("files", [one.id for one in desk.mine])
    action_id = answer.location.rsplit("/", 1)[1]
    storage = StoppedMeanwhile(desk.jobs.settings.storage_url, lambda: desk.client.post(f"{answer.location}/stop"))
    tasks.run(replace(desk.jobs, storage=storage), action_id=action_id)
    assert "已停止" in desk.client.get(answer.location).text
    with pytest.raises(ObjectMissing):
        desk.jobs.storage.size(f"exports/{action_id}.zip")


def test_an_archive_made_twice_is_kept(desk: Desk) -> None:
    action_id = desk.settled(desk.order("files", [one.id for one in desk.mine]))
    tasks.run(desk.jobs, action_id=str(action_id))
    assert desk.jobs.storage.size(f"exports/{action_id}.zip")
