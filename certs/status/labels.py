"""How cases and their states are named and coloured. Tones are those of ``macros/ui.html``."""

from __future__ import annotations

from certs.rules import CorrectionKind, Outcome, ProposalKind
from lms.core.i18n import lazy_gettext as _

LISTS = {"proposals": _("处理建议"), "corrections": _("更正申请"), "objections": _("异议")}
KINDS = {
    ProposalKind.REVOKE: _("吊销证书"),
    ProposalKind.BAN: _("限制取证"),
    CorrectionKind.NAME: _("更正姓名"),
    CorrectionKind.PHOTO: _("更换照片"),
    CorrectionKind.EMPLOYER: _("变更单位"),
    "objection": _("异议"),
}
STATES = {
    "open": (_("待决定"), "warn"),
    "approved": (_("已批准"), "ok"),
    "refused": (_("已驳回"), "muted"),
    "withdrawn": (_("已撤回"), "muted"),
    "done": (_("已换证"), "ok"),
    "answered": (_("已答复"), "ok"),
}
OUTCOMES = {Outcome.UPHELD: _("异议成立"), Outcome.REJECTED: _("异议不成立")}
VERDICTS = {
    "proposals": ((_("批准"), "approve"), (_("驳回"), "refuse")),
    "corrections": ((_("批准"), "approve"), (_("驳回"), "refuse")),
    "objections": ((_("异议成立"), "approve"), (_("异议不成立"), "refuse")),
}
AGENTS = {
    "wechat": _("微信"),
    "dingtalk": _("钉钉"),
    "wecom": _("企业微信"),
    "edge": "Edge",
    "firefox": "Firefox",
    "chrome": "Chrome",
    "safari": "Safari",
    "other": _("其他"),
}
EXPORT_HEADS = (
    *("持证人", "证书编号", "事项", "状态", "提出人", "提出时间", "内容"),
    *("决定人", "决定时间", "决定理由"),
)
# An export is a file for colleagues, not a page for a reader: it keeps the province's language.
EXPORT_KINDS = {
    "revoke": "吊销证书",
    "ban": "限制取证",
    "name": "更正姓名",
    "photo": "更换照片",
    "employer": "变更单位",
    "objection": "异议",
}
EXPORT_STATES = {
    "open": "待决定",
    "approved": "已批准",
    "refused": "已驳回",
    "withdrawn": "已撤回",
    "done": "已换证",
    "answered": "已答复",
}
