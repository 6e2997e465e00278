"""The public interface answers as its own description says."""

from __future__ import annotations

import re
import uuid
from typing import Any

import pytest
from flask.testing import FlaskClient

from certs.models import Certificate
from certs.rules import Decision, Shown
from certs.verify.limits import limits
from certs.verify.rules import Check, Outcome, State
from lms.core.services import Services
from lms.core.web import AnzhengFlask
from tests.certs import certificate_world as world
from tests.certs.certificates import make_certificate
from tests.conftest import Worker

JSON = {"Accept": "application/json"}
TYPES: dict[str, type | tuple[type, ...]] = {
    "object": dict,
    "array": list,
    "string": str,
    "integer": int,
    "null": type(None),
}
# Public, but for readers only: what a script asks for here it gets as a page.
PAGES = {
    ("certs_check.find_page", "GET"),
    ("certs_check.proof", "GET"),
    ("certs_registry.log", "GET"),
    ("certs_registry.leaf", "GET"),
    ("certs_verify.page", "GET"),
}


def faults(document: dict[str, Any], schema: dict[str, Any], value: object, place: str = "$") -> list[str]:
    """Return where a value is not as a schema says; knows the words of JSON Schema that the description uses."""
    if "$ref" in schema:
        return faults(document, document["components"]["schemas"][schema["$ref"].rsplit("/", 1)[1]], value, place)
    kinds = schema["type"] if isinstance(schema["type"], list) else [schema["type"]]
    if not any(isinstance(value, TYPES[kind]) for kind in kinds):
        return [f"{place}: {value!r} is not {kinds}"]
    found: list[str] = []
    if "enum" in schema and value not in schema["enum"]:
        found.append(f"{place}: {value!r} is none of {schema['enum']}")
    if "pattern" in schema and isinstance(value, str) and not re.search(schema["pattern"], value):
        found.append(f"{place}: {value!r} does not match")
    if isinstance(value, list):
        found += [fault for item in value for fault in faults(document, schema["items"], item, f"{place}[]")]
    if isinstance(value, dict) and "properties" in schema:
        found += [f"{place}: {key} is missing" for key in schema["required"] if key not in value]
        found += [f"{place}: {key} is not described" for key in value if key not in schema["properties"]]
        for key, inner in schema["properties"].items():
            found += faults(document, inner, value[key], f"{place}.{key}") if key in value else []
    return found


@pytest.fixture
def certificate(jobs_services: Services, queue_worker: Worker) -> Certificate:
    """An issued and logged certificate."""
    return make_certificate(jobs_services, queue_worker, logged=True)


def check(client: FlaskClient, described: str, path: str = "", **request: Any) -> int:
    """Ask and compare the answer with the description of its route, method and status; return the status."""
    document = client.get("/api/openapi.json").get_json()
    method = "post" if request.keys() & {"json", "data"} else "get"
    answer = client.open(path or described, method=method.upper(), headers=JSON, **request)
    promised = document["paths"][described][method]["responses"]
    assert str(answer.status_code) in promised, answer.text
    ((kind, content),) = promised[str(answer.status_code)]["content"].items()
    assert answer.mimetype == kind
    assert answer.data
    # Bytes have no schema.
    if "schema" in content:
        value = answer.get_json() if kind == "application/json" else answer.text
        assert faults(document, content["schema"], value) == []
    return answer.status_code


def visitor(number: int) -> dict[str, Any]:
    """A visitor's address of one test's own, so that no other test's guesses count."""
    return {"environ_overrides": {"REMOTE_ADDR": f"203.0.113.{number}"}}


def test_answers_about_a_certificate_are_as_described(
    client: FlaskClient, jobs_services: Services, certificate: Certificate
) -> None:
    here, address, strange = visitor(31), "/c/{public_id}", uuid.uuid4().hex[:16].upper()
    assert check(client, address, f"/c/{certificate.public_id}", **here) == 200
    assert check(client, address, f"/c/{strange}", **here) == 404
    assert check(client, address, "/c/!", **here) == 400
    proof = "/c/{public_id}/proof.json"
    assert check(client, proof, f"/c/{certificate.public_id}/proof.json", **here) == 200
    assert check(client, proof, f"/c/{strange}/proof.json", **here) == 404
    wanted = {"number": certificate.number, "name": certificate.holder_name}
    assert check(client, "/find", json=wanted, **here) == 200
    assert check(client, "/find", json={**wanted, "name": "无此人"}, **here) == 404
    assert check(client, "/find", json={"number": ""}, **here) == 422
    world.decided(jobs_services, certificate, Decision.SUSPEND)
    assert check(client, address, f"/c/{certificate.public_id}", **here) == 200


def test_answers_about_a_file_are_as_described(
    client: FlaskClient, jobs_services: Services, certificate: Certificate, cut_off_app: AnzhengFlask
) -> None:
    pdf, here = jobs_services.storage.get(certificate.pdf_key or ""), visitor(33)

    def verify(client: FlaskClient, data: bytes, **more: Any) -> int:
        return check(client, "/verify", **world.form_with(data, **more), **here)

    assert verify(client, pdf) == 200
    assert verify(client, pdf[:-9]) == 200
    assert verify(client, b"%PDF-" + bytes(limits().max_file_bytes)) == 413
    assert verify(client, pdf, field="other") == 422
    assert check(client, "/verify", data={}, **here) == 411
    assert verify(cut_off_app.test_client(), pdf) == 503


def test_answers_of_the_log_are_as_described(
    client: FlaskClient, queue_worker: Worker, certificate: Certificate
) -> None:
    place = client.get(f"/c/{certificate.public_id}/proof.json").get_json()["leaves"][0]["index"]
    queue_worker.tick("certs.status_list")
    for plain in ("/pki/keys.json", "/pki/root.pem", "/registry/checkpoint", "/status/list", "/api/openapi.json"):
        assert check(client, plain) == 200
    for form in ("proof.json", "proof.tlog-proof"):
        assert check(client, f"/registry/leaves/{{place}}/{form}", f"/registry/leaves/{place}/{form}") == 200
        assert check(client, f"/registry/leaves/{{place}}/{form}", f"/registry/leaves/888888/{form}") == 404
    assert check(client, "/registry/consistency", f"/registry/consistency?first=1&second={place + 1}") == 200
    assert check(client, "/registry/consistency", "/registry/consistency?first=2&second=1") == 422
    size = int(client.get("/registry/checkpoint").text.split("\n")[1])
    tile = f"0/{size // 256:03d}.p/{size % 256}" if size % 256 else f"0/{size // 256 - 1:03d}"
    assert check(client, "/registry/tile/{tile_name}", f"/registry/tile/{tile}") == 200
    assert check(client, "/registry/tile/{tile_name}", "/registry/tile/0/888") == 404


def test_throttled_answers_are_as_described(client: FlaskClient) -> None:
    statuses = [check(client, "/c/{public_id}", f"/c/{uuid.uuid4().hex[:16]}", **visitor(32)) for _ in range(31)]
    assert statuses[-1] == 429


def test_all_states_are_described_and_the_comparison_sees_faults(client: FlaskClient) -> None:
    document = client.get("/api/openapi.json").get_json()
    assert document["openapi"].startswith("3.1")
    schemas = document["components"]["schemas"]
    assert set(schemas["Status"]["enum"]) == {shown.value for shown in Shown}
    finding = schemas["Finding"]["properties"]
    assert finding["check"]["enum"] == [one.value for one in Check]
    assert finding["state"]["enum"] == [one.value for one in State]
    assert schemas["Verification"]["properties"]["verdict"]["enum"] == [one.value for one in Outcome]
    good = {"status": "unknown", "asked": "", "message": ""}
    assert faults(document, schemas["Unknown"], good) == []
    for bad in ({**good, "status": "valid"}, {**good, "more": 1}, {"status": "unknown"}, {**good, "asked": 1}, []):
        assert faults(document, schemas["Unknown"], bad)


def public_routes(client: FlaskClient) -> dict[tuple[str, str], set[str]]:
    """Return the addresses of the certificates' public routes, by endpoint and method."""
    found: dict[tuple[str, str], set[str]] = {}
    for rule in client.application.url_map.iter_rules():
        view = client.application.view_functions[rule.endpoint]
        if rule.endpoint.startswith("certs") and getattr(view, "anzheng_permission", None) == "":
            for method in (rule.methods or set()) - {"HEAD", "OPTIONS"}:
                address = re.sub(r"<(?:\w+:)?(\w+)>", r"{\1}", rule.rule)
                found.setdefault((rule.endpoint, method), set()).add(address)
    return found


def test_every_public_route_is_described_or_a_page_and_nothing_else_is(client: FlaskClient) -> None:
    paths = client.get("/api/openapi.json").get_json()["paths"]
    described = {(path, method.upper()) for path, methods in paths.items() for method in methods}
    routes = public_routes(client)
    assert routes.keys() >= PAGES
    for (endpoint, method), addresses in routes.items():
        stated = {(address, method) for address in addresses} & described
        assert len(stated) == (0 if (endpoint, method) in PAGES else 1), (endpoint, method)
        described -= stated
    assert not described


def test_what_counts_as_a_page_is_one(client: FlaskClient, certificate: Certificate) -> None:
    place = client.get(f"/c/{certificate.public_id}/proof.json").get_json()["leaves"][0]["index"]
    routes = public_routes(client)
    for page in PAGES:
        for address in routes[page]:
            path = address.format(public_id=certificate.public_id, place=place)
            answer = client.get(path, headers=JSON, **visitor(34))
            assert (answer.status_code, answer.mimetype) == (200, "text/html"), path
