"""An outsider with the files alone finds what was deleted, altered, reordered, rolled back or forked."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from certs.registry import rules as tree
from certs.registry import tiles
from certs.registry.auditing import audit
from certs.registry.commands import registry_group
from certs.registry.notes import SignerKey, cosign, new_witness_key, read_verifier_key
from certs.registry.sources import Folder
from tests.certs.published_log import entry_list, verifier_key, write_checkpoint, write_log

SIZE = 700
KEY = Ed25519PrivateKey.generate()
BUNDLES = {0: "000", 1: "001", 2: "002.p/188"}


@dataclass(frozen=True, slots=True)
class Copy:
    """A folder of its own with the whole log, and the state of an audit of it."""

    folder: Path
    state: Path

    def audit(self, *more: str, state: bool = False) -> Result:
        command = ["audit", str(self.folder), "--json", *more]
        command += ["--state", str(self.state)] if state else ["--key", verifier_key(KEY)]
        return CliRunner().invoke(registry_group, command)


@pytest.fixture(scope="module")
def original(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_log(tmp_path_factory.mktemp("log") / "log", entry_list(SIZE), KEY)


@pytest.fixture
def copy(original: Path, tmp_path: Path) -> Copy:
    return Copy(shutil.copytree(original, tmp_path / "log"), tmp_path / "state.json")


def report(result: Result) -> dict[str, object]:
    found: dict[str, object] = json.loads(result.stdout)
    assert result.exit_code == (0 if found["holds"] else 1), result.output
    return found


def audited(copy: Copy) -> Copy:
    """Audit once so that the state file knows the log."""
    assert report(copy.audit("--state", str(copy.state)))["holds"]
    return copy


def change_entries(copy: Copy, bundle: int, change: Callable[[list[bytes]], list[bytes]]) -> None:
    path = copy.folder / "tile/entries" / BUNDLES[bundle]
    path.write_bytes(tiles.encode_bundle(change(tiles.decode_bundle(path.read_bytes()))))


def flip(path: Path, place: int) -> None:
    data = bytearray(path.read_bytes())
    data[place] ^= 1
    path.write_bytes(data)


@pytest.mark.parametrize("size", [0, 1, 2, 255, 256, 257, 512, 700])
def test_a_log_written_by_the_letter_of_the_specification_holds(tmp_path: Path, size: int) -> None:
    folder = tmp_path / "log"
    folder.mkdir()
    found = report(Copy(write_log(folder, entry_list(size), KEY), tmp_path / "s").audit())
    assert (found["holds"], found["size"], found["problem"]) == (True, size, None)


CHANGES: dict[str, tuple[Callable[[Copy], None], int | None, str]] = {
    "altered entry": (lambda copy: change_entries(copy, 1, lambda one: [*one[:44], b"forged", *one[45:]]), 300, ""),
    "removed entry": (lambda copy: change_entries(copy, 1, lambda one: one[:44] + one[45:]), 300, ""),
    "removed last entry": (lambda copy: change_entries(copy, 2, lambda one: one[:-1]), 699, ""),
    "swapped entries": (lambda copy: change_entries(copy, 0, lambda one: [one[1], one[0], *one[2:]]), 0, ""),
    "missing bundle": (lambda copy: (copy.folder / "tile/entries/001").unlink(), 256, "tile/entries/001 is missing"),
    "cut bundle": (lambda copy: (copy.folder / "tile/entries/000").write_bytes(b"\0\5ab"), None, "tile/entries/000"),
    "altered leaf hash": (lambda copy: flip(copy.folder / "tile/0/002.p/188", 33), 513, "tile/0/002.p/188"),
    "altered upper hash": (lambda copy: flip(copy.folder / "tile/1/000.p/2", 40), None, "entries 256 to 511"),
    "missing tile": (lambda copy: (copy.folder / "tile/0/001").unlink(), None, "tile/0/001 is missing"),
    "cut tile": (lambda copy: (copy.folder / "tile/0/001").write_bytes(bytes(64)), None, "tile/0/001"),
    "missing checkpoint": (lambda copy: (copy.folder / "checkpoint").unlink(), None, "there is no checkpoint"),
    "altered checkpoint": (lambda copy: flip(copy.folder / "checkpoint", 31), None, "checkpoint"),
    "foreign key": (
        lambda copy: write_checkpoint(copy.folder, entry_list(SIZE), Ed25519PrivateKey.generate()), None, "signature",
    ),
    "another tree signed": (
        lambda copy: write_checkpoint(copy.folder, [*entry_list(SIZE - 1), b"x"], KEY), None, "another root",
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", CHANGES)
def test_a_planted_change_is_found_and_named(copy: Copy, case: str) -> None:
    change, index, named = CHANGES[case]
    assert report(copy.audit())["holds"]
    change(copy)
    found = report(copy.audit())
    assert found["holds"] is False
    assert found["index"] == index
    assert named in str(found["problem"])


def test_a_grown_log_is_proven_to_continue_what_was_seen(copy: Copy) -> None:
    audited(copy)
    write_log(copy.folder, entry_list(SIZE + 400), KEY)
    found = report(copy.audit(state=True))
    assert (found["holds"], found["size"], found["consistent_with"]) == (True, SIZE + 400, SIZE)
    assert report(copy.audit(state=True))["consistent_with"] == SIZE + 400


def test_a_rolled_back_log_is_found(copy: Copy) -> None:
    audited(copy)
    before = copy.state.read_bytes()
    shutil.rmtree(copy.folder)
    write_log(copy.folder, entry_list(SIZE - 1), KEY)
    assert report(copy.audit())["holds"], "without memory an older checkpoint is a good one"
    assert "rolled back: 700 entries were seen, 699" in str(report(copy.audit(state=True))["problem"])
    assert copy.state.read_bytes() == before


@pytest.mark.parametrize(("forged", "index", "named"), [(300, None, "entries 256 to 511"), (650, 650, "entry 650")])
@pytest.mark.parametrize("size", [SIZE, SIZE + 300])
def test_a_rewritten_history_is_found_where_it_departs(
    copy: Copy, size: int, forged: int, index: int | None, named: str
) -> None:
    audited(copy)
    entries = entry_list(size)
    entries[forged] = b"forged"
    shutil.rmtree(copy.folder)
    write_log(copy.folder, entries, KEY)
    assert report(copy.audit())["holds"], "the forged log is whole in itself"
    found = report(copy.audit(state=True))
    assert (found["holds"], found["index"]) == (False, index)
    assert f"{named} " in str(found["problem"])


def test_a_partial_tile_that_was_outgrown_is_read_from_the_full_one(copy: Copy) -> None:
    write_log(copy.folder, entry_list(768), KEY)
    write_checkpoint(copy.folder, entry_list(SIZE), KEY)
    for name in ("tile/0/002.p/188", "tile/entries/002.p/188"):
        (copy.folder / name).unlink()
    assert report(copy.audit())["holds"]


def test_without_a_key_nothing_is_believed(copy: Copy) -> None:
    result = CliRunner().invoke(registry_group, ["audit", str(copy.folder)])
    assert result.exit_code == 2
    assert "--key" in result.stderr


@pytest.mark.parametrize(
    "key",
    ["nonsense", "a+00000000+AAAA", "a b+00000000+AAAA", verifier_key(KEY)[:-4]],
    ids=["no key", "empty", "blank in its name", "cut short"],
)
def test_a_broken_key_is_refused(copy: Copy, key: str) -> None:
    result = CliRunner().invoke(registry_group, ["audit", str(copy.folder), "--key", key])
    assert (result.exit_code, result.stdout) == (2, "")


@pytest.mark.parametrize("text", ["", "{}", "[]", '{"key": "x", "checkpoint": "y"}', '{"key": 1, "checkpoint": null}'])
def test_a_broken_state_file_is_refused_and_kept(copy: Copy, text: str) -> None:
    copy.state.write_text(text)
    assert copy.audit(state=True).exit_code == 2
    assert copy.state.read_text() == text


def test_an_unreachable_log_is_not_judged() -> None:
    for place in ("http://127.0.0.1:1/registry", "/no/such/folder", "ftp://example.com/"):
        result = CliRunner().invoke(registry_group, ["audit", place, "--key", verifier_key(KEY)])
        assert (result.exit_code, result.stdout) == (2, "")
        assert "not audited" in result.stderr


@dataclass(slots=True)
class Growing:
    """A log of 700 entries, 600 of them co-signed, that has one more, co-signed at once, after some looks at it."""

    folder: Path
    looks: int
    before: dict[str, str]

    def get(self, path: str) -> bytes | None:
        if path in self.before and self.looks > 0:
            self.looks -= 1
            return self.before[path].encode()
        return Folder(self.folder).get(path)


def _cosigned_log(folder: Path, size: int, signer: SignerKey) -> str:
    note = (write_log(folder, entry_list(size), KEY) / "checkpoint").read_text("utf8")
    return note + cosign(tree.split_note(note)[0], signer, 1_800_000_000)


@pytest.mark.parametrize("looks", range(6))
def test_a_log_that_grows_during_the_audit_is_not_distrusted(tmp_path: Path, looks: int) -> None:
    signer = new_witness_key("witness.example.gov.cn")
    witnessed = _cosigned_log(tmp_path, 600, signer)
    newest = (write_log(tmp_path, entry_list(700), KEY) / "checkpoint").read_text("utf8")
    cosigned = _cosigned_log(tmp_path, 701, signer)
    for name in ("witnessed", "checkpoint"):
        (tmp_path / name).write_text(cosigned, encoding="utf8")
    source = Growing(tmp_path, looks, {"checkpoint": newest, "witnessed": witnessed})
    found, _ = audit(source, [read_verifier_key(verifier_key(KEY))], None, witnesses=[signer.verifier])
    assert (found.problem, found.size) == (None, 700 if looks == 5 else 701)
    assert found.witnesses == ("witness.example.gov.cn 2027-01-15T08:00:00Z",)
