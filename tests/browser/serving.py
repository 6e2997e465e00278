"""The product on a port of the loopback, and a browser for it."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterator

from playwright.sync_api import Browser, sync_playwright
from werkzeug.serving import make_server

from lms.core.web import AnzhengFlask
from tests.journey.browser import CHROMIUM, QUIET


@contextlib.contextmanager
def served(app: AnzhengFlask) -> Iterator[str]:
    """Serve the application from a thread; gives its address."""
    server = make_server("127.0.0.1", 0, app, threaded=True)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@contextlib.contextmanager
def chromium_for(address: str) -> Iterator[Browser]:
    """Open a browser when the site stands at ``address``, for Playwright keeps an event loop running in this thread."""
    assert address
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=list(QUIET))
        yield browser
        browser.close()
