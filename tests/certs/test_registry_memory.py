"""What an auditor remembers: whole, on disk, and never older than before."""

from __future__ import annotations

import json
import os
import stat
import threading
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from certs.registry.commands import registry_group
from certs.registry.outside import alone_with
from tests.certs.published_log import entry_list, verifier_key, write_log
from tests.waiting import wait_for

KEY = Ed25519PrivateKey.generate()


@pytest.fixture
def short(tmp_path: Path) -> Path:
    return write_log(tmp_path / "short", entry_list(5), KEY)


@pytest.fixture
def long(tmp_path: Path) -> Path:
    return write_log(tmp_path / "long", entry_list(8), KEY)


def audit(folder: Path, state: Path) -> Result:
    command = ["audit", str(folder), "--json", "--key", verifier_key(KEY), "--state", str(state)]
    return CliRunner().invoke(registry_group, command)


def waiters(file: Path) -> int:
    return sum(
        "->" in line and f":{file.stat().st_ino} " in line for line in Path("/proc/locks").read_text().splitlines()
    )


def test_a_slow_audit_does_not_forget_what_a_faster_one_saw(short: Path, long: Path, tmp_path: Path) -> None:
    state, newer = tmp_path / "state", tmp_path / "newer"
    assert (audit(short, state).exit_code, audit(long, newer).exit_code) == (0, 0)
    found: list[Result] = []
    slow = threading.Thread(target=lambda: found.append(audit(short, state)))
    with alone_with(state):
        slow.start()
        wait_for("the wait", lambda: waiters(tmp_path / "state.lock"))
        state.write_bytes(newer.read_bytes())
    slow.join()
    assert found[0].exit_code == 1, found[0].output
    assert "rolled back" in json.loads(found[0].stdout)["problem"]
    assert state.read_bytes() == newer.read_bytes()


def test_what_is_remembered_outlives_a_power_cut(short: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    state, synced, fsync = tmp_path / "state", list[tuple[str, bool]](), os.fsync

    def note(descriptor: int) -> None:
        kind = "folder" if stat.S_ISDIR(os.fstat(descriptor).st_mode) else "file"
        synced.append((kind, state.exists()))
        fsync(descriptor)

    monkeypatch.setattr(os, "fsync", note)
    assert audit(short, state).exit_code == 0
    assert synced == [("file", False), ("folder", True)]
