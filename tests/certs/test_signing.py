from __future__ import annotations

import io
import re
from datetime import datetime
from pathlib import Path

import pikepdf
import pytest
from asn1crypto import pem, x509
from pyhanko.pdf_utils import generic
from pyhanko.pdf_utils.incremental_writer import IncrementalPdfFileWriter
from pyhanko.pdf_utils.reader import PdfFileReader
from pyhanko.sign.validation import validate_pdf_signature
from pyhanko_certvalidator import ValidationContext

from certs.adapters.pki import WrongKeyError, make_demo_pki
from certs.adapters.signing import SoftKeySigner, UnsignableError, sign_pdf
from certs.adapters.verifying import PdfVerdict, verify_pdf
from tests.certs.certificate_fixtures import NOW, SUBJECTS, face, log_key, pki, qr_key, renderer, signed, signer
from tests.certs.oracles import Jury, said


def verdict(pdf: bytes, at: datetime = NOW) -> PdfVerdict:
    return verify_pdf(pdf, [pki().root_certificate], at)


def byte_range(pdf: bytes) -> tuple[int, int, int]:
    match = re.search(rb"/ByteRange \[0 (\d+) (\d+) (\d+) *\]", pdf)
    assert match is not None
    first, second, third = (int(part) for part in match.groups())
    return first, second, third


def with_update(pdf: bytes) -> bytes:
    """A harmless-looking second revision: only the title changes."""
    writer = IncrementalPdfFileWriter(io.BytesIO(pdf))
    writer.set_info(generic.DictionaryObject({generic.pdf_name("/Title"): generic.pdf_string("other")}))
    out = io.BytesIO()
    writer.write(out)
    return out.getvalue()


def test_a_signed_certificate_is_genuine() -> None:
    found = verdict(signed())
    assert found.problems == ()
    assert found.genuine
    assert found.intact
    assert found.trusted
    assert found.covers_whole_file
    assert found.single_revision
    assert found.signed_at == NOW
    assert found.signer_subject is not None
    assert "Test signer" in found.signer_subject


def test_pyhanko_calls_it_intact_trusted_and_untouched() -> None:
    root = x509.Certificate.load(pem.unarmor(pki().root_certificate)[2])
    reader = PdfFileReader(io.BytesIO(signed()))
    context = ValidationContext(trust_roots=[root], moment=NOW, allow_fetching=False)
    status = validate_pdf_signature(reader.embedded_signatures[0], context)
    assert status.summary() == "INTACT:TRUSTED,UNTOUCHED"
    assert status.docmdp_ok
    assert status.bottom_line


def test_every_reader_accepts_it(tmp_path: Path) -> None:
    # The programs judge by the present moment, so this certificate and its keys are of now.
    now = datetime.now(NOW.tzinfo)
    fresh = make_demo_pki(SUBJECTS, now)
    pdf = sign_pdf(renderer().render(face()), signer(fresh), reason="签发", location="示范省", signed_at=now)
    assert Jury.summon(tmp_path, fresh.root_certificate).objections(pdf) == []
    assert "ETSI.CAdES.detached" in said("pdfsig", tmp_path / "certificate.pdf")


@pytest.mark.parametrize("share", [0.02, 0.3, 0.6, 0.9, 0.999])
def test_one_flipped_byte_anywhere_is_not_genuine(share: float) -> None:
    pdf = bytearray(signed())
    position = int(len(pdf) * share)
    start, resumed, _rest = byte_range(bytes(pdf))
    assert not start <= position < resumed
    pdf[position] ^= 1
    found = verdict(bytes(pdf))
    assert not found.intact
    assert not found.genuine


def test_a_flipped_byte_inside_the_signers_certificate_is_not_genuine() -> None:
    pdf = bytearray(signed())
    start, _resumed, _rest = byte_range(bytes(pdf))
    position = start + 1 + 1200
    pdf[position] = ord("1") if pdf[position] != ord("1") else ord("2")
    assert not verdict(bytes(pdf)).genuine


def test_bytes_hidden_behind_the_signature_are_refused() -> None:
    pdf = bytearray(signed())
    _start, resumed, _rest = byte_range(bytes(pdf))
    pdf[resumed - 3 : resumed - 1] = b"41"
    found = verdict(bytes(pdf))
    assert found.intact
    assert found.problems == ("byte_range",)


def test_an_appended_revision_is_refused_even_when_harmless() -> None:
    found = verdict(with_update(signed()))
    assert not found.covers_whole_file
    assert not found.single_revision
    assert {"byte_range", "revisions"} <= set(found.problems)


def test_trailing_bytes_are_refused() -> None:
    assert not verdict(signed() + b"\n% note\n").genuine


def test_a_rewritten_file_is_refused() -> None:
    out = io.BytesIO()
    with pikepdf.open(io.BytesIO(signed())) as pdf:
        pdf.save(out)
    assert not verdict(out.getvalue()).genuine


def test_an_unsigned_page_and_rubbish_are_refused() -> None:
    assert not verdict(renderer().render(face())).genuine
    assert verdict(b"rubbish").problems == ("unreadable",)
    assert verdict(b"").problems == ("unreadable",)


def test_another_root_is_not_trusted() -> None:
    stranger = make_demo_pki(SUBJECTS, NOW)
    found = verify_pdf(signed(), [stranger.root_certificate], NOW)
    assert found.intact
    assert found.problems == ("unknown_root",)


def test_signing_twice_or_something_else_is_refused() -> None:
    for pdf in (signed(), b"%PDF-1.7\n"):
        with pytest.raises(UnsignableError):
            sign_pdf(pdf, signer(), reason="签发", location="示范省", signed_at=NOW)


def test_a_time_without_zone_is_refused() -> None:
    with pytest.raises(ValueError, match="time zone"):
        sign_pdf(renderer().render(face()), signer(), reason="签发", location="", signed_at=NOW.replace(tzinfo=None))


def test_a_key_of_another_kind_or_owner_is_refused() -> None:
    keys = pki()
    with pytest.raises(WrongKeyError):
        SoftKeySigner(log_key(), keys.signer_certificate, [keys.issuing_certificate])
    with pytest.raises(WrongKeyError):
        SoftKeySigner(qr_key(), keys.signer_certificate, [keys.issuing_certificate])


def test_secrets_do_not_show_in_a_repr() -> None:
    assert "PRIVATE" not in repr(pki())
