"""Whoever asks for one certificate after the other that does not exist is slowed down at every door."""

from __future__ import annotations

import uuid
from collections.abc import Callable

import pytest
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from certs.check.queries import GUESSES_ALLOWED
from certs.models import Certificate
from lms.core.services import Services
from tests.certs.certificates import make_certificate
from tests.conftest import Admin, Worker

Door = Callable[[FlaskClient, dict[str, str]], TestResponse]


def code() -> str:
    return uuid.uuid4().hex[:16].upper()


def find(client: FlaskClient, here: dict[str, str], **form: str) -> TestResponse:
    wanted = {"number": f"豫危管{code()}", "name": "王建军", **form}
    return client.post("/find", data=wanted, environ_overrides=here)


DOORS: dict[str, tuple[int, Door]] = {
    "code": (404, lambda client, here: client.get(f"/c/{code()}", environ_overrides=here)),
    "malformed code": (400, lambda client, here: client.get("/c/AB", environ_overrides=here)),
    "proof": (404, lambda client, here: client.get(f"/c/{code()}/proof", environ_overrides=here)),
    "proof file": (404, lambda client, here: client.get(f"/c/{code()}/proof.json", environ_overrides=here)),
    "number and name": (404, find),
}


@pytest.fixture
def certificate(jobs_services: Services, queue_worker: Worker) -> Certificate:
    return make_certificate(jobs_services, queue_worker, name="欧阳建军", logged=True)


@pytest.mark.parametrize("door", DOORS)
def test_guessing_is_slowed_down_at_each_door_and_shuts_them_all(
    client: FlaskClient, address: dict[str, str], certificate: Certificate, door: str
) -> None:
    status, guess = DOORS[door]
    for _ in range(GUESSES_ALLOWED):
        assert guess(client, address).status_code == status
    # A look-up by number and name is refused before it looks; the others say it with their own record.
    answers = [guess(client, address) for _ in range(2)]
    assert answers[-1].status_code == 429
    assert int(answers[-1].headers["Retry-After"]) > 0
    for _status, other in DOORS.values():
        assert other(client, address).status_code == 429
    assert find(client, address, number=certificate.number, name="欧阳建军").status_code == 429
    # What was scanned is real and is told.
    for path in ("", "/proof", "/proof.json"):
        answer = client.get(f"/c/{certificate.public_id}{path}", environ_overrides=address)
        assert answer.status_code == 200


def test_another_address_is_not_slowed_down_by_it(
    client: FlaskClient, address: dict[str, str], admin_connection: Admin
) -> None:
    for _ in range(GUESSES_ALLOWED + 2):
        find(client, address)
    assert find(client, address).status_code == 429
    elsewhere = {"REMOTE_ADDR": f"{address['REMOTE_ADDR'].rsplit('.', 1)[0]}.254"}
    assert find(client, elsewhere).status_code == 404
    told = admin_connection.execute(
        "select count(*) from certs_check where outcome = 'unknown' and public_id like '豫危管%'"
    ).fetchone()
    assert told
    assert int(str(told[0])) > GUESSES_ALLOWED


def test_a_check_as_json_tells_what_it_may_and_nothing_else(client: FlaskClient, certificate: Certificate) -> None:
    answer = client.get(f"/c/{certificate.public_id}", headers={"Accept": "application/json"})
    found = answer.get_json()
    assert found["holder"] == "***军"
    assert (found["number"], found["status"]) == (certificate.number, "valid")
    hidden = ("欧阳", certificate.id_number_masked, certificate.id_number_masked[-4:])
    texts = [value for value in found.values() if isinstance(value, str)]
    for secret in (*hidden, str(certificate.person_id), str(certificate.tenant_id), str(certificate.id)):
        assert not [text for text in texts if secret in text and text != certificate.number], secret
    proof = client.get(f"/c/{certificate.public_id}/proof.json").text
    for secret in ("欧阳", certificate.id_number_masked, str(certificate.person_id)):
        assert secret not in proof
