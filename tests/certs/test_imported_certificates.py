"""An imported certificate: what it says, to whom, and that it never passes for one of ours."""

from __future__ import annotations

import base64
import io
import json
from datetime import timedelta
from pathlib import Path

import psycopg
import pytest
from flask.testing import FlaskClient

from certs.models import Certificate
from certs.registry import rules as tree
from certs.registry.operations import sequence_all
from certs.registry.verification import verify
from certs.rules import Decision
from lms.core import clock
from lms.core.access import Role
from lms.core.services import Services
from lms.core.tenancy import WORKER_SCOPE
from lms.core.web import AnzhengFlask
from tests.certs import certificate_world as world
from tests.certs.altering import altered
from tests.certs.certificate_fixtures import signed
from tests.certs.imports_desk import (
    ISSUER,
    SOURCE,
    ImportDesk,
    earlier,
    list_bytes,
    take,
)
from tests.conftest import Worker

Connection = psycopg.Connection[tuple[object, ...]]


def test_what_is_entered_is_what_the_row_says_and_is_marked(
    desk: ImportDesk, queue_worker: Worker, tmp_path: Path
) -> None:
    row = earlier(1)[0]
    stored = desk.certificates(take(desk, queue_worker, list_bytes(tmp_path, [row])))[0]
    assert (stored.origin, stored.state, stored.status) == ("imported", "issued", "valid")
    assert (stored.holder_name, stored.number, stored.issuer_name) == (row[0], row[3], ISSUER)
    days = (stored.issued_on, stored.valid_from, stored.valid_until, stored.first_issued_on)
    assert [str(day) for day in days] == ["2025-03-01", "2025-03-01", "2028-02-29", "2019-05-20"]
    assert (stored.source_system, stored.tenant_id, stored.region_code) == (SOURCE, desk.department_id, 410305)
    assert (stored.pdf_key, stored.pdf_sha256, stored.signer_key_id) == (None, None, None)


def test_the_person_who_is_known_keeps_the_certificate_and_the_unknown_is_registered_without_account(
    desk: ImportDesk, queue_worker: Worker, tmp_path: Path, admin_connection: Connection
) -> None:
    known, new = earlier(2)
    with desk.jobs.db.transaction(WORKER_SCOPE) as session:
        person_id = world.accounts.register_person(session, name=str(known[0]), id_number=str(known[2]))
    found = desk.certificates(take(desk, queue_worker, list_bytes(tmp_path, [known, new])))
    by_number = {one.number: one for one in found}
    assert by_number[str(known[3])].person_id == person_id
    other = by_number[str(new[3])].person_id
    count = admin_connection.execute(
        "select (select count(*) from accounts_person where id = %s),"
        " (select count(*) from accounts_account where person_id = %s)",
        (other, other),
    ).fetchone()
    assert count == (1, 0)


def test_a_file_by_the_same_number_is_never_called_ours(imported: Certificate, client: FlaskClient) -> None:
    pdf = signed(number=imported.number, holder_name=imported.holder_name)
    answer = client.post(
        "/verify",
        data={"file": (io.BytesIO(pdf), f"{imported.number}.pdf")},
        headers={"Accept": "application/json"},
    )
    found = answer.json
    assert found["verdict"] == "undetermined"
    assert imported.public_id not in answer.text


def test_the_public_is_told_that_it_is_imported_and_not_signed_by_us(
    imported: Certificate, client: FlaskClient
) -> None:
    page = client.get(f"/c/{imported.public_id}").text
    assert f"导入的证书：由{ISSUER}签发，本平台只登记，未签名" in page
    assert "由发证机关签发" not in page
    english = client.get(f"/c/{imported.public_id}?lang=en").text
    assert f"Imported certificate: issued by {ISSUER}" in english
    found = client.get(f"/c/{imported.public_id}", headers={"Accept": "application/json"}).json
    assert (found["status"], found["origin"], found["issued_on"]) == ("valid", "imported", "2025-03-01")
    assert "未签名" in found["origin_note"] or "not signed" in found["origin_note"]


def test_it_is_in_the_log_as_imported_and_an_alteration_is_found(
    imported: Certificate,
    client: FlaskClient,
    auditor_services: Services,
    jobs_services: Services,
    admin_connection: Connection,
) -> None:
    sequence_all(jobs_services)
    document = client.get(f"/c/{imported.public_id}/proof.json").get_json()
    (leaf,) = document["leaves"]
    assert (leaf["data"]["kind"], leaf["data"]["number"]) == ("import", imported.number)
    checkpoint = tree.read_checkpoint(tree.split_note(document["checkpoint"])[0])
    digest = tree.leaf_hash(base64.b64decode(leaf["data_base64"]))
    path = [bytes.fromhex(step) for step in leaf["inclusion_proof"]]
    assert tree.verify_inclusion(digest, leaf["index"], checkpoint.size, path, checkpoint.root)
    row = admin_connection.execute(
        "select kind, convert_from(leaf_data, 'utf8') from certs_leaf where certificate_id = %s", (imported.id,)
    ).fetchone()
    assert row
    stated = json.loads(str(row[1]))
    assert (row[0], stated["kind"], stated["number"]) == ("import", "import", imported.number)
    assert "pdf_sha256" not in stated
    assert verify(auditor_services).problem is None
    with altered(admin_connection, "certs_certificate", "issuer_name = '别的机关'", id=imported.id):
        problem = verify(auditor_services).problem
    assert problem is not None
    assert str(imported.id) in problem


def test_the_database_refuses_what_is_neither_issued_nor_imported_whole(
    imported: Certificate, admin_connection: Connection
) -> None:
    for change in ("origin = 'issued'", "pdf_key = 'x'", "source_system = null", "state = 'requested'"):
        with pytest.raises(psycopg.errors.CheckViolation):
            admin_connection.execute(f"update certs_certificate set {change} where id = %s", (imported.id,))


def test_the_department_is_offered_no_signed_file(desk: ImportDesk, imported: Certificate) -> None:
    page = desk.client.get(f"/regulator/certificates/{imported.id}").text
    assert "/pdf" not in page
    assert "本平台只登记，未签名" in page
    assert desk.client.get(f"/regulator/certificates/{imported.id}/pdf").status_code == 404


def test_holder_and_present_employer_see_it_marked(
    app: AnzhengFlask, desk: ImportDesk, queue_worker: Worker, tmp_path: Path, jobs_services: Services
) -> None:
    tenant_id = world.make_enterprise(jobs_services)
    row = earlier(1)[0]
    with jobs_services.db.transaction(WORKER_SCOPE) as session:
        new = world.accounts.NewEmployment(name=str(row[0]), id_number=str(row[2]), post_code=world.POST)
        employment_id = world.accounts.employ(session, world.SYSTEM, tenant_id, new)
        person_id = world.accounts.employment(session, tenant_id, employment_id).person_id
    one = desk.certificates(take(desk, queue_worker, list_bytes(tmp_path, [row])))[0]
    holder = world.client_for(app, jobs_services, person_id, tenant_id, Role.TRAINEE)
    assert "有效 · 导入" in holder.get("/certificates").text
    mine = holder.get(f"/certificates/{one.id}").text
    assert "未签名" in mine
    assert "申请更正" not in mine
    answer = holder.post(f"/certificates/{one.id}/corrections", data={"kind": "photo", "note": "照片不像本人"})
    assert answer.status_code == 409
    assert "登记到本平台" in holder.get("/notices").text
    employer = world.signed_in_at(app, jobs_services, tenant_id, Role.ENTERPRISE_ADMIN)
    listed = employer.get("/tenant/certificates?origin=imported").text
    assert one.number in listed
    assert one.number not in employer.get("/tenant/certificates?origin=issued").text
    assert one.number in employer.get(f"/staff/{employment_id}").text
    for client, address in ((holder, f"/certificates/{one.id}"), (employer, f"/tenant/certificates/{one.id}")):
        assert "/pdf" not in client.get(address).text
        assert client.get(f"{address}/pdf").status_code == 404


def test_status_decisions_work_and_the_check_page_follows(
    desk: ImportDesk, imported: Certificate, client: FlaskClient
) -> None:
    world.decided(desk.jobs, imported, Decision.SUSPEND)
    assert client.get(f"/c/{imported.public_id}", headers={"Accept": "application/json"}).json["status"] == "suspended"
    world.decided(desk.jobs, imported, Decision.REVOKE)
    page = client.get(f"/c/{imported.public_id}").text
    assert "吊销" in page
    assert "未签名" in page


def test_figures_of_issue_do_not_count_it(
    desk: ImportDesk, imported: Certificate, admin_connection: Connection
) -> None:
    world.decided(desk.jobs, imported, Decision.SUSPEND)
    deltas = admin_connection.execute(
        "select count(*) from supervision_delta where person_id = %s", (imported.person_id,)
    ).fetchone()
    counted = admin_connection.execute(
        "select count(*) from certs_certificate_figures where tenant_id = %s", (desk.department_id,)
    ).fetchone()
    assert (deltas, counted) == ((0,), (0,))


def test_the_public_log_calls_an_import_by_its_name(
    client: FlaskClient, imported: Certificate, queue_worker: Worker
) -> None:
    queue_worker.tick("certs.sequence")
    (entry,) = client.get(f"/c/{imported.public_id}/proof.json").get_json()["leaves"]
    listed = client.get("/registry").text.split(imported.number)[0].rpartition("<tr>")[2]
    page, proof = client.get(f"/registry/leaves/{entry['index']}").text, client.get(f"/c/{imported.public_id}/proof")
    for shown in (listed, page, proof.text):
        assert "导入登记" in shown
        assert "状态变更</" not in shown
        assert "签发</" not in shown
    assert imported.number in page
    assert entry["data"]["facts_sha256"] in page


def test_a_certificate_that_is_not_in_force_yet_is_listed_as_such_and_not_as_valid(
    desk: ImportDesk, queue_worker: Worker, tmp_path: Path
) -> None:
    begins = clock.today() + timedelta(days=40)
    dates = {"有效期自": begins.isoformat(), "有效期至": (begins + timedelta(days=900)).isoformat()}
    one = desk.certificates(take(desk, queue_worker, list_bytes(tmp_path, earlier(1, **dates))))[0]
    listed = {
        shown: one.number in desk.client.get(f"/regulator/certificates?batch={one.import_id}&shown={shown}").text
        for shown in ("not_yet", "valid", "expiring", "expired")
    }
    assert listed == {"not_yet": True, "valid": False, "expiring": False, "expired": False}
