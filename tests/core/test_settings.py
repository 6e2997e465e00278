"""Settings are checked at start, and the wrong one is named."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from lms.core.settings import SettingsError, load_secrets, load_settings


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("ANZHENG_ENV", "staging"),
        ("ANZHENG_BASE_URL", "example.gov"),
        ("ANZHENG_BASE_URL", "https://example.gov/path"),
        ("ANZHENG_STORAGE_URL", "ftp://example.gov"),
        ("ANZHENG_FACE_ENGINE", "psychic"),
        ("ANZHENG_POOL_SIZE", "many"),
        ("ANZHENG_BULK_CHUNK_PEOPLE", "0"),
        ("ANZHENG_EXPORT_KEEP_DAYS", "0"),
    ],
)
def test_a_wrong_setting_is_named(name: str, value: str) -> None:
    with pytest.raises(SettingsError, match=name):
        load_settings({name: value})


def test_defaults_serve_a_demo_on_this_machine() -> None:
    settings = load_settings({})
    assert settings.environment == "demo"
    assert settings.base_url == "http://127.0.0.1:8000"
    assert not settings.secure_cookies


def test_production_insists_on_https() -> None:
    with pytest.raises(SettingsError, match="https"):
        load_settings({"ANZHENG_ENV": "production"})


def test_secrets_are_made_once_and_only_for_their_owner(tmp_path: Path) -> None:
    settings = load_settings({"ANZHENG_HOME": str(tmp_path)})
    first = load_secrets(settings)
    assert load_secrets(settings) == first
    assert (tmp_path / "secrets.json").stat().st_mode & 0o077 == 0


def test_secrets_that_others_can_read_are_refused(tmp_path: Path) -> None:
    settings = load_settings({"ANZHENG_HOME": str(tmp_path)})
    load_secrets(settings)
    (tmp_path / "secrets.json").chmod(0o644)
    with pytest.raises(SettingsError, match="owner only"):
        load_secrets(settings)


def test_weak_secrets_are_refused(tmp_path: Path) -> None:
    settings = load_settings({"ANZHENG_HOME": str(tmp_path)})
    load_secrets(settings)
    path = tmp_path / "secrets.json"
    weak = json.loads(path.read_text()) | {"lookup_key": "c2hvcnQ="}
    path.write_text(json.dumps(weak))
    with pytest.raises(SettingsError, match="bytes"):
        load_secrets(settings)


def test_production_makes_no_secrets_by_itself(tmp_path: Path) -> None:
    env = {"ANZHENG_ENV": "production", "ANZHENG_BASE_URL": "https://a.gov", "ANZHENG_HOME": str(tmp_path)}
    with pytest.raises(SettingsError, match="secrets new"):
        load_secrets(load_settings(env))
