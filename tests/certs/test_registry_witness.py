"""A witness co-signs what continues the log and nothing else."""

from __future__ import annotations

import shutil
from datetime import UTC, datetime
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given
from hypothesis import strategies as st

from certs.registry import rules as tree
from certs.registry.commands import registry_group
from certs.registry.notes import (
    KeyTextInvalidError,
    cosign,
    cosignature_of,
    new_witness_key,
    read_signer_key,
    read_verifier_key,
)
from tests.certs.published_log import entry_list, verifier_key, write_log

KEY = Ed25519PrivateKey.generate()
NAME = "witness.example.org/w1"


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """A folder with a log of 300 entries and a witness's key."""
    write_log(tmp_path / "log", entry_list(300), KEY)
    assert CliRunner().invoke(registry_group, ["witness-key", NAME, str(tmp_path / "key")]).exit_code == 0
    return tmp_path


def cosigned(place: Path, *more: str) -> Result:
    files = ["--key", str(place / "key"), "--state", str(place / "state")]
    return CliRunner().invoke(registry_group, ["witness", str(place / "log"), *files, *more])


def first(place: Path) -> Result:
    return cosigned(place, "--log-key", verifier_key(KEY))


def public_key(place: Path) -> str:
    return read_signer_key((place / "key").read_text().strip()).verifier.text


def test_a_cosignature_has_the_form_of_the_specification(place: Path) -> None:
    result = first(place)
    assert result.exit_code == 0, result.output
    body, lines = tree.split_note(result.stdout)
    published = (place / "log/checkpoint").read_text()
    assert result.stdout.startswith(published)
    assert [line.split(" ")[1] for line in lines] == ["log.example.gov.cn/registry", NAME]
    made = cosignature_of(body, lines, read_verifier_key(public_key(place)))
    assert made is not None
    assert abs((datetime.now(UTC) - made.at).total_seconds()) < 60


def test_the_private_key_is_for_its_owner_only(place: Path) -> None:
    assert (place / "key").stat().st_mode & 0o777 == 0o600
    again = CliRunner().invoke(registry_group, ["witness-key", NAME, str(place / "key")])
    assert again.exit_code == 1


@pytest.mark.parametrize("size", [300, 301, 512, 1000])
def test_a_log_that_continues_is_cosigned_again(place: Path, size: int) -> None:
    first(place)
    write_log(place / "log", entry_list(size), KEY)
    result = cosigned(place)
    assert result.exit_code == 0, result.output
    assert result.stdout.splitlines()[1] == str(size)


@pytest.mark.parametrize("size", [300, 301, 600])
def test_a_fork_is_refused_and_kept_as_evidence(place: Path, size: int) -> None:
    first(place)
    before = (place / "state").read_bytes()
    entries = entry_list(size)
    entries[77] = b"forged"
    shutil.rmtree(place / "log")
    write_log(place / "log", entries, KEY)
    result = cosigned(place)
    assert (result.exit_code, result.stdout) == (1, "")
    assert "forked" in result.stderr
    assert (place / "state").read_bytes() == before
    assert (place / "state.refused").read_text() == (place / "log/checkpoint").read_text()


def test_a_rolled_back_log_is_refused(place: Path) -> None:
    first(place)
    write_log(place / "log", entry_list(299), KEY)
    result = cosigned(place)
    assert (result.exit_code, result.stdout) == (1, "")
    assert "rolled back" in result.stderr


def test_a_log_that_hides_its_tiles_is_refused(place: Path) -> None:
    first(place)
    write_log(place / "log", entry_list(600), KEY)
    (place / "log/tile/0/001").unlink()
    result = cosigned(place)
    assert (result.exit_code, result.stdout) == (1, "")
    assert "tile/0/001 is missing" in result.stderr


def test_a_checkpoint_of_another_key_is_refused(place: Path) -> None:
    result = cosigned(place, "--log-key", verifier_key(Ed25519PrivateKey.generate()))
    assert (result.exit_code, result.stdout) == (1, "")
    assert not (place / "state").exists()


def test_the_auditor_wants_the_witness_it_names(place: Path) -> None:
    command = ["audit", str(place / "log"), "--key", verifier_key(KEY), "--witness", public_key(place)]
    refused = CliRunner().invoke(registry_group, command)
    assert refused.exit_code == 1
    assert f"no co-signature of {NAME}" in refused.stdout
    note = first(place).stdout
    write_log(place / "log", entry_list(400), KEY)
    (place / "log/witnessed").write_text(note)
    found = CliRunner().invoke(registry_group, command)
    assert found.exit_code == 0, found.output
    assert f"co-signed by {NAME}" in found.stdout


def test_a_cosigned_tree_that_is_not_this_one_is_found(place: Path) -> None:
    note = first(place).stdout
    entries = [b"forged", *entry_list(400)[1:]]
    shutil.rmtree(place / "log")
    write_log(place / "log", entries, KEY)
    (place / "log/witnessed").write_text(note)
    command = ["audit", str(place / "log"), "--key", verifier_key(KEY), "--witness", public_key(place)]
    found = CliRunner().invoke(registry_group, command)
    assert found.exit_code == 1
    assert f"the checkpoint that {NAME} co-signed has another root" in found.stdout


@given(st.integers(0, 253_402_300_799), st.integers(0, 10**6))
def test_a_cosignature_holds_for_its_time_and_text_only(at_s: int, size: int) -> None:
    signer = new_witness_key(NAME)
    body = f"log\n{size}\n{'A' * 43}=\n"
    line = cosign(body, signer, at_s)
    made = cosignature_of(body, [line.rstrip("\n")], signer.verifier)
    assert made is not None
    assert (made.line, int(made.at.timestamp())) == (line, at_s)
    assert cosignature_of(body.replace("log", "fork"), [line.rstrip("\n")], signer.verifier) is None
    assert cosignature_of(body, [line.rstrip("\n")], new_witness_key(NAME).verifier) is None


def test_keys_are_read_back() -> None:
    signer = new_witness_key(NAME)
    assert read_signer_key(signer.text).verifier.text == signer.verifier.text
    assert read_verifier_key(signer.verifier.text).text == signer.verifier.text
    with pytest.raises(KeyTextInvalidError):
        read_signer_key(signer.verifier.text)
    for name in ("", "two words", "a+b", "w" * 81):
        with pytest.raises(KeyTextInvalidError):
            new_witness_key(name)
