"""Certificate pages as data: drafted, tried as a specimen, published, chosen by a type, kept by what was issued."""

from __future__ import annotations

import base64
import io
import re
import subprocess
from pathlib import Path

import pytest
from flask.testing import FlaskClient
from PIL import Image
from sqlalchemy import select

from certs.adapters.layout import FIELD_ROWS, OPTIONAL_ROWS, rows_without
from certs.adapters.palettes import PALETTES, PAPER
from certs.adapters.pdf import Renderer
from certs.adapters.trial import page_problems
from certs.schemes.models import Template
from certs.schemes.templates import spec_data, spec_of
from lms.core.services import Services
from lms.core.tenancy import WORKER_SCOPE
from lms.core.web import AnzhengFlask
from tests.certs import certificate_world as world
from tests.certs import oracles
from tests.certs.certificate_fixtures import face
from tests.certs.test_picture import shows
from tests.certs.test_schemes import draft_of, office, publish
from tests.conftest import Worker

FORM = {
    "name_zh": "试验版式",
    "name_en": "Trial page",
    "heading_zh": "中华人民共和国",
    "statement_zh": "持证人经考核合格，特发此证。",
    "statement_en": "The holder has passed.",
    "note_0": "1. 以签名的 PDF 文件为准。",
    "note_1": "",
    "issuer_label_zh": "考核机关",
    "seal_name_zh": "",
    "seal_line_zh": "考核专用章",
    "palette": "green",
    "show_employer": "y",
    "show_industry": "y",
}


@pytest.fixture
def client(app: AnzhengFlask, jobs_services: Services) -> FlaskClient:
    """A browser of a fresh provincial department."""
    return office(app, jobs_services)


def text_of(pdf: bytes, folder: Path) -> str:
    file = folder / "page.pdf"
    file.write_bytes(pdf)
    return oracles.text_of(file, layout=True)


def drafted(client: FlaskClient, **changes: str) -> str:
    answer = client.post("/regulator/templates/standard/edit", data={**FORM, **changes})
    assert answer.status_code == 302, re.findall(r'field-error"[^>]*>.*?</p>', answer.text)
    return answer.location


def test_a_draft_is_tried_as_a_specimen_by_the_real_writer(client: FlaskClient, tmp_path: Path) -> None:
    address = drafted(client)
    pdf = client.get(f"{address}/specimen.pdf")
    assert pdf.mimetype == "application/pdf"
    words = text_of(pdf.data, tmp_path)
    for shown in ("持证人经考核合格", "考核机关", "考核专用章", "SPECIMEN", "样本人"):
        assert shown in words.replace(" ", "") or shown in words
    for hidden in ("许可证号", "初领日期"):
        assert hidden not in words
    checked = subprocess.run(["qpdf", "--check", tmp_path / "page.pdf"], capture_output=True, text=True, check=False)
    assert checked.returncode == 0, checked.stdout + checked.stderr


def test_a_published_page_is_used_by_the_version_that_chooses_it_and_older_certificates_keep_theirs(
    app: AnzhengFlask, client: FlaskClient, jobs_services: Services, queue_worker: Worker, tmp_path: Path
) -> None:
    scheme, tenant_id = world.make_scheme(jobs_services), world.make_enterprise(jobs_services)
    early, late = (world.make_learner(jobs_services, tenant_id) for _ in range(2))
    world.pass_exam(jobs_services, early, programme=scheme)
    world.settle(queue_worker)
    (before,) = world.certificate_rows(jobs_services, early.person_id)
    kept = jobs_services.storage.get(before.pdf_key or "")

    assert publish(app, jobs_services, client, drafted(client)).status_code == 302
    with jobs_services.db.transaction(WORKER_SCOPE, read_only=True) as session:
        newest = session.scalars(
            select(Template).where(Template.code == "standard").order_by(Template.version.desc())
        ).first()
    assert newest is not None
    assert (newest.code, newest.name_zh, newest.spec["palette"]) == ("standard", "试验版式", "green")
    changes = {"education": "", "paper_health": "", "template": f"standard:{newest.version}"}
    publish(app, jobs_services, client, draft_of(client, scheme, **changes))
    world.pass_exam(jobs_services, late, programme=scheme)
    world.settle(queue_worker)

    (after,) = world.certificate_rows(jobs_services, late.person_id)
    words = text_of(jobs_services.storage.get(after.pdf_key or ""), tmp_path)
    assert "考核机关" in words
    assert "许可证号" not in words
    assert jobs_services.storage.get(before.pdf_key or "") == kept
    assert "许可证号" in text_of(kept, tmp_path)


def test_a_page_is_looked_at_while_it_is_edited_and_nothing_is_kept(client: FlaskClient) -> None:
    shown = client.post("/regulator/templates/new/preview", data={**FORM, "palette": "maroon"})
    found = re.search(r'src="data:image/webp;base64,([^"]+)"', shown.text)
    assert found
    picture = Image.open(io.BytesIO(base64.b64decode(found[1])))
    assert [shows(picture, PALETTES[palette].main) for palette in ("maroon", "navy")] == [True, False]
    asked = {"data": {**FORM, "statement_zh": "证" * 80}, "headers": {"HX-Request": "true"}}
    refused = client.post("/regulator/templates/new/preview", **asked)
    assert (refused.status_code, "证明文字：太长，印不下" in refused.text) == (422, True)
    assert "还没有草稿" in client.get("/regulator/drafts").text


def test_pages_and_drafts_are_shown_as_pictures(client: FlaskClient) -> None:
    address = drafted(client)
    for page, picture in (
        (address, f"{address}/specimen.webp"),
        ("/regulator/templates/standard", "/regulator/templates/standard/1/specimen.webp"),
        ("/regulator/templates/standard/edit", f"{address}/specimen.webp"),
    ):
        if "standard/1" not in picture:
            assert f'src="{picture}"' in client.get(page).text
        answer = client.get(picture)
        assert (answer.mimetype, answer.data[:4], answer.data[8:12]) == ("image/webp", b"RIFF", b"WEBP")
    assert client.get("/regulator/templates/standard/999999/specimen.webp").status_code == 404


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"name_zh": ""}, "请填写"),
        ({"name_zh": "  "}, "请填写"),
        ({"heading_zh": "  "}, "请填写"),
        ({"heading_zh": "国" * 21}, "最多 20 个字"),
        ({"statement_zh": "证" * 80}, "太长，印不下"),
        ({"note_0": "附" * 130}, "太长，印不下"),
        ({"seal_line_zh": "章\U000323b0"}, "字体缺少这些字：\U000323b0"),
        ({"palette": "pink"}, "不是有效的选择"),
        ({"seal_name_zh": "印\x07章"}, "不能含控制字符"),
    ],
)
def test_what_cannot_be_printed_is_told_before_it_is_kept(
    client: FlaskClient, change: dict[str, str], told: str
) -> None:
    answer = client.post("/regulator/templates/standard/edit", data={**FORM, **change})
    assert answer.status_code == 422
    errors = " ".join(re.findall(r'class="field-error"[^>]*>(.*?)</p>', answer.text, re.DOTALL))
    assert told in errors
    assert "查看草稿" not in client.get("/regulator/templates").text


def test_a_drafted_page_is_its_department_s_own(
    app: AnzhengFlask, client: FlaskClient, jobs_services: Services
) -> None:
    address = drafted(client)
    stranger = office(app, jobs_services)
    for path in (address, f"{address}/specimen.pdf", f"{address}/specimen.webp"):
        assert stranger.get(path).status_code == 404
    for step in ("ask", "recall", "publish", "discard"):
        assert stranger.post(f"{address}/{step}").status_code == 404
    county = office(app, jobs_services, world.COUNTY)
    assert county.post(f"{drafted(county)}/ask").status_code == 403
    assert client.post(f"{address}/discard").status_code == 302
    assert "该草稿已放弃" in client.get(address).text
    # A draft of a page is none of a certificate type.
    draft_id = address.rsplit("/", 1)[1]
    assert client.get(f"/regulator/schemes/{world.SCHEME}/eligible?draft={draft_id}").status_code == 404


def test_the_standard_page_has_nothing_of_its_own_to_store() -> None:
    standard = spec_of({})
    assert spec_data(standard) == {}
    changed = spec_of({"palette": "maroon", "hidden": ["licence"], "notes_zh": ["一", "二"]})
    assert spec_of(spec_data(changed)) == changed
    with pytest.raises(ValueError, match="stamp"):
        spec_of({"stamp": "真"})


@pytest.mark.parametrize("palette", PALETTES)
def test_palettes_can_be_read_on_the_paper(palette: str) -> None:
    def luminance(colour: str) -> float:
        parts = [int(colour[place : place + 2], 16) / 255 for place in (0, 2, 4)]
        red, green, blue = ((p / 12.92 if p <= 0.04045 else ((p + 0.055) / 1.055) ** 2.4) for p in parts)
        return 0.2126 * red + 0.7152 * green + 0.0722 * blue

    def contrast(colour: str) -> float:
        return (luminance(PAPER) + 0.05) / (luminance(colour) + 0.05)

    assert contrast(PALETTES[palette].main) >= 7
    assert contrast(PALETTES[palette].accent) >= 3
    assert page_problems(spec_of({"palette": palette})) == {}
    assert Renderer(spec_of({"palette": palette})).render(face()).startswith(b"%PDF")


def test_rows_that_are_left_out_leave_no_gap() -> None:
    assert rows_without(()) == FIELD_ROWS
    kept = rows_without(tuple(OPTIONAL_ROWS))
    assert {row.label_zh for row in FIELD_ROWS} - {row.label_zh for row in kept} == set(OPTIONAL_ROWS.values())
    lines = sorted({row.y for row in FIELD_ROWS}, reverse=True)
    assert sorted({row.y for row in kept}, reverse=True) == lines[: len(lines) - len(OPTIONAL_ROWS)]
