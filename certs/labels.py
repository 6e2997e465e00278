"""How states are named and coloured on every screen. Tones are those of ``macros/ui.html``."""

from __future__ import annotations

from certs.rules import Decision, Origin, Shown
from lms.core.i18n import lazy_gettext as _

# What the sheet of a list is called.
SHEET = "清单"
LABELS = {
    Shown.VALID: _("有效"),
    Shown.EXPIRING: _("即将到期"),
    Shown.EXPIRED: _("已过期"),
    Shown.NOT_YET: _("未生效"),
    Shown.SUSPENDED: _("已暂扣"),
    Shown.REVOKED: _("已吊销"),
    Shown.CANCELLED: _("已注销"),
    Shown.SUPERSEDED: _("已换证"),
}
TONES = {
    Shown.VALID: "ok",
    Shown.EXPIRING: "warn",
    Shown.EXPIRED: "bad",
    Shown.NOT_YET: "muted",
    Shown.SUSPENDED: "warn",
    Shown.REVOKED: "bad",
    Shown.CANCELLED: "muted",
    Shown.SUPERSEDED: "muted",
}
VERDICTS = {
    Shown.VALID: (_("证书有效"), _("该证书由发证机关签发，目前有效。")),
    Shown.EXPIRING: (_("证书有效，即将到期"), _("该证书目前有效；持证人应尽快办理延续。")),
    Shown.EXPIRED: (_("证书已过期"), _("有效期已过，持证人不得凭此证上岗。")),
    Shown.NOT_YET: (_("证书未生效"), _("有效期尚未开始，持证人还不得凭此证上岗。")),
    Shown.SUSPENDED: (_("证书已暂扣"), _("暂扣期间，持证人不得凭此证上岗。")),
    Shown.REVOKED: (_("证书已吊销"), _("该证书已被吊销，持证人不得凭此证上岗。")),
    Shown.CANCELLED: (_("证书已注销"), _("该证书已注销，持证人不得凭此证上岗。")),
    Shown.SUPERSEDED: (_("证书已换发新证"), _("该证书已由新证书取代，不再使用；请核验新证书。")),
}
# Whoever reads a verdict decides whether somebody may work: with which certificate not, is red, whatever the reason.
VERDICT_TONES = {
    Shown.VALID: "ok",
    Shown.EXPIRING: "warn",
    Shown.EXPIRED: "bad",
    Shown.NOT_YET: "bad",
    Shown.SUSPENDED: "bad",
    Shown.REVOKED: "bad",
    Shown.CANCELLED: "bad",
    Shown.SUPERSEDED: "warn",
}
# What the public check says of a certificate that we only entered, beside its state.
IMPORTED_NOTE = _("导入的证书：由%(issuer)s签发，本平台只登记，未签名。")
IMPORTED_TEXTS = {
    Shown.VALID: _("该证书目前有效。"),
    Shown.EXPIRING: _("该证书目前有效，请尽快向原发证机关办理延续。"),
}
DECISIONS = {
    Decision.SUSPEND: (_("暂扣"), "clock-pause", "warn", _("暂扣后公众核验立即显示“已暂扣”，可以恢复。")),
    Decision.REINSTATE: (_("恢复"), "rosette-discount-check", "primary", _("恢复后公众核验立即显示“有效”。")),
    Decision.CANCEL: (_("注销"), "x", "bad", _("注销不可撤销，公众核验立即显示“已注销”。")),
}
ENTERED = _("导入登记")
STEPS = {
    "": _("签发"),
    "suspended": _("已暂扣"),
    "valid": _("恢复有效"),
    "revoked": _("已吊销"),
    "cancelled": _("已注销"),
    "superseded": _("换发新证"),
}


def entry_name(kind: str, new_status: str = "") -> object:
    """Return what an entry of the log tells: an issue, an import, or what a certificate's status became."""
    return ENTERED if kind == "import" else STEPS.get(new_status, new_status)


ORIGINS = {Origin.ISSUED: _("本平台签发"), Origin.IMPORTED: _("导入")}
EXPORT_HEADS = (
    *("姓名", "身份证号", "证书编号", "证书名称", "岗位", "企业", "有效期自", "有效期至", "状态", "签发时间"),
    *("来源", "发证日期"),
)
EXPORT_ORIGINS = {Origin.ISSUED: "本平台签发", Origin.IMPORTED: "导入（{system}）"}
# An export is a file for colleagues, not a page for a reader: it keeps the province's language.
EXPORT_STATES = {
    Shown.VALID: "有效",
    Shown.EXPIRING: "即将到期",
    Shown.EXPIRED: "过期",
    Shown.NOT_YET: "未生效",
    Shown.SUSPENDED: "暂扣",
    Shown.REVOKED: "吊销",
    Shown.CANCELLED: "注销",
    Shown.SUPERSEDED: "已换证",
}
BULK_STATES = {
    "preparing": (_("准备中"), "info"),
    "running": (_("制证中"), "info"),
    "paused": (_("已暂停"), "warn"),
    "done": (_("已完成"), "ok"),
    "cancelled": (_("已取消"), "muted"),
}
BULK_EXPORT_HEADS = ("证书类型", "人数", "已处理", "已签发", "制证失败", "状态", "下达人", "下达时间", "结束时间")
BULK_EXPORT_STATES = {
    "preparing": "准备中",
    "running": "制证中",
    "paused": "已暂停",
    "done": "已完成",
    "cancelled": "已取消",
}
