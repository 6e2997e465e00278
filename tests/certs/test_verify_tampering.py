"""The tamper matrix on a signed file: nothing altered is genuine, nothing at all raises or takes long."""

from __future__ import annotations

import random
import subprocess
import time
import zlib
from datetime import timedelta
from functools import cache
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from certs.adapters.pki import make_demo_pki
from certs.adapters.signing import pem_to_der, sign_pdf
from certs.adapters.verifying import PdfVerdict, Step, verify_pdf
from tests.certs import tampering
from tests.certs.certificate_fixtures import NOW, SUBJECTS, face, pki, renderer, signed, signer

SECONDS_MAX = 5.0
FLIPS = 12


@cache
def sample() -> bytes:
    """The one signed file of this module: two signatures of the same page differ."""
    return signed()


def verdict(pdf: bytes) -> PdfVerdict:
    return verify_pdf(pdf, [pki().root_certificate], NOW)


def test_the_untouched_file_is_genuine() -> None:
    assert verdict(sample()).genuine


@pytest.mark.parametrize("region", sorted(tampering.regions(sample())))
def test_flipped_bytes_are_refused_in_every_region(region: str) -> None:
    pdf = sample()
    start, end = tampering.regions(pdf)[region]
    places = random.Random(region).sample(range(start, end), min(FLIPS, end - start))
    for place in places:
        assert not verdict(tampering.flip(pdf, place)).genuine, f"{region}: byte {place}"


@pytest.mark.parametrize("change", sorted(tampering.UPDATES))
def test_incremental_updates_are_refused(change: str) -> None:
    found = verdict(tampering.update(sample(), tampering.UPDATES[change]))
    assert {"byte_range", "revisions"} <= set(found.problems)
    assert found.intact
    assert found.reached < Step.STRUCTURE


def test_what_pdfsig_lets_pass_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "appended.pdf"
    file.write_bytes(tampering.update(sample(), tampering.added_page_content))
    said = subprocess.run(["pdfsig", file], capture_output=True, text=True, check=False).stdout
    assert "Signature is Valid" in said
    assert not verdict(file.read_bytes()).genuine


@pytest.mark.parametrize(
    "change",
    [
        tampering.rewritten_xref,
        tampering.second_xref,
        tampering.swapped_photo,
        tampering.rewritten,
        tampering.rewritten_by_pyhanko,
    ],
)
def test_rewritten_files_are_refused(change: tampering.Callable[[bytes], bytes]) -> None:
    changed = change(sample())
    assert changed != sample()
    assert not verdict(changed).genuine


@pytest.mark.parametrize("tail", [b"\n", b" ", b"\0", b"%", b"% note\n%%EOF\n", b"%%EOF", b"\n%%EOF\n" * 3])
def test_anything_after_the_end_is_refused(tail: bytes) -> None:
    assert not verdict(sample() + tail).genuine


@pytest.mark.parametrize("head", [b"\n", b"\xef\xbb\xbf", b"junk before the header\n", b"%PDF-1.7\n"])
def test_anything_before_the_header_is_refused(head: bytes) -> None:
    assert not verdict(head + sample()).genuine


@pytest.mark.parametrize("share", [0.0, 0.001, 0.1, 0.5, 0.9, 0.99])
def test_truncated_files_are_refused(share: float) -> None:
    pdf = sample()
    for shorter in (int(len(pdf) * share), int(len(pdf) * share) + 7):
        assert not verdict(pdf[:shorter]).genuine


@pytest.mark.parametrize("missing", [1, 2, 6, 7, 30])
def test_a_file_without_its_last_bytes_is_refused(missing: int) -> None:
    assert not verdict(sample()[:-missing]).genuine


def test_somebody_elses_signature_is_of_an_unknown_root() -> None:
    found = verdict(tampering.signed_by(sample(), tampering.stranger(NOW)))
    assert found.intact
    assert found.problems == ("unknown_root",)
    assert found.reached is Step.SIGNATURE


def test_a_strangers_certificate_under_our_signature_is_refused() -> None:
    ours = sample()
    start, end = tampering.byte_range(ours)
    cms = bytes.fromhex(ours[start + 1 : end - 1].decode())
    mine, theirs = (pem_to_der(keys.signer_certificate) for keys in (pki(), tampering.stranger(NOW)))
    assert mine in cms
    swapped = cms.replace(mine, theirs.ljust(len(mine), b"\0")[: len(mine)])
    assert not verdict(tampering.with_cms(ours, swapped[: (end - start - 2) // 2])).genuine


def test_the_signature_of_another_certificate_does_not_fit() -> None:
    other = signed(number="SF-WHA-2026-00099999")
    start, end = tampering.byte_range(other)
    found = verdict(tampering.with_cms(sample(), bytes.fromhex(other[start + 1 : end - 1].decode()).rstrip(b"\0")))
    assert found.problems == ("not_intact",)


def test_a_signer_that_had_expired_when_signing_is_refused() -> None:
    late = NOW + timedelta(days=4 * 365)
    pdf = sign_pdf(renderer().render(face()), signer(), reason="签发", location="", signed_at=late)
    assert verify_pdf(pdf, [pki().root_certificate], late).problems == ("outside_validity",)


def test_a_signature_of_a_valid_time_holds_long_after_its_certificate_expired() -> None:
    assert verify_pdf(sample(), [pki().root_certificate], NOW + timedelta(days=10 * 365)).genuine


def test_a_time_in_the_future_is_refused() -> None:
    tomorrow = NOW + timedelta(days=1)
    pdf = sign_pdf(renderer().render(face()), signer(), reason="签发", location="", signed_at=tomorrow)
    assert verdict(pdf).problems == ("signed_in_future",)
    assert verify_pdf(pdf, [pki().root_certificate], tomorrow).genuine


def test_a_signer_of_our_root_that_signs_something_else_is_refused() -> None:
    """Signed whole by our own key, but without the lock that a certificate has."""
    page = renderer().render(face())
    pdf = sign_pdf(page, signer(), reason="签发", location="", signed_at=NOW)
    unlocked = pdf.replace(b"/Perms << /DocMDP", b"/Permx << /DocMDP")
    found = verdict(tampering.signed_by(unlocked, pki()))
    assert found.trusted
    assert found.problems == ("certification",)


def test_a_second_root_beside_ours_does_not_disturb() -> None:
    both = tampering.stranger(NOW).root_certificate + pki().root_certificate
    assert verify_pdf(sample(), [both], NOW).genuine
    assert verify_pdf(sample(), [], NOW).problems == ("unknown_root",)


def test_a_root_that_cannot_be_read_is_no_fault_of_the_files() -> None:
    with pytest.raises(ValueError):
        verify_pdf(sample(), [pki().root_certificate, b"no certificate"], NOW)


def test_a_root_of_the_same_name_but_another_key_is_refused() -> None:
    twin = make_demo_pki(SUBJECTS, NOW)
    assert not verify_pdf(sample(), [twin.root_certificate], NOW).genuine


@pytest.mark.parametrize("name", sorted(tampering.BOMBS))
def test_bombs_are_cut_off(name: str) -> None:
    started = time.process_time()
    found = verdict(tampering.BOMBS[name])
    assert time.process_time() - started < SECONDS_MAX
    assert not found.genuine
    assert found.reached <= Step.CMS


def test_a_strangers_bomb_with_a_sound_signature_is_never_unpacked() -> None:
    """A gigabyte of zeros behind a valid foreign signature: only our own issuers' files reach a parser."""
    packer = zlib.compressobj(9)
    packed = b"".join([packer.compress(b"\0" * 2**20) for _ in range(256)]) + packer.flush()
    pdf = sample()
    gap_from, gap_to = tampering.byte_range(pdf)
    insert = b"%% %d 0 obj << /Filter /FlateDecode >> stream\n%s\nendstream\n" % (999, packed.replace(b"\n", b" "))
    table = pdf.rindex(b"\nxref\n") + 1
    bomb = pdf[:table] + insert + pdf[table:]
    old = b"[0 %d %d %d" % (gap_from, gap_to, len(pdf) - gap_to)
    new = b"[0 %d %d %d" % (gap_from, gap_to, len(bomb) - gap_to)
    bomb = bomb.replace(old.ljust(len(new)), new, 1)
    found = verdict(tampering.signed_by(bomb, tampering.stranger(NOW)))
    assert found.problems == ("unknown_root",)
    assert found.covers_whole_file
    assert found.reached is Step.SIGNATURE


@pytest.mark.parametrize("garbage", [b"", b"%PDF-", b"\0" * 100, b"%PDF-1.7\n%%EOF", b"PK\x03\x04" * 20, b"<html>"])
def test_what_is_no_pdf_is_refused(garbage: bytes) -> None:
    assert not verdict(garbage).genuine


@pytest.mark.parametrize("seed", range(8))
def test_random_damage_is_never_genuine_and_never_raises(seed: int) -> None:
    source, pdf = random.Random(seed), sample()
    for _ in range(40):
        changed = bytearray(pdf)
        for _ in range(source.randrange(1, 4)):
            place, length = source.randrange(len(changed)), source.randrange(1, 60)
            kind = source.randrange(4)
            if kind == 0:
                changed[place : place + length] = source.randbytes(length)
            elif kind == 1:
                del changed[place : place + length]
            elif kind == 2:
                changed[place:place] = source.randbytes(length)
            else:
                other = source.randrange(len(changed))
                changed[place : place + length] = changed[other : other + length]
        if bytes(changed) != pdf:
            assert not verdict(bytes(changed)).genuine


@settings(max_examples=200, suppress_health_check=[HealthCheck.too_slow])
@given(st.data())
def test_damage_inside_the_signature_is_never_genuine(data: st.DataObject) -> None:
    pdf = sample()
    start, end = tampering.byte_range(pdf)
    place, value = data.draw(st.integers(start, end - 1)), data.draw(st.integers(0, 255))
    changed = pdf[:place] + bytes([value]) + pdf[place + 1 :]
    if changed != pdf:
        assert not verdict(changed).genuine


@settings(max_examples=150)
@given(st.binary(max_size=400), st.binary(max_size=60))
def test_any_bytes_as_a_signature_are_refused(cms: bytes, head: bytes) -> None:
    start, end = tampering.byte_range(sample())
    forged = (head + cms)[: (end - start - 2) // 2]
    assert not verdict(tampering.with_cms(sample(), forged)).genuine
    assert not verdict(b"%PDF-1.7\n" + head + cms + b"\n%%EOF\n").genuine
