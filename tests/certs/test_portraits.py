"""The portrait a holder agreed to: on the certificate, replaced by a correction, absent without agreement."""

from __future__ import annotations

import io
import re
import subprocess
from dataclasses import dataclass
from pathlib import Path

import pytest
from flask.testing import FlaskClient

from certs.models import Certificate
from lms.core.access import Role
from lms.core.services import Services
from lms.core.web import AnzhengFlask
from tests.attack.pictures import face
from tests.certs import certificate_world as world
from tests.certs.certificates import issue_to
from tests.conftest import Worker


@dataclass(frozen=True, slots=True)
class Scene:
    """A learner with a browser, before the exam."""

    jobs: Services
    worker: Worker
    learner: world.Learner
    holder: FlaskClient
    official: FlaskClient

    def photograph(self, *names: str) -> bytes:
        """Show these pictures to the camera's page; return the portrait that it keeps."""
        files = [(io.BytesIO(face(name)), f"{name}.jpg", "image/jpeg") for name in names]
        answer = self.holder.post("/me/face", data={"frames": files}, content_type="multipart/form-data")
        assert answer.get_json()["outcome"] == "enrolled", answer.text
        return self.holder.get("/me/portrait").data

    def issue(self) -> Certificate:
        """Take the learner through the exam."""
        return issue_to(self.jobs, self.worker, self.learner)

    def images(self, row: Certificate, folder: Path) -> list[bytes]:
        """The pictures in the certificate's file, as another program takes them out."""
        folder.mkdir()
        (folder / "certificate.pdf").write_bytes(self.jobs.storage.get(row.pdf_key or ""))
        subprocess.run(["pdfimages", "-all", folder / "certificate.pdf", folder / "image"], check=True)
        return [file.read_bytes() for file in sorted(folder.glob("image-*"))]


@pytest.fixture
def scene(app: AnzhengFlask, jobs_services: Services, queue_worker: Worker) -> Scene:
    learner = world.make_learner(jobs_services, world.make_enterprise(jobs_services))
    return Scene(
        jobs_services,
        queue_worker,
        learner,
        world.client_for(app, jobs_services, learner.person_id, learner.tenant_id, Role.TRAINEE),
        world.signed_in_at(app, jobs_services, world.make_department(jobs_services)),
    )


def agree(scene: Scene, **portrait: str) -> None:
    assert scene.holder.post("/me/consent", data={"answer": "agree", **portrait}).location == "/me/face"


def test_a_correction_of_the_photo_puts_the_new_portrait_on_the_successor(scene: Scene, tmp_path: Path) -> None:
    agree(scene, portrait="yes")
    before = scene.photograph("001_03", "001_08", "001_03")
    old = scene.issue()
    assert scene.images(old, tmp_path / "issued") == [before]

    after = scene.photograph("001_08", "001_03", "001_08")
    assert after != before
    asked = {"kind": "photo", "note": "照片已过时"}
    assert scene.holder.post(f"/certificates/{old.id}/corrections", data=asked).status_code == 302
    listed = scene.official.get(f"/regulator/corrections?q={old.number}").text
    address = re.findall('href="/regulator/corrections/([0-9a-f-]{36})', listed)[0]
    verdict = {"verdict": "approve", "reason": "照片清晰，同意"}
    decided = scene.official.post(f"/regulator/corrections/{address}/decision", data=verdict)
    assert decided.status_code == 302
    world.settle(scene.worker)

    rows = {row.status: row for row in world.certificate_rows(scene.jobs, scene.learner.person_id)}
    assert set(rows) == {"superseded", "valid"}
    successor = rows["valid"]
    assert (rows["superseded"].id, successor.state, successor.holder_name) == (old.id, "issued", old.holder_name)
    assert scene.images(successor, tmp_path / "successor") == [after]
    assert scene.images(rows["superseded"], tmp_path / "superseded") == [before]


@pytest.mark.parametrize("agreed", [{}, {"portrait": "yes"}])
def test_only_an_agreed_portrait_is_printed(scene: Scene, tmp_path: Path, agreed: dict[str, str]) -> None:
    agree(scene, **agreed)
    scene.photograph("001_03", "001_08", "001_03")
    assert len(scene.images(scene.issue(), tmp_path / "issued")) == len(agreed)


def test_a_portrait_taken_back_before_the_issue_is_not_printed(scene: Scene, tmp_path: Path) -> None:
    agree(scene, portrait="yes")
    scene.photograph("001_03", "001_08", "001_03")
    assert scene.holder.post("/me/consent", data={"answer": "decline"}).location == "/me"
    assert scene.images(scene.issue(), tmp_path / "issued") == []
