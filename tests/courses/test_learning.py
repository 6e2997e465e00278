"""A lesson through the pages: the server's clock credits, checks stop, the quiz decides."""

from __future__ import annotations

import uuid

import pytest
from sqlalchemy import select, text, update
from sqlalchemy.exc import DBAPIError, ProgrammingError

from lms.core import clock
from lms.core.tenancy import WORKER_SCOPE
from lms.courses.errors import FaceCheckNotDue
from lms.courses.learning import checks, operations
from lms.courses.learning.models import Credit, Enrolment, FaceCheck, LessonProgress, Quiz
from tests.conftest import Admin
from tests.courses.school import DURATION_S, School, Student


def right_answers(admin: Admin, quiz_id: object) -> dict[str, list[str]]:
    """Look up the right letters as only a superuser can."""
    items = admin.execute("select items from courses_quiz where id = %s", (quiz_id,)).fetchone()[0]  # type: ignore[index]  # there is one
    found = {}
    for item in items:  # type: ignore[attr-defined]  # a list
        key = admin.execute("select answer from courses_lesson_key where question_id = %s", (item["question_id"],))
        right = key.fetchone()[0]  # type: ignore[index]  # there is one
        found["q-" + item["question_id"]] = [chr(65 + place) for place, k in enumerate(item["order"]) if k in right]
    return found


def quiz_of(student: Student) -> Quiz:
    with student.school.jobs.db.transaction(WORKER_SCOPE) as session:
        query = select(Quiz).where(Quiz.person_id == student.who.person_id).order_by(Quiz.id.desc())
        return session.scalars(query.limit(1)).one()


def take_quiz(student: Student, admin: Admin, *, wrong: int) -> uuid.UUID:
    """Draw the quiz and hand it in with so many wrong answers."""
    with clock.travelling_to(student.now):
        assert student.client.post(f"{student.lesson_url}/quiz").status_code == 303
        quiz = quiz_of(student)
        answers = right_answers(admin, quiz.id)
        for name in list(answers)[:wrong]:
            answers[name] = ["B"] if answers[name] == ["A"] else ["A"]
        assert student.client.post(f"/learn/quizzes/{quiz.id}", data=answers).status_code == 303
    return quiz.id


def progress_of(student: Student) -> LessonProgress:
    with student.school.jobs.db.transaction(WORKER_SCOPE) as session:
        mine = LessonProgress.person_id == student.who.person_id
        return session.scalars(select(LessonProgress).where(mine)).one()


def test_the_whole_path_ends_in_an_open_exam(school: School, admin_connection: Admin) -> None:
    student = school.trainee()
    watched = student.watch(0, DURATION_S)
    assert watched["completed"] is True
    assert str(watched["next_url"]).endswith("/quiz")
    quiz_id = take_quiz(student, admin_connection, wrong=1)
    assert "80 分，合格" in student.client.get(f"/learn/quizzes/{quiz_id}").text
    enrolment = school.enrolment_of(student.who)
    assert enrolment.state == "learned"
    assert progress_of(student).completed_at is not None
    titles = admin_connection.execute(
        "select title_zh from core_notice where person_id = %s", (student.who.person_id,)
    ).fetchall()
    assert any("可以参加考试" in str(row[0]) for row in titles)
    page = student.client.get(f"/learn/{student.enrolment_id}")
    assert "考试已开放" in page.text


def test_a_client_that_claims_all_of_it_gets_nothing(school: School) -> None:
    student = school.trainee()
    student.beat(0, 5, after_s=5)
    answer = student.beat(5, DURATION_S, after_s=1)
    assert answer["credited_s"] == 5
    assert answer["completed"] is False


def test_the_ledger_adds_up_to_what_was_credited(school: School) -> None:
    student = school.trainee()
    student.watch(0, 20)
    with school.jobs.db.transaction(WORKER_SCOPE) as session:
        rows = session.scalars(select(Credit).where(Credit.person_id == student.who.person_id)).all()
    assert sum(row.credited_s for row in rows) == progress_of(student).credited_s == 20


def test_below_eighty_the_lesson_starts_over(school: School, admin_connection: Admin) -> None:
    student = school.trainee()
    student.watch(0, DURATION_S)
    quiz_id = take_quiz(student, admin_connection, wrong=2)
    assert "60 分，未合格" in student.client.get(f"/learn/quizzes/{quiz_id}").text
    row = progress_of(student)
    assert (row.restarts, row.viewing_cycle, row.credited_s, row.video_completed_at) == (1, 2, 0, None)
    assert student.client.post(f"{student.lesson_url}/quiz").status_code == 409
    with school.jobs.db.transaction(WORKER_SCOPE) as session:
        voided = session.scalars(select(Credit.exclusion_reason).where(Credit.person_id == student.who.person_id)).all()
    assert set(voided) == {"quiz_failed"}
    assert student.watch(0, DURATION_S)["completed"] is True
    take_quiz(student, admin_connection, wrong=0)
    assert school.enrolment_of(student.who).state == "learned"


def test_a_quiz_is_marked_once(school: School, admin_connection: Admin) -> None:
    student = school.trainee()
    student.watch(0, DURATION_S)
    quiz_id = take_quiz(student, admin_connection, wrong=0)
    again = right_answers(admin_connection, quiz_id)
    assert student.client.post(f"/learn/quizzes/{quiz_id}", data=again).status_code == 409


def test_an_open_question_is_asked_for(school: School, admin_connection: Admin) -> None:
    student = school.trainee()
    student.watch(0, DURATION_S)
    student.client.post(f"{student.lesson_url}/quiz")
    answers = right_answers(admin_connection, quiz_of(student).id)
    answers.popitem()
    answer = student.client.post(f"/learn/quizzes/{quiz_of(student).id}", data=answers)
    assert answer.status_code == 422
    assert "还有 1 道题" in answer.text
    assert quiz_of(student).state == "drawn"


def with_face(school: School) -> Student:
    """Return a student whose path is the camera: their answer to the consent is yes, with a template."""
    from lms.accounts.faces import operations as faces
    from lms.core.faces.api import Template

    student = school.trainee(vouched=False)
    with school.services.db.transaction(student.who.actor.scope) as session:
        faces.answer_consent(session, student.who.actor, biometric=True, portrait=False, language="zh")
        faces.store_template(session, student.who.actor, Template("sface", "1", "0" * 64, b"\0" * 512))
    return student


def settle(student: Student, outcome: str) -> checks.CheckAnswer:
    """Give the check that is due this outcome of the engine."""
    actor = student.who.actor
    with clock.travelling_to(student.now), student.school.services.db.transaction(actor.scope) as session:
        due = checks.access_due_check(session, student.who.person_id, student.enrolment_id, student.school.lesson_id())
        return operations.settle_face_check(session, actor, due.id, outcome=outcome, verification_id=None)


def stopped(school: School) -> Student:
    """Return a student whose check at the 20th second is due."""
    student = with_face(school)
    student.beat(0, 5, after_s=5)
    school.set_checks(student.who.person_id, 20)
    assert student.watch(5, 15)["face_check_due"] is False
    assert student.watch(15, 20)["face_check_due"] is True
    return student


def test_a_due_check_stops_credit_until_it_is_passed(school: School) -> None:
    student = stopped(school)
    for _ in range(4):
        answer = student.beat(20, 25, after_s=5)
        assert (answer["credited_s"], answer["face_check_due"]) == (20, True)
    settle(student, "match")
    answer = student.beat(20, 25, after_s=5)
    assert (answer["credited_s"], answer["face_check_due"]) == (25, False)


def test_playing_on_unseen_is_credited_up_to_the_check_and_its_slack(school: School) -> None:
    student = with_face(school)
    student.beat(0, 5, after_s=5)
    school.set_checks(student.who.person_id, 10)
    answer = student.beat(5, 55, after_s=50)
    assert answer["credited_s"] == 25
    assert answer["face_check_due"] is True


def test_undetermined_is_retried_and_repeated_failure_goes_to_a_person(school: School, admin_connection: Admin) -> None:
    student = stopped(school)
    assert settle(student, "undetermined").state == "due"
    assert [settle(student, "no_match").state for _ in range(3)] == ["due", "due", "referred"]
    answer = student.beat(20, 25, after_s=5)
    assert (answer["credited_s"], answer["referred"]) == (20, True)
    assignment_id = school.enrolment_of(student.who).assignment_id
    browser = school.client_for(student.admin)
    assert "待核实的身份核验" in browser.get(f"/assignments/{assignment_id}").text
    check_id = admin_connection.execute(
        "select id from courses_face_check where person_id = %s and state = 'referred'", (student.who.person_id,)
    ).fetchone()[0]  # type: ignore[index]  # there is one
    url = f"/assignments/{assignment_id}/checks/{check_id}"
    foreign = school.client_for(school.enterprise())
    decision = {"same_person": "no", "reason": "监控显示是他人代学"}
    assert foreign.post(url, data=decision).status_code == 404
    assert browser.post(url, data={"same_person": "no", "reason": "短"}).status_code == 422
    assert browser.post(url, data=decision).status_code == 303
    assert browser.post(url, data=decision).status_code == 409
    answer = student.beat(0, 5, after_s=5)
    assert answer["credited_s"] == 5
    assert progress_of(student).restarts == 1


def test_a_confirmed_identity_stands_in_for_the_camera(school: School) -> None:
    student = school.trainee()
    assert student.watch(0, DURATION_S)["face_check_due"] is False
    with school.jobs.db.transaction(WORKER_SCOPE) as session:
        states = session.scalars(select(FaceCheck.state).where(FaceCheck.person_id == student.who.person_id)).all()
    assert set(states) == {"confirmed"}


def test_without_an_identity_nothing_is_credited(school: School) -> None:
    student = school.trainee(vouched=False)
    body = {"session": str(student.page), "events": []}
    answer = student.client.post(f"{student.lesson_url}/beat", json=body)
    assert (answer.status_code, answer.json["error"]) == (403, "identity_missing")
    assert "学习前请先完成身份采集" in student.client.get(student.lesson_url).text


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (None, 415),
        ([], 400),
        ({"session": "x", "events": []}, 422),
        ({"session": str(uuid.uuid4()), "events": [{"from_s": "1"}]}, 422),
    ],
)
def test_a_malformed_report_is_refused(school: School, body: object, status: int) -> None:
    student = school.trainee()
    answer = student.client.post(f"{student.lesson_url}/beat", json=body)
    assert answer.status_code == status


def test_a_foreign_enrolment_is_not_there(school: School) -> None:
    student, other = school.trainee(), school.trainee()
    assert other.client.get(student.lesson_url).status_code == 404
    assert other.client.get(f"/learn/{student.enrolment_id}").status_code == 404
    answer = other.client.post(f"{student.lesson_url}/beat", json={"session": str(other.page), "events": []})
    assert answer.status_code == 404


def test_learners_can_neither_read_keys_nor_write_marks(school: School) -> None:
    student = school.trainee()
    student.watch(0, DURATION_S)
    student.client.post(f"{student.lesson_url}/quiz")
    scope = student.who.actor.scope
    with pytest.raises(ProgrammingError), school.services.db.transaction(scope) as session:
        session.execute(text("select * from courses_lesson_key"))
    with pytest.raises(ProgrammingError), school.services.db.transaction(scope) as session:
        session.execute(text("update courses_quiz set score = 100"))
    with pytest.raises(DBAPIError), school.services.db.transaction(scope) as session:
        session.execute(update(Quiz).values(state="passed"))
    with school.services.db.transaction(scope) as session:
        assert session.execute(text("select courses_mark_quiz(:id)"), {"id": quiz_of(student).id}).scalar() is None


def test_a_check_is_not_settled_by_somebody_else(school: School) -> None:
    student, other = stopped(school), school.trainee()
    with (
        pytest.raises(FaceCheckNotDue),
        school.services.db.transaction(other.who.actor.scope) as session,
    ):
        checks.access_due_check(session, other.who.person_id, student.enrolment_id, school.lesson_id())


def test_a_withdrawn_assignment_credits_nothing(school: School) -> None:
    student = school.trainee()
    student.watch(0, 10)
    browser = school.client_for(student.admin)
    assignment_id = school.enrolment_of(student.who).assignment_id
    assert browser.post(f"/assignments/{assignment_id}/cancel").status_code == 303
    answer = student.client.post(f"{student.lesson_url}/beat", json={"session": str(student.page), "events": []})
    assert (answer.status_code, answer.json["error"]) == (409, "enrolment_closed")
    with school.jobs.db.transaction(WORKER_SCOPE) as session:
        assert session.scalars(select(Enrolment.state).where(Enrolment.person_id == student.who.person_id)).one()
