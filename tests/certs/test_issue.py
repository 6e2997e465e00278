"""From a passed exam to one signed certificate, whatever happens twice or not at all."""

from __future__ import annotations

import hashlib
import subprocess
from pathlib import Path

from flask.testing import FlaskClient
from sqlalchemy import select

from certs.adapters.qr import decode_payload
from certs.adapters.verifying import verify_pdf
from certs.issue import tasks
from certs.issue.handlers import on_attempt_graded
from certs.issue.operations import retry_failed
from certs.models import Leaf, StatusEvent
from lms.core import clock
from lms.core.access import SYSTEM, Role
from lms.core.notify import NoticeRow
from lms.core.services import Services
from lms.core.tenancy import WORKER_SCOPE
from lms.core.web import AnzhengFlask
from tests.certs import certificate_world as world
from tests.conftest import Admin, Worker


def test_a_passed_exam_gives_one_trusted_certificate(
    app: AnzhengFlask, jobs_services: Services, queue_worker: Worker, client: FlaskClient, tmp_path: Path
) -> None:
    learner = world.make_learner(jobs_services, world.make_enterprise(jobs_services), name="王𬭎䶮")
    world.pass_exam(jobs_services, learner)
    world.settle(queue_worker)
    queue_worker.tick("certs.sequence")

    (row,) = world.certificate_rows(jobs_services, learner.person_id)
    assert row.state == "issued"
    assert row.number.startswith(f"豫危管{row.valid_from.year}")
    assert row.valid_until.year == row.valid_from.year + 3
    pdf = jobs_services.storage.get(row.pdf_key or "")
    assert hashlib.sha256(pdf).digest() == row.pdf_sha256

    root = client.get("/pki/root.pem").data
    verdict = verify_pdf(pdf, [root], clock.now())
    assert verdict.genuine, verdict.problems
    file = tmp_path / "certificate.pdf"
    file.write_bytes(pdf)
    said = subprocess.run(["pdfsig", file], capture_output=True, text=True, check=False).stdout
    assert "Signature is Valid" in said
    assert "Total document signed" in said

    holder = world.client_for(app, jobs_services, learner.person_id, learner.tenant_id, Role.TRAINEE)
    assert row.number in holder.get("/certificates").text
    assert holder.get(f"/certificates/{row.id}/pdf").data == pdf
    with jobs_services.db.transaction(WORKER_SCOPE, read_only=True) as session:
        assert session.scalars(select(Leaf.kind).where(Leaf.certificate_id == row.id)).all() == ["issue"]
        assert session.scalars(select(NoticeRow.url).where(NoticeRow.person_id == learner.person_id)).all() == [
            f"/certificates/{row.id}"
        ]


def test_the_printed_symbol_leads_to_the_certificate(
    jobs_services: Services, queue_worker: Worker, client: FlaskClient, tmp_path: Path
) -> None:
    import zxingcpp
    from PIL import Image

    learner = world.make_learner(jobs_services, world.make_enterprise(jobs_services))
    world.pass_exam(jobs_services, learner)
    world.settle(queue_worker)
    (row,) = world.certificate_rows(jobs_services, learner.person_id)
    (tmp_path / "c.pdf").write_bytes(jobs_services.storage.get(row.pdf_key or ""))
    subprocess.run(["pdftoppm", "-r", "200", "-png", tmp_path / "c.pdf", tmp_path / "page"], check=True)
    (picture,) = tmp_path.glob("page*.png")
    (symbol,) = zxingcpp.read_barcodes(Image.open(picture))

    payload = decode_payload(symbol.text)
    assert payload.public_id == row.public_id
    assert payload.claims.number == row.number
    path = symbol.text.split("/", 3)[3]
    page = client.get(f"/{path}")
    assert page.status_code == 200
    assert row.number in page.text


def test_events_and_jobs_may_come_twice(jobs_services: Services, queue_worker: Worker) -> None:
    learner = world.make_learner(jobs_services, world.make_enterprise(jobs_services))
    event = world.pass_exam(jobs_services, learner)
    world.settle(queue_worker)
    (before,) = world.certificate_rows(jobs_services, learner.person_id)
    with jobs_services.db.transaction(WORKER_SCOPE) as session:
        on_attempt_graded(session, event)
    tasks.issue(jobs_services, person_id=str(learner.person_id), certificate_id=str(before.id))
    world.settle(queue_worker)

    (after,) = world.certificate_rows(jobs_services, learner.person_id)
    assert (after.pdf_sha256, after.number, after.issued_at) == (before.pdf_sha256, before.number, before.issued_at)
    with jobs_services.db.transaction(WORKER_SCOPE, read_only=True) as session:
        assert len(session.scalars(select(Leaf.id).where(Leaf.certificate_id == before.id)).all()) == 1
        assert len(session.scalars(select(StatusEvent.id).where(StatusEvent.certificate_id == before.id)).all()) == 1


def test_a_failed_exam_gives_nothing(jobs_services: Services, queue_worker: Worker) -> None:
    learner = world.make_learner(jobs_services, world.make_enterprise(jobs_services))
    world.pass_exam(jobs_services, learner, score=79)
    world.settle(queue_worker)
    assert world.certificate_rows(jobs_services, learner.person_id) == []


def test_unfinished_learning_withholds_the_certificate_and_says_so(
    jobs_services: Services, queue_worker: Worker, admin_connection: Admin
) -> None:
    learner = world.make_learner(jobs_services, world.make_enterprise(jobs_services))
    event = world.pass_exam(jobs_services, learner, learned=False)
    world.settle(queue_worker)
    assert world.certificate_rows(jobs_services, learner.person_id) == []
    (data,) = admin_connection.execute(
        "select data from core_audit where action = 'certs.certificate.withheld' and subject_id = %s",
        (str(event.attempt_id),),
    ).fetchone() or ({},)
    assert data == {"scheme": world.SCHEME, "missing": ["learning_completed"]}


def test_a_name_that_no_font_draws_fails_visibly_and_can_be_retried(
    app: AnzhengFlask,
    jobs_services: Services,
    queue_worker: Worker,
    admin_connection: Admin,
) -> None:
    tenant_id = world.make_enterprise(jobs_services)
    learner = world.make_learner(jobs_services, tenant_id)
    # The register takes no such name; a later version of Unicode may bring one.
    admin_connection.execute("update accounts_person set name = %s where id = %s", ("王\U000323b0", learner.person_id))
    world.pass_exam(jobs_services, learner)
    world.settle(queue_worker)

    (row,) = world.certificate_rows(jobs_services, learner.person_id)
    assert row.state == "failed"
    assert "U+323B0" in row.failure
    page = world.signed_in_at(app, jobs_services, tenant_id, Role.ENTERPRISE_ADMIN).get("/tenant/certificates")
    assert "制证失败" in page.text
    assert "U+323B0" in page.text

    admin_connection.execute("update certs_certificate set holder_name = '王建军' where id = %s", (row.id,))
    with jobs_services.db.transaction(WORKER_SCOPE) as session:
        retry_failed(session, SYSTEM, row.id)
    world.settle(queue_worker)
    assert world.certificate_rows(jobs_services, learner.person_id)[0].state == "issued"


def test_altered_bytes_are_never_handed_out(
    app: AnzhengFlask,
    jobs_services: Services,
    queue_worker: Worker,
    admin_connection: Admin,
) -> None:
    learner = world.make_learner(jobs_services, world.make_enterprise(jobs_services))
    world.pass_exam(jobs_services, learner)
    world.settle(queue_worker)
    (row,) = world.certificate_rows(jobs_services, learner.person_id)
    data = bytearray(jobs_services.storage.get(row.pdf_key or ""))
    original = bytes(data)
    data[len(data) // 2] ^= 1
    jobs_services.storage.put(row.pdf_key or "", bytes(data))

    holder = world.client_for(app, jobs_services, learner.person_id, learner.tenant_id, Role.TRAINEE)
    answer = holder.get(f"/certificates/{row.id}/pdf")
    assert answer.status_code == 500
    assert b"%PDF" not in answer.data
    count = admin_connection.execute(
        "select count(*) from core_audit where action = 'certs.certificate.file_refused' and subject_id = %s",
        (str(row.id),),
    ).fetchone()
    assert count == (1,)
    jobs_services.storage.put(row.pdf_key or "", original)
    assert holder.get(f"/certificates/{row.id}/pdf").data == original
