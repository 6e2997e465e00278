"""Headless Chromium as people's devices: a phone with a camera, a desktop without."""

from __future__ import annotations

import os
import shutil
import signal
import time
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

from playwright.sync_api import BrowserContext, Page, Playwright, Response

from tests.camera import fake_camera_mjpeg
from tests.journey.client import Client
from tests.journey.instance import ROOT

CHROMIUM = "/usr/bin/chromium"
FACES = ROOT / "lms" / "accounts" / "demo_faces"
PHONE = {"width": 390, "height": 844}
DESKTOP = {"width": 1440, "height": 900}
QUIET = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)
ACTION_TIMEOUT_MS = 20_000


@dataclass(slots=True)
class Phone:
    """One trainee's phone. Its profile outlives the browser, as on a real one."""

    playwright: Playwright
    base: str
    folder: Path
    evidence: Path
    context: BrowserContext | None = None
    films: dict[str, Path] = field(default_factory=dict)

    @property
    def page(self) -> Page:
        if self.context is None:
            raise RuntimeError("the phone's browser is closed")
        return self.context.pages[0] if self.context.pages else self.context.new_page()

    @property
    def _film(self) -> Path:
        return self.folder / "camera.mjpeg"

    def sit_down(self, photo: str) -> None:
        """Let the person of this photograph sit before the camera from its next opening on."""
        if photo not in self.films:
            self.films[photo] = fake_camera_mjpeg(FACES / photo, self.folder / f"{Path(photo).stem}.mjpeg")
        fresh = self.folder / "next.mjpeg"
        shutil.copyfile(self.films[photo], fresh)
        fresh.replace(self._film)

    def open(self) -> Page:
        """Start the browser with the profile that is there."""
        camera = (
            "--use-fake-ui-for-media-stream",
            "--use-fake-device-for-media-stream",
            f"--use-file-for-fake-video-capture={self._film}",
        )
        self.context = self.playwright.chromium.launch_persistent_context(
            str(self.folder / "profile"),
            executable_path=CHROMIUM,
            args=[*QUIET, *camera],
            viewport=PHONE,  # type: ignore[arg-type]  # a plain dict
            device_scale_factor=2,
            is_mobile=True,
            has_touch=True,
            locale="zh-CN",
            timezone_id="Asia/Shanghai",
            base_url=self.base,
            permissions=["camera"],
        )
        self.context.set_default_timeout(ACTION_TIMEOUT_MS)
        return self.page

    def shoot(self, name: str, *, whole: bool = False) -> None:
        """Keep a picture of the screen."""
        self.page.screenshot(path=self.evidence / f"phone-{name}.png", full_page=whole)

    def kill(self) -> None:
        """End the browser as a dead battery does: SIGKILL to every process of this profile."""
        mark = f"--user-data-dir={self.folder / 'profile'}".encode()
        for entry in Path("/proc").iterdir():
            try:
                if entry.name.isdigit() and mark in (entry / "cmdline").read_bytes().split(b"\0"):
                    os.kill(int(entry.name), signal.SIGKILL)
            except (OSError, ProcessLookupError):
                continue
        self.context = None
        time.sleep(0.5)
        for lock in (self.folder / "profile").glob("Singleton*"):
            lock.unlink(missing_ok=True)

    def close(self) -> None:
        """End the browser in order."""
        if self.context is not None:
            self.context.close()
            self.context = None


def path_of(answer: Response) -> str:
    """Return the path of an answer's address."""
    return urlsplit(answer.url).path


def shoot_pages(
    playwright: Playwright, client: Client, evidence: Path, pages: dict[str, str], *, dark: bool = False
) -> None:
    """Keep desktop pictures of pages as the holder of ``client``'s session sees them."""
    browser = playwright.chromium.launch(executable_path=CHROMIUM, args=list(QUIET))
    try:
        context = browser.new_context(
            viewport=DESKTOP,  # type: ignore[arg-type]  # a plain dict
            locale="zh-CN",
            timezone_id="Asia/Shanghai",
            color_scheme="dark" if dark else "light",
        )
        context.add_cookies([{"name": n, "value": v, "url": client.base} for n, v in client.cookies.items()])
        page = context.new_page()
        for name, address in pages.items():
            page.goto(client.base + address)
            page.screenshot(path=evidence / f"desk-{name}{'-dark' if dark else ''}.png", full_page=True)
    finally:
        browser.close()
