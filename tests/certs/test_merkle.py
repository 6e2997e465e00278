from __future__ import annotations

import base64
import hashlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from certs.adapters.pki import load_log_key, load_log_public_key, public_half
from certs.registry.rules import (
    EMPTY_ROOT,
    Checkpoint,
    CheckpointInvalidError,
    append_leaves,
    consistency_proof,
    inclusion_proof,
    leaf_hash,
    node_hash,
    root,
    sign_checkpoint,
    verify_checkpoint,
    verify_consistency,
    verify_inclusion,
)
from tests.certs.certificate_fixtures import log_key

ORIGIN = "log.example.gov.cn/certificates"
SIZE_MAX = 70


class Log:
    """Stored hashes in a dictionary; refuses to change one."""

    def __init__(self, entries: int, batch: int = 7) -> None:
        self.hashes: dict[tuple[int, int], bytes] = {}
        self.leaves = [leaf_hash(b"entry %d" % index) for index in range(entries)]
        for start in range(0, entries, batch):
            for stored in append_leaves(start, self.leaves[start : start + batch], self.read):
                assert (stored.level, stored.index) not in self.hashes
                self.hashes[stored.level, stored.index] = stored.digest

    def read(self, level: int, index: int) -> bytes:
        return self.hashes[level, index]


LOG = Log(SIZE_MAX)


def naive_root(leaves: list[bytes]) -> bytes:
    """RFC 9162 section 2.1.1, word for word."""
    if not leaves:
        return hashlib.sha256().digest()
    if len(leaves) == 1:
        return leaves[0]
    split = 1
    while split * 2 < len(leaves):
        split *= 2
    return node_hash(naive_root(leaves[:split]), naive_root(leaves[split:]))


def test_hashes_are_those_of_the_standard() -> None:
    assert EMPTY_ROOT.hex() == "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
    assert leaf_hash(b"").hex() == "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d"
    # The tree of eight entries in the test data of certificate-transparency.
    entries = ["", "00", "10", "2021", "3031", "40414243", "5051525354555657", "606162636465666768696a6b6c6d6e6f"]
    leaves = [leaf_hash(bytes.fromhex(entry)) for entry in entries]
    hashes = {(s.level, s.index): s.digest for s in append_leaves(0, leaves, lambda *_: b"")}
    found = root(8, lambda level, index: hashes[level, index])
    assert found.hex() == "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328"


@pytest.mark.parametrize("batch", [1, 2, 7, 64, 100])
def test_roots_equal_the_definition_however_leaves_arrive(batch: int) -> None:
    log = Log(SIZE_MAX, batch)
    for size in range(SIZE_MAX + 1):
        assert root(size, log.read) == naive_root(log.leaves[:size])


@given(st.data())
def test_inclusion_is_proven_and_nothing_else_is(data: st.DataObject) -> None:
    size = data.draw(st.integers(1, SIZE_MAX))
    index = data.draw(st.integers(0, size - 1))
    proof = inclusion_proof(index, size, LOG.read)
    expected = naive_root(LOG.leaves[:size])
    leaf = LOG.leaves[index]
    assert verify_inclusion(leaf, index, size, proof, expected)
    assert not verify_inclusion(leaf_hash(b"forged"), index, size, proof, expected)
    assert not verify_inclusion(leaf, index, size, (*proof, leaf), expected)
    assert not verify_inclusion(leaf, index, size, proof[:-1], expected) or not proof
    other = data.draw(st.integers(-1, size + 1).filter(lambda place: place != index))
    assert not verify_inclusion(leaf, other, size, proof, expected)


@given(st.data())
def test_consistency_is_proven_and_rewriting_is_not(data: st.DataObject) -> None:
    new_size = data.draw(st.integers(0, SIZE_MAX))
    old_size = data.draw(st.integers(0, new_size))
    proof = consistency_proof(old_size, new_size, LOG.read)
    old, new = naive_root(LOG.leaves[:old_size]), naive_root(LOG.leaves[:new_size])
    assert verify_consistency(old_size, new_size, proof, old, new)
    forged = leaf_hash(b"forged")
    assert not verify_consistency(old_size, new_size, proof, forged, new)
    if old_size:
        assert not verify_consistency(old_size, new_size, proof, old, forged)
    assert not verify_consistency(old_size, new_size, (*proof, forged), old, new)
    assert not verify_consistency(new_size + 1, new_size, proof, old, new)


def test_proofs_outside_the_tree_are_refused() -> None:
    with pytest.raises(ValueError, match="not in a tree"):
        inclusion_proof(5, 5, LOG.read)
    with pytest.raises(ValueError, match="cannot precede"):
        consistency_proof(6, 5, LOG.read)


def checkpoint() -> Checkpoint:
    return Checkpoint(ORIGIN, SIZE_MAX, root(SIZE_MAX, LOG.read))


def test_a_signed_checkpoint_is_read_back() -> None:
    note = sign_checkpoint(checkpoint(), load_log_key(log_key()))
    assert verify_checkpoint(note, ORIGIN, load_log_public_key(public_half(log_key()))) == checkpoint()
    lines = note.splitlines()
    assert lines[:2] == [ORIGIN, str(SIZE_MAX)]
    assert base64.b64decode(lines[2]) == checkpoint().root
    assert lines[3] == ""
    assert lines[4].startswith(f"— {ORIGIN} ")


def test_witness_signatures_beside_ours_are_passed_over() -> None:
    note = sign_checkpoint(checkpoint(), load_log_key(log_key()))
    witnessed = f"{note}— witness.example {base64.b64encode(bytes(68)).decode()}\n"
    assert verify_checkpoint(witnessed, ORIGIN, load_log_public_key(public_half(log_key()))) == checkpoint()


@pytest.mark.parametrize(
    "change",
    [
        lambda note: note.replace(f"\n{SIZE_MAX}\n", f"\n{SIZE_MAX + 1}\n"),
        lambda note: note.replace(ORIGIN, "log.example.gov.cn/other"),
        lambda note: note.split("\n\n")[0],
        lambda note: note[:-3] + "\n",
        lambda note: note[:0],
    ],
)
def test_a_changed_checkpoint_is_refused(change: object) -> None:
    note = sign_checkpoint(checkpoint(), load_log_key(log_key()))
    changed = change(note)  # type: ignore[operator]  # parametrised functions
    assert changed != note
    with pytest.raises(CheckpointInvalidError):
        verify_checkpoint(changed, ORIGIN, load_log_public_key(public_half(log_key())))
