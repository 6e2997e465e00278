"""What stands behind a signed certificate is hostile until it was shown to be ours: no parser opens it before."""

from __future__ import annotations

import time
import tracemalloc
import uuid
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache

import pytest
from flask.testing import FlaskClient

from certs.adapters.longterm import adds_only_proofs, signed_part
from certs.verify.operations import verify_alone
from certs.verify.rules import Outcome
from lms.core.services import Services
from lms.core.web import AnzhengFlask
from tests.certs import certificate_world as world
from tests.certs import tampering
from tests.certs.certificate_fixtures import NOW, pki, signed
from tests.conftest import Worker

PACKED_MB = 6
ENTRIES = PACKED_MB * 2**20 // 3
TABLE = b"/Type /XRef /Size %d /W [1 1 1] /Root 1 0 R" % ENTRIES
SECONDS_MAX = 2.0
GROWN_MB_MAX = 24


@cache
def packed() -> bytes:
    """A table of millions of free entries, a thousandth of its size."""
    packer = zlib.compressobj(9)
    return b"".join([packer.compress(b"\0" * 2**20) for _ in range(PACKED_MB)]) + packer.flush()


def stream(number: int, entries: bytes) -> bytes:
    head = b"%d 0 obj\n<< /Length %d /Filter /FlateDecode %s >>\nstream\n" % (number, len(packed()), entries)
    return head + packed() + b"\nendstream\nendobj\n"


def last_table(pdf: bytes) -> int:
    return int(pdf[pdf.rindex(b"startxref") + 9 :].split()[0])


def ended(body: bytes, table: int) -> bytes:
    return body + b"startxref\n%d\n%%%%EOF\n" % table


def packed_table(pdf: bytes) -> bytes:
    """The last table itself is a packed stream."""
    return ended(pdf + stream(900, TABLE), len(pdf))


def plain_table(pdf: bytes, trailer: Callable[[int], bytes]) -> bytes:
    """A plain table behind a packed stream, which the trailer leads to in its own way."""
    body = pdf + stream(900, TABLE)
    end = b"xref\n0 0\ntrailer\n<< /Size %d /Root 1 0 R %s >>\n" % (ENTRIES, trailer(len(pdf)))
    return ended(body + end, len(body))


def mixed_table(pdf: bytes) -> bytes:
    return plain_table(pdf, lambda place: b"/Prev %d /XRefStm %d" % (last_table(pdf), place))


def escaped_mixed_table(pdf: bytes) -> bytes:
    return plain_table(pdf, lambda place: b"/Prev %d /#58RefStm %d" % (last_table(pdf), place))


def packed_table_before(pdf: bytes) -> bytes:
    return plain_table(pdf, lambda place: b"/Prev %d" % place)


BOMBS = (packed_table, mixed_table, escaped_mixed_table, packed_table_before)
bombs = pytest.mark.parametrize("bomb", BOMBS)


@contextmanager
def cheaply() -> Iterator[None]:
    """Fail when the block computes long or unpacks much."""
    tracemalloc.start()
    started = time.process_time()
    try:
        yield
        spent_s, peak = time.process_time() - started, tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert spent_s < SECONDS_MAX
    assert peak < GROWN_MB_MAX << 20


@pytest.fixture
def issued(jobs_services: Services, queue_worker: Worker) -> bytes:
    """A file that the register knows."""
    learner = world.make_learner(jobs_services, world.make_enterprise(jobs_services))
    world.pass_exam(jobs_services, learner)
    world.settle(queue_worker)
    return jobs_services.storage.get(world.certificate_rows(jobs_services, learner.person_id)[0].pdf_key or "")


@bombs
def test_a_bomb_behind_a_genuine_file_is_refused_unopened(bomb: Callable[[bytes], bytes]) -> None:
    genuine = signed()
    file = bomb(genuine)
    with cheaply():
        assert signed_part(file) == genuine
        assert not adds_only_proofs(file, genuine)
        assert verify_alone(file, [pki().root_certificate]).outcome is Outcome.REFUSED


@bombs
def test_a_bomb_behind_a_strangers_file_is_refused_unopened(bomb: Callable[[bytes], bytes]) -> None:
    file = bomb(tampering.signed_by(signed(), tampering.stranger(NOW)))
    with cheaply():
        assert verify_alone(file, [pki().root_certificate]).outcome is Outcome.REFUSED


@bombs
def test_a_bomb_at_the_public_door_is_refused_unopened(
    client: FlaskClient, issued: bytes, bomb: Callable[[bytes], bytes]
) -> None:
    number = uuid.uuid4().int
    address = {"REMOTE_ADDR": f"10.{number % 250}.{number // 250 % 250}.{number // 62_500 % 250}"}
    file = bomb(issued)
    with cheaply():
        answer = client.post(
            "/verify", **world.form_with(file), headers={"Accept": "application/json"}, environ_overrides=address
        )
    assert answer.json["verdict"] == "refused"
    failed = {one["reason"] for one in answer.json["checks"] if one["state"] == "failed"}
    assert {"byte_range", "revisions", "not_entered"} <= failed


def test_more_proofs_than_chains_need_are_none(issued: bytes) -> None:
    assert not adds_only_proofs(issued + b"%" * 2_000_000 + b"\n%%EOF\n", issued)


def test_what_follows_a_signature_cannot_be_checked_while_the_register_is_away(
    cut_off_app: AnzhengFlask, issued: bytes
) -> None:
    with cheaply():
        answer = cut_off_app.test_client().post(
            "/verify", **world.form_with(packed_table(issued)), headers={"Accept": "application/json"}
        )
    assert answer.status_code == 503
    assert answer.json["verdict"] == "undetermined"
    states = {one["check"]: (one["state"], one["reason"]) for one in answer.json["checks"]}
    assert states["digest"] == ("ok", None)
    assert states["revisions"] == ("unchecked", "unavailable")
