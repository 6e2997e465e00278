"""A face check through the page with the real engine: the learner passes, somebody else does not."""

from __future__ import annotations

import io
from pathlib import Path

from lms.accounts import api as accounts
from lms.accounts.faces import operations as faces
from lms.core import clock
from tests.courses.school import School, Student

PICTURES = Path(accounts.__file__).parent / "demo_faces"


def frames_of(name: str) -> list[bytes]:
    return [(PICTURES / name).read_bytes()] * 3


def show(student: Student, name: str) -> dict[str, object]:
    """Send a face from the camera dialog."""
    data = {"frames": [(io.BytesIO(frame), "frame.jpg") for frame in frames_of(name)]}
    with clock.travelling_to(student.now):
        answer = student.client.post(f"{student.lesson_url}/face", data=data, content_type="multipart/form-data")
    assert answer.status_code == 200, answer.text
    return dict(answer.json or {})


def test_only_the_learners_own_face_lets_learning_go_on(school: School) -> None:
    student = school.trainee(vouched=False)
    actor = student.who.actor
    with school.services.db.transaction(actor.scope) as session:
        faces.answer_consent(session, actor, biometric=True, portrait=False, language="zh")
    accounts.enrol_face(school.services, actor, frames_of("001_03.jpg"))
    student.beat(0, 5, after_s=5)
    school.set_checks(student.who.person_id, 10)
    assert student.watch(5, 10)["face_check_due"] is True
    wrong = show(student, "002_08.jpg")
    assert wrong["outcome"] == "no_match"
    assert "还可以再试" in str(wrong["message"])
    assert student.beat(10, 15, after_s=5)["credited_s"] == 10
    right = show(student, "001_08.jpg")
    assert right["outcome"] == "match"
    answer = student.beat(10, 15, after_s=5)
    assert (answer["credited_s"], answer["face_check_due"]) == (15, False)
    again = student.client.post(f"{student.lesson_url}/face", data={}, headers={"Accept": "application/json"})
    assert (again.status_code, again.json["error"]) == (409, "face_check_not_due")
