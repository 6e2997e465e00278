"""Lists of earlier certificates: judged, previewed, corrected and found again, through the pages."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from flask.testing import FlaskClient
from sqlalchemy import select

from certs.models import Certificate
from certs.rules import ProposalKind
from certs.status.proposals import NewProposal
from lms.accounts.models import Person
from lms.core.services import Services
from lms.core.tenancy import WORKER_SCOPE
from lms.core.web import AnzhengFlask
from tests.accounts.staffing import job_file, read_xlsx
from tests.certs import certificate_world as world
from tests.certs.imports_desk import (
    AT,
    HEADINGS,
    PAGE,
    SOURCE,
    ImportDesk,
    earlier,
    list_bytes,
    open_import_desk,
    take,
)
from tests.conftest import Worker
from tests.rosters import write_roster, wrong_check_digit


def _bad_rows() -> list[tuple[list[object], str, str]]:
    """Return one bad row of every kind that the file alone shows, with column and code."""

    def row(**changes: object) -> list[object]:
        return earlier(1, **changes)[0]

    number = world.id_number()
    return [
        (row(姓名=""), "name", "name_missing"),
        (row(姓名="张3"), "name", "name_characters"),
        (row(证件类型="护照"), "id_kind", "id_kind"),
        (row(证件号码=""), "id_number", "id_missing"),
        (row(证件号码=number[:-1]), "id_number", "id_length"),
        (row(证件号码=wrong_check_digit(number)), "id_number", "id_check_digit"),
        (row(证件号码=float(number[:17] + "0")), "id_number", "id_as_number"),
        (row(证书编号=""), "number", "number_missing"),
        (row(证书编号="<b>1</b>"), "number", "number_characters"),
        (row(证书编号="T" * 61), "number", "number_characters"),
        (row(证书编号="豫危管20260000017"), "number", "number_ours"),
        (row(证书类型=""), "scheme", "scheme_missing"),
        (row(证书类型="驾驶证"), "scheme", "scheme_unknown"),
        (row(发证机关=""), "issuer", "issuer_missing"),
        (row(发证机关="局" * 121), "issuer", "issuer_long"),
        (row(发证日期=""), "issued_on", "date_missing"),
        (row(发证日期="2025-02-30"), "issued_on", "date"),
        (row(发证日期="2099-01-01", 有效期至="2099-12-31"), "valid_until", "valid_long"),
        (row(有效期自="2028-02-29"), "valid_until", "valid_order"),
        (row(有效期自="2019-01-01", 有效期至="2022-01-01"), "issued_on", "issued_after_end"),
        (row(初次发证日期="2025-03-02"), "first_issued_on", "first_order"),
        (row(初次发证日期="1970-01-01"), "first_issued_on", "under_age"),
        (row(照片文件名="../a.jpg"), "photo", "photo_name"),
        (row(照片文件名="a.jpg"), "photo", "photo_no_zip"),
    ]


@pytest.mark.parametrize(("kind", "encoding"), [("xlsx", ""), ("csv", "utf-8-sig"), ("csv", "gb18030")])
def test_good_rows_are_entered_and_every_bad_one_is_named(
    desk: ImportDesk, queue_worker: Worker, tmp_path: Path, kind: str, encoding: str
) -> None:
    good, bad = earlier(3), _bad_rows()
    twin = list(earlier(1)[0])
    twin[AT["证书编号"]] = good[0][AT["证书编号"]]
    rows = [*good, *(row for row, _column, _code in bad), twin]
    options = {"encoding": encoding} if encoding else {}
    import_id = desk.upload(list_bytes(tmp_path, rows, kind, **options), f"旧证.{kind}")
    queue_worker.drain()
    row = desk.import_row(import_id)
    assert (row.state, row.rows_total, row.rows_new, row.rows_bad) == ("ready", len(rows), 3, len(bad) + 1)
    expected = {(n, column, code) for n, (_row, column, code) in enumerate(bad, start=5)}
    # That far ahead no day of issue can be either.
    expected |= {(n, "issued_on", "issued_future") for n, _column, code in expected if code == "valid_long"}
    assert desk.faults(import_id) == expected | {(len(rows) + 1, "number", "number_duplicate")}
    assert not desk.certificates(import_id)
    page = desk.page(import_id)
    assert "校验位不正确" in page
    assert str(good[0][AT["证件号码"]]) not in page
    assert desk.act(import_id, "confirm") == 302
    queue_worker.drain()
    assert [one.number for one in desk.certificates(import_id)] == sorted(str(r[AT["证书编号"]]) for r in good)


def test_a_row_that_contradicts_the_register_is_refused(desk: ImportDesk, queue_worker: Worker, tmp_path: Path) -> None:
    first = earlier(1)[0]
    take(desk, queue_worker, list_bytes(tmp_path, [first]))
    other_name, other_content = list(earlier(1)[0]), list(first)
    other_name[AT["证件号码"]] = first[AT["证件号码"]]
    other_name[0] = "欧阳若兰"
    other_content[AT["有效期至"]] = "2027-02-28"
    import_id = desk.upload(list_bytes(tmp_path, [other_name, other_content]))
    queue_worker.drain()
    assert desk.faults(import_id) == {(2, "name", "name_differs"), (3, "number", "number_held")}
    page = desk.page(import_id)
    assert str(first[0]) not in page
    assert desk.act(import_id, "confirm") == 409


def test_a_number_that_we_issued_is_not_taken(
    desk: ImportDesk, queue_worker: Worker, tmp_path: Path, jobs_services: Services
) -> None:
    learner = world.make_learner(jobs_services, world.make_enterprise(jobs_services))
    world.pass_exam(jobs_services, learner)
    world.settle(queue_worker)
    ours = world.certificate_rows(jobs_services, learner.person_id)[0]
    import_id = desk.upload(list_bytes(tmp_path, earlier(1, 证书编号=ours.number)))
    queue_worker.drain()
    assert desk.faults(import_id) == {(2, "number", "number_ours")}


def test_who_is_barred_gets_no_certificate_by_import_either(
    desk: ImportDesk, queue_worker: Worker, tmp_path: Path, imported: Certificate
) -> None:
    new = NewProposal(ProposalKind.BAN, "ban_other", "对事故负有责任")
    world.decide_by_two(desk.jobs, imported.id, new, region_code=desk.region_code)
    row = earlier(1, 姓名=imported.holder_name)[0]
    with desk.jobs.db.transaction(WORKER_SCOPE) as session:
        sealed = session.execute(select(Person.id_number_sealed).where(Person.id == imported.person_id)).scalar_one()
    row[AT["证件号码"]] = desk.jobs.vault.decrypt(sealed, context=f"id_number:{imported.person_id}").decode()
    import_id = desk.upload(list_bytes(tmp_path, [row]))
    queue_worker.drain()
    assert desk.faults(import_id) == {(2, "scheme", "banned")}


def test_expired_ones_are_entered_and_told(
    desk: ImportDesk, queue_worker: Worker, tmp_path: Path, client: FlaskClient
) -> None:
    old = {"发证日期": "2020-01-01", "有效期自": "2020-01-01", "有效期至": "2023-01-01", "初次发证日期": ""}
    import_id = desk.upload(list_bytes(tmp_path, earlier(1, **old)))
    queue_worker.drain()
    assert desk.import_row(import_id).rows_expired == 1
    assert "显示为过期" in desk.page(import_id)
    desk.act(import_id, "confirm")
    queue_worker.drain()
    one = desk.certificates(import_id)[0]
    assert client.get(f"/c/{one.public_id}", headers={"Accept": "application/json"}).json["status"] == "expired"


def test_importing_again_changes_nothing(desk: ImportDesk, queue_worker: Worker, tmp_path: Path) -> None:
    data = list_bytes(tmp_path, earlier(5))
    first = take(desk, queue_worker, data)
    before = [(one.id, one.public_id, one.status_index) for one in desk.certificates(first)]
    again = take(desk, queue_worker, data)
    row = desk.import_row(again)
    assert (row.rows_unchanged, row.rows_new, row.certificates_added) == (5, 0, 0)
    assert [(one.id, one.public_id, one.status_index) for one in desk.certificates(first, again)] == before


def test_bad_rows_are_downloaded_with_their_reasons_and_go_in_once_put_right(
    desk: ImportDesk, queue_worker: Worker, tmp_path: Path
) -> None:
    good, bad = earlier(2)
    number = str(bad[2])
    bad[2] = wrong_check_digit(number)
    import_id = desk.upload(list_bytes(tmp_path, [good, bad]))
    queue_worker.drain()
    answer = desk.client.post(f"{PAGE}/{import_id}/bad-rows")
    queue_worker.drain()
    table = read_xlsx(job_file(desk.client, answer.headers["Location"]))
    assert table[1][: len(HEADINGS)] == bad
    assert "校验位不正确" in str(table[1][-1])
    table[1][2] = number
    again = tmp_path / "again.xlsx"

    write_roster(again, table[1:], headings=[str(head) for head in table[0]])
    second = desk.upload(again.read_bytes())
    queue_worker.drain()
    assert desk.import_row(second).rows_new == 1


def test_a_wrong_file_or_source_is_refused_with_its_reason(desk: ImportDesk, tmp_path: Path) -> None:
    data = list_bytes(tmp_path, earlier(1))
    assert "原系统名称" in desk.refused(data, source="x")[1]
    status, page = desk.refused(b"%PDF-1.7 x")
    assert (status, "PDF" in page) == (422, True)
    status, page = desk.refused(data, photos=b"Rar!x")
    assert (status, ".zip" in page) == (422, True)
    status, page = desk.refused(b"", name="")
    assert (status, "请选择要上传的证书清单" in page) == (422, True)


def test_another_department_finds_neither_import_nor_certificate(
    app: AnzhengFlask, desk: ImportDesk, imported: Certificate, jobs_services: Services
) -> None:
    neighbour = open_import_desk(app, jobs_services)
    assert neighbour.client.get(f"{PAGE}/{imported.import_id}").status_code == 404
    assert str(imported.import_id) not in neighbour.client.get(PAGE).text
    far = open_import_desk(app, jobs_services, region_code=world.OTHER_COUNTY)
    assert far.client.get(f"/regulator/certificates/{imported.id}").status_code == 404


def test_the_list_is_searched_filtered_and_exported(
    desk: ImportDesk, queue_worker: Worker, tmp_path: Path, imported: Certificate
) -> None:
    assert "还没有导入过证书" not in desk.client.get(PAGE).text
    assert "旧证.xlsx" in desk.client.get(f"{PAGE}?q=旧系统&state=done").text
    assert "没有符合条件的导入" in desk.client.get(f"{PAGE}?q=别的").text
    answer = desk.client.post(f"{PAGE}/export?state=done")
    queue_worker.drain()
    table = read_xlsx(job_file(desk.client, answer.headers["Location"]))
    assert table[1][:2] == ["旧证.xlsx", SOURCE]
    batch = desk.client.get(f"/regulator/certificates?batch={imported.import_id}&origin=imported").text
    assert imported.number in batch


def test_the_template_reads_back_with_all_its_columns(desk: ImportDesk, queue_worker: Worker) -> None:
    answer = desk.client.get(f"{PAGE}/template.xlsx")
    heads = read_xlsx(answer.data)[0]
    assert [str(head).rstrip("*") for head in heads] == list(HEADINGS)
    import_id = desk.upload(answer.data)
    queue_worker.drain()
    row = desk.import_row(import_id)
    assert (row.state, row.refusal_code) == ("refused", "sheet_empty")
    assert "文件里没有数据行" in desk.page(import_id)


def test_progress_is_shown_while_the_job_runs(desk: ImportDesk, queue_worker: Worker, tmp_path: Path) -> None:
    import_id = desk.upload(list_bytes(tmp_path, earlier(1)))
    waiting = desk.client.get(f"{PAGE}/{import_id}/progress")
    assert re.search(r'hx-trigger="every 1s"', waiting.text)
    queue_worker.drain()
    over = desk.client.get(f"{PAGE}/{import_id}/progress")
    assert over.headers["HX-Refresh"] == "true"
    assert desk.act(import_id, "cancel") == 302
    assert desk.act(import_id, "confirm") == 409
    assert desk.import_row(import_id).state == "cancelled"
