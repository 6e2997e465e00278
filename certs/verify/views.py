"""Verification of an uploaded certificate file, for anyone: page and JSON under one address."""

from __future__ import annotations

import contextlib
from typing import Any

from flask import Blueprint, Flask, jsonify, render_template, request
from flask.typing import ResponseReturnValue
from werkzeug.exceptions import LengthRequired

from certs.check.visitors import present_visitor
from certs.errors import NoFile
from certs.labels import LABELS
from certs.verify import operations, texts
from certs.verify.limits import limits
from certs.verify.operations import Report
from certs.verify.rules import State
from lms.core import web
from lms.core.errors import TooLarge

blueprint = Blueprint("certs_verify", __name__, template_folder="../templates")
FORM_BYTES = 64 * 1024
"""What a form adds around the file: boundaries, the name."""
RETRY_AFTER_S = 30


def install(app: Flask) -> None:
    """Let scripts post files without a page's token: nothing is done here in the name of whoever is signed in."""
    app.extensions["csrf"].exempt(blueprint)


@blueprint.get("/verify")
@web.public
@web.own_transactions
def page() -> ResponseReturnValue:
    """Show the form; it needs no database."""
    return render_template("certs/verify.html", report=None, limit_mb=limits().max_file_bytes >> 20)


@blueprint.post("/verify")
@web.public
@web.own_transactions
def verify() -> ResponseReturnValue:
    """Verify the file and tell what was found, check by check."""
    pdf = _read_upload()
    report = operations.verify_file(web.services(), pdf, present_visitor())
    answer = jsonify(as_json(report)) if web.wants_json() else _as_page(report)
    if report.is_available:
        return answer
    return answer, 503, {"Retry-After": str(RETRY_AFTER_S)}


def _read_upload() -> bytes:
    limit = limits().max_file_bytes
    too_large = TooLarge(limit_mb=limit >> 20)
    # Browsers and scripts say how much they send; a body of any length would be spooled before it is refused.
    if request.content_length is None:
        raise LengthRequired
    if request.content_length > limit + FORM_BYTES:
        raise too_large
    file = request.files.get("file")
    if file is None or not file.filename:
        raise NoFile
    with contextlib.closing(file):
        pdf = file.stream.read(limit + 1)
    if len(pdf) > limit:
        raise too_large
    return pdf


def _as_page(report: Report) -> str:
    title, text, tone = texts.outcome_texts(report)
    failed = [texts.reason_text(finding) for finding in report.findings if finding.state is State.FAILED]
    return render_template(
        "certs/verify.html",
        report=report,
        file_name=request.files["file"].filename,
        failed=failed,
        title=title,
        text=text,
        tone=tone,
        label=LABELS[report.shown] if report.shown else None,
        rows=[
            (texts.CHECKS[finding.check], *texts.STATES[finding.state], texts.reason_text(finding))
            for finding in report.findings
        ],
        limit_mb=limits().max_file_bytes >> 20,
    )


def as_json(report: Report) -> dict[str, Any]:
    """Return the report as plain values; holder masked, as on the page behind the QR code."""
    facts, shown = report.facts, report.shown
    certificate = None
    if facts and shown:
        certificate = {
            "status": shown.value,
            "number": facts.number,
            "holder": facts.holder_name_masked,
            "scheme": facts.scheme_name_zh,
            "valid_from": facts.valid_from.isoformat(),
            "valid_until": facts.valid_until.isoformat(),
            "issuer": facts.issuer_name,
            "enterprise": facts.enterprise_name,
            "page": f"{web.services().settings.base_url}/c/{report.public_id}",
        }
    return {**texts.plain(report), "certificate": certificate}
