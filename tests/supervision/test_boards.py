"""Boards: each regulator sees exactly their scope, in few statements, with definitions behind figures."""

from __future__ import annotations

import re
import uuid

import pytest
from flask.testing import FlaskClient

from lms.core.access import Role
from lms.core.services import Services
from lms.core.web import AnzhengFlask
from supervision import operations
from supervision.boards.rules import Counts, plot, tone, total
from supervision.figures.rules import months_back, period_of
from tests.conftest import Worker
from tests.supervision import province
from tests.supervision.province import Enterprise

# Counties that no other test of this folder uses, so that sums over them are this file's own.
COUNTY, NEIGHBOUR, ELSEWHERE = 411302, 411303, 410702


@pytest.fixture(scope="module")
def built(jobs_services: Services, services: Services) -> dict[str, Enterprise]:
    """Four enterprises in two counties of one city and one far away, with figures."""
    made = {
        "chemical": province.make_enterprise(jobs_services, region_code=COUNTY, industry_code="26", staff=5),
        "transport": province.make_enterprise(jobs_services, region_code=COUNTY, industry_code="54", staff=3),
        "neighbour": province.make_enterprise(jobs_services, region_code=NEIGHBOUR, staff=2, size_class="large"),
        "elsewhere": province.make_enterprise(jobs_services, region_code=ELSEWHERE, staff=1),
    }
    for name, passes in (("chemical", 5), ("transport", 1), ("neighbour", 1), ("elsewhere", 0)):
        enterprise = made[name]
        places = range(len(enterprise.people))
        enrolments = province.assign(jobs_services, enterprise, places, province.this_month())
        for place in range(passes):
            province.credit(services, enterprise, place, enrolments[place])
            province.sit(jobs_services, services, enterprise, place, enrolments[place], passes=True)
    operations.fold_all(jobs_services)
    return made


def text_of(client: FlaskClient, path: str) -> str:
    response = client.get(path)
    assert response.status_code == 200, path
    return response.get_data(as_text=True)


def kpi(page: str, name: str) -> str:
    """Return the value of a figure card."""
    found = re.search(rf'data-dialog-open="def-{name}".*?class="kpi-value">(.*?)<', page, re.DOTALL)
    assert found is not None, name
    return found.group(1)


def test_each_level_sees_exactly_its_own(
    app: AnzhengFlask, jobs_services: Services, built: dict[str, Enterprise]
) -> None:
    county = province.regulator(app, jobs_services, COUNTY)
    page = text_of(county, "/board")
    assert built["chemical"].name in page
    assert built["transport"].name in page
    assert built["neighbour"].name not in page
    assert kpi(page, "completion") == "75.0%"
    assert kpi(page, "coverage") == "75.0%"
    city = text_of(province.regulator(app, jobs_services, 411300), "/board")
    assert f"/board/{COUNTY}" in city
    assert f"/board/{NEIGHBOUR}" in city
    assert kpi(city, "completion") == "70.0%"
    provincial = text_of(province.regulator(app, jobs_services, 410000), "/board")
    assert "/board/411300" in provincial
    assert "/board/410700" in provincial


def test_a_department_of_some_industries_sees_only_those(
    app: AnzhengFlask, jobs_services: Services, built: dict[str, Enterprise]
) -> None:
    transport = province.regulator(app, jobs_services, COUNTY, industries=["54"])
    page = text_of(transport, "/board")
    assert built["transport"].name in page
    assert built["chemical"].name not in page
    assert kpi(page, "completion") == "33.3%"
    assert kpi(page, "warnings") == "1"
    assert transport.get(f"/board/enterprises/{built['chemical'].tenant_id}").status_code == 404
    assert transport.get(f"/board/enterprises/{built['transport'].tenant_id}").status_code == 200


def test_outside_the_scope_is_404(app: AnzhengFlask, jobs_services: Services, built: dict[str, Enterprise]) -> None:
    county = province.regulator(app, jobs_services, COUNTY)
    assert county.get(f"/board/{COUNTY}").status_code == 200
    for path in (
        f"/board/{NEIGHBOUR}",
        "/board/411300",
        "/board/410000",
        "/board/999999",
        f"/board/enterprises/{built['neighbour'].tenant_id}",
        f"/board/enterprises/{uuid.uuid4()}",
    ):
        assert county.get(path).status_code == 404, path
    assert county.post(f"/board/{NEIGHBOUR}/export").status_code == 404


def test_children_add_up_to_their_parent(
    app: AnzhengFlask, jobs_services: Services, built: dict[str, Enterprise]
) -> None:
    city = province.regulator(app, jobs_services, 411300)
    certificates = [int(kpi(text_of(city, f"/board/{code}"), "certificates")) for code in (COUNTY, NEIGHBOUR)]
    assert int(kpi(text_of(city, "/board"), "certificates")) == sum(certificates)


def test_filters_sorting_and_search_narrow_the_list(
    app: AnzhengFlask, jobs_services: Services, built: dict[str, Enterprise]
) -> None:
    county = province.regulator(app, jobs_services, COUNTY)
    assert built["transport"].name not in text_of(county, "/board?industry=26")
    assert built["chemical"].name not in text_of(county, f"/board?q={built['transport'].name}")
    assert "没有符合条件的企业" in text_of(county, "/board?size=large")
    rising, falling = text_of(county, "/board?sort=completion"), text_of(county, "/board?sort=-completion")
    assert rising.index(built["transport"].name) < rising.index(built["chemical"].name)
    assert falling.index(built["transport"].name) > falling.index(built["chemical"].name)
    first = province.this_month().isoformat()[:7]
    assert kpi(text_of(county, f"/board?month={first}"), "completion") == "75.0%"
    assert kpi(text_of(county, "/board?month=2020-01"), "completion") == "—"
    assert built["chemical"].name in text_of(county, "/board?month=2020-01")


@pytest.mark.parametrize("path", ["/board?month=2026-13", "/board?month=x", "/board?cursor=abc"])
def test_a_bad_address_is_told(app: AnzhengFlask, jobs_services: Services, path: str) -> None:
    assert province.regulator(app, jobs_services, COUNTY).get(path).status_code == 400


def test_definitions_and_targets_stand_behind_figures(
    app: AnzhengFlask, jobs_services: Services, built: dict[str, Enterprise]
) -> None:
    page = text_of(province.regulator(app, jobs_services, COUNTY), "/board")
    for name in ("staff", "coverage", "completion", "pass_rate", "certificates", "warnings"):
        assert f'id="def-{name}"' in page
    assert "完成率 = 已完成人次 ÷ 应完成人次" in page
    assert "目标：90%" in page


def test_the_board_takes_few_statements_however_many_enterprises(
    app: AnzhengFlask, jobs_services: Services, services: Services, built: dict[str, Enterprise]
) -> None:
    county = province.regulator(app, jobs_services, COUNTY)
    text_of(county, "/board")
    with province.counted_statements(services) as seen:
        text_of(county, "/board")
    assert len(seen) <= 8, seen
    people = ("accounts_employment", "accounts_person", "courses_", "exams_", "certs_")
    assert not [statement for statement in seen if any(f"from {name}" in statement.lower() for name in people)]


def test_the_enterprise_sheet_shows_months_and_warnings(
    app: AnzhengFlask, jobs_services: Services, built: dict[str, Enterprise]
) -> None:
    page = text_of(province.regulator(app, jobs_services, COUNTY), f"/board/enterprises/{built['transport'].tenant_id}")
    assert province.this_month().isoformat()[:7] in page
    assert "<rect" in page
    assert "黄色预警" in page
    assert "张安全" not in page


def test_an_export_holds_the_scope_of_who_asked(
    app: AnzhengFlask, jobs_services: Services, queue_worker: Worker, built: dict[str, Enterprise]
) -> None:
    transport = province.regulator(app, jobs_services, COUNTY, industries=["54"])
    answer = transport.post(f"/board/{COUNTY}/export")
    assert answer.status_code == 302
    queue_worker.drain()
    file = transport.get(f"{answer.location}/file")
    assert file.status_code == 200
    names = _first_column(file.data)
    assert built["transport"].name in names
    assert built["chemical"].name not in names


def _first_column(data: bytes) -> list[str]:
    import io

    from python_calamine import CalamineWorkbook

    return [str(row[0]) for row in CalamineWorkbook.from_filelike(io.BytesIO(data)).get_sheet_by_index(0).to_python()]


def test_the_enterprise_sees_the_same_figures(
    app: AnzhengFlask, jobs_services: Services, built: dict[str, Enterprise]
) -> None:
    tenant_id = built["transport"].tenant_id
    person_id = province.make_official(jobs_services, tenant_id, Role.ENTERPRISE_ADMIN)
    administrator = province.client_for(app, jobs_services, person_id, tenant_id, Role.ENTERPRISE_ADMIN)
    for path in ("/tenant", "/tenant/figures"):
        page = text_of(administrator, path)
        assert kpi(page, "completion") == "33.3%"
        assert "黄色预警" in page
    home = text_of(administrator, "/tenant")
    assert kpi(home, "staff") == "3"
    assert "危险化学品安全管理人员（初级）" in home
    for path in ("/board", "/warnings", f"/board/enterprises/{tenant_id}"):
        assert administrator.get(path).status_code == 403


def test_an_enterprise_without_any_deed_is_told_what_to_do(app: AnzhengFlask, jobs_services: Services) -> None:
    enterprise = province.make_enterprise(jobs_services, region_code=ELSEWHERE)
    person_id = province.make_official(jobs_services, enterprise.tenant_id, Role.ENTERPRISE_ADMIN)
    administrator = province.client_for(app, jobs_services, person_id, enterprise.tenant_id, Role.ENTERPRISE_ADMIN)
    assert "分派培训" in text_of(administrator, "/tenant")
    assert "还没有培训数据" in text_of(administrator, "/tenant/figures")


def test_pages_are_complete_in_english(
    app: AnzhengFlask, jobs_services: Services, built: dict[str, Enterprise]
) -> None:
    county = province.regulator(app, jobs_services, COUNTY)
    county.set_cookie("lang", "en")
    assert "Completion = completed ÷ due enrolments" in text_of(county, "/board")


def test_visitors_are_sent_to_sign_in(client: FlaskClient) -> None:
    assert client.get("/board").status_code == 302
    assert client.post(f"/board/{COUNTY}/export").status_code == 401


def test_plot_and_tones_are_arithmetic() -> None:
    months = months_back(period_of(province.this_month())[1], 12)
    bars = plot(months, {months[-1]: Counts(due=10, completed=5), months[0]: Counts(due=5)})
    assert len(bars) == 12
    assert bars[-1].due_height == 2 * bars[-1].done_height == 2 * bars[0].due_height
    assert plot(months, {})[0].due_height == 0
    assert [tone(value, 90, 80) for value in (None, 79.9, 80.0, 90.0)] == ["muted", "bad", "warn", "ok"]
    assert total([Counts(due=1), Counts(due=2, staff=3)]) == Counts(due=3, staff=3)
