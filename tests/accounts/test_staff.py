"""The staff list, one person's page, and the walls around them."""

from __future__ import annotations

import re
import uuid
from pathlib import Path

import pytest
from flask.testing import FlaskClient
from sqlalchemy import event, select
from sqlalchemy.exc import DBAPIError

from lms.accounts import operations as accounts
from lms.accounts import queries as register
from lms.accounts.errors import AlreadyEmployed, BadPhone
from lms.accounts.models import Employment
from lms.accounts.staff.operations import SEALED_ID_NUMBER
from lms.core import clock
from lms.core.access import SYSTEM, Role
from lms.core.audit import AuditRow
from lms.core.services import Services
from lms.core.tenancy import WORKER_SCOPE
from lms.core.web import AnzhengFlask
from tests.accounts import factories
from tests.accounts.staffing import Desk, job_file, open_desk, read_xlsx
from tests.conftest import Admin, Worker


@pytest.fixture
def desk(app: AnzhengFlask, jobs_services: Services) -> Desk:
    """An administrator at work."""
    return open_desk(app, jobs_services)


def _hire(
    desk: Desk,
    name: str,
    *,
    post: str = "forklift_driver",
    department: str = "仓储部",
    tenant_id: uuid.UUID | None = None,
) -> tuple[uuid.UUID, str]:
    number = factories.new_id_number()
    new = accounts.NewEmployment(name, number, post, department, "13812345678")
    with desk.jobs.db.transaction(WORKER_SCOPE) as session:
        return accounts.employ(session, SYSTEM, tenant_id or desk.tenant_id, new), number


def _names(client: FlaskClient, query: str = "") -> list[str]:
    page = client.get(f"/staff?{query}")
    assert page.status_code == 200
    return re.findall(r"<strong>([^<]+)</strong><span class=\"sub\">\d{6}", page.text)


def _audits(desk: Desk, action: str, subject: object) -> list[AuditRow]:
    with desk.jobs.db.transaction(WORKER_SCOPE) as session:
        query = select(AuditRow).where(AuditRow.action == action, AuditRow.subject_id == str(subject))
        return list(session.scalars(query))


def test_the_list_is_in_the_order_of_pinyin_and_shows_no_full_number(desk: Desk) -> None:
    numbers = [_hire(desk, name)[1] for name in ("张三丰", "李小龙", "安平")]
    assert _names(desk.client) == ["安平", "李小龙", "张三丰"]
    page = desk.client.get("/staff").text
    assert not any(number in page for number in numbers)
    assert "13812345678" not in page


def test_search_finds_by_name_pinyin_last_four_and_post(desk: Desk) -> None:
    _employment, number = _hire(desk, "张三丰", post="laboratory_technician")
    _hire(desk, "李小龙")
    for query in ("三丰", "zhangsan", number[-4:], "化验"):
        assert _names(desk.client, f"q={query}") == ["张三丰"], query
    assert _names(desk.client, "q=%25") == []
    assert _names(desk.client, "q=没有这个人") == []


def test_filters_by_post_department_state_and_account(desk: Desk) -> None:
    first, _number = _hire(desk, "张三丰", post="laboratory_technician", department="质检部")
    second, number = _hire(desk, "李小龙")
    assert _names(desk.client, "post=laboratory_technician") == ["张三丰"]
    assert _names(desk.client, "department=仓储部") == ["李小龙"]
    with desk.jobs.db.transaction(WORKER_SCOPE) as session:
        person_id = register.employment(session, desk.tenant_id, second).person_id
    factories.activate(desk.client.application.test_client(), desk.jobs, person_id, desk.tenant_id, number)
    assert _names(desk.client, "activated=yes") == ["李小龙"]
    assert _names(desk.client, "activated=no") == ["张三丰"]
    assert desk.client.post(f"/staff/{first}/leave", data={"left_on": clock.today().isoformat()}).status_code == 302
    assert _names(desk.client) == ["李小龙"]
    assert _names(desk.client, "state=left") == ["张三丰"]
    assert _names(desk.client, "state=all") == ["李小龙", "张三丰"]


def test_pages_follow_one_another_without_gap_or_double(desk: Desk) -> None:
    names = [f"王{sign}" for sign in "安白邦炳博灿昌超辰诚冲楚传春聪达丹德登迪东铎恩帆"]
    for name in names:
        _hire(desk, name)
    seen, page = _names(desk.client), desk.client.get("/staff").text
    following = re.search(r'rel="next" href="([^"]+)"', page)
    assert following
    seen += _names(desk.client, following[1].split("?", 1)[1].replace("&amp;", "&"))
    assert sorted(seen) == sorted(names)
    assert len(seen) == 24


def test_the_list_asks_the_same_number_of_questions_whatever_its_length(desk: Desk, services: Services) -> None:
    counts = []
    for name in ("张三丰", "李小龙", "安平"):
        _hire(desk, name)
        statements: list[str] = []

        def count(_c: object, _cursor: object, statement: str, *_rest: object, into: list[str] = statements) -> None:
            into.append(statement)

        event.listen(services.db.engine, "before_cursor_execute", count)
        desk.client.get("/staff")
        event.remove(services.db.engine, "before_cursor_execute", count)
        counts.append(len(statements))
    assert len(set(counts)) == 1
    assert counts[0] <= 14


def test_a_person_is_added_by_the_form_and_faults_are_shown_at_their_fields(desk: Desk) -> None:
    number = factories.new_id_number()
    form = {"name": "张三丰", "id_number": number, "post_code": "forklift_driver", "department": "仓储部"}
    for changes, text in (
        ({"id_number": number[:17] + ("1" if number[17] != "1" else "2")}, "身份证号"),
        ({"name": ""}, "请填写此项"),
        ({"phone": "123"}, str(BadPhone.message)),
    ):
        answer = desk.client.post("/staff/new", data={**form, **changes})
        assert answer.status_code == 422
        assert text in answer.text
    assert not desk.employments()
    assert desk.client.post("/staff/new", data=form).status_code == 302
    assert _names(desk.client) == ["张三丰"]
    again = desk.client.post("/staff/new", data=form)
    assert again.status_code == 422
    assert str(AlreadyEmployed.message) in again.text


def test_post_department_and_phone_are_changed_and_audited(desk: Desk) -> None:
    employment_id, _number = _hire(desk, "张三丰")
    form = {"post_code": "laboratory_technician", "department": "质检部", "phone": "13900001111"}
    assert desk.client.post(f"/staff/{employment_id}", data=form).status_code == 302
    with desk.jobs.db.transaction(WORKER_SCOPE) as session:
        row = session.scalars(select(Employment).where(Employment.id == employment_id)).one()
        assert row.phone_sealed
        phone = desk.jobs.vault.decrypt(row.phone_sealed, context=f"phone:{employment_id}")
    assert (row.post_code, row.department_name, row.phone_masked, phone) == (
        "laboratory_technician", "质检部", "139****1111", b"13900001111",
    )  # fmt: skip
    (audit,) = _audits(desk, "accounts.employment.changed", employment_id)
    assert audit.data["before"]["post_code"] == "forklift_driver"
    assert desk.client.post(f"/staff/{employment_id}", data={**form, "phone": "1"}).status_code == 422
    assert desk.client.post(f"/staff/{employment_id}", data={**form, "phone": ""}).status_code == 302
    page = desk.client.get(f"/staff/{employment_id}").text
    assert "139****1111" in page


def test_a_leaving_date_outside_the_employment_is_refused(desk: Desk) -> None:
    employment_id, _number = _hire(desk, "张三丰")
    for day in ("2001-01-01", "2099-01-01", ""):
        assert desk.client.post(f"/staff/{employment_id}/leave", data={"left_on": day}).status_code == 422
    assert desk.client.post(f"/staff/{employment_id}/leave", data={"left_on": clock.today()}).status_code == 302
    assert desk.client.post(f"/staff/{employment_id}/leave", data={"left_on": clock.today()}).status_code == 409
    assert desk.client.post(f"/staff/{employment_id}", data={"post_code": "laboratory_technician"}).status_code == 409


def test_a_number_is_revealed_for_a_reason_which_is_audited(desk: Desk) -> None:
    employment_id, number = _hire(desk, "张三丰")
    assert desk.client.post(f"/staff/{employment_id}/reveal", data={"reason": " x "}).status_code == 422
    assert not _audits(desk, "accounts.id_number.revealed", employment_id)
    answer = desk.client.post(f"/staff/{employment_id}/reveal", data={"reason": "办理工伤保险"})
    assert number in answer.text
    assert answer.headers["Cache-Control"] == "no-store"
    (audit,) = _audits(desk, "accounts.id_number.revealed", employment_id)
    assert (audit.data, audit.actor_id) == ({"reason": "办理工伤保险"}, desk.person_id)
    assert number not in desk.client.get(f"/staff/{employment_id}").text


def test_the_reveal_function_gives_only_own_present_staff(
    desk: Desk, services: Services, jobs_services: Services
) -> None:
    mine, _number = _hire(desk, "张三丰")
    foreign, _other = _hire(desk, "李小龙", tenant_id=factories.new_enterprise(jobs_services))
    left, _third = _hire(desk, "安平")
    desk.client.post(f"/staff/{left}/leave", data={"left_on": clock.today()})
    with services.db.transaction(factories.tenant_scope(desk.tenant_id), read_only=True) as session:
        found = [session.execute(SEALED_ID_NUMBER, {"employment": one}).first() for one in (mine, foreign, left)]
    assert [row is not None for row in found] == [True, False, False]


def test_identity_is_confirmed_on_site(desk: Desk) -> None:
    employment_id, _number = _hire(desk, "张三丰")
    assert desk.client.post(f"/staff/{employment_id}/confirm-identity").status_code == 302
    with desk.jobs.db.transaction(WORKER_SCOPE) as session:
        person_id = register.employment(session, desk.tenant_id, employment_id).person_id
        rows = session.execute(
            select(AuditRow).where(AuditRow.subject_id == str(person_id), AuditRow.action.like("accounts.identity%"))
        ).all()
    assert rows


def test_one_persons_code_is_shown_once(desk: Desk) -> None:
    employment_id, _number = _hire(desk, "张三丰")
    answer = desk.client.post(f"/staff/{employment_id}/code")
    code = re.search(r"[0-9A-Z]{4}(?:-[0-9A-Z]{4}){3}", answer.text)
    assert code
    assert code[0] not in desk.client.get(f"/staff/{employment_id}").text


def test_codes_of_all_who_wait_are_handed_out_anew(desk: Desk) -> None:
    _hire(desk, "张三丰")
    _hire(desk, "李小龙")
    assert "2" in desk.client.get("/staff/codes").text
    table = read_xlsx(desk.client.post("/staff/codes").data)
    assert sorted(str(row[0]) for row in table[1:]) == ["张三丰", "李小龙"]


def test_nobody_waiting_means_no_codes(desk: Desk) -> None:
    assert desk.client.post("/staff/codes").status_code == 409
    assert "所有在职员工都已激活" in desk.client.get("/staff/codes").text


def test_the_export_is_the_filtered_list_with_masked_numbers(desk: Desk, queue_worker: Worker) -> None:
    _employment, number = _hire(desk, "张三丰")
    _hire(desk, "李小龙", department="设备部")
    answer = desk.client.post("/staff/export", data={"department": "仓储部"})
    queue_worker.drain()
    table = read_xlsx(job_file(desk.client, answer.headers["Location"]))
    assert [row[:3] for row in table[1:]] == [["张三丰", f"{number[:6]}********{number[-4:]}", "叉车司机"]]


def test_foreign_rows_are_not_found_and_other_roles_are_refused(
    desk: Desk, app: AnzhengFlask, jobs_services: Services
) -> None:
    elsewhere = factories.new_enterprise(jobs_services)
    foreign, _number = _hire(desk, "李小龙", tenant_id=elsewhere)
    assert desk.client.get(f"/staff/{foreign}").status_code == 404
    for deed, form in (
        ("", {"post_code": "laboratory_technician"}),
        ("/leave", {"left_on": clock.today()}),
        ("/reveal", {"reason": "办理保险"}),
        ("/confirm-identity", {}), ("/code", {}),
    ):  # fmt: skip
        assert desk.client.post(f"/staff/{foreign}{deed}", data=form).status_code == 404, deed
    assert "李小龙" not in desk.client.get("/staff?state=all").text
    trainee, tenant = app.test_client(), factories.new_enterprise(jobs_services)
    person_id, number = factories.new_person(jobs_services, tenant, Role.TRAINEE)
    factories.activate(trainee, jobs_services, person_id, tenant, number)
    for path in ("/staff", "/staff/new", "/staff/import", "/staff/codes", "/staff/import/template.xlsx"):
        assert trainee.get(path).status_code == 403, path
        assert app.test_client().get(path).status_code == 302, path


def test_a_tenant_may_not_write_imports_of_others_nor_faults(
    desk: Desk, services: Services, jobs_services: Services, admin_connection: Admin
) -> None:
    scope = factories.tenant_scope(desk.tenant_id)
    for statement in (
        "insert into accounts_import_fault values (gen_random_uuid(), gen_random_uuid(), 1, 'name', 'x', '', '')",
        "insert into accounts_import_employment values (gen_random_uuid(), gen_random_uuid(), gen_random_uuid())",
        "delete from accounts_import",
    ):
        with pytest.raises(DBAPIError), services.db.transaction(scope) as session:
            session.connection().exec_driver_sql(statement)


def test_the_template_has_the_headings_that_the_import_reads(desk: Desk) -> None:
    table = read_xlsx(desk.client.get("/staff/import/template.xlsx").data)
    assert table[0] == ["姓名*", "身份证号*", "岗位*", "部门", "手机号", "入职日期"]


def test_the_pages_read_in_english(desk: Desk, tmp_path: Path) -> None:
    desk.client.set_cookie("lang", "en")
    for path in ("/staff", "/staff/new", "/staff/import", "/staff/codes"):
        assert desk.client.get(path).status_code == 200
