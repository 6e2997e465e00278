"""Draws the lesson's slides with Chromium and plays them as a stream of raw frames."""

from __future__ import annotations

import shutil
import subprocess
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup
from PIL import Image, ImageDraw

HERE = Path(__file__).parent
WIDTH_PX, HEIGHT_PX, FPS = 1280, 720, 25
SLIDE_FADE_S, STEP_FADE_S = 0.64, 0.4
TURN_DEG_PER_S = 150.0
BAR_PX = 5
BAR_COLOUR = (58, 150, 245)


@dataclass(frozen=True, slots=True)
class Spin:
    """A turning fan: its centre and size on the slide, in pixels."""

    x: int
    y: int
    size: int


@dataclass(frozen=True, slots=True)
class Scene:
    """One still of a slide, shown from ``start_s`` until the next scene has faded in."""

    start_s: float
    fade_s: float
    image: Image.Image
    spin: Spin | None


class Deck:
    """Renders slides of ``deck.html.j2``; raises ``FileNotFoundError`` when Chromium is missing."""

    def __init__(self, browser: str = "chromium") -> None:
        found = shutil.which(browser)
        if found is None:
            raise FileNotFoundError(f"no browser called {browser!r}")
        self._browser = found
        jinja = Environment(loader=FileSystemLoader(HERE), autoescape=True, undefined=StrictUndefined)
        self._template = jinja.get_template("deck.html.j2")
        self._css = Markup((HERE / "deck.css").read_text(encoding="utf-8"))  # noqa: S704 - our own style sheet

    def still(self, slide: Mapping[str, Any], *, step: int, number: int, total: int) -> Image.Image:
        """Return the slide after ``step`` of its spoken cues have begun."""
        html = self._template.render(slide=slide, step=step, number=number, total=total, css=self._css)
        return self._shoot(html, WIDTH_PX, HEIGHT_PX).convert("RGB")

    def blades(self) -> Image.Image:
        """Return the fan blades on a transparent square."""
        slide = {"id": "spinner", "bullets": []}
        html = self._template.render(
            slide=slide, step=1, number=0, total=0, css="html,body{margin:0}svg{display:block}"
        )
        return self._shoot(html, 512, 512).convert("RGBA")

    def _shoot(self, html: str, width_px: int, height_px: int) -> Image.Image:
        with tempfile.TemporaryDirectory() as folder:
            page, shot = Path(folder, "slide.html"), Path(folder, "slide.png")
            page.write_text(html, encoding="utf-8")
            # Chromium refuses its sandbox to root, and the page is our own file without scripts.
            command = [
                self._browser,
                "--headless",
                "--no-sandbox",
                "--disable-gpu",
                "--hide-scrollbars",
                "--default-background-color=00000000",
                f"--user-data-dir={folder}/profile",
                f"--window-size={width_px},{height_px}",
                f"--screenshot={shot}",
                page.as_uri(),
            ]
            subprocess.run(command, check=True, capture_output=True, timeout=60)
            with Image.open(shot) as picture:
                return picture.crop((0, 0, width_px, height_px)).copy()


def play(scenes: Sequence[Scene], *, total_s: float, blades: Image.Image) -> Iterator[bytes]:
    """Yield every frame as raw RGB bytes, cross-fading from scene to scene."""
    current = 0
    for index in range(round(total_s * FPS)):
        now_s = index / FPS
        while current + 1 < len(scenes) and scenes[current + 1].start_s <= now_s:
            current += 1
        frame = _picture(scenes[current], now_s, blades)
        progress = (now_s - scenes[current].start_s) / scenes[current].fade_s
        if current and progress < 1.0:
            eased = progress * progress * (3.0 - 2.0 * progress)
            frame = Image.blend(_picture(scenes[current - 1], now_s, blades), frame, eased)
        bar_px = round(WIDTH_PX * now_s / total_s)
        ImageDraw.Draw(frame).rectangle((0, HEIGHT_PX - BAR_PX, bar_px, HEIGHT_PX), fill=BAR_COLOUR)
        yield frame.tobytes()


def _picture(scene: Scene, now_s: float, blades: Image.Image) -> Image.Image:
    frame = scene.image.copy()
    if scene.spin is not None:
        turned = blades.rotate(-TURN_DEG_PER_S * now_s, resample=Image.Resampling.BICUBIC)
        small = turned.resize((scene.spin.size, scene.spin.size), Image.Resampling.LANCZOS)
        frame.paste(small, (scene.spin.x - scene.spin.size // 2, scene.spin.y - scene.spin.size // 2), small)
    return frame
