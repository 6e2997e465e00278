"""Regulators, the public and the auditor: who sees what, what a certificate is worth, whether the chains hold."""

from __future__ import annotations

import io
import json
import re
import subprocess
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from urllib.parse import urlencode

import zxingcpp
from PIL import Image

from certs.adapters.verifying import verify_pdf
from tests.journey.cast import CITY, COUNTY, ENTERPRISE, PROVINCE, Cast
from tests.journey.client import Client
from tests.journey.enterprise import completion_pct, kpis, open_warning
from tests.journey.instance import Instance, JourneyFailed

RENDER_DPI = 200
TYPE = "/regulator/schemes/chem-safety-manager-junior"
JSON = {"Accept": "application/json"}


@dataclass(frozen=True, slots=True)
class Checked:
    """What the file and the public say of the certificate."""

    root_pem: bytes
    qr_text: str
    status: str


def warning_of(client: Client, tenant_id: str) -> str:
    """Return the level of the enterprise's open warning as a regulator sees it, or none."""
    return open_warning(client.get(f"/board/enterprises/{tenant_id}"))


def await_warning(client: Client, tenant_id: str, level: str, *, within_s: float) -> str:
    """Wait until the enterprise's open warning is ``level``."""
    client.until(
        f"/board/enterprises/{tenant_id}", lambda page: open_warning(page) == level,
        within_s=within_s, what=f"warning {level}",
    )  # fmt: skip
    return level


def acknowledge_warning(client: Client) -> None:
    """Put on record that the official has seen the open warning."""
    page = client.get(client.get("/warnings").link(r"/warnings/[0-9a-f-]{36}$"))
    if "已签收" not in client.post(page.link(r"/acknowledge$")).words:
        raise JourneyFailed("the warning was not acknowledged")


def export_board(client: Client, region: int) -> None:
    """Have the board's enterprises written to a spreadsheet by a job, and fetch it."""
    client.get(f"/board/{region}")
    job = client.post(f"/board/{region}/export")
    done = client.until(job.path, lambda page: bool(page.links(r"/file$")), within_s=30, what="the board's spreadsheet")
    if not client.get(done.link(r"/file$")).body.startswith(b"PK"):
        raise JourneyFailed("the board's spreadsheet is none")


def check_scopes(cast: Cast, wanted_pct: float) -> int:
    """See that county, city and province show the figures, and nobody else anything; return the foreign status."""
    views = ((cast.county, COUNTY), (cast.city, CITY), (cast.province, PROVINCE), (cast.inspector, COUNTY))
    for client, region in views:
        page = client.get(f"/board/{region}")
        shown = kpis(page)
        if completion_pct(page) != wanted_pct or shown.get("证书", "0") == "0":
            raise JourneyFailed(f"the board of {region} does not show {wanted_pct} %: {shown}")
        _drill_down(client, region)
    for client in (cast.foreign, cast.transport):
        if ENTERPRISE in client.get("/board").text or ENTERPRISE in client.get("/regulator/certificates").text:
            raise JourneyFailed("a department sees an enterprise outside its scope")
    cast.foreign.get(f"/board/{COUNTY}", expect=404)
    cast.transport.get(f"/board/enterprises/{cast.tenant_id}", expect=404)
    return cast.foreign.get(f"/board/enterprises/{cast.tenant_id}", expect=None).status


def _drill_down(client: Client, region: int) -> None:
    """Go from one's own division down to the enterprise by the links on the pages."""
    page = client.get(f"/board/{region}")
    # The codes of a division's parts are greater than its own.
    for below in (code for code in (CITY, COUNTY) if code > region):
        page = client.get(page.link(rf"/board/{below}(\?|$)"))
    found = client.get(page.link(r"/board/enterprises/"))
    if ENTERPRISE not in found.words:
        raise JourneyFailed(f"drilling down from {region} did not lead to the enterprise")


def check_certificate(visitor: Client, pdf: Path, number: str) -> Checked:
    """Verify the file against the published root, read its symbol, open the address that it holds."""
    root = visitor.get("/pki/root.pem").body
    verdict = verify_pdf(pdf.read_bytes(), [root], datetime.now(UTC))
    if verdict.problems:
        raise JourneyFailed(f"the certificate's signature does not hold: {verdict.problems}")
    qr_text = read_symbol(pdf)
    status = public_status(visitor, qr_text, number)
    return Checked(root, qr_text, status)


def read_symbol(pdf: Path) -> str:
    """Return the text of the QR symbol on the rasterised page."""
    command = ["pdftoppm", "-r", str(RENDER_DPI), "-png", "-singlefile", str(pdf)]
    done = subprocess.run([*command, str(pdf.with_suffix(""))], capture_output=True, text=True, check=False)
    if done.returncode:
        raise JourneyFailed(f"the PDF cannot be rasterised: {done.stderr}")
    with Image.open(io.BytesIO(pdf.with_suffix(".png").read_bytes())) as picture:
        found = [symbol.text for symbol in zxingcpp.read_barcodes(picture)]
    if len(found) != 1:
        raise JourneyFailed(f"the certificate carries {len(found)} readable symbols")
    return found[0]


def public_status(visitor: Client, address: str, number: str) -> str:
    """Return what the public page says now; the number must be the certificate's."""
    facts = json.loads(visitor.get(address, headers=JSON).body)
    if facts["number"] != number or "*" not in facts["holder"] or facts["enterprise"] != ENTERPRISE:
        raise JourneyFailed(f"the public page tells other facts: {facts}")
    return str(facts["status"])


def find(client: Client, number: str) -> str:
    """Return the address of the page of the certificate with this number."""
    found = client.get(f"/regulator/certificates?{urlencode({'q': number})}")
    for link in found.links(r"/regulator/certificates/[0-9a-f-]{36}$"):
        if number in client.get(link).words:
            return link
    raise JourneyFailed(f"the regulator does not find {number}")


def revoke(proposer: Client, decider: Client, number: str) -> None:
    """Revoke the certificate of this number and bar its holder: one official proposes, another approves."""
    reason = "现场核查发现持证人身份信息存疑，按程序撤销"
    for form in (
        {"kind": "revoke", "code": "revoke_fraud", "reason": reason},
        {"kind": "ban", "code": "ban_fraud", "reason": reason},
    ):
        link = find(proposer, number)
        proposal = proposer.post(f"{link}/proposals", form).path
        own = proposer.post(f"{proposal}/decision", {"verdict": "approve", "reason": "自行批准"}, expect=403)
        if "须由另一名人员决定" not in own.words:
            raise JourneyFailed("the proposer is not told that another official decides")
        decider.post(f"{proposal}/decision", {"verdict": "approve", "reason": "情况属实，同意"})


def refuse_correction(admin: Client, decider: Client, number: str) -> None:
    """Let the enterprise ask for a new photo on a certificate, and refuse it with the reason."""
    listed = admin.get(f"/tenant/certificates?{urlencode({'q': number})}")
    page = listed.link(r"/tenant/certificates/[0-9a-f-]{36}$")
    admin.post(f"{page}/corrections", {"kind": "photo", "note": "照片与本人现貌不符"})
    cases = decider.get(f"/regulator/corrections?{urlencode({'q': number})}")
    case = cases.link(r"/regulator/corrections/[0-9a-f-]{36}$")
    decider.post(f"{case}/decision", {"verdict": "refuse", "reason": "证书照片清晰，无需更换"})
    if "证书照片清晰" not in admin.get(page).words:
        raise JourneyFailed("the enterprise is not told why its request was refused")


def object_and_answer(holder: Client, decider: Client, number: str) -> None:
    """Let the holder object to the revocation, and the department answer."""
    page = holder.get("/certificates").link(r"/certificates/[0-9a-f-]{36}$")
    shown = holder.get(page)
    if number not in shown.words:
        raise JourneyFailed("the holder does not find the revoked certificate")
    step = re.search(r'name="subject_id" value="([0-9a-f-]{36})"', shown.text)
    if step is None:
        raise JourneyFailed("the holder cannot object")
    holder.post(f"{page}/objections", {"subject_id": step[1], "text": "本人身份信息与登记一致，请求复核"})
    cases = decider.get(f"/regulator/objections?{urlencode({'q': number})}")
    case = cases.link(r"/regulator/objections/[0-9a-f-]{36}$")
    decider.post(f"{case}/decision", {"verdict": "refuse", "reason": "经复核，维持原决定"})
    if "维持原决定" not in holder.get(page).words:
        raise JourneyFailed("the holder does not see the answer")


def try_new_rules(drafter: Client, recorder: Client) -> None:
    """Draft a stricter version of the certificate type, see who would meet it, give it up; record a diploma."""
    form = {
        "effective_from": f"{datetime.now(UTC) + timedelta(days=30):%Y-%m-%d}",
        "legal_basis": "《中华人民共和国安全生产法》第二十七条",
        "name_zh": "危险化学品安全管理人员考核合格证（初级）",
        "name_en": "Certificate of Competence: Hazardous-Chemicals Safety Manager (Junior)",
        "class_": "junior", "issuer_name": "{province}应急管理厅",
        "number_pattern": "{province}危管{year}{serial:07d}{check}",
        "validity_months": "36", "renewal_window_days": "90", "continuing_hours_per_year": "24",
        "template": "standard:1",
        "exam_min_score": "80", "learning_completed": "y", "identity_verified": "y", "class_hours": "0",
        "age_min": "18", "age_max": "0", "education": "college", "practice_months": "0",
    }  # fmt: skip
    draft = drafter.post(f"{TYPE}/edit", form)
    if "学历不低于大专" not in draft.words:
        raise JourneyFailed("the draft does not say what it asks")
    judged = drafter.get(draft.link(r"/eligible\?draft="))
    if "学历没有证明材料" not in judged.words:
        raise JourneyFailed("the dry run does not say who lacks what the draft asks for")
    drafter.post(f"{draft.path}/discard")
    person = recorder.get(f"{TYPE}/eligible?outcome=held").link(r"/people/[0-9a-f-]{36}$")
    kept = recorder.post(f"{person}/records", {"what": "education:college", "document": "毕业证 2019-0311"})
    if "毕业证 2019-0311" not in kept.words:
        raise JourneyFailed("the record about the holder is not there")


def verify_chains(instance: Instance, auditor: Client) -> None:
    """Let the auditor prove both logs, on the command line and by the page's button."""
    for log in ("audit", "registry"):
        verdict = json.loads(instance.command(log, "verify").strip().splitlines()[-1])
        if not verdict["holds"] or not verdict["rows"]:
            raise JourneyFailed(f"the {log} log does not hold: {verdict}")
    auditor.get("/audit")
    job = auditor.post("/audit/verify")
    auditor.until(job.path, lambda page: "disc-ok" in page.text, within_s=30, what="the auditor's verification")
