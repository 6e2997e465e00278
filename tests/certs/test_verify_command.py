"""``anzheng verify FILE``: what it says and how it ends."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from flask.testing import FlaskClient

from certs.models import Certificate
from certs.rules import Decision
from certs.status.operations import decide
from certs.verify.commands import verify_command
from certs.verify.limits import limits
from lms.core import clock
from lms.core.access import SYSTEM
from lms.core.services import Services
from lms.core.tenancy import WORKER_SCOPE
from tests.certs import tampering
from tests.certs.certificates import make_certificate
from tests.conftest import Worker


@pytest.fixture
def certificate(jobs_services: Services, queue_worker: Worker) -> Certificate:
    """An issued certificate, entered in the log."""
    return make_certificate(jobs_services, queue_worker, name="欧阳建军", logged=True)


@pytest.fixture
def pdf(jobs_services: Services, certificate: Certificate) -> bytes:
    """Its file."""
    return jobs_services.storage.get(certificate.pdf_key or "")


def run(services: Services, *arguments: str | Path) -> Any:
    return CliRunner().invoke(verify_command, [str(one) for one in arguments], obj=lambda _login: services)


def test_the_command_line_trusts_only_what_is_genuine_and_in_force(
    services: Services, jobs_services: Services, certificate: Certificate, pdf: bytes, tmp_path: Path
) -> None:
    genuine, altered, foreign = (tmp_path / f"{name}.pdf" for name in ("genuine", "altered", "foreign"))
    genuine.write_bytes(pdf)
    altered.write_bytes(tampering.update(pdf, tampering.added_page_content))
    foreign.write_bytes(tampering.signed_by(pdf, tampering.stranger(clock.now())))
    trusted = run(services, genuine)
    assert trusted.exit_code == 0
    assert "证书文件真实有效" in trusted.output
    assert certificate.number in trusted.output
    refused = run(services, altered, "--language", "en")
    assert refused.exit_code == 1
    assert "The file holds content that is not signed" in refused.output
    assert run(services, foreign).exit_code == 3
    with jobs_services.db.transaction(WORKER_SCOPE) as session:
        decide(session, SYSTEM, certificate.id, Decision.SUSPEND, "现场检查发现问题")
    told = run(services, genuine, "--json")
    assert told.exit_code == 1
    assert json.loads(told.output)["verdict"] == "not_in_force"


def test_with_a_root_alone_the_command_line_leaves_the_status_open(
    client: FlaskClient, cut_off: Services, pdf: bytes, tmp_path: Path
) -> None:
    file, root = tmp_path / "c.pdf", tmp_path / "root.pem"
    file.write_bytes(pdf)
    root.write_bytes(client.get("/pki/root.pem").data)
    told = run(cut_off, file, "--root", root, "--json")
    assert told.exit_code == 3
    states = {one["check"]: one["state"] for one in json.loads(told.output)["checks"]}
    assert states["chain"] == states["certification"] == "ok"
    assert states["registry"] == states["status"] == "unchecked"
    file.write_bytes(tampering.flip(pdf, 60_000))
    assert run(cut_off, file, "--root", root).exit_code == 1


def test_a_file_too_large_for_the_command_line_is_refused(services: Services, tmp_path: Path) -> None:
    file = tmp_path / "large.pdf"
    file.write_bytes(b"\0" * (limits().max_file_bytes + 1))
    told = run(services, file)
    assert told.exit_code == 1
    assert "20 MB" in told.output
