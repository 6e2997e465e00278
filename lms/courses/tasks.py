"""Queue entry points: ids in, work out. Each may run twice."""

from __future__ import annotations

import io
import uuid
from collections.abc import Iterable

import xlsxwriter
from sqlalchemy import select

from lms.accounts import api as accounts
from lms.core import exports, notify
from lms.core.services import Services
from lms.core.tenancy import WORKER_SCOPE
from lms.courses.assignments import rules
from lms.courses.assignments.models import Assignment, AssignmentState
from lms.courses.assignments.operations import enrol_missing
from lms.courses.assignments.queries import list_assignments, people_of
from lms.courses.learning.models import Enrolment, FaceCheck

EXPORT_ASSIGNMENTS = "courses.export_assignments"
EXPORT_PEOPLE = "courses.export_people"
EXPORT_PAGE_ROWS = 500
STANDINGS = {
    rules.Standing.RUNNING: "进行中",
    rules.Standing.DONE: "已全部完成",
    rules.Standing.OVERDUE: "已逾期",
    rules.Standing.CANCELLED: "已撤销",
}
STATES = {"assigned": "未开始", "learning": "学习中", "learned": "已学完", "cancelled": "已撤销"}


def enrol_post(services: Services, *, assignment_id: str) -> None:
    """Enrol everybody of an assignment's post who is not yet, chunk by chunk."""
    while True:
        with services.db.transaction(WORKER_SCOPE) as session:
            found = session.scalars(
                select(Assignment).where(Assignment.id == uuid.UUID(assignment_id)).with_for_update()
            ).first()
            if found is None or found.state != AssignmentState.OPEN or found.post_code is None:
                return
            if enrol_missing(session, found) < rules.CHUNK_PEOPLE:
                return


def tell_of_referred_check(services: Services, *, check_id: str) -> None:
    """Tell the administrators of the enterprise that a face check needs their decision."""
    with services.db.transaction(WORKER_SCOPE) as session:
        row = session.execute(
            select(FaceCheck, Enrolment.assignment_id)
            .join(Enrolment, Enrolment.id == FaceCheck.enrolment_id)
            .where(FaceCheck.id == uuid.UUID(check_id))
        ).first()
        if row is None:
            return
        check, assignment_id = row
        notice = notify.Notice(
            "一名员工的学习身份核验需要您核实",
            "An employee's identity check needs your decision",
            "多次人脸核验未通过，系统已暂停计学时，请核实是否为本人学习。",
            "Face checks failed repeatedly; no time is credited until you have decided whether it was the employee.",
            f"/assignments/{assignment_id}",
        )
        for person_id in accounts.administrators_of(session, check.tenant_id):
            notify.send(session, person_id, notice, dedup_key=f"courses.referred.{check_id}")


def export_assignments(services: Services, *, job_id: str, tenant_id: str, words: str, state: str) -> None:
    """Write an enterprise's list of assignments as a spreadsheet."""
    heads = ["培训项目", "对象", "完成期限", "人数", "已开始", "已学完", "状态"]
    rows: list[list[object]] = []
    cursor: str | None = None
    while True:
        with services.db.transaction(WORKER_SCOPE, read_only=True) as session:
            page = list_assignments(
                session, uuid.UUID(tenant_id), words=words, state=state, cursor=cursor, size=EXPORT_PAGE_ROWS
            )
        for row in page.items:
            whom = row.post_zh if row.is_for_post else "指定人员"
            shown = STANDINGS[row.standing]
            rows.append([row.programme_zh, whom, row.due_on.isoformat(), row.total, row.begun, row.learned, shown])
        cursor = page.next_cursor
        if cursor is None:
            break
    _finish(services, job_id, "培训任务.xlsx", heads, rows)


def export_people(services: Services, *, job_id: str, tenant_id: str, assignment_id: str, state: str) -> None:
    """Write the people of one assignment with their progress as a spreadsheet; id numbers stay masked."""
    heads = ["姓名", "身份证号", "部门", "状态", "已完成微课", "微课总数", "重学次数", "学完时间"]
    rows: list[list[object]] = []
    cursor: str | None = None
    while True:
        with services.db.transaction(WORKER_SCOPE, read_only=True) as session:
            page = people_of(
                session,
                uuid.UUID(tenant_id),
                uuid.UUID(assignment_id),
                state=state,
                cursor=cursor,
                size=EXPORT_PAGE_ROWS,
            )
        for row in page.items:
            learned_at = exports.moment(row.learned_at)
            about = [row.name, row.id_number_masked, row.department_name, STATES[row.state]]
            rows.append([*about, row.lessons_done, row.lessons_total, row.restarts, learned_at])
        cursor = page.next_cursor
        if cursor is None:
            break
    _finish(services, job_id, "培训进度.xlsx", heads, rows)


def _finish(services: Services, job_id: str, file_name: str, heads: list[str], rows: Iterable[list[object]]) -> None:
    """Write the spreadsheet, figures as figures, and hand it over."""
    buffer = io.BytesIO()
    # A cell that begins like a formula stays text: names come from spreadsheets of others.
    book = xlsxwriter.Workbook(buffer, {"in_memory": True, "strings_to_formulas": False, "strings_to_urls": False})
    sheet = book.add_worksheet()
    sheet.write_row(0, 0, heads, book.add_format({"bold": True}))
    count = 0
    for count, row in enumerate(rows, start=1):
        sheet.write_row(count, 0, row)
    sheet.set_column(0, 0, 30)
    sheet.set_column(1, len(heads), 16)
    sheet.freeze_panes(1, 0)
    book.close()
    exports.publish(services, uuid.UUID(job_id), buffer.getvalue(), count, file_name)
