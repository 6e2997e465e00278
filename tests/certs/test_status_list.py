"""The status list: exact, small, signed, and readable by others."""

from __future__ import annotations

import random
import zlib

import cbor2
import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_pem_public_key
from cwt import COSE, COSEKey
from flask.testing import FlaskClient
from hypothesis import given
from hypothesis import strategies as st

from certs.adapters import statuslist
from certs.adapters.qr import QrKey, key_id
from certs.adapters.statuslist import INVALID, SUSPENDED, VALID, StatusListInvalidError
from certs.rules import Decision
from certs.status import lists
from lms.core import clock
from lms.core.services import Services
from tests.certs import certificate_world as world
from tests.certs.certificates import issue_to
from tests.conftest import Worker

_PEM = (Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)


def _key() -> QrKey:
    private = ec.generate_private_key(ec.SECP256R1())
    return QrKey(key_id(private.public_key()), private)


def _signed(packed: bytes, key: QrKey) -> bytes:
    return statuslist.sign(packed, subject="https://v.example/status/list", issued_at=1, lifetime_s=9, ttl_s=3, key=key)


@given(st.dictionaries(st.integers(0, 99), st.sampled_from([INVALID, SUSPENDED])), st.integers(100, 110))
def test_what_is_packed_is_read_and_all_others_are_valid(decided: dict[int, int], size: int) -> None:
    key = _key()
    found = statuslist.read(_signed(statuslist.pack(decided.items(), size), key), key.private_key.public_key())
    assert [found.status(index) for index in range(size)] == [decided.get(index, VALID) for index in range(size)]


def test_five_million_with_one_per_cent_revoked_take_less_than_a_hundred_kilobytes() -> None:
    places = random.Random(3).sample(range(5_000_000), 50_000)
    assert len(_signed(statuslist.pack(((place, INVALID) for place in places), 5_000_000), _key())) <= 100_000


def test_an_altered_or_foreign_list_is_refused() -> None:
    key = _key()
    signed = _signed(statuslist.pack([(3, INVALID)], 8), key)
    for place in range(0, len(signed), 7):
        altered = bytearray(signed)
        altered[place] ^= 1
        try:
            found = statuslist.read(bytes(altered), key.private_key.public_key())
        except StatusListInvalidError:
            continue
        # The key's id and the tag are no part of what is signed; the content is.
        assert found.status(3) == INVALID
    for wrong in (b"", b"\x00", cbor2.dumps({}), signed[:-1]):
        with pytest.raises(StatusListInvalidError):
            statuslist.read(wrong, key.private_key.public_key())
    with pytest.raises(StatusListInvalidError):
        statuslist.read(signed, _key().private_key.public_key())


def test_another_library_reads_it() -> None:
    key = _key()
    signed = _signed(statuslist.pack([(5, SUSPENDED)], 8), key)
    public = COSEKey.from_pem(
        key.private_key.public_key().public_bytes(*_PEM), kid=key.kid, alg="ES256", key_ops=["verify"]
    )
    claims = cbor2.loads(COSE.new().decode(signed, public))
    assert claims[65533]["bits"] == 2
    assert zlib.decompress(claims[65533]["lst"])[1] >> 2 & 3 == SUSPENDED


def test_the_published_list_tells_each_certificates_state(
    client: FlaskClient, jobs_services: Services, queue_worker: Worker
) -> None:
    tenant, found = world.make_enterprise(jobs_services), {}
    for decision in (None, Decision.SUSPEND, Decision.REVOKE, Decision.CANCEL):
        learner = world.make_learner(jobs_services, tenant)
        row = issue_to(jobs_services, queue_worker, learner)
        found[decision] = row.status_index
        if decision:
            world.decided(jobs_services, row, decision)
    # The ticker leaves a list alone that is younger than an hour.
    lists.build(jobs_services)
    answer = client.get("/status/list")
    assert (answer.status_code, answer.mimetype) == (200, "application/statuslist+cwt")
    assert client.get("/status/list", headers={"If-None-Match": answer.headers["ETag"]}).status_code == 304
    pem = client.get("/pki/keys.json").get_json()["qr"][0]["public_pem"]
    key = load_pem_public_key(pem.encode())
    assert isinstance(key, ec.EllipticCurvePublicKey)
    published = statuslist.read(answer.data, key)
    wanted = {None: VALID, Decision.SUSPEND: SUSPENDED, Decision.REVOKE: INVALID, Decision.CANCEL: INVALID}
    assert {decision: published.status(index) for decision, index in found.items()} == wanted
    assert published.expires_at - published.issued_at == lists.LIFETIME_S
    assert abs(published.issued_at - clock.now().timestamp()) < 60
