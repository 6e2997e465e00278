"""Finding the model files and proving that they are the ones whose error rates are on record."""

from __future__ import annotations

import hashlib
import importlib.util
from collections.abc import Mapping
from pathlib import Path

from lms.core.faces.errors import EngineUnavailable, ModelMismatch


def packaged_models(package: str) -> Path:
    """The `models` folder of an installed package, found without importing (and so running) the package."""
    spec = importlib.util.find_spec(package)
    if spec is None or not spec.submodule_search_locations:
        raise EngineUnavailable(f"the package {package!r}, which carries the face models, is not installed")
    return Path(spec.submodule_search_locations[0]) / "models"


def require_models(folder: Path, sha256_by_name: Mapping[str, str]) -> None:
    """Raise EngineUnavailable when a file is missing and ModelMismatch when its sha256 differs."""
    for name, expected in sha256_by_name.items():
        path = folder / name
        if not path.is_file():
            raise EngineUnavailable(f"the face model {name} is missing in {folder}")
        with path.open("rb") as stream:
            found = hashlib.file_digest(stream, "sha256").hexdigest()
        if found != expected:
            raise ModelMismatch(f"the face model {name} in {folder} has sha256 {found}, expected {expected}")
