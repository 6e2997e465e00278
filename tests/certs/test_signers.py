"""Keys of other kinds and places, and timestamps by an authority that really answers."""

from __future__ import annotations

import io
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path

import pytest
from asn1crypto import pem, x509
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from pyhanko.pdf_utils import generic
from pyhanko.pdf_utils.incremental_writer import IncrementalPdfFileWriter
from pyhanko.pdf_utils.reader import PdfFileReader
from pyhanko.sign.validation import validate_pdf_signature
from pyhanko.sign.validation.dss import DocumentSecurityStore
from pyhanko_certvalidator import ValidationContext

from certs.adapters.longterm import adds_only_proofs, signed_part
from certs.adapters.pki import WrongKeyError
from certs.adapters.signing import STAMPED_CMS_BYTES_MAX, Signer, SoftKeySigner, UnsignableError, pem_to_der, sign_pdf
from certs.adapters.stamping import Stamper, StampError
from certs.adapters.token import TokenError, TokenSigner
from certs.adapters.verifying import verify_pdf
from certs.verify.operations import verify_alone
from certs.verify.rules import Outcome
from tests.certs.authorities import PIN, SOFTHSM, Authority, Key, import_into_token, pem_of, serving
from tests.certs.certificate_fixtures import face, renderer
from tests.certs.oracles import Jury
from tests.certs.test_signing import with_update

KEYS: dict[str, Key] = {
    "p256": ec.generate_private_key(ec.SECP256R1()),
    "p384": ec.generate_private_key(ec.SECP384R1()),
    "rsa": rsa.generate_private_key(65537, 2048),
}


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Authority]:
    with serving(tmp_path_factory.mktemp("authority")) as found:
        yield found


@pytest.fixture(autouse=True)
def mend(authority: Authority) -> Iterator[None]:
    yield
    authority.is_broken = False
    authority.revoked.clear()
    authority.requests.clear()


@pytest.fixture(scope="module")
def jury(authority: Authority, tmp_path_factory: pytest.TempPathFactory) -> Jury:
    return Jury.summon(tmp_path_factory.mktemp("jury"), pem_of(authority.root))


@pytest.fixture(scope="module")
def token(token_folder: Path) -> None:
    """The three keys in the token."""
    for label, key in KEYS.items():
        import_into_token(token_folder, label, key)


def token_signer(authority: Authority, label: str, key: str | None = None) -> TokenSigner:
    certificate = pem_to_der(pem_of(authority.certify(KEYS[key or label])))
    return TokenSigner(module=SOFTHSM, token="anzheng", pin=PIN, key=label, certificate=certificate, chain=[])


def soft_signer(authority: Authority) -> SoftKeySigner:
    key = KEYS["p256"]
    return SoftKeySigner(pem_of(key), pem_of(authority.certify(key)), [])


def signed(signer: Signer, stamper: Stamper | None = None) -> bytes:
    pdf = renderer().render(face(), cms_bytes_max=STAMPED_CMS_BYTES_MAX if stamper else 4096)
    stamp = stamper.stamp if stamper else None
    return sign_pdf(pdf, signer, reason="签发", location="示范省", signed_at=datetime.now(UTC), stamp=stamp)


def roots(authority: Authority) -> list[x509.Certificate]:
    return [x509.Certificate.load(pem.unarmor(pem_of(authority.root))[2])]


@pytest.mark.parametrize(("label", "alg"), [("p256", "ES256"), ("p384", "ES384"), ("rsa", "RS256")])
def test_every_reader_accepts_what_a_token_signs(
    authority: Authority, jury: Jury, token: None, label: str, alg: str
) -> None:
    signer = token_signer(authority, label)
    assert signer.alg == alg
    assert jury.objections(signed(signer)) == []


def test_threads_may_share_a_token(authority: Authority, token: None) -> None:
    signer, root = token_signer(authority, "p256"), pem_of(authority.root)
    with ThreadPoolExecutor(4) as pool:
        files = list(pool.map(lambda _n: signed(signer), range(24)))
    assert all(verify_pdf(pdf, [root], datetime.now(UTC)).genuine for pdf in files)
    assert len(set(files)) == len(files)


def test_a_token_without_the_key_or_with_another_one_is_refused(authority: Authority, token: None) -> None:
    with pytest.raises(TokenError, match="no single key called nobody"):
        token_signer(authority, "nobody", key="p256")
    for label, key in (("p256", "rsa"), ("rsa", "p256"), ("p384", "p256")):
        with pytest.raises(WrongKeyError):
            token_signer(authority, label, key=key)
    certificate = pem_to_der(pem_of(authority.certify(KEYS["p256"])))
    with pytest.raises(TokenError, match="no PKCS#11 token is called other"):
        TokenSigner(module=SOFTHSM, token="other", pin=PIN, key="p256", certificate=certificate, chain=[])


def test_a_stamped_certificate_pleases_every_reader_and_proves_its_time(authority: Authority, jury: Jury) -> None:
    pdf = signed(soft_signer(authority), Stamper(f"{authority.url}/tsa", pem_of(authority.root)))
    assert jury.objections(pdf) == []
    assert verify_pdf(pdf, [pem_of(authority.root)], datetime.now(UTC)).genuine
    context = ValidationContext(trust_roots=roots(authority), allow_fetching=False)
    status = validate_pdf_signature(PdfFileReader(io.BytesIO(pdf)).embedded_signatures[0], context)
    assert status.timestamp_validity is not None
    assert status.timestamp_validity.trusted
    assert abs((datetime.now(UTC) - status.timestamp_validity.timestamp).total_seconds()) < 60
    assert authority.requests == ["stamp"]


def test_a_token_of_an_unknown_authority_or_no_answer_signs_nothing(authority: Authority, tmp_path: Path) -> None:
    with serving(tmp_path / "other", "Other root") as stranger, pytest.raises(StampError, match="trusted root"):
        signed(soft_signer(authority), Stamper(f"{stranger.url}/tsa", pem_of(authority.root)))
    authority.is_broken = True
    with pytest.raises(StampError, match="does not answer"):
        signed(soft_signer(authority), Stamper(f"{authority.url}/tsa", pem_of(authority.root)))
    with pytest.raises(StampError, match="does not answer"):
        signed(soft_signer(authority), Stamper("http://127.0.0.1:9/tsa", pem_of(authority.root)))


def test_a_signature_that_does_not_fit_into_its_slot_is_refused(authority: Authority) -> None:
    with pytest.raises(UnsignableError, match="bytes"):
        sign_pdf(
            renderer().render(face(), cms_bytes_max=512),
            soft_signer(authority),
            reason="签发",
            location="示范省",
            signed_at=datetime.now(UTC),
        )


def test_a_long_term_file_carries_the_proofs_that_nothing_was_revoked(authority: Authority) -> None:
    root = pem_of(authority.root)
    stamper = Stamper(f"{authority.url}/tsa", root, long_term=True)
    stamped = signed(soft_signer(authority), stamper)
    pdf = stamper.add_proofs(stamped, [root])
    assert pdf.startswith(stamped)
    assert "crl" in authority.requests
    reader = PdfFileReader(io.BytesIO(pdf))
    store = DocumentSecurityStore.read_dss(reader)
    # No fetching: what the file carries is all there is.
    told = {"trust_roots": roots(authority), "allow_fetching": False, "revocation_mode": "require"}
    status = validate_pdf_signature(reader.embedded_signatures[0], store.as_validation_context(told))
    assert status.bottom_line, status.pretty_print_details()
    bare = PdfFileReader(io.BytesIO(stamped)).embedded_signatures[0]
    assert not validate_pdf_signature(bare, ValidationContext(**told, crls=[])).bottom_line


def test_a_revoked_signer_gets_no_long_term_file(authority: Authority) -> None:
    signer, root = soft_signer(authority), pem_of(authority.root)
    stamper = Stamper(f"{authority.url}/tsa", root, long_term=True)
    pdf = signed(signer, stamper)
    authority.revoked.append(x509.Certificate.load(signer.certificate).serial_number)
    with pytest.raises(StampError, match="revoked"):
        stamper.add_proofs(pdf, [root])


def test_proofs_behind_a_signature_are_told_from_every_other_addition(authority: Authority) -> None:
    root = pem_of(authority.root)
    stamper = Stamper(f"{authority.url}/tsa", root, long_term=True)
    stamped = signed(soft_signer(authority), stamper)
    proven = stamper.add_proofs(stamped, [root])
    assert signed_part(proven) == stamped
    assert adds_only_proofs(proven, stamped)
    for other in (stamped, proven + b"\n% note\n", with_update(stamped), with_update(proven)):
        assert signed_part(other) == stamped
        assert not adds_only_proofs(other, stamped)
    assert verify_alone(proven, [root]).outcome == verify_alone(stamped, [root]).outcome != Outcome.REFUSED
    for other in (proven[:-9], with_update(stamped), with_update(proven)):
        assert verify_alone(other, [root]).outcome == Outcome.REFUSED
    writer = IncrementalPdfFileWriter(io.BytesIO(proven))
    reference, _resources = writer.find_page_for_modification(0)
    reference.get_object()["/Rotate"] = generic.NumberObject(180)
    writer.mark_update(reference)
    turned = io.BytesIO()
    writer.write(turned)
    assert not adds_only_proofs(turned.getvalue(), stamped)
    assert verify_alone(turned.getvalue(), [root]).outcome == Outcome.REFUSED
