"""Every main page in a real browser: for everybody, on every screen, without a word in the console.

Asserted of each page, on a phone and on a desktop, in light and in dark: no finding of axe-core that is
serious or critical, nothing that must be scrolled sideways at 360 px, no error in the console, and with it no
violation of the content policy.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, ConsoleMessage, Page

from lms.app import build_kernel, create_app
from lms.core import bootstrap
from tests.browser.county import County, build, own_instance
from tests.browser.serving import chromium_for, served
from tests.conftest import Instance
from tests.journey.browser import DESKTOP, PHONE

AXE = Path(__file__).resolve().parents[2] / "node_modules" / "axe-core" / "axe.min.js"
NARROW = {"width": 360, "height": 740}
GRAVE = ("serious", "critical")
PARTS = ("learner", "holder", "repeater", "administrator", "regulator", "visitor")
LOOK = """async (rules) => {
  const wanted = {resultTypes: ['violations'], ...(rules && {runOnly: rules})};
  const found = (await axe.run(document, wanted)).violations;
  return found.map((v) => [v.impact, v.id, v.nodes.map((n) => n.html.slice(0, 160)).slice(0, 3)]);
}"""
# Not compared with innerWidth: a phone's browser zooms out, and then that grows with the page.
PAGE_WIDTH_PX = "document.documentElement.scrollWidth"


@dataclass(frozen=True, slots=True)
class Site:
    """The product on a port, and what there is to see on it."""

    address: str
    cookie: str
    county: County


@dataclass
class Visit:
    """One person's browser; ``faults`` is what was wrong on the pages seen so far.

    Without slots, because Playwright leaves a mark on the owner of a method that listens.
    """

    page: Page
    faults: list[str] = field(default_factory=list)

    def note(self, message: ConsoleMessage) -> None:
        if message.type == "error":
            self.faults.append(f"{self.page.url} says {message.text}")

    def judge(self, scheme: str, rules: list[str] | None = None) -> None:
        """Ask axe-core. Colours alone differ between light and dark."""
        self.page.emulate_media(color_scheme=scheme)  # type: ignore[arg-type]  # light or dark
        self.page.wait_for_selector(f'html[data-bs-theme="{scheme}"]', state="attached")
        for impact, rule, nodes in self.page.evaluate(LOOK, rules):
            if impact in GRAVE:
                self.faults.append(f"{self.page.url} ({scheme}): {impact} {rule}: {json.dumps(nodes)}")


@pytest.fixture(scope="module")
def site(instance: Instance, worker_id: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """Serve the whole product, its protections on, from a thread."""
    folder = tmp_path_factory.mktemp("browser")
    own = own_instance(instance, f"anzheng_browser_{worker_id}")
    jobs = bootstrap.build_services(own.settings, build_kernel(), login="jobs", admin=own.admin)
    web = bootstrap.build_services(own.settings, build_kernel(), login="web", admin=own.admin)
    app = create_app(services=web)
    county = build(app, jobs, folder)
    with served(app) as address:
        yield Site(address, str(app.config["SESSION_COOKIE_NAME"]), county)
    for services in (web, jobs):
        services.db.dispose()


@pytest.fixture(scope="module")
def chromium(site: Site) -> Iterator[Browser]:
    """One browser."""
    with chromium_for(site.address) as found:
        yield found


def open_visit(browser: Browser, site: Site, part: str, **options: Any) -> Visit:
    """Open a browser that is signed in as ``part``."""
    # Without motion no colour is looked at half-way between light and dark.
    context = browser.new_context(
        locale="zh-CN", timezone_id="Asia/Shanghai", base_url=site.address, reduced_motion="reduce", **options
    )
    context.add_init_script(path=AXE)
    token = site.county.tokens.get(part)
    if token:
        context.add_cookies([{"name": site.cookie, "value": token, "url": site.address}])
    visit = Visit(context.new_page())
    visit.page.on("console", visit.note)
    visit.page.on("pageerror", lambda error: visit.faults.append(f"{visit.page.url} fails: {error}"))
    return visit


def see(visit: Visit, path: str) -> None:
    """Load a page; what is not served as asked for is a fault of the test's world."""
    answer = visit.page.goto(path)
    assert answer is not None
    assert answer.status == 200, f"{path}: {answer.status}"
    assert visit.page.url.endswith(path), f"{path} leads to {visit.page.url}"


@pytest.mark.parametrize("part", PARTS)
def test_pages_serve_everybody_on_a_phone(chromium: Browser, site: Site, part: str) -> None:
    visit = open_visit(chromium, site, part, viewport=PHONE, is_mobile=True, has_touch=True, color_scheme="light")
    for path in site.county.pages[part]:
        visit.page.set_viewport_size(PHONE)  # type: ignore[arg-type]  # a plain dict
        see(visit, path)
        visit.judge("light")
        visit.judge("dark", ["color-contrast"])
        visit.page.emulate_media(color_scheme="light")
        visit.page.set_viewport_size(NARROW)  # type: ignore[arg-type]  # a plain dict
        beyond_px = visit.page.evaluate(PAGE_WIDTH_PX) - NARROW["width"]
        if beyond_px > 0:
            visit.faults.append(f"{path} is {beyond_px} px too wide for a narrow phone")
    visit.page.context.close()
    assert not visit.faults, "\n".join(visit.faults)


@pytest.mark.parametrize("part", PARTS)
def test_pages_serve_everybody_on_a_desktop(chromium: Browser, site: Site, part: str) -> None:
    visit = open_visit(chromium, site, part, viewport=DESKTOP, color_scheme="dark")
    for path in site.county.pages[part]:
        see(visit, path)
        visit.judge("dark")
        visit.judge("light", ["color-contrast"])
        visit.page.emulate_media(color_scheme="dark")
    visit.page.context.close()
    assert not visit.faults, "\n".join(visit.faults)
