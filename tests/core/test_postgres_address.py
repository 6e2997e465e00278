"""Where a server is found: the length of its socket path and the spellings of its URL."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from lms.core.adapters.postgres_host import SOCKET_PATH_LIMIT_BYTES, Host
from lms.core.postgres import libpq_url, normalise_url


@pytest.mark.parametrize("runtime", [None, "short", "long"])
def test_the_socket_path_is_short_however_long_the_base_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, runtime: str | None
) -> None:
    monkeypatch.delenv("XDG_RUNTIME_DIR", raising=False)
    if runtime is not None:
        place = tmp_path / ("r" * (100 if runtime == "long" else 3))
        place.mkdir()
        monkeypatch.setenv("XDG_RUNTIME_DIR", str(place))
    base = tmp_path / "安" / ("x" * 200)
    host = Host(base, run_as="anzheng")
    assert len(os.fsencode(host.socket_dir() / ".s.PGSQL.5432")) < SOCKET_PATH_LIMIT_BYTES
    assert host.socket_dir() != Host(base / "y", run_as="anzheng").socket_dir()


@pytest.mark.parametrize("scheme", ["postgres", "postgresql", "postgresql+psycopg", "postgresql+psycopg2"])
def test_a_url_has_one_spelling_for_each_library(scheme: str) -> None:
    rest = "u:p%40w@db.example:5433/x?sslmode=require"
    assert normalise_url(f"{scheme}://{rest}") == f"postgresql+psycopg://{rest}"
    assert libpq_url(f"{scheme}://{rest}") == f"postgresql://{rest}"


def test_a_url_of_another_database_is_refused_without_repeating_its_password() -> None:
    with pytest.raises(ValueError, match="not a PostgreSQL URL") as refusal:
        normalise_url("mysql://root:secret@db/x")
    assert "secret" not in str(refusal.value)
