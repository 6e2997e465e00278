"""Files that a job makes are there for some days and then gone; the pages say so."""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from datetime import timedelta

import pytest
from flask.testing import FlaskClient

from lms.core import clock, exports, jobs
from lms.core.access import Role
from lms.core.i18n import LANGUAGE_COOKIE
from lms.core.services import Services
from lms.core.storage import ObjectMissing
from lms.core.tenancy import WORKER_SCOPE
from lms.core.web import AnzhengFlask
from tests.certs import certificate_world as world
from tests.conftest import Worker

KEPT = timedelta(days=7)
GONE = ("文件已过保存期限，已自动删除", "The file was kept for its time and has been deleted")


@dataclass(frozen=True, slots=True)
class Exported:
    """A finished export, and the browser of whoever asked for it."""

    client: FlaskClient
    services: Services
    job_id: uuid.UUID

    def get(self, path: str = "", language: str = "zh") -> tuple[int, str]:
        self.client.set_cookie(LANGUAGE_COOKIE, language)
        answer = self.client.get(f"/jobs/{self.job_id}{path}")
        return answer.status_code, answer.text

    def is_stored(self) -> bool:
        try:
            return bool(self.services.storage.size(f"exports/{self.job_id}.xlsx"))
        except ObjectMissing:
            return False


@pytest.fixture
def exported(app: AnzhengFlask, jobs_services: Services) -> Exported:
    official = world.official_actor(jobs_services)
    assert official.person_id
    assert official.tenant_id
    with jobs_services.db.transaction(official.scope) as session:
        job_id = jobs.start(session, official, "core.test", "导出清单")
    exports.publish_table(jobs_services, job_id, "清单", ("姓名",), [("王建军",)], "list.xlsx")
    client = world.client_for(app, jobs_services, official.person_id, official.tenant_id, Role.REGULATOR)
    return Exported(client, jobs_services, job_id)


def _run_later(queue_worker: Worker, passed: timedelta) -> None:
    with clock.travelling_to(clock.now() + passed):
        queue_worker.tick("core.forget_exports")


@pytest.mark.parametrize(("language", "said"), [("zh", "文件保存至 {} "), ("en", "kept until {} ")])
def test_the_page_says_until_when_the_file_can_be_fetched(exported: Exported, language: str, said: str) -> None:
    day = clock.day_of(clock.now() + KEPT)
    status, page = exported.get(language=language)
    assert (status, said.format(day) in page) == (200, True)
    assert f'href="/jobs/{exported.job_id}/file"' in page


def test_a_file_is_kept_for_its_days(exported: Exported, queue_worker: Worker) -> None:
    _run_later(queue_worker, KEPT - timedelta(hours=1))
    assert exported.client.get(f"/jobs/{exported.job_id}/file").status_code == 200


@pytest.mark.parametrize(("language", "said"), [("zh", GONE[0]), ("en", GONE[1])])
def test_after_its_days_a_file_is_gone_and_the_pages_say_how_to_have_it_again(
    exported: Exported, queue_worker: Worker, language: str, said: str
) -> None:
    _run_later(queue_worker, KEPT + timedelta(minutes=1))
    assert not exported.is_stored()
    again = {"zh": "重新导出", "en": "export or download it again"}[language]
    for path, expected in (("", 200), ("/file", 410)):
        status, page = exported.get(path, language)
        assert (status, said in page, again in page) == (expected, True, True)
    assert f"/jobs/{exported.job_id}/file" not in exported.get()[1]
    asked = exported.client.get(f"/jobs/{exported.job_id}/file", headers={"Accept": "application/json"})
    assert (asked.status_code, asked.get_json()["error"]) == (410, "file_gone")


def test_a_run_that_was_killed_after_the_file_went_is_ended_by_the_next(
    exported: Exported, queue_worker: Worker
) -> None:
    exported.services.storage.delete(f"exports/{exported.job_id}.xlsx")
    assert exported.get("/file")[0] == 410
    _run_later(queue_worker, KEPT + timedelta(minutes=1))
    with exported.services.db.transaction(WORKER_SCOPE, read_only=True) as session:
        found = jobs.access_job(session, exported.job_id)
    assert (found.state, found.object_key, found.file_name) == (jobs.JobState.DONE, None, "list.xlsx")


def test_a_job_without_a_file_has_none_that_is_gone(exported: Exported) -> None:
    with exported.services.db.transaction(WORKER_SCOPE) as session:
        official = world.official_actor(exported.services)
        other = jobs.start(session, official, "core.test", "校验")
        assert not jobs.access_job(session, other).is_file_gone
