"""The fake camera of the browser tests gives frames that are recognised and never equal."""

from __future__ import annotations

from pathlib import Path

import av
import pytest
from PIL import Image

from lms.core.faces.api import Outcome, enrol, load_engine, verify
from tests.camera import fake_camera_mjpeg

FACES = Path(__file__).resolve().parents[2] / "lms" / "accounts" / "demo_faces"


def split(film: Path) -> list[bytes]:
    """The single JPEG files of a Motion-JPEG film."""
    return [b"\xff\xd8\xff" + part for part in film.read_bytes().split(b"\xff\xd8\xff")[1:]]


def test_the_camera_shows_the_person_in_ever_new_frames(tmp_path: Path) -> None:
    film = fake_camera_mjpeg(FACES / "030_08.jpg", tmp_path / "camera.mjpeg", seconds=2, fps=10)
    with av.open(str(film), format="mjpeg") as container:
        pictures = list(container.decode(video=0))
    assert {(p.width, p.height, p.format.name) for p in pictures} == {(640, 480, "yuvj420p")}
    frames = split(film)
    assert len(frames) == len(pictures) == 20
    assert len(set(frames)) == 20
    engine = load_engine("sface")
    template = enrol(engine, [(FACES / "030_03.jpg").read_bytes()], frames_min=1)
    assert verify(engine, template, frames[:5], purpose="exam").outcome is Outcome.MATCH


def test_a_lying_and_a_standing_picture_fit_the_camera(tmp_path: Path) -> None:
    for number, size in enumerate(((1200, 300), (300, 1200))):
        source = tmp_path / f"{number}.png"
        Image.new("RGB", size, "red").save(source)
        film = fake_camera_mjpeg(source, tmp_path / f"{number}.mjpeg", seconds=1, fps=2)
        assert len(split(film)) == 2


def test_what_is_no_picture_is_reported(tmp_path: Path) -> None:
    source = tmp_path / "no.jpg"
    source.write_bytes(b"nothing")
    with pytest.raises(OSError, match="cannot identify"):
        fake_camera_mjpeg(source, tmp_path / "no.mjpeg")
    with pytest.raises(ValueError, match=r"\.mjpeg"):
        fake_camera_mjpeg(FACES / "030_08.jpg", tmp_path / "camera.avi")
