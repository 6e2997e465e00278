"""A visitor brings a file to ``/verify`` in a real browser: chooses it, sees its name, sends it, reads the verdict."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from certs.models import Certificate
from lms.app import create_app
from lms.core.services import Services
from tests.browser.serving import chromium_for, served
from tests.certs import tampering
from tests.certs.certificates import make_certificate
from tests.conftest import Worker
from tests.journey.browser import DESKTOP, PHONE


@pytest.fixture(scope="module")
def certificate(jobs_services: Services, queue_worker: Worker) -> Certificate:
    """An issued certificate, entered in the log."""
    return make_certificate(jobs_services, queue_worker, name="欧阳建军", logged=True)


@pytest.fixture(scope="module")
def address(services: Services) -> Iterator[str]:
    """The product, its protections on."""
    with served(create_app(services=services)) as found:
        yield found


@pytest.fixture(scope="module")
def chromium(certificate: Certificate, address: str) -> Iterator[Browser]:
    """A browser, opened when all else stands."""
    with chromium_for(address) as found:
        yield found


@pytest.fixture(params=[PHONE, DESKTOP], ids=["phone", "desktop"])
def page(request: pytest.FixtureRequest, chromium: Browser, address: str) -> Iterator[Page]:
    """The page that takes files; whatever its script complains about fails the test."""
    context = chromium.new_context(locale="zh-CN", base_url=address, viewport=request.param)
    opened, faults = context.new_page(), list[str]()
    opened.on("console", lambda message: faults.append(message.text) if message.type == "error" else None)
    opened.on("pageerror", lambda error: faults.append(str(error)))
    answer = opened.goto("/verify")
    assert answer
    assert answer.status == 200
    yield opened
    context.close()
    assert faults == []


@pytest.mark.parametrize("is_whole", [True, False])
def test_a_chosen_file_is_named_sent_and_judged(
    page: Page, jobs_services: Services, certificate: Certificate, tmp_path: Path, is_whole: bool
) -> None:
    pdf, file = jobs_services.storage.get(certificate.pdf_key or ""), tmp_path / "电子证书.pdf"
    file.write_bytes(pdf if is_whole else tampering.update(pdf, tampering.added_page_content))
    page.set_input_files('form[data-upload] input[type="file"]', file)
    size_mb = f"{file.stat().st_size / 1048576:.1f}"
    expect(page.locator("[data-upload-name]")).to_have_text(f"电子证书.pdf（{size_mb} MB）")
    page.get_by_role("button", name="验证", exact=True).click()
    if is_whole:
        expect(page.locator("section.verdict")).to_contain_text("证书文件真实有效")
        expect(page.locator("section.verdict")).to_contain_text(certificate.number)
    else:
        expect(page.locator("section.verdict")).to_contain_text("证书文件未通过验证")
        expect(page.get_by_text(certificate.number)).to_have_count(0)
    expect(page.get_by_text("欧阳建军")).to_have_count(0)
