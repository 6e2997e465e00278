"""Verification of an uploaded file through its doors: page, JSON, command line; what it records and refuses."""

from __future__ import annotations

import hashlib
import io
import subprocess
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from asn1crypto import pem, x509
from flask.testing import FlaskClient
from pyhanko.pdf_utils.reader import PdfFileReader
from pyhanko.sign.validation import validate_pdf_signature
from pyhanko_certvalidator import ValidationContext
from sqlalchemy import event

from certs.check.queries import GUESSES_ALLOWED, Visitor
from certs.models import Certificate
from certs.rules import Decision
from certs.verify.limits import limits
from certs.verify.operations import verify_file
from certs.verify.rules import Outcome
from lms.app import create_app
from lms.core import clock
from lms.core.services import Services
from lms.core.web import AnzhengFlask
from tests.certs import certificate_world as world
from tests.certs import tampering
from tests.certs.altering import altered
from tests.certs.certificates import make_certificate
from tests.conftest import Admin, Worker

JSON = {"Accept": "application/json"}


@pytest.fixture
def certificate(jobs_services: Services, queue_worker: Worker) -> Certificate:
    """An issued certificate, entered in the log."""
    return make_certificate(jobs_services, queue_worker, name="欧阳建军", logged=True)


@pytest.fixture
def pdf(jobs_services: Services, certificate: Certificate) -> bytes:
    """Its file."""
    return jobs_services.storage.get(certificate.pdf_key or "")


def ask(client: FlaskClient, data: bytes, address: dict[str, str], **headers: str) -> Any:
    return client.post("/verify", **world.form_with(data), headers=headers, environ_overrides=address)


def answered(client: FlaskClient, data: bytes, address: dict[str, str]) -> dict[str, Any]:
    answer = ask(client, data, address, **JSON)
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json
    return found


def failed(found: dict[str, Any]) -> dict[str, str]:
    return {one["check"]: one["reason"] for one in found["checks"] if one["state"] == "failed"}


def checks_of(admin: Admin, public_id: str) -> list[tuple[object, ...]]:
    query = "select outcome, certificate_id from certs_check where public_id = %s order by id"
    return admin.execute(query, (public_id,)).fetchall()


def test_an_issued_file_is_genuine_and_the_check_is_recorded(
    client: FlaskClient, admin_connection: Admin, certificate: Certificate, pdf: bytes, address: dict[str, str]
) -> None:
    found = answered(client, pdf, address)
    assert found["verdict"] == "trusted"
    assert {one["state"] for one in found["checks"]} == {"ok"}
    assert found["certificate"]["number"] == certificate.number
    assert found["certificate"]["holder"] == "***军"
    assert found["certificate"]["page"].endswith(f"/c/{certificate.public_id}")
    assert found["sha256"] == hashlib.sha256(pdf).hexdigest()
    assert checks_of(admin_connection, certificate.public_id) == [("valid", certificate.id)]


def test_the_page_tells_it_in_both_languages(
    client: FlaskClient, certificate: Certificate, pdf: bytes, address: dict[str, str]
) -> None:
    chinese = ask(client, pdf, address)
    assert "证书文件真实有效" in chinese.text
    assert certificate.number in chinese.text
    assert "欧阳建军" not in chinese.text
    english = ask(client, pdf, address, **{"Accept-Language": "en"})
    assert "The certificate file is genuine and in force" in english.text
    assert "The signature covers the whole file" in english.text


def test_other_judges_agree_on_the_untouched_file(client: FlaskClient, pdf: bytes, tmp_path: Path) -> None:
    (tmp_path / "certificate.pdf").write_bytes(pdf)
    said = subprocess.run(["pdfsig", tmp_path / "certificate.pdf"], capture_output=True, text=True, check=False).stdout
    assert "Signature is Valid" in said
    assert "Total document signed" in said
    root = x509.Certificate.load(pem.unarmor(client.get("/pki/root.pem").data)[2])
    context = ValidationContext(trust_roots=[root], moment=clock.now(), allow_fetching=False)
    status = validate_pdf_signature(PdfFileReader(io.BytesIO(pdf)).embedded_signatures[0], context)
    assert status.bottom_line


@pytest.mark.parametrize("change", sorted(tampering.UPDATES))
def test_updates_are_refused_and_never_told_as_the_certificates(
    client: FlaskClient,
    admin_connection: Admin,
    certificate: Certificate,
    pdf: bytes,
    address: dict[str, str],
    change: str,
) -> None:
    changed = tampering.update(pdf, tampering.UPDATES[change])
    found = answered(client, changed, address)
    assert found["verdict"] == "refused"
    assert failed(found) == {"coverage": "byte_range", "revisions": "revisions", "registry": "not_entered"}
    assert found["certificate"] is None
    assert checks_of(admin_connection, certificate.public_id) == []
    digest = hashlib.sha256(changed).hexdigest()[:32]
    assert checks_of(admin_connection, digest) == [("file_refused", None)]


@pytest.mark.parametrize("region", ["header", "content", "fonts", "contents_hex", "contents_padding", "xref"])
def test_a_flipped_byte_is_refused(client: FlaskClient, pdf: bytes, address: dict[str, str], region: str) -> None:
    start, end = tampering.regions(pdf)[region]
    found = answered(client, tampering.flip(pdf, (start + end) // 2), address)
    assert found["verdict"] == "refused"
    assert failed(found)["registry"] == "not_entered"


def test_the_verdict_names_the_file_and_what_it_fails_for(
    client: FlaskClient, pdf: bytes, address: dict[str, str]
) -> None:
    start, end = tampering.regions(pdf)["content"]
    for data, failing in ((tampering.flip(pdf, (start + end) // 2), ["内容在签名后被改动"]), (pdf, [])):
        page = ask(client, data, address).text
        verdict = page[page.index('class="verdict') : page.index("</section>")]
        assert "证书.pdf" in verdict
        assert [text for text in ("内容在签名后被改动", "登记册中没有这个文件") if text in verdict][:1] == failing


def test_another_spelling_of_the_same_signature_is_refused(
    client: FlaskClient, pdf: bytes, address: dict[str, str]
) -> None:
    start, end = tampering.byte_range(pdf)
    respelled = pdf[:start] + pdf[start:end].upper() + pdf[end:]
    assert respelled != pdf
    found = answered(client, respelled, address)
    assert found["verdict"] == "refused"
    assert failed(found) == {"structure": "structure", "registry": "not_entered"}


def test_somebody_elses_signature_cannot_be_checked(client: FlaskClient, pdf: bytes, address: dict[str, str]) -> None:
    found = answered(client, tampering.signed_by(pdf, tampering.stranger(clock.now())), address)
    assert found["verdict"] == "undetermined"
    assert failed(found) == {}
    states = {one["check"]: (one["state"], one["reason"]) for one in found["checks"]}
    assert states["chain"] == ("unchecked", "unknown_root")
    page = ask(client, tampering.signed_by(pdf, tampering.stranger(clock.now())), address)
    assert "无法核验" in page.text
    assert "证书文件真实" not in page.text


@pytest.mark.parametrize(("decision", "reason"), [(Decision.SUSPEND, "suspended"), (Decision.REVOKE, "revoked")])
def test_a_genuine_file_of_a_certificate_not_in_force_says_both(
    client: FlaskClient,
    jobs_services: Services,
    certificate: Certificate,
    pdf: bytes,
    address: dict[str, str],
    decision: Decision,
    reason: str,
) -> None:
    world.decided(jobs_services, certificate, decision)
    found = answered(client, pdf, address)
    assert found["verdict"] == "not_in_force"
    assert failed(found) == {"status": reason}
    assert "文件真实，但证书已" in ask(client, pdf, address).text


def test_a_file_not_yet_numbered_in_the_log_cannot_be_checked_yet(
    client: FlaskClient, jobs_services: Services, queue_worker: Worker, address: dict[str, str]
) -> None:
    row = make_certificate(jobs_services, queue_worker)
    file = jobs_services.storage.get(row.pdf_key or "")
    found = answered(client, file, address)
    assert found["verdict"] == "undetermined"
    assert {one["check"]: one["reason"] for one in found["checks"]}["log"] == "log_pending"
    queue_worker.tick("certs.sequence")
    assert answered(client, file, address)["verdict"] == "trusted"


def test_a_file_that_only_the_table_knows_is_refused(
    client: FlaskClient, admin_connection: Admin, certificate: Certificate, pdf: bytes, address: dict[str, str]
) -> None:
    """Whoever can write into the table, but not into the signed log, plants a file of his own in vain."""
    planted = tampering.update(pdf, tampering.other_title)
    digest, where = hashlib.sha256(planted).digest(), {"id": certificate.id}
    with altered(admin_connection, "certs_certificate", "pdf_sha256 = %(digest)s", digest=digest, **where):
        found = answered(client, planted, address)
    assert found["verdict"] == "refused"
    assert failed(found)["log"] == "log_differs"


def test_a_revoked_key_spoils_what_was_entered_after_it_only(
    client: FlaskClient, admin_connection: Admin, certificate: Certificate, pdf: bytes, address: dict[str, str]
) -> None:
    verdicts = []
    for shift in (timedelta(seconds=1), timedelta(seconds=-1)):
        assert certificate.issued_at
        change, names = "revoked_at = %(at)s", {"at": certificate.issued_at + shift, "key": certificate.signer_key_id}
        with altered(admin_connection, "certs_issuer_key", change, "key_id = %(key)s", **names):
            verdicts.append(answered(client, pdf, address))
    before, after = verdicts
    assert before["verdict"] == "trusted"
    assert after["verdict"] == "refused"
    assert failed(after) == {"key": "key_revoked"}


@pytest.mark.parametrize("form", [{}, {"file": ""}, {"file": (io.BytesIO(b""), "")}])
def test_a_request_without_a_file_is_told_so(client: FlaskClient, form: dict[str, Any]) -> None:
    answer = client.post("/verify", data=form, headers=JSON, content_type="multipart/form-data")
    assert answer.status_code == 422
    assert answer.json["error"] == "no_file"  # type: ignore[index]  # asserted to be JSON by the line itself


@pytest.mark.parametrize("data", [b"", b"rubbish", b"%PDF-1.7\n%%EOF\n", *tampering.BOMBS.values()])
def test_malformed_files_are_answered_with_a_refusal(client: FlaskClient, address: dict[str, str], data: bytes) -> None:
    assert answered(client, data, address)["verdict"] == "refused"


class Unread(io.BytesIO):
    """A body that nobody may begin to read."""

    def read(self, _size: int | None = -1, /) -> bytes:
        raise AssertionError("the body was read")

    readline = read1 = read  # type: ignore[assignment]  # every way of reading


@pytest.mark.parametrize("size", [limits().max_file_bytes + 2**17, 100 * 2**20])
def test_a_body_over_the_limit_is_413_and_not_even_read(
    client: FlaskClient, address: dict[str, str], size: int
) -> None:
    for language, told in (("zh", "最大允许 20 MB"), ("en", "20 MB")):
        answer = client.post(
            "/verify",
            input_stream=Unread(),
            content_type="multipart/form-data; boundary=x",
            headers={"Accept-Language": language},
            environ_overrides={**address, "CONTENT_LENGTH": str(size)},
        )
        assert answer.status_code == 413
        assert told in answer.text


@pytest.mark.parametrize(("over", "status"), [(0, 200), (1, 413)])
def test_the_limit_is_exact(client: FlaskClient, address: dict[str, str], over: int, status: int) -> None:
    data = b"%PDF-1.7\n" + b"\0" * (limits().max_file_bytes + over - 15) + b"%%EOF\n"
    answer = ask(client, data, address, **JSON)
    assert answer.status_code == status
    assert answer.json.get("verdict") == ("refused" if status == 200 else None)


def test_a_body_that_hides_its_length_is_refused_unread(client: FlaskClient, address: dict[str, str]) -> None:
    answer = client.post(
        "/verify",
        input_stream=Unread(),
        headers={"Transfer-Encoding": "chunked", **JSON},
        content_type="multipart/form-data; boundary=x",
        environ_overrides={**address, "wsgi.input_terminated": True, "CONTENT_LENGTH": ""},
    )
    assert answer.status_code == 411
    assert answer.json["message"]


def test_bringing_unknown_files_is_slowed_down(
    client: FlaskClient, certificate: Certificate, pdf: bytes, address: dict[str, str]
) -> None:
    for number in range(GUESSES_ALLOWED + 1):
        assert ask(client, b"%%PDF-%d" % number, address).status_code == 200
    refused = ask(client, b"%PDF-one more", address)
    assert refused.status_code == 429
    assert int(refused.headers["Retry-After"]) > 0


def test_without_database_nothing_is_called_valid_or_invalid(cut_off_app: AnzhengFlask, pdf: bytes) -> None:
    client = cut_off_app.test_client()
    assert client.get("/verify").status_code == 200
    answer = ask(client, pdf, {}, **JSON)
    assert answer.status_code == 503
    assert int(answer.headers["Retry-After"]) > 0
    assert answer.json["verdict"] == "undetermined"
    states = {one["check"]: one["state"] for one in answer.json["checks"]}
    assert states["digest"] == states["signature"] == "ok"
    assert {states[check] for check in ("chain", "key", "registry", "log", "status")} == {"unchecked"}
    page = ask(client, pdf, {})
    assert page.status_code == 503
    assert "无法核验" in page.text
    assert ask(client, tampering.flip(pdf, 60_000), {}, **JSON).json["verdict"] == "refused"


def test_scripts_need_no_page_token_but_pages_of_ours_still_carry_one(services: Services, pdf: bytes) -> None:
    app = create_app(services=services)
    app.config.update(TESTING=False, PROPAGATE_EXCEPTIONS=False)
    client = app.test_client()
    assert ask(client, pdf, {}, **JSON).status_code == 200
    assert client.post("/find", data={"number": "1", "name": "2"}).status_code == 400


def test_the_find_page_and_the_check_page_lead_here(client: FlaskClient, certificate: Certificate) -> None:
    for page in ("/find", f"/c/{certificate.public_id}"):
        assert 'href="/verify"' in client.get(page).text
    form = client.get("/verify").text
    assert 'enctype="multipart/form-data"' in form
    assert "20 MB" in form


@pytest.mark.parametrize("place", range(7))
def test_a_database_lost_between_two_questions_makes_no_genuine_file_false(
    services: Services, admin_connection: Admin, pdf: bytes, place: int
) -> None:
    asked: list[str] = []

    def lose(connection: Any, cursor: Any, statement: str, *_rest: object) -> None:
        asked.append(statement)
        if len(asked) == place + 1:
            admin_connection.execute("select pg_terminate_backend(%s)", (cursor.connection.info.backend_pid,))

    event.listen(services.db.engine, "before_cursor_execute", lose)
    try:
        report = verify_file(services, pdf, Visitor(bytes(32), "other"), throttle=False)
    finally:
        event.remove(services.db.engine, "before_cursor_execute", lose)
    assert len(asked) > place, "the questions are fewer than this test thinks"
    assert (report.outcome, report.is_available) == (Outcome.UNDETERMINED, False)
