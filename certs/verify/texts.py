"""How outcomes, checks and reasons are named on page and command line."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from certs.labels import VERDICT_TONES, VERDICTS
from certs.verify.operations import Report
from certs.verify.rules import Check, Finding, Outcome, State
from lms.core.i18n import lazy_gettext as _

OUTCOMES: Mapping[Outcome, tuple[Any, Any, str]] = {
    Outcome.TRUSTED: (_("证书文件真实有效"), _("文件由发证机关签发，自签发后未被改动，证书目前有效。"), "ok"),
    Outcome.NOT_IN_FORCE: (
        _("证书文件真实，但目前不在有效状态"),
        _("文件由发证机关签发，未被改动；但持证人目前不得凭此证上岗。"),
        "warn",
    ),
    Outcome.REFUSED: (
        _("证书文件未通过验证"),
        _("文件不是发证机关签发的原件，或签发后被改动，不能作为证书使用。请向持证人索取原始文件，或扫描二维码核验。"),
        "bad",
    ),
    Outcome.UNDETERMINED: (
        _("无法核验"),
        _("有的项目现在无法检查，因此既不能确认真实，也不能认定虚假；在确认之前不能作为证书使用。"),
        "muted",
    ),
}
CHECKS: Mapping[Check, Any] = {
    Check.FILE: _("文件是完整的 PDF"),
    Check.COVERAGE: _("签名覆盖整个文件"),
    Check.REVISIONS: _("签发后没有追加修订版本"),
    Check.STRUCTURE: _("签名结构符合规范"),
    Check.DIGEST: _("内容与签名时一致"),
    Check.SIGNATURE: _("数字签名正确"),
    Check.CHAIN: _("签名证书由本平台根证书签发"),
    Check.PERIOD: _("签名时签名证书在有效期内"),
    Check.CERTIFICATION: _("文件声明不允许任何修改"),
    Check.KEY: _("签名密钥未被吊销"),
    Check.REGISTRY: _("文件在登记册中"),
    Check.LOG: _("文件在存证日志中"),
    Check.STATUS: _("证书目前有效"),
}
STATES: Mapping[State, tuple[Any, str]] = {
    State.OK: (_("通过"), "ok"),
    State.FAILED: (_("未通过"), "bad"),
    State.UNCHECKED: (_("无法检查"), "muted"),
}
REASONS: Mapping[str, Any] = {
    "unreadable": _("开头或结尾不是 PDF，文件可能不完整"),
    "signature_count": _("没有签名，或签名不止一个"),
    "byte_range": _("文件中有未被签名的内容"),
    "revisions": _("文件有不止一个版本，签名后可能追加了内容"),
    "cms": _("签名数据无法读取"),
    "digest_algorithm": _("摘要算法不够安全"),
    "signing_certificate": _("签名没有指明所用的签名证书"),
    "structure": _("文件结构与签名所指不一致"),
    "subfilter": _("签名格式不是 PAdES"),
    "not_intact": _("内容在签名后被改动"),
    "not_valid": _("签名值与内容或签名证书不符"),
    "unknown_root": _("签名出自本平台不认识的机构，是否可信请向该机构核实"),
    "not_trusted": _("签名证书不能追溯到本平台的根证书"),
    "outside_validity": _("签名时签名证书不在有效期内"),
    "signed_in_future": _("声称的签名时间在将来"),
    "certification": _("签名没有锁定文件"),
    "not_reached": _("因前面的项目未通过或无法检查，本项没有检查"),
    "unavailable": _("登记册暂时无法访问，请稍后再试"),
    "key_unknown": _("签名密钥没有登记"),
    "key_revoked": _("签名密钥已被吊销"),
    "not_entered": _("登记册中没有这个文件"),
    "other_key": _("登记的签名密钥与文件的不同"),
    "log_pending": _("存证日志登记中，约一秒后可查"),
    "log_differs": _("存证日志的记录与登记册不一致"),
}


def outcome_texts(report: Report) -> tuple[Any, Any, str]:
    """Return title, meaning and tone of the answer. Of a genuine file it counts what the certificate is worth."""
    if report.outcome is Outcome.NOT_IN_FORCE and report.shown:
        title, text = VERDICTS[report.shown]
        return _("文件真实，但%(state)s", state=title), text, VERDICT_TONES[report.shown]
    return OUTCOMES[report.outcome]


def reason_text(finding: Finding) -> Any:
    """Return why a check is not passed, a lazy text; the certificate's state where that is the reason."""
    if finding.check is Check.STATUS and finding.state is State.FAILED:
        return next(text for shown, (_title, text) in VERDICTS.items() if shown.value == finding.reason)
    return REASONS[finding.reason] if finding.reason else ""


def plain(report: Report) -> dict[str, Any]:
    """Return what the file itself gave, as plain values."""
    return {
        "verdict": report.outcome.value,
        "sha256": report.sha256,
        "size_bytes": report.size_bytes,
        "signer": report.signer,
        "signed_at": report.signed_at.isoformat() if report.signed_at else None,
        "checked_at": report.checked_at.isoformat(),
        "checks": [
            {
                "check": finding.check.value,
                "state": finding.state.value,
                "reason": finding.reason or None,
                "text": str(reason_text(finding)) or None,
            }
            for finding in report.findings
        ],
    }
