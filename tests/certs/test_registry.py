"""The log proves itself from stored rows, and names the row when one byte differs."""

from __future__ import annotations

import base64
import uuid
from collections.abc import Callable
from typing import Any

import pytest
from flask.testing import FlaskClient
from sqlalchemy import event, text
from sqlalchemy.exc import ProgrammingError

from certs.adapters.pki import load_log_public_key
from certs.errors import CosignatureRefused
from certs.models import Certificate
from certs.registry import publishing, verification
from certs.registry import rules as tree
from certs.registry.notes import cosign, new_witness_key
from certs.registry.operations import add_cosignatures, add_witness
from certs.registry.queries import latest_checkpoint
from certs.rules import Decision
from lms.core.access import SYSTEM
from lms.core.services import Services
from lms.core.tenancy import WORKER_SCOPE
from tests.certs import certificate_world as world
from tests.certs.altering import altered, deleted, kept
from tests.certs.certificates import make_certificate
from tests.conftest import Admin, Worker


@pytest.fixture
def certificate(jobs_services: Services, queue_worker: Worker) -> Certificate:
    """An issued certificate that was suspended and reinstated, all of it in the log."""
    row = make_certificate(jobs_services, queue_worker)
    for decision in (Decision.SUSPEND, Decision.REINSTATE):
        world.decided(jobs_services, row, decision)
        queue_worker.tick("certs.sequence")
    return row


def _problem(services: Services, *, files: bool = False) -> str | None:
    return verification.verify(services, files=files).problem


def test_the_log_holds(auditor_services: Services, certificate: Certificate) -> None:
    verdict = verification.verify(auditor_services, files=True)
    assert verdict.problem is None
    assert verdict.rows >= 3


def test_the_log_holds_in_whatever_batches_it_is_read(auditor_services: Services, certificate: Certificate) -> None:
    whole = verification.verify(auditor_services)
    for batch_rows in (1, 2):
        assert verification.verify(auditor_services, files=True, batch_rows=batch_rows) == whole


def flip(column: str, place: int) -> str:
    """Return the SQL that alters one bit of one byte."""
    return f"{column} = set_byte({column}, {place}, get_byte({column}, {place}) # 1)"


CASES = {
    "leaf data": ("certs_leaf", flip("leaf_data", 9), "certificate_id = %(id)s"),
    "leaf hash": ("certs_leaf", flip("leaf_hash", 0), "certificate_id = %(id)s"),
    "leaf time": ("certs_leaf", "at = at + interval '1 microsecond'", "certificate_id = %(id)s"),
    "node": ("certs_tree_node", flip("digest", 5), "level = 1 and position = 0"),
    "chain": ("certs_checkpoint", "previous_size = previous_size - 1", "tree_size = %(size)s"),
    "no chain": ("certs_checkpoint", "previous_size = null", "tree_size = %(size)s"),
    "root": ("certs_checkpoint", flip("root", 5), "tree_size = %(size)s"),
    "note": ("certs_checkpoint", "note = overlay(note placing 'x' from 3 for 1)", "tree_size = %(size)s"),
    "name": ("certs_certificate", "holder_name = '王建国'", "id = %(id)s"),
    "validity": ("certs_certificate", "valid_until = valid_until + 1", "id = %(id)s"),
    "region": ("certs_certificate", "region_code = region_code + 1", "id = %(id)s"),
    "pdf digest": ("certs_certificate", flip("pdf_sha256", 0), "id = %(id)s"),
    "status": ("certs_certificate", "status = 'revoked'", "id = %(id)s"),
    "reason": ("certs_status_event", "reason = reason || '。'", "certificate_id = %(id)s and old_status <> ''"),
    "decision": ("certs_certificate", "decision = decision || '{\"version\": 99}'", "id = %(id)s"),
    "no decision": ("certs_certificate", "decision = null", "id = %(id)s"),
    "public id": ("certs_public_id", "certificate_id = gen_random_uuid()", "certificate_id = %(id)s"),
    "number": ("certs_number", "certificate_id = gen_random_uuid()", "certificate_id = %(id)s"),
}  # fmt: skip


@pytest.mark.parametrize("case", CASES)
def test_one_altered_value_is_found_and_named(
    auditor_services: Services, admin_connection: Admin, certificate: Certificate, case: str
) -> None:
    table, change, where = CASES[case]
    size = _size(admin_connection)
    with altered(admin_connection, table, change, where, id=certificate.id, size=size):
        problem = _problem(auditor_services)
    assert problem is not None
    expected = {
        "certs_tree_node": "tree node 1/0",
        "certs_checkpoint": f"checkpoint {size}",
        "certs_leaf": "leaf ",
    }.get(table, str(certificate.id))
    assert expected in problem
    assert _problem(auditor_services) is None


def _size(admin: Admin) -> int:
    found = admin.execute("select max(tree_size) from certs_checkpoint").fetchone()
    assert found
    return int(str(found[0]))


NAMED = "certificate_id = %(id)s"
# What is deleted, and what the verdict names: its three leaves are the log's last ones.
DELETED = {
    "all leaves": ("certs_leaf", NAMED, "the leaf at place {first} is missing"),
    "one leaf": ("certs_leaf", f"{NAMED} and seq = %(second)s", "the leaf at place {second} is missing"),
    "history": ("certs_status_event", NAMED, "of certificate {id} was deleted"),
    "certificate": ("certs_certificate", "id = %(id)s", "certificate {id} of leaf "),
    "tree node": ("certs_tree_node", "level = 0 and position = 1", "tree node 0/1 was altered or is missing"),
    "upper tree node": ("certs_tree_node", "level = 1 and position = 0", "tree node 1/0 was altered or is missing"),
    "number": ("certs_number", NAMED, "certificate {id} is not the one that its number"),
    "public id": ("certs_public_id", NAMED, "certificate {id} is not the one that its number"),
    "checkpoint": ("certs_checkpoint", "tree_size = %(size)s", "leaves up to {last} bear no checkpoint"),
    "earlier checkpoint": ("certs_checkpoint", "tree_size = %(last)s", "checkpoint {last} is missing"),
}  # fmt: skip


@pytest.mark.parametrize("what", DELETED)
def test_a_deleted_row_is_found_and_named(
    auditor_services: Services, admin_connection: Admin, certificate: Certificate, what: str
) -> None:
    table, where, named = DELETED[what]
    size = _size(admin_connection)
    names = {"id": certificate.id, "first": size - 3, "second": size - 2, "last": size - 1, "size": size}
    with deleted(admin_connection, table, where, **names):
        problem = _problem(auditor_services)
    assert problem is not None
    assert named.format(**names) in problem
    assert _problem(auditor_services) is None


@pytest.mark.parametrize("batch_rows", [1, 1_000])
def test_two_exchanged_rows_are_found_and_named(
    auditor_services: Services, admin_connection: Admin, certificate: Certificate, batch_rows: int
) -> None:
    places = "certificate_id = %(id)s and kind = 'status'"
    rows = admin_connection.execute(
        f"select id, seq from certs_leaf where {places} order by seq", {"id": certificate.id}
    ).fetchall()
    (first, low), (second, high) = rows
    with kept(admin_connection, "certs_leaf", places, id=certificate.id):
        for leaf_id, place in ((first, None), (second, low), (first, high)):
            admin_connection.execute("update certs_leaf set seq = %s where id = %s", (place, leaf_id))
        problem = verification.verify(auditor_services, batch_rows=batch_rows).problem
    assert problem is not None
    assert f"leaf {second} does not belong at place {low}" in problem
    assert _problem(auditor_services) is None


@pytest.fixture
def cosigned(jobs_services: Services, certificate: Certificate) -> tuple[str, int]:
    """The name of a witness who co-signed the newest checkpoint, and its size."""
    signer = new_witness_key(f"witness-{uuid.uuid4()}")
    with jobs_services.db.transaction(WORKER_SCOPE) as session:
        newest = latest_checkpoint(session)
        assert newest
        add_witness(session, SYSTEM, signer.verifier)
        body, _ = tree.split_note(newest.note)
        add_cosignatures(session, SYSTEM, newest.note + cosign(body, signer, 1_800_000_000))
    return signer.name, newest.size


@pytest.mark.parametrize("change", ["line = overlay(line placing 'x' from 3 for 1)", "at = at + interval '1 second'"])
def test_an_altered_cosignature_is_found(
    auditor_services: Services, admin_connection: Admin, cosigned: tuple[str, int], change: str
) -> None:
    name, size = cosigned
    assert _problem(auditor_services) is None
    with altered(admin_connection, "certs_cosignature", change, "witness = %(name)s", name=name):
        problem = _problem(auditor_services)
    assert problem == f"the co-signature of {name} on checkpoint {size} was altered"


def test_a_deleted_cosignature_is_found_and_named(
    auditor_services: Services, admin_connection: Admin, cosigned: tuple[str, int]
) -> None:
    name, size = cosigned
    with deleted(admin_connection, "certs_cosignature", "witness = %(name)s", name=name):
        problem = _problem(auditor_services)
    assert problem == f"the co-signature of {name} on checkpoint {size} was deleted"
    assert _problem(auditor_services) is None


def test_a_deleted_or_altered_witness_is_found_and_named(
    auditor_services: Services, admin_connection: Admin, cosigned: tuple[str, int]
) -> None:
    name, size = cosigned
    with deleted(admin_connection, "certs_witness", "name = %(name)s", name=name):
        assert _problem(auditor_services) == f"witness {name} was deleted"
        with deleted(admin_connection, "certs_cosignature", "witness = %(name)s", name=name):
            assert _problem(auditor_services) == f"the co-signature of {name} on checkpoint {size} was deleted"
    change = "verifier_key = reverse(verifier_key)"
    with altered(admin_connection, "certs_witness", change, "name = %(name)s", name=name):
        assert f"the key of witness {name} was altered" in (_problem(auditor_services) or "")
    assert _problem(auditor_services) is None


def test_a_cosignature_taken_twice_is_audited_once(
    jobs_services: Services, admin_connection: Admin, cosigned: tuple[str, int]
) -> None:
    name, size = cosigned
    with jobs_services.db.transaction(WORKER_SCOPE) as session:
        newest = latest_checkpoint(session)
        assert newest
        assert add_cosignatures(session, SYSTEM, newest.note) == (name,)
    rows = admin_connection.execute(
        "select subject_id from core_audit where action = 'certs.checkpoint.cosigned' and data->>'witness' = %s",
        (name,),
    ).fetchall()
    assert rows == [(str(size),)]


def test_a_checkpoint_that_was_published_is_missed(
    auditor_services: Services, admin_connection: Admin, certificate: Certificate
) -> None:
    size = _size(admin_connection)
    # The end of the log, taken back as if the last entry had never been: nothing stored speaks of it any more.
    nodes = (
        "(level, position) in (select level, position from certs_tree_node where (position + 1) << level = %(size)s)"
    )
    newest = "select max(id::text)::uuid from certs_status_event where certificate_id = %(id)s"
    names: dict[str, Any] = {"id": certificate.id, "size": size, "last": size - 1}
    with (
        deleted(admin_connection, "certs_leaf", "seq = %(last)s", **names),
        deleted(admin_connection, "certs_tree_node", nodes, **names),
        deleted(admin_connection, "certs_status_event", f"id = ({newest})", **names),
        altered(admin_connection, "certs_certificate", "status = 'suspended'", **names),
        deleted(admin_connection, "certs_checkpoint", "tree_size = %(size)s", **names),
    ):
        problem = _problem(auditor_services)
    assert problem == f"checkpoint {size} is missing: it is published as checkpoint"
    assert _problem(auditor_services) is None


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        (lambda note: note[:-9], "the published checkpoint was altered: this is not a signed note"),
        (lambda note: note.replace("/registry", "/registrY"), "is not the one that is published as checkpoint"),
        (lambda note: note + "— witness.example AAAA\n", "the co-signature of witness.example on checkpoint "),
    ],
)
def test_a_published_checkpoint_that_is_not_the_stored_one_is_named(
    auditor_services: Services,
    jobs_services: Services,
    certificate: Certificate,
    change: Callable[[str], str],
    problem: str,
) -> None:
    key = f"{publishing.PREFIX}{publishing.CHECKPOINT}"
    note = jobs_services.storage.get(key)
    jobs_services.storage.put(key, change(note.decode()).encode())
    try:
        assert problem in (_problem(auditor_services) or "")
    finally:
        jobs_services.storage.put(key, note)
    assert _problem(auditor_services) is None


def test_a_cosigned_checkpoint_beyond_all_sizes_is_refused(jobs_services: Services, certificate: Certificate) -> None:
    with jobs_services.db.transaction(WORKER_SCOPE) as session:
        newest = latest_checkpoint(session)
        assert newest
        with pytest.raises(CosignatureRefused):
            add_cosignatures(session, SYSTEM, newest.note.replace(f"\n{newest.size}\n", f"\n{'9' * 19}\n", 1))


def test_verification_asks_no_more_for_more_leaves(
    auditor_services: Services, jobs_services: Services, queue_worker: Worker, certificate: Certificate
) -> None:
    before = _statements(auditor_services)
    for decision in (Decision.SUSPEND, Decision.REINSTATE):
        world.decided(jobs_services, certificate, decision)
        queue_worker.tick("certs.sequence")
    assert _statements(auditor_services) == before


def _statements(services: Services) -> int:
    seen: list[str] = []

    def note(_connection: object, _cursor: object, statement: str, *_rest: object) -> None:
        seen.append(statement)

    event.listen(services.db.engine, "before_cursor_execute", note)
    try:
        assert _problem(services) is None
    finally:
        event.remove(services.db.engine, "before_cursor_execute", note)
    return len(seen)


def test_an_altered_file_is_found(
    auditor_services: Services, jobs_services: Services, certificate: Certificate
) -> None:
    key = certificate.pdf_key or ""
    data = jobs_services.storage.get(key)
    jobs_services.storage.put(key, data[:-1] + b"x")
    try:
        assert _problem(auditor_services, files=True) == f"the file of certificate {certificate.id} was altered"
    finally:
        jobs_services.storage.put(key, data)


def test_anyone_can_check_the_proof_by_themselves(client: FlaskClient, certificate: Certificate) -> None:
    document = client.get(f"/c/{certificate.public_id}/proof.json").get_json()
    pem = client.get("/pki/keys.json").get_json()["log"][0]
    stated = tree.verify_checkpoint(
        document["checkpoint"], pem["name"], load_log_public_key(pem["public_pem"].encode())
    )
    assert [leaf["data"]["kind"] for leaf in document["leaves"]] == ["issue", "status", "status"]
    for leaf in document["leaves"]:
        digest = tree.leaf_hash(base64.b64decode(leaf["data_base64"]))
        path = [bytes.fromhex(step) for step in leaf["inclusion_proof"]]
        assert tree.verify_inclusion(digest, leaf["index"], stated.size, path, stated.root)
        assert not tree.verify_inclusion(digest, leaf["index"] + 1, stated.size, path, stated.root)
    assert "王" not in str(document)
    page = client.get(f"/c/{certificate.public_id}/proof")
    assert document["leaves"][0]["leaf_hash"] in page.text


def test_the_worker_itself_cannot_rewrite_the_log(jobs_services: Services, certificate: Certificate) -> None:
    for statement in (
        "update certs_tree_node set digest = digest",
        "delete from certs_checkpoint",
        "update certs_leaf set leaf_hash = leaf_hash",
        "delete from certs_leaf",
        "update certs_status_event set reason = ''",
    ):
        with pytest.raises(ProgrammingError), jobs_services.db.transaction(WORKER_SCOPE) as session:
            session.execute(text(statement))
    with jobs_services.db.transaction(WORKER_SCOPE) as session:
        moved = session.execute(
            text("update certs_leaf set seq = 999999999 where certificate_id = :id"), {"id": certificate.id}
        )
        assert moved.rowcount == 0  # type: ignore[attr-defined]  # a cursor result


def test_the_registry_page_shows_the_newest_checkpoint(client: FlaskClient, certificate: Certificate) -> None:
    note = client.get("/registry/checkpoint").text
    assert note.splitlines()[1].isdigit()
    assert note.splitlines()[2] in client.get("/registry").text


def test_an_unknown_proof_is_not_found(client: FlaskClient) -> None:
    for name in ("proof", "proof.json"):
        assert client.get(f"/c/{uuid.uuid4().hex[:16].upper()}/{name}").status_code == 404
