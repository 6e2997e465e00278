"""Keys come and go; what they signed stays. Each test has an instance of its own, for keys are the whole instance's."""

from __future__ import annotations

import io
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result
from cryptography.hazmat.primitives.asymmetric import ec
from pyhanko.pdf_utils.reader import PdfFileReader
from sqlalchemy import select

from certs.adapters.verifying import verify_pdf
from certs.check.queries import Visitor
from certs.commands import certs_group
from certs.errors import NoKeys
from certs.issue import tasks
from certs.issue.operations import request_certificate
from certs.keys.operations import public_keys, root_pems, signing_keys
from certs.models import Certificate, IssuerKey, IssuerSecret
from certs.registry import verification
from certs.registry.operations import sequence_all
from certs.verify.operations import verify_file
from certs.verify.rules import State
from lms.core import bootstrap, clock
from lms.core.access import SYSTEM
from lms.core.audit import AuditRow
from lms.core.services import Kernel, Services
from lms.core.settings import SettingsError, SigningSettings, load_settings
from lms.core.tenancy import WORKER_SCOPE
from tests.certs import certificate_world as world
from tests.certs.authorities import PIN, SOFTHSM, Authority, import_into_token, pem_of, serving
from tests.conftest import Instance, fresh_services, make_instance


@pytest.fixture
def own(instance: Instance, kernel: Kernel, worker_id: str) -> Iterator[Services]:
    """The worker's services of a fresh instance."""
    with fresh_services(instance, kernel, f"anzheng_keys_{worker_id}") as found:
        yield found


@pytest.fixture
def authority(tmp_path: Path) -> Iterator[Authority]:
    with serving(tmp_path / "authority") as found:
        yield found


@contextmanager
def under(services: Services, **changes: Any) -> Iterator[Services]:
    """The same instance with other settings."""
    found = bootstrap.build_services(replace(services.settings, **changes), services.kernel, login="jobs")
    try:
        yield found
    finally:
        found.db.dispose()


@contextmanager
def web_of(services: Services) -> Iterator[Services]:
    """The same instance as visitors meet it."""
    found = bootstrap.build_services(services.settings, services.kernel, login="web")
    try:
        yield found
    finally:
        found.db.dispose()


def run(services: Services, *arguments: str | Path) -> Result:
    return CliRunner().invoke(certs_group, [str(one) for one in arguments], obj=lambda _login: services)


def issue_one(services: Services) -> Certificate:
    """Take one person from the exam to the signed file."""
    event = world.pass_exam(services, world.make_learner(services, world.make_enterprise(services)))
    with services.db.transaction(WORKER_SCOPE) as session:
        certificate_id = request_certificate(session, SYSTEM, person_id=event.person_id, attempt_id=event.attempt_id)
    tasks.issue(services, person_id=str(event.person_id), certificate_id=str(certificate_id))
    (row,) = world.certificate_rows(services, event.person_id)
    return row


def is_genuine(services: Services, row: Certificate) -> bool:
    with services.db.transaction(WORKER_SCOPE, read_only=True) as session:
        roots = [pem.encode() for pem in root_pems(session)]
    return verify_pdf(services.storage.get(row.pdf_key or ""), roots, clock.now()).genuine


def verdict(services: Services, row: Certificate) -> tuple[str, list[str]]:
    """Bring the file to the verification; return what comes out and the reasons of the checks that failed."""
    with web_of(services) as web:
        report = verify_file(web, services.storage.get(row.pdf_key or ""), Visitor(b"here", "other"), throttle=False)
    failed = [finding.reason for finding in report.findings if finding.state is State.FAILED]
    return report.outcome.value, failed


def key_ids(services: Services, kind: str) -> list[str]:
    with services.db.transaction(WORKER_SCOPE, read_only=True) as session:
        return [key.key_id for key in public_keys(session, kind)]


def adoption(authority: Authority, folder: Path, key: ec.EllipticCurvePrivateKey, **how: datetime) -> list[str | Path]:
    (folder / "seal.pem").write_bytes(pem_of(authority.certify(key, **how)))
    (folder / "seal.key").write_bytes(pem_of(key))
    return ["adopt-key", "--certificate", folder / "seal.pem", "--root", authority.folder / "root.pem"]


def test_after_a_rotation_new_files_have_the_new_key_and_old_ones_stay_genuine(own: Services) -> None:
    before = issue_one(own)
    said = run(own, "rotate-key", "pdf")
    assert said.exit_code == 0, said.output
    after = issue_one(own)
    assert (before.signer_key_id, after.signer_key_id) == (key_ids(own, "pdf")[1], said.output.strip())
    assert is_genuine(own, before)
    assert is_genuine(own, after)


@pytest.mark.parametrize("kind", ["pdf", "qr", "log"])
def test_a_key_announced_ahead_is_public_at_once_and_signs_from_its_time_on(own: Services, kind: str) -> None:
    (present,) = key_ids(own, kind)
    soon = datetime.now(UTC) + timedelta(hours=1)
    local = (soon + timedelta(hours=8)).strftime("%Y-%m-%dT%H:%M:%S")
    said = run(own, "rotate-key", kind, "--from", local)
    assert said.exit_code == 0, said.output
    assert set(key_ids(own, kind)) == {present, said.output.strip()}
    with own.db.transaction(WORKER_SCOPE) as session:
        keys = signing_keys(session)
        stored = session.get(IssuerKey, said.output.strip())
        assert stored is not None
        stored.signs_from = clock.now()
        session.flush()
        later = signing_keys(session)
    used = {
        "pdf": (keys.pdf_key_id, later.pdf_key_id),
        "qr": (keys.qr.kid.hex(), later.qr.kid.hex()),
        "log": (keys.log_key_id, later.log_key_id),
    }[kind]
    assert (present.startswith(used[0]), said.output.strip().startswith(used[1])) == (True, True)


def test_the_log_goes_on_under_its_next_key(own: Services) -> None:
    issue_one(own)
    sequence_all(own)
    assert run(own, "rotate-key", "log").exit_code == 0
    issue_one(own)
    sequence_all(own)
    assert verification.verify(own, files=True).problem is None


def test_a_revoked_key_signs_no_more_and_what_was_entered_before_stays_good(own: Services) -> None:
    before = issue_one(own)
    sequence_all(own)
    revoked = before.signer_key_id or ""
    said = run(own, "revoke-key", revoked, "--reason", "私钥可能泄露")
    assert (said.exit_code, said.output) == (0, "revoked\n")
    assert verdict(own, before) == ("trusted", [])
    with own.db.transaction(WORKER_SCOPE, read_only=True) as session:
        (audited,) = session.scalars(select(AuditRow).where(AuditRow.action == "certs.key.revoked"))
        assert (audited.subject_id, audited.data) == (revoked, {"reason": "私钥可能泄露"})
        with pytest.raises(NoKeys):
            signing_keys(session)
    with pytest.raises(NoKeys):
        issue_one(own)
    again = run(own, "revoke-key", revoked, "--reason", "again")
    assert (again.exit_code, "no document key in force" in again.output) == (1, True)


def test_after_a_revocation_the_next_key_signs_at_once(own: Services) -> None:
    first = issue_one(own)
    assert run(own, "revoke-key", first.signer_key_id or "", "--reason", "私钥可能泄露").exit_code == 0
    said = run(own, "rotate-key", "pdf")
    assert said.exit_code == 0, said.output
    after = issue_one(own)
    sequence_all(own)
    assert after.signer_key_id == said.output.strip()
    assert verdict(own, after) == ("trusted", [])


def test_the_provinces_own_key_takes_over(own: Services, authority: Authority, tmp_path: Path) -> None:
    before = issue_one(own)
    said = run(
        own, *adoption(authority, tmp_path, ec.generate_private_key(ec.SECP256R1())), "--key", tmp_path / "seal.key"
    )
    assert said.exit_code == 0, said.output
    after = issue_one(own)
    assert after.signer_key_id == said.output.strip()
    assert is_genuine(own, before)
    assert is_genuine(own, after)
    refused = run(own, "rotate-key", "pdf")
    assert refused.exit_code == 1
    assert "adopt" in refused.output


def test_a_key_in_a_token_signs_and_leaves_no_secret_behind(
    own: Services, authority: Authority, tmp_path: Path, token_folder: Path
) -> None:
    key = ec.generate_private_key(ec.SECP256R1())
    import_into_token(token_folder, "seal-2026", key)
    adopted = [*adoption(authority, tmp_path, key), "--token-key", "seal-2026"]
    refused = run(own, *adopted)
    assert (refused.exit_code, "ANZHENG_PKCS11_MODULE" in refused.output) == (1, True), refused.output
    (tmp_path / "pin").write_text(PIN)
    signing = SigningSettings("B-B", None, None, Path(SOFTHSM), "anzheng", tmp_path / "pin")
    with under(own, signing=signing) as equipped:
        said = run(equipped, *adopted)
        assert said.exit_code == 0, said.output
        row = issue_one(equipped)
        assert row.signer_key_id == said.output.strip()
        assert is_genuine(equipped, row)
    with own.db.transaction(WORKER_SCOPE, read_only=True) as session:
        assert session.scalar(select(IssuerSecret).where(IssuerSecret.key_id == row.signer_key_id)) is None


@pytest.mark.parametrize("flaw", ["foreign_root", "expired", "other_key"])
def test_a_key_that_would_sign_worthless_files_is_refused(
    own: Services, authority: Authority, tmp_path: Path, flaw: str
) -> None:
    key = ec.generate_private_key(ec.SECP256R1())
    ends = {"ends": datetime.now(UTC) - timedelta(minutes=1)} if flaw == "expired" else {}
    command = adoption(authority, tmp_path, key, **ends)
    if flaw == "other_key":
        (tmp_path / "seal.key").write_bytes(pem_of(ec.generate_private_key(ec.SECP256R1())))
    if flaw == "foreign_root":
        with serving(tmp_path / "other", "Other root") as other:
            command[-1] = other.folder / "root.pem"
    before = key_ids(own, "pdf"), key_ids(own, "root")
    said = run(own, *command, "--key", tmp_path / "seal.key")
    words = {"foreign_root": "not issued by", "expired": "not in force", "other_key": "another key"}
    assert (said.exit_code, words[flaw] in said.output) == (1, True), said.output
    assert (key_ids(own, "pdf"), key_ids(own, "root")) == before


def test_production_neither_makes_nor_uses_a_demonstrations_key(
    own: Services, authority: Authority, tmp_path: Path
) -> None:
    with under(own, environment="production") as production:
        with production.db.transaction(WORKER_SCOPE) as session, pytest.raises(NoKeys, match="demonstration"):
            signing_keys(session)
        key = ec.generate_private_key(ec.SECP256R1())
        said = run(production, *adoption(authority, tmp_path, key), "--key", tmp_path / "seal.key")
        assert said.exit_code == 0, said.output
        with production.db.transaction(WORKER_SCOPE) as session:
            assert signing_keys(session).pdf_key_id == said.output.strip()


def test_init_in_production_makes_no_authority(instance: Instance, kernel: Kernel, worker_id: str) -> None:
    fresh = make_instance(instance.settings, f"anzheng_keys_{worker_id}")
    production = bootstrap.build_services(replace(fresh.settings, environment="production"), kernel, login="jobs")
    said = run(production, "init")
    assert (said.exit_code, "adopt-key" in said.output) == (0, True), said.output
    assert {kind: len(key_ids(production, kind)) for kind in ("root", "issuing", "pdf", "qr", "log")} == {
        "root": 0,
        "issuing": 0,
        "pdf": 0,
        "qr": 1,
        "log": 1,
    }
    production.db.dispose()


@contextmanager
def stamped_at(own: Services, authority: Authority, folder: Path, level: str) -> Iterator[Services]:
    """The instance as its operator sets it up: the authority's key, its timestamps and a level of signatures."""
    adopted = [*adoption(authority, folder, ec.generate_private_key(ec.SECP256R1())), "--key", folder / "seal.key"]
    said = run(own, *adopted)
    assert said.exit_code == 0, said.output
    names = {"ANZHENG_TSA_URL": f"{authority.url}/tsa", "ANZHENG_TSA_ROOTS": str(authority.folder / "root.pem")}
    told = load_settings({"ANZHENG_HOME": str(folder), "ANZHENG_SIGNATURE_LEVEL": level, **names})
    with under(own, signing=told.signing) as stamped:
        yield stamped


@pytest.mark.parametrize("level", ["B-T", "B-LT"])
def test_an_authority_that_does_not_answer_delays_the_certificate_and_nothing_else(
    own: Services, authority: Authority, tmp_path: Path, level: str
) -> None:
    with stamped_at(own, authority, tmp_path, level) as stamped:
        authority.is_broken = True
        event = world.pass_exam(stamped, world.make_learner(stamped, world.make_enterprise(stamped)))
        with stamped.db.transaction(WORKER_SCOPE) as session:
            certificate_id = request_certificate(
                session, SYSTEM, person_id=event.person_id, attempt_id=event.attempt_id
            )
        arguments = {"person_id": str(event.person_id), "certificate_id": str(certificate_id)}
        with pytest.raises(RuntimeError, match="does not answer"):
            tasks.issue(stamped, **arguments)
        assert [row.state for row in world.certificate_rows(stamped, event.person_id)] == ["requested"]
        authority.is_broken = False
        tasks.issue(stamped, **arguments)
        (row,) = world.certificate_rows(stamped, event.person_id)
        assert row.state == "issued"


@pytest.mark.parametrize(("level", "asked"), [("B-T", ["stamp"]), ("B-LT", ["stamp", "crl"])])
def test_what_is_issued_at_the_level_that_is_set_is_trusted_when_it_is_brought(
    own: Services, authority: Authority, tmp_path: Path, level: str, asked: list[str]
) -> None:
    with stamped_at(own, authority, tmp_path, level) as stamped:
        authority.requests.clear()
        row = issue_one(stamped)
        assert list(dict.fromkeys(authority.requests)) == asked
        sequence_all(stamped)
        assert verdict(stamped, row) == ("trusted", [])
        pdf = stamped.storage.get(row.pdf_key or "")
    token_oid = b"060b2a864886f70d010910020e"
    assert token_oid in pdf
    assert ("/DSS" in PdfFileReader(io.BytesIO(pdf)).root) == (level == "B-LT")


def test_settings_name_what_is_missing(tmp_path: Path) -> None:
    home = {"ANZHENG_HOME": str(tmp_path)}
    pin = tmp_path / "pin"
    pin.write_text(PIN)
    pin.chmod(0o644)
    for wrong, named in (
        ({"ANZHENG_SIGNATURE_LEVEL": "B-X"}, "ANZHENG_SIGNATURE_LEVEL"),
        ({"ANZHENG_SIGNATURE_LEVEL": "B-LT"}, "ANZHENG_TSA_URL"),
        ({"ANZHENG_TSA_URL": "ftp://tsa"}, "ANZHENG_TSA_URL"),
        ({"ANZHENG_TSA_URL": "https://tsa"}, "ANZHENG_TSA_ROOTS"),
        ({"ANZHENG_TSA_URL": "https://tsa", "ANZHENG_TSA_ROOTS": "/nowhere"}, "ANZHENG_TSA_ROOTS"),
        ({"ANZHENG_PKCS11_MODULE": SOFTHSM}, "ANZHENG_PKCS11_PIN_FILE"),
        ({"ANZHENG_PKCS11_MODULE": SOFTHSM, "ANZHENG_PKCS11_PIN_FILE": str(pin)}, "chmod 600"),
    ):
        with pytest.raises(SettingsError, match=named):
            load_settings({**home, **wrong})
    assert load_settings(home).signing.level == "B-B"
    stamped = load_settings({**home, "ANZHENG_TSA_URL": "https://tsa", "ANZHENG_TSA_ROOTS": str(pin)})
    assert stamped.signing.level == "B-T"
