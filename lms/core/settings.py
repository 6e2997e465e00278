"""Settings: from the environment, checked once at start, with the wrong one named."""

from __future__ import annotations

import base64
import hashlib
import json
import os
import secrets as random_source
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

CHECKOUT = Path(__file__).resolve().parents[2]
ENVIRONMENTS = ("demo", "test", "production")
SIGNATURE_LEVELS = ("B-B", "B-T", "B-LT")
MIN_SECRET_BYTES = 32


class SettingsError(RuntimeError):
    """A setting is missing or unusable; the message names it and says what would do."""


@dataclass(frozen=True, slots=True)
class SigningSettings:
    """How certificates are signed: PAdES level, timestamp authority with its roots (PEM), token with its PIN's file."""

    level: str
    tsa_url: str | None
    tsa_roots: Path | None
    pkcs11_module: Path | None
    pkcs11_token: str
    pkcs11_pin_file: Path | None


@dataclass(frozen=True, slots=True)
class Settings:
    """What an operator may choose. See docs/settings.md for each variable."""

    environment: str
    home: Path
    admin_database_url: str | None
    base_url: str
    storage_url: str
    face_engine: str
    face_model_dir: Path | None
    pool_size: int
    bulk_chunk_people: int
    export_keep_days: int
    signing: SigningSettings

    @property
    def is_production(self) -> bool:
        return self.environment == "production"

    @property
    def secure_cookies(self) -> bool:
        return self.base_url.startswith("https://")


@dataclass(frozen=True, slots=True)
class Secrets:
    """Key material of one instance; stands in a file that only its owner can read.

    ``data_keys`` maps key id to a 32-byte AES key; ``active_key_id`` encrypts, all decrypt.
    ``lookup_key`` is the HMAC key of searchable digests; ``audit_seed`` the Ed25519 seed of
    the audit sealer; ``passwords`` those of the three database logins.
    """

    session_key: bytes
    lookup_key: bytes
    data_keys: Mapping[str, bytes]
    active_key_id: str
    audit_seed: bytes
    passwords: Mapping[str, str]


def default_home() -> Path:
    """Keep data outside the checkout, one folder for each checkout."""
    label = hashlib.sha256(str(CHECKOUT).encode()).hexdigest()[:8]
    if os.geteuid() == 0:
        return Path("/var/lib/anzheng") / label
    data_home = os.environ.get("XDG_DATA_HOME") or str(Path.home() / ".local" / "share")
    return Path(data_home) / "anzheng" / label


def load_settings(env: Mapping[str, str] | None = None) -> Settings:
    """Read and check the settings.

    Raises SettingsError naming the first variable that is wrong.
    """
    env = os.environ if env is None else env
    environment = env.get("ANZHENG_ENV", "demo")
    if environment not in ENVIRONMENTS:
        raise SettingsError(f"ANZHENG_ENV must be one of {', '.join(ENVIRONMENTS)}, not {environment!r}")
    base_url = env.get("ANZHENG_BASE_URL", "http://127.0.0.1:8000").rstrip("/")
    parts = urlsplit(base_url)
    if parts.scheme not in {"http", "https"} or not parts.netloc or parts.path:
        raise SettingsError(f"ANZHENG_BASE_URL must look like https://host, not {base_url!r}")
    if environment == "production" and parts.scheme != "https":
        raise SettingsError("ANZHENG_BASE_URL must be https in production")
    home = Path(env.get("ANZHENG_HOME") or default_home()).resolve()
    storage_url = env.get("ANZHENG_STORAGE_URL") or (home / "objects").as_uri()
    if urlsplit(storage_url).scheme not in {"file", "s3"}:
        raise SettingsError("ANZHENG_STORAGE_URL must start with file:// or s3://")
    engine = env.get("ANZHENG_FACE_ENGINE", "sface")
    if engine not in {"sface", "dlib"}:
        raise SettingsError("ANZHENG_FACE_ENGINE must be sface or dlib")
    model_dir = env.get("ANZHENG_FACE_MODEL_DIR")
    return Settings(
        environment=environment,
        home=home,
        admin_database_url=env.get("DATABASE_URL") or None,
        base_url=base_url,
        storage_url=storage_url,
        face_engine=engine,
        face_model_dir=Path(model_dir) if model_dir else None,
        pool_size=_positive("ANZHENG_POOL_SIZE", env.get("ANZHENG_POOL_SIZE", "20")),
        bulk_chunk_people=_positive("ANZHENG_BULK_CHUNK_PEOPLE", env.get("ANZHENG_BULK_CHUNK_PEOPLE", "50")),
        export_keep_days=_positive("ANZHENG_EXPORT_KEEP_DAYS", env.get("ANZHENG_EXPORT_KEEP_DAYS", "7")),
        signing=_signing(env),
    )


def _positive(name: str, given: str) -> int:
    if not given.isdecimal() or not int(given):
        raise SettingsError(f"{name} must be a number from 1 on, not {given!r}")
    return int(given)


def _signing(env: Mapping[str, str]) -> SigningSettings:
    url = env.get("ANZHENG_TSA_URL") or None
    level = env.get("ANZHENG_SIGNATURE_LEVEL") or ("B-T" if url else "B-B")
    if level not in SIGNATURE_LEVELS:
        raise SettingsError(f"ANZHENG_SIGNATURE_LEVEL must be one of {', '.join(SIGNATURE_LEVELS)}, not {level!r}")
    if level != "B-B" and not url:
        raise SettingsError(f"ANZHENG_SIGNATURE_LEVEL {level} needs a timestamp authority: set ANZHENG_TSA_URL")
    if url and urlsplit(url).scheme not in {"http", "https"}:
        raise SettingsError("ANZHENG_TSA_URL must start with http:// or https://")
    files: dict[str, Path | None] = {}
    for name, wanted in (
        ("TSA_ROOTS", url),
        ("PKCS11_MODULE", None),
        ("PKCS11_PIN_FILE", env.get("ANZHENG_PKCS11_MODULE")),
    ):
        variable = f"ANZHENG_{name}"
        files[name] = Path(env[variable]) if env.get(variable) else None
        if wanted and files[name] is None:
            raise SettingsError(f"{variable} is missing")
        if files[name] is not None and not os.access(env[variable], os.R_OK):
            raise SettingsError(f"{variable} names a file that cannot be read: {env[variable]}")
    pin_file = files["PKCS11_PIN_FILE"]
    if pin_file is not None and pin_file.stat().st_mode & 0o077:
        raise SettingsError(f"{pin_file} must be readable by its owner only (chmod 600)")
    return SigningSettings(
        level=level,
        tsa_url=url,
        tsa_roots=files["TSA_ROOTS"],
        pkcs11_module=files["PKCS11_MODULE"],
        pkcs11_token=env.get("ANZHENG_PKCS11_TOKEN", "anzheng"),
        pkcs11_pin_file=pin_file,
    )


def _random_text() -> str:
    return base64.b64encode(random_source.token_bytes(32)).decode()


def load_secrets(settings: Settings) -> Secrets:
    """Read ``secrets.json`` of the instance, made at the first start outside production.

    Raises SettingsError when the file is readable by others, or weak, or missing in production.
    """
    path = settings.home / "secrets.json"
    if not path.exists():
        if settings.is_production:
            raise SettingsError(f"{path} is missing; make it with 'anzheng secrets new'")
        write_new_secrets(path)
    if path.stat().st_mode & 0o077:
        raise SettingsError(f"{path} must be readable by its owner only (chmod 600)")
    raw = json.loads(path.read_text(encoding="utf8"))
    try:
        found = Secrets(
            session_key=base64.b64decode(raw["session_key"]),
            lookup_key=base64.b64decode(raw["lookup_key"]),
            data_keys={name: base64.b64decode(key) for name, key in raw["data_keys"].items()},
            active_key_id=raw["active_key_id"],
            audit_seed=base64.b64decode(raw["audit_seed"]),
            passwords=raw["passwords"],
        )
    except KeyError as error:
        raise SettingsError(f"{path} lacks {error}") from None
    keys = [found.session_key, found.lookup_key, found.audit_seed, *found.data_keys.values()]
    if min(map(len, keys)) < MIN_SECRET_BYTES or found.active_key_id not in found.data_keys:
        raise SettingsError(f"{path} holds a key of less than {MIN_SECRET_BYTES} bytes or no active key")
    return found


def write_new_secrets(path: Path) -> None:
    """Write fresh secrets; of several starters at once, the first one's file stands."""
    path.parent.mkdir(parents=True, exist_ok=True)
    fresh = {
        "session_key": _random_text(),
        "lookup_key": _random_text(),
        "data_keys": {"k1": _random_text()},
        "active_key_id": "k1",
        "audit_seed": _random_text(),
        "passwords": {login: random_source.token_urlsafe(24) for login in ("web", "jobs", "auditor")},
    }
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf8") as file:
        json.dump(fresh, file)
    try:
        os.link(temporary, path)
    except FileExistsError:
        pass
    finally:
        temporary.unlink()
