"""Take the pictures of the READMEs from a running demo: ``python docs/take_pictures.py [--base URL] [name …]``.

Signs in as the demo's people with Debian's Chromium. It begins an exam for one of them, so take an instance
that may change. The pictures show what the product shows; nothing is painted over.
"""

from __future__ import annotations

import argparse
import re
import subprocess
import tempfile
from collections.abc import Callable
from dataclasses import dataclass, replace
from io import BytesIO
from pathlib import Path
from urllib.parse import urljoin

from PIL import Image
from playwright.sync_api import Browser, FilePayload, Page, sync_playwright

from lms.core.settings import load_settings

HERE = Path(__file__).parent / "pictures"
CHROMIUM = "/usr/bin/chromium"
MAX_BYTES = 250_000
PHONE_PX = (390, 844)
DESKTOP_PX = (1440, 900)
PAPER_DPI = 110


@dataclass(frozen=True, slots=True)
class Shot:
    """One picture: who looks (None is a visitor), where, on what, and what is done there first."""

    name: str
    login: str | None
    path: str
    on_phone: bool = False
    is_dark: bool = False
    is_english: bool = False
    act: Callable[[Page], None] | None = None


def play_lesson(page: Page) -> None:
    """Open the lesson of the day and let it run for some seconds."""
    page.locator("a[href*='/lessons/']").first.click()
    page.wait_for_load_state("networkidle")
    play = page.locator("[data-player-play]").first
    if play.is_visible():
        play.click()
    page.wait_for_timeout(12_000)


def begin_exam(page: Page) -> None:
    """Enter the exam, or the one that is already running, and answer four questions."""
    page.locator("main a[href^='/exams/'], main form[action^='/exams'] button").first.click()
    page.wait_for_load_state("networkidle")
    for _step in range(3):
        if page.locator("input[type=radio], input[type=checkbox]").count():
            break
        page.locator("main form button.btn-primary").first.click()
        page.wait_for_load_state("networkidle")
    for _question in range(3):
        page.locator("label.option:visible").nth(1).click()
        page.locator("[data-exam-next]:visible").first.click()
        page.wait_for_timeout(400)
    page.locator("label.option:visible").first.click()
    page.wait_for_timeout(1_000)


def open_first(pattern: str) -> Callable[[Page], None]:
    """Return a deed that follows the first link whose address matches."""

    def act(page: Page) -> None:
        links = page.locator("main a[href]")
        for number in range(links.count()):
            if re.fullmatch(pattern, (links.nth(number).get_attribute("href") or "").partition("?back=")[0]):
                links.nth(number).click()
                page.wait_for_load_state("networkidle")
                return
        raise LookupError(f"no link like {pattern} on {page.url}")

    return act


def open_check(page: Page) -> None:
    """From a list of certificates to the public check of the first one."""
    open_first(r"/regulator/certificates/[0-9a-f-]{36}")(page)
    open_first(r"/[cC]/[0-9A-Za-z]+")(page)


def verify_with(mistake: bytes) -> Callable[[Page], None]:
    """Return a deed that uploads the first listed certificate's file for verification, with ``mistake`` at its end."""

    def act(page: Page) -> None:
        open_first(r"/regulator/certificates/[0-9a-f-]{36}")(page)
        link = page.locator("main a[href$='/pdf']").first.get_attribute("href") or ""
        pdf = page.context.request.get(urljoin(page.url, link)).body()
        page.goto("/verify")
        file = FilePayload(name="certificate.pdf", mimeType="application/pdf", buffer=pdf + mistake)
        page.set_input_files("input[type=file]", files=file)
        page.locator("main form button.btn-primary").first.click()
        page.wait_for_selector(".verdict")

    return act


LISTED = "/regulator/certificates?origin=issued&shown="
ONE = r"/certificates/[0-9a-f-]{36}"
# Each on a phone, in light and in dark.
CERTIFICATES = (
    Shot("phone-wallet", "chizheng", "/certificates"),
    Shot("phone-certificate", "chizheng", "/certificates", act=open_first(ONE)),
    Shot("phone-check", "xianju", f"{LISTED}valid", act=open_check),
    Shot("phone-revoked", "xianju", f"{LISTED}revoked", act=open_check),
    Shot("phone-expired", "xianju", "/regulator/certificates?shown=expired", act=open_check),
    Shot("phone-uncheckable", None, "/c/4QX7"),
)
SHOTS = (
    Shot("phone-home", "xueyuan", "/learn", on_phone=True),
    Shot("phone-home-dark", "xueyuan", "/learn", on_phone=True, is_dark=True),
    Shot("phone-lesson", "xueyuan", "/learn", on_phone=True, act=play_lesson),
    Shot("phone-exam", "kaosheng", "/exams", on_phone=True, act=begin_exam),
    Shot("phone-home-en", "xueyuan", "/learn", on_phone=True, is_english=True),
    Shot("desk-enterprise", "qiye", "/tenant"),
    Shot("desk-staff", "qiye", "/staff"),
    Shot("desk-bank-dark", "jiaoshi", "/bank", is_dark=True),
    Shot("desk-board", "shengting", "/board"),
    Shot("desk-board-en", "shiju", "/board", is_english=True),
    Shot("desk-board-dark", "xianju", "/board", is_dark=True),
    Shot("desk-audit", "shenji", "/audit"),
    Shot("desk-verify", "xianju", f"{LISTED}valid", act=verify_with(b"")),
    Shot("desk-verify-refused", "xianju", f"{LISTED}valid", act=verify_with(b"\n% added\n%%EOF\n")),
    Shot("desk-log", None, "/registry"),
    Shot("desk-cases", "xianju", "/regulator/objections"),
    *(replace(shot, on_phone=True) for shot in CERTIFICATES),
    *(replace(shot, name=f"{shot.name}-dark", on_phone=True, is_dark=True) for shot in CERTIFICATES),
)


def read_sign_ins(path: Path) -> dict[str, str]:
    """Return login names and passwords of the demo's table."""
    words = [line.split() for line in path.read_text("utf8").splitlines()[1:]]
    return {row[0]: row[1] for row in words if len(row) > 2}


def save(name: str, png: bytes, width_px: int) -> None:
    """Write a picture as JPEG, as good as fits the limit."""
    picture = Image.open(BytesIO(png)).convert("RGB")
    picture.thumbnail((width_px, width_px * 3), Image.Resampling.LANCZOS)
    for quality in range(90, 40, -5):
        out = BytesIO()
        picture.save(out, "JPEG", quality=quality, optimize=True, progressive=True)
        if out.tell() <= MAX_BYTES:
            break
    (HERE / f"{name}.jpg").write_bytes(out.getvalue())
    print(f"{name}: {out.tell() / 1000:.0f} kB")  # noqa: T201 - who runs it wants to see it


def open_page(browser: Browser, base: str, shot: Shot) -> Page:
    """Return a page on the device of the picture."""
    width, height = PHONE_PX if shot.on_phone else DESKTOP_PX
    context = browser.new_context(
        viewport={"width": width, "height": height},
        device_scale_factor=2 if shot.on_phone else 1,
        is_mobile=shot.on_phone,
        has_touch=shot.on_phone,
        locale="en-GB" if shot.is_english else "zh-CN",
        timezone_id="Asia/Shanghai",
        color_scheme="dark" if shot.is_dark else "light",
        base_url=base,
    )
    context.set_default_timeout(20_000)
    return context.new_page()


def sign_in(page: Page, login: str, password: str) -> None:
    """Sign in as anybody does."""
    page.goto("/sign-in")
    page.fill("input[name=login]", login)
    page.fill("input[name=password]", password)
    page.locator("main button.btn-primary, form button.btn-primary").first.click()
    page.wait_for_url(lambda url: "/sign-in" not in url)


def take(browser: Browser, base: str, shot: Shot, passwords: dict[str, str]) -> Page:
    """Take one picture; return the page as it stands."""
    page = open_page(browser, base, shot)
    if shot.login:
        sign_in(page, shot.login, passwords[shot.login])
    page.goto(shot.path)
    page.wait_for_load_state("networkidle")
    if shot.act:
        shot.act(page)
    save(shot.name, page.screenshot(), PHONE_PX[0] * 2 if shot.on_phone else DESKTOP_PX[0])
    return page


def take_paper(base: str, holder: Page) -> None:
    """Take the certificate itself, as it is printed."""
    pdf_link = holder.locator("a[href$='.pdf'], a[href$='/pdf'], a[href$='/file']").first.get_attribute("href") or ""
    pdf = holder.context.request.get(f"{base}{pdf_link}").body()
    with tempfile.TemporaryDirectory() as folder:
        paper = Path(folder) / "certificate.pdf"
        paper.write_bytes(pdf)
        command: list[str | Path] = [
            "pdftoppm",
            "-png",
            "-singlefile",
            "-r",
            str(PAPER_DPI),
            paper,
            paper.with_suffix(""),
        ]
        subprocess.run(command, check=True)
        save("certificate", paper.with_suffix(".png").read_bytes(), DESKTOP_PX[0])


def main() -> None:
    """Take all pictures, or the named ones."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--base", default="http://127.0.0.1:8000")
    parser.add_argument("--sign-ins", type=Path, default=load_settings().home / "demo-sign-ins.txt")
    parser.add_argument("names", nargs="*")
    asked = parser.parse_args()
    passwords = read_sign_ins(asked.sign_ins)
    HERE.mkdir(exist_ok=True)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox", "--disable-gpu"])
        for shot in SHOTS:
            if asked.names and shot.name not in asked.names:
                continue
            page = take(browser, asked.base, shot, passwords)
            if shot.name == "phone-certificate":
                take_paper(asked.base, page)
            page.context.close()
        browser.close()


if __name__ == "__main__":
    main()
