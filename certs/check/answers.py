"""What the public check says, as page and as JSON. "Cannot be checked" is an answer of its own, never "invalid"."""

from __future__ import annotations

import json
from functools import lru_cache
from pathlib import Path
from typing import Any

from flask import jsonify, make_response, render_template
from flask.typing import ResponseReturnValue

from certs.check import page
from certs.check.queries import MALFORMED, UNKNOWN, Checked, PublicFacts
from certs.errors import UnknownCertificate
from certs.forms import FindForm
from certs.labels import IMPORTED_NOTE
from certs.rules import Origin, Shown
from lms.core import clock, web
from lms.core.i18n import gettext as _

UNCHECKABLE = "cannot_be_checked"
UNAVAILABLE = "unavailable"
RETRY_AFTER_S = 15
OPENAPI = Path(__file__).parent / "openapi.json"


def unknown(asked: str, form: FindForm | None = None) -> ResponseReturnValue:
    """Answer that nobody was ever issued such a certificate; ``form`` is the look-up by number and name that failed."""
    if web.wants_json():
        return jsonify(status=UNKNOWN, asked=asked, message=str(UnknownCertificate.message)), UnknownCertificate.status
    text = _("没有任何证书使用该编码。请核对后重试；若来自纸质或电子证书，该证书可能是伪造的，可向发证机关举报。")
    if form is not None:
        text = _(
            "没有编号和姓名都相符的证书。请按证书原样核对后重试；仍查不到的，该证书可能是伪造的，可向发证机关举报。"
        )
    page = render_template("certs/unknown.html", asked=asked, text=text, form=form or FindForm(formdata=None))
    return page, UnknownCertificate.status


def malformed(asked: str) -> ResponseReturnValue:
    """Answer that this is the code of no certificate at all: it was misread or mistyped."""
    text = _("这不是证书的核验码，可能扫描或输入有误。请重新扫描，或按编号和姓名查询。")
    if web.wants_json():
        return jsonify(status=UNCHECKABLE, reason=MALFORMED, message=text), 400
    return render_template("certs/uncheckable.html", text=text, asked=asked, form=FindForm(formdata=None)), 400


def unavailable() -> ResponseReturnValue:
    """Answer that the platform cannot look anything up now."""
    text = _("核验服务暂时无法查询证书状态，这不说明证书无效。请稍后重试。")
    if web.wants_json():
        answer = make_response(jsonify(status=UNCHECKABLE, reason=UNAVAILABLE, message=text), 503)
    else:
        answer = make_response(render_template("certs/uncheckable.html", text=text, asked="", form=None), 503)
    answer.headers["Retry-After"] = str(RETRY_AFTER_S)
    return answer


def facts_as_text(facts: PublicFacts, checked: Checked, public_id: str, language: str) -> page.Facts:
    """Return the values of the page in the reader's language."""
    decided, imported = checked.decided, checked.imported
    english = language == "en"
    licence = facts.licence_number
    if licence and facts.licence_valid_until:
        licence += f" ({'until' if english else '有效期至'} {facts.licence_valid_until})"
    waiting = "being entered, about a second" if english else "登记中，约一秒后可查"
    reason = (decided.reason_en if english else decided.reason_zh) if decided else ""
    day = f"{clock.day_of(decided.at)}" if decided else ""
    return page.Facts(
        public_id=public_id,
        holder=facts.holder_name_masked,
        scheme=facts.scheme_name_en if english else facts.scheme_name_zh,
        number=facts.number,
        valid=f"{facts.valid_from} — {facts.valid_until}",
        enterprise=facts.enterprise_name,
        licence=licence,
        issuer=facts.issuer_name,
        place=waiting if facts.leaf_seq is None else f"No. {facts.leaf_seq}" if english else f"第 {facts.leaf_seq} 条",
        checked=clock.local(clock.now()).strftime("%Y-%m-%d %H:%M:%S"),
        decided=" · ".join(filter(None, (day, reason))),
        successor=decided.successor if decided else "",
        issued_on=str(imported.issued_on) if imported else "",
    )


def checked_as_json(facts: PublicFacts, shown: Shown, checked: Checked, public_id: str) -> dict[str, Any]:
    """Return the answer that openapi.json promises."""
    decided, imported = checked.decided, checked.imported
    return {
        "status": shown.value,
        "public_id": public_id,
        "number": facts.number,
        "holder": facts.holder_name_masked,
        "scheme": facts.scheme_name_zh,
        "scheme_en": facts.scheme_name_en,
        "valid_from": facts.valid_from.isoformat(),
        "valid_until": facts.valid_until.isoformat(),
        "issuer": facts.issuer_name,
        "enterprise": facts.enterprise_name,
        "licence": facts.licence_number,
        "registry_index": facts.leaf_seq,
        "checked_at": clock.now().isoformat(),
        "decided_at": decided.at.isoformat() if decided else None,
        "reason": decided.reason_zh if decided else None,
        "reason_en": decided.reason_en if decided else None,
        "successor": (decided.successor or None) if decided else None,
        "origin": (Origin.IMPORTED if imported else Origin.ISSUED).value,
        "issued_on": imported.issued_on.isoformat() if imported else None,
        "origin_note": str(IMPORTED_NOTE) % {"issuer": facts.issuer_name} if imported else None,
    }


def openapi_document() -> dict[str, Any]:
    """Return the description of the public interface with this instance's address in it."""
    return {**_described(), "servers": [{"url": web.services().settings.base_url}]}


@lru_cache(maxsize=1)
def _described() -> dict[str, Any]:
    document: dict[str, Any] = json.loads(OPENAPI.read_text("utf8"))
    return document
