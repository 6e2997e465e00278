"""The three doors that take pictures: enrolment, the check within a lesson, the check before an exam."""

from __future__ import annotations

import io
import resource
from collections.abc import Iterator
from dataclasses import dataclass

import psycopg
import pytest
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from lms.accounts import api as accounts
from lms.accounts.faces import operations as faces
from lms.core.access import Actor, Role
from lms.core.faces import api as engine
from lms.core.services import Services
from lms.core.web import AnzhengFlask
from tests.attack.pictures import REFUSED, USABLE, face, wide_wall
from tests.attack.reporting import CHINESE, ENGLISH
from tests.certs import certificate_world as world
from tests.conftest import Admin, Instance
from tests.courses.school import School, Student, course_of_the_programme

MEGABYTE_KB = 1024
# One frame of 16 million pixels takes a hundred megabytes while it is decoded and turned.
GROWTH_MAX_KB = 600 * MEGABYTE_KB


class SignedInSchool(School):
    """A school whose people sign in as everybody does."""

    def client_for(self, actor: Actor) -> FlaskClient:
        assert actor.person_id
        assert actor.tenant_id
        return world.client_for(self.app, self.jobs, actor.person_id, actor.tenant_id, Role.TRAINEE)


@dataclass(frozen=True, slots=True)
class Cameras:
    """A learner whose lesson waits for a check of the face."""

    student: Student
    admin: Admin

    def _open(self) -> None:
        """Let nothing of earlier tries count: each picture meets the same door."""
        person_id = self.student.who.person_id
        self.admin.execute(
            "update courses_face_check set state = 'due', tries = 0, mismatches = 0"
            " where person_id = %s and state in ('due', 'referred', 'passed')",
            (person_id,),
        )
        self.admin.execute("delete from accounts_face_verification where person_id = %s", (person_id,))

    def send(self, door: str, frames: list[bytes]) -> TestResponse:
        """Show frames at one of the doors, as a script of an English reader does."""
        self._open()
        path = {
            "enrolment": "/me/face",
            "lesson": f"{self.student.lesson_url}/face",
            "exam": f"/exams/verify/{self.student.enrolment_id}",
        }[door]
        form = {"frames": [(io.BytesIO(frame), f"{n}.jpg", "image/jpeg") for n, frame in enumerate(frames)]}
        headers = {**ENGLISH, "Accept": "application/json"}
        answer = self.student.client.post(path, data=form, content_type="multipart/form-data", headers=headers)
        # The test client writes large bodies into a file of its own.
        answer.request.environ["wsgi.input"].close()
        return answer

    def templates(self) -> list[tuple[object, ...]]:
        """Return what is enrolled of the learner."""
        query = "select id from accounts_face_template where person_id = %s order by 1"
        return self.admin.execute(query, (self.student.who.person_id,)).fetchall()

    def evidence(self) -> list[tuple[object, ...]]:
        """Return the decisions on the learner and whether a picture was kept."""
        query = "select outcome, evidence_key is not null from accounts_face_verification where person_id = %s"
        return self.admin.execute(query, (self.student.who.person_id,)).fetchall()


@pytest.fixture(scope="module")
def cameras(app: AnzhengFlask, services: Services, jobs_services: Services, instance: Instance) -> Iterator[Cameras]:
    """The doors, with a learner who is enrolled with the first of the demo's faces."""
    institution, course_id = course_of_the_programme(services, jobs_services)
    school = SignedInSchool(app, services, jobs_services, institution, course_id)
    student = school.trainee(vouched=False)
    actor = student.who.actor
    with services.db.transaction(actor.scope) as session:
        faces.answer_consent(session, actor, biometric=True, portrait=True, language="zh")
    accounts.enrol_face(services, actor, [face("001_03")] * 3)
    student.beat(0, 5, after_s=5)
    school.set_checks(student.who.person_id, 10)
    student.watch(5, 10)
    with psycopg.connect(instance.admin, autocommit=True) as connection:
        yield Cameras(student, connection)


DOORS = ("enrolment", "lesson", "exam")


@pytest.mark.parametrize("door", DOORS)
@pytest.mark.parametrize("name", REFUSED)
def test_an_unusable_picture_gets_advice(cameras: Cameras, door: str, name: str) -> None:
    before = cameras.templates()
    answer = cameras.send(door, [REFUSED[name]] * 3)
    assert answer.status_code == (422 if door == "enrolment" else 200)
    assert answer.json
    assert answer.json["outcome"] == ("rejected" if door == "enrolment" else "undetermined")
    assert answer.json["message"]
    assert answer.json["advice"]
    assert not CHINESE.search(answer.text)
    assert cameras.templates() == before


@pytest.mark.parametrize("door", DOORS)
def test_no_picture_at_all_gets_advice(cameras: Cameras, door: str) -> None:
    answer = cameras.send(door, [])
    assert answer.status_code == (422 if door == "enrolment" else 200)
    assert answer.json
    assert answer.json["advice"]


@pytest.mark.parametrize("door", ["lesson", "exam"])
def test_what_is_no_picture_is_not_kept_as_evidence(cameras: Cameras, door: str) -> None:
    cameras.send(door, [REFUSED["svg"]] * 3)
    assert cameras.evidence() == [("undetermined", False)]
    cameras.send(door, [REFUSED["nobody"]] * 3)
    assert cameras.evidence() == [("undetermined", True)]


@pytest.mark.parametrize("door", DOORS)
@pytest.mark.parametrize("name", USABLE)
def test_an_odd_picture_of_the_right_face_is_taken(cameras: Cameras, door: str, name: str) -> None:
    answer = cameras.send(door, [USABLE[name]] * 3)
    assert answer.json
    assert (answer.status_code, answer.json["outcome"]) == (200, "enrolled" if door == "enrolment" else "match")


def test_one_unreadable_frame_spoils_the_check(cameras: Cameras) -> None:
    answer = cameras.send("exam", [face("001_03"), face("001_08"), REFUSED["cut jpeg"]])
    assert answer.json
    assert answer.json["outcome"] == "undetermined"


def test_many_large_pictures_are_refused_within_bounds(cameras: Cameras) -> None:
    frame = wide_wall("001_03", engine.MAX_SIDE_PX)
    assert len(frame) < engine.MAX_BYTES
    before_kb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    answer = cameras.send("enrolment", [frame] * engine.FRAMES_MAX)
    assert answer.status_code == 422
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before_kb < GROWTH_MAX_KB


def test_more_frames_than_an_engine_judges_are_refused(cameras: Cameras) -> None:
    answer = cameras.send("enrolment", [face("001_03")] * (engine.FRAMES_MAX + 1))
    assert answer.status_code == 422
    assert answer.json
    assert answer.json["advice"]
