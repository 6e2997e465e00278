from __future__ import annotations

import base64
from dataclasses import replace
from datetime import date

import cbor2
import numpy as np
import pytest
import segno
import zxingcpp
from cryptography.hazmat.primitives.asymmetric import ec
from cwt import COSE, COSEKey
from cwt.exceptions import VerifyError
from hypothesis import given, settings
from hypothesis import strategies as st

from certs.adapters.pki import load_p256_public_key, public_half
from certs.adapters.qr import (
    QrClaims,
    QrInvalidError,
    QrKey,
    certificate_url,
    decode_payload,
    encode_payload,
    external_data,
    key_id,
    verify_payload,
)
from certs.adapters.qrmatrix import ALPHANUMERIC, QrAlphabetError, QrTooLongError, encode_matrix
from tests.certs.certificate_fixtures import RARE_NAME, qr_key

PUBLIC_ID = "K7Q2M9XWT4RB6ZPD"
CLAIMS = QrClaims(
    number="SF-WHA-2026-00012345",
    holder_name="王建国",
    id_number_tail="271X",
    industry_code="C26",
    post_code="WHA",
    valid_from=date(2026, 4, 18),
    valid_until=date(2029, 4, 17),
    status_index=1_234_567,
)


def payload(claims: QrClaims = CLAIMS) -> str:
    key = QrKey.from_pem(qr_key())
    return encode_payload(claims, base_url="https://certs.example.gov.cn", public_id=PUBLIC_ID, key=key)


def known_keys() -> dict[bytes, ec.EllipticCurvePublicKey]:
    public = load_p256_public_key(public_half(qr_key()))
    return {key_id(public): public}


def test_a_payload_proves_its_claims() -> None:
    text = payload()
    found = verify_payload(text, known_keys())
    assert found.public_id == PUBLIC_ID
    assert found.claims == CLAIMS
    assert found == decode_payload(text)


@pytest.mark.parametrize("number", ["A", "SF-1", "SF-12", "SF-WHA-2026-00012345", "浙建安C1(2026)0001234", "a/b", ""])
def test_numbers_of_every_form_are_carried(number: str) -> None:
    assert decode_payload(payload(replace(CLAIMS, number=number))).claims.number == number


def test_the_address_alone_is_the_beginning_of_the_text() -> None:
    address = certificate_url("http://localhost:8080/", PUBLIC_ID)
    assert address == f"HTTP://LOCALHOST:8080/C/{PUBLIC_ID}"
    key = QrKey.from_pem(qr_key())
    text = encode_payload(CLAIMS, base_url="http://localhost:8080/", public_id=PUBLIC_ID, key=key)
    assert text.startswith(address + "/")


@pytest.mark.parametrize("name", ["王建国", RARE_NAME])
def test_the_symbol_stays_alphanumeric_and_version_9(name: str) -> None:
    text = payload(replace(CLAIMS, holder_name=name))
    assert set(text) <= set(ALPHANUMERIC)
    assert encode_matrix(text).shape == (53, 53)


def test_another_library_verifies_the_credential() -> None:
    found = decode_payload(payload())
    tagged = cbor2.CBORTag(18, cbor2.loads(found.cose))
    key = COSEKey.from_pem(public_half(qr_key()), kid=found.kid)
    content = COSE().decode(tagged, key, external_aad=external_data(PUBLIC_ID))
    assert cbor2.loads(content)[2:4] == [CLAIMS.holder_name, CLAIMS.id_number_tail]
    with pytest.raises(VerifyError):
        COSE().decode(tagged, key, external_aad=external_data("K7Q2M9XWT4RB6ZPE"))


def refusal(text: str) -> str:
    with pytest.raises(QrInvalidError) as refused:
        verify_payload(text, known_keys())
    return refused.value.code


def test_changed_claims_are_refused() -> None:
    address, _, encoded = payload().rpartition("/")
    cose = base64.b32decode(encoded + "=" * (-len(encoded) % 8))
    changed = cose.replace("王建国".encode(), "王建军".encode())
    assert changed != cose
    assert refusal(f"{address}/{base64.b32encode(changed).decode().rstrip('=')}") == "bad_signature"


def test_a_credential_under_another_address_is_refused() -> None:
    assert refusal(payload().replace(PUBLIC_ID, "K7Q2M9XWT4RB6ZPE")) == "bad_signature"


def test_an_unknown_key_is_refused() -> None:
    with pytest.raises(QrInvalidError) as refused:
        verify_payload(payload(), {})
    assert refused.value.code == "unknown_key"


@pytest.mark.parametrize(
    "text",
    [
        "",
        "HTTPS://V.EXAMPLE.GOV.CN/C/K7Q2M9XWT4RB6ZPD",
        "HTTPS://V.EXAMPLE.GOV.CN/C/K7Q2M9XWT4RB6ZPD/AAAA",
        "HTTPS://V.EXAMPLE.GOV.CN/C/K7Q2M9XWT4RB6ZPD/A",
    ],
)
def test_other_texts_are_malformed(text: str) -> None:
    assert refusal(text) == "malformed"


@given(st.binary(max_size=160))
def test_no_bytes_break_the_decoder(data: bytes) -> None:
    encoded = base64.b32encode(data).decode().rstrip("=") or "A"
    with pytest.raises(QrInvalidError):
        decode_payload(f"HTTPS://V.EXAMPLE.GOV.CN/C/{PUBLIC_ID}/{encoded}")


@settings(max_examples=40)
@given(st.text(alphabet=ALPHANUMERIC, min_size=1, max_size=483))
def test_symbols_decode(text: str) -> None:
    matrix = encode_matrix(text)
    image = np.kron(1 - np.pad(matrix, 4), np.ones((4, 4), np.uint8)).astype(np.uint8) * 255
    assert [code.text for code in zxingcpp.read_barcodes(image)] == [text]


@pytest.mark.parametrize("length", [1, 100, 201, 262, 263, 311, 366, 419, 483])
def test_symbols_equal_those_of_segno(length: int) -> None:
    # Lengths whose bits end on a byte boundary are left out: there segno adds a zero byte that the standard does not.
    text = (ALPHANUMERIC * 11)[:length]
    matrix = encode_matrix(text)
    version = (len(matrix) - 17) // 4
    theirs = segno.make(text, version=version, error="m", mask=2, mode="alphanumeric", boost_error=False)
    assert matrix.tolist() == [list(row) for row in theirs.matrix]


def test_what_does_not_fit_or_is_lower_case_is_refused() -> None:
    with pytest.raises(QrTooLongError):
        encode_matrix("A" * 484)
    with pytest.raises(QrAlphabetError):
        encode_matrix("https://v.example.gov.cn/c/1")
    with pytest.raises(QrAlphabetError):
        certificate_url("https://v.example.gov.cn/path", PUBLIC_ID)
