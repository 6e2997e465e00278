"""Assigning: to a post with its later hires, to people by name, never twice, and only one's own staff."""

from __future__ import annotations

import io
from datetime import timedelta

import pytest
from python_calamine import CalamineWorkbook
from sqlalchemy import event, func, select

from lms.accounts.events import EmploymentStarted
from lms.core import clock, events
from lms.core.tenancy import WORKER_SCOPE
from lms.courses import handlers, tasks
from lms.courses.assignments.operations import assign_programme
from lms.courses.errors import AlreadyAssigned, DeadlinePast, NobodyToAssign
from lms.courses.learning.models import Enrolment
from tests.conftest import Admin, Worker
from tests.courses.school import POST, PROGRAMME, Employee, School


def enrolled_count(school: School, who: Employee) -> int:
    with school.jobs.db.transaction(WORKER_SCOPE) as session:
        query = select(func.count()).select_from(Enrolment).where(Enrolment.person_id == who.person_id)
        return int(session.execute(query).scalar_one())


def test_a_post_means_everybody_of_it_and_nobody_else(school: School, admin_connection: Admin) -> None:
    admin = school.enterprise()
    assert admin.tenant_id
    here = [school.hire(admin.tenant_id, vouched=False) for _ in range(3)]
    elsewhere = school.hire(admin.tenant_id, post="welder", vouched=False)
    assert school.assign(admin).enrolled == 3
    assert [enrolled_count(school, who) for who in here] == [1, 1, 1]
    assert enrolled_count(school, elsewhere) == 0
    told = admin_connection.execute(
        "select count(*) from core_notice where person_id = any(%s) and title_zh like '新的培训任务%%'",
        ([who.person_id for who in here],),
    ).fetchone()
    assert told == (3,)


def test_the_same_again_is_refused(school: School) -> None:
    admin = school.enterprise()
    assert admin.tenant_id
    who = school.hire(admin.tenant_id, vouched=False)
    school.assign(admin)
    with pytest.raises(AlreadyAssigned):
        school.assign(admin)
    with pytest.raises(AlreadyAssigned):
        school.assign(admin, people=[who])
    assert enrolled_count(school, who) == 1


def test_later_hires_are_enrolled_exactly_once(school: School, queue_worker: Worker) -> None:
    admin = school.enterprise()
    assert admin.tenant_id
    school.hire(admin.tenant_id, vouched=False)
    school.assign(admin)
    late = school.hire(admin.tenant_id, vouched=False)
    queue_worker.drain()
    assert enrolled_count(school, late) == 1
    told = EmploymentStarted(1, admin.tenant_id, late.employment_id, late.person_id, POST, 410102, "26")
    for _ in range(2):
        with school.jobs.db.transaction(WORKER_SCOPE) as session:
            handlers.on_employment_started(session, told)
    queue_worker.drain()
    assignment_id = str(school.enrolment_of(late).assignment_id)
    tasks.enrol_post(school.jobs, assignment_id=assignment_id)
    assert enrolled_count(school, late) == 1


def test_a_hire_after_the_withdrawal_owes_nothing(school: School, queue_worker: Worker) -> None:
    admin = school.enterprise()
    assert admin.tenant_id
    school.hire(admin.tenant_id, vouched=False)
    made = school.assign(admin)
    assert school.client_for(admin).post(f"/assignments/{made.assignment_id}/cancel").status_code == 303
    late = school.hire(admin.tenant_id, vouched=False)
    queue_worker.drain()
    assert enrolled_count(school, late) == 0


def test_a_new_cycle_follows_a_withdrawn_one(school: School) -> None:
    admin = school.enterprise()
    assert admin.tenant_id
    who = school.hire(admin.tenant_id, vouched=False)
    made = school.assign(admin)
    school.client_for(admin).post(f"/assignments/{made.assignment_id}/cancel")
    school.assign(admin, people=[who])
    with school.jobs.db.transaction(WORKER_SCOPE) as session:
        cycles = session.scalars(select(Enrolment.cycle).where(Enrolment.person_id == who.person_id)).all()
    assert sorted(cycles) == [1, 2]


def test_the_deadline_lies_ahead(school: School) -> None:
    admin = school.enterprise()
    with pytest.raises(DeadlinePast), school.services.db.transaction(admin.scope) as session:
        assign_programme(
            session, admin, programme_code=PROGRAMME, due_on=clock.today() - timedelta(days=1), post_code=POST
        )


def test_nobody_is_assigned_to_a_post_without_staff(school: School) -> None:
    admin = school.enterprise()
    with pytest.raises(NobodyToAssign):
        school.assign(admin)


def test_foreign_staff_cannot_be_assigned(school: School) -> None:
    admin, other = school.enterprise(), school.enterprise()
    assert other.tenant_id
    theirs = school.hire(other.tenant_id, vouched=False)
    due_on = (clock.today() + timedelta(days=9)).isoformat()
    form = {"programme_code": PROGRAMME, "target": "people", "due_on": due_on, "employment": str(theirs.employment_id)}
    answer = school.client_for(admin).post("/assignments/new", data=form)
    assert answer.status_code == 404
    assert enrolled_count(school, theirs) == 0


def test_the_form_assigns_and_the_pages_show_it(school: School) -> None:
    admin = school.enterprise()
    assert admin.tenant_id
    who = school.hire(admin.tenant_id, vouched=False)
    browser = school.client_for(admin)
    assert "还没有培训任务" in browser.get("/assignments").text
    assert "危险化学品安全管理人员（初级）" in browser.get("/assignments/new").text
    bad = browser.post("/assignments/new", data={"programme_code": PROGRAMME, "target": "post", "post_code": POST})
    assert bad.status_code == 422
    assert "请选择完成期限" in bad.text
    due_on = (clock.today() + timedelta(days=9)).isoformat()
    form = {"programme_code": PROGRAMME, "target": "post", "post_code": POST, "due_on": due_on}
    made = browser.post("/assignments/new", data=form)
    assert made.status_code == 303
    page = browser.get(made.location).text
    assert "王建军" in page
    assert "0 / 1 人" in page
    listed = browser.get("/assignments?q=危险化学品&state=running").text
    assert due_on in listed
    assert "没有符合条件的任务" in browser.get("/assignments?q=爆破").text
    assert school.client_for(school.enterprise()).get(made.location).status_code == 404
    assert school.client_for(who.actor).get("/assignments").status_code == 403


def test_progress_leaves_as_a_spreadsheet(school: School, queue_worker: Worker) -> None:
    admin = school.enterprise()
    assert admin.tenant_id
    school.hire(admin.tenant_id, vouched=False)
    made = school.assign(admin)
    browser = school.client_for(admin)
    for url in (f"/assignments/{made.assignment_id}/export", "/assignments/export"):
        job = browser.post(url).location
        queue_worker.drain()
        answer = browser.get(f"{job}/file")
        assert answer.status_code == 200, answer.text
        rows = CalamineWorkbook.from_filelike(io.BytesIO(answer.data)).get_sheet_by_index(0).to_python()
        assert len(rows) == 2


def test_home_and_list_cost_a_fixed_number_of_statements(school: School) -> None:
    student = school.trainee()
    student.watch(0, 10)
    seen: list[str] = []

    def note(_connection: object, _cursor: object, statement: str, *_rest: object) -> None:
        seen.append(statement)

    engine = school.services.db.engine
    school.services.kernel.slots.pop("courses.home", None)
    student.client.get("/learn")  # programmes' names are remembered from here on
    event.listen(engine, "before_cursor_execute", note)
    try:
        page = student.client.get("/learn")
    finally:
        event.remove(engine, "before_cursor_execute", note)
    assert "继续学习" in page.text
    assert "0:10 / 1:00" in page.text
    # One for all that is the learner's own; names and lessons of programmes are remembered.
    assert len([each for each in seen if "set_config" not in each]) == 1, seen


def test_events_survive_the_queue() -> None:
    told = EmploymentStarted(1, *(__import__("uuid").uuid4() for _ in range(3)), POST, 410102, "26")
    assert events.from_payload(EmploymentStarted, events.to_payload(told)) == told
