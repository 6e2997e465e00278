"""How actions, their states and their refusals are named. Tones are those of ``macros/ui.html``."""

from __future__ import annotations

from certs.actions.rules import Kind
from certs.errors import FileAltered, NotIssuedYet, NotSignedHere, ProposalOpen, ReasonUnknown, TransitionRefused
from certs.labels import EXPORT_STATES as EXPORT_STATUSES
from certs.rules import Shown
from lms.core.errors import DomainError, NotFound
from lms.core.i18n import lazy_gettext as _

KINDS = {Kind.FILES: _("批量下载证书"), Kind.SUSPEND: _("批量暂扣"), Kind.REVOKE: _("批量建议吊销")}
ICONS = {Kind.FILES: "download", Kind.SUSPEND: "clock-pause", Kind.REVOKE: "ban"}
# What the confirmed action does, said before it is done.
MEANINGS = {
    Kind.FILES: _("生成一个压缩包，内含本平台签发的证书 PDF 和一份清单；导入的证书没有本平台的电子文件，只列入清单。"),
    Kind.SUSPEND: _("逐张暂扣，公众核验立即显示“已暂扣”，理由会通知每位持证人并记入审计和存证日志；可以逐张恢复。"),
    Kind.REVOKE: _("为每张证书各提出一项吊销建议，须由另一名人员逐项批准后生效；在此之前证书状态不变。"),
}
DONE = {Kind.FILES: _("已装入"), Kind.SUSPEND: _("已暂扣"), Kind.REVOKE: _("已提出建议")}
STATES = {"running": (_("办理中"), "info"), "done": (_("已办结"), "ok"), "stopped": (_("已停止"), "muted")}
ITEM_STATES = {"open": (_("待办理"), "info"), "done": (_("已办理"), "ok"), "refused": (_("未办理"), "bad")}
_BEYOND = _("不存在，或不在本部门的监管范围内")
_REFUSALS: tuple[type[DomainError], ...] = (
    *(TransitionRefused, ProposalOpen, NotIssuedYet),
    *(NotSignedHere, FileAltered, ReasonUnknown),
)
REFUSALS: dict[str, object] = {NotFound.code: _BEYOND, **{one.code: one.message for one in _REFUSALS}}
"""Why a certificate was refused, by the code that its item keeps."""

# An export is a file for colleagues, not a page for a reader: it keeps the province's language.
EXPORT_ACTIONS = ("办理事项", "证书数", "状态", "理由", "下达人", "下达时间", "结束时间")
EXPORT_ITEMS = ("证书编号", "姓名", "证书当前状态", "结果", "原因")
LIST_HEADS = ("证书编号", "姓名", "身份证号", "证书状态", "文件名", "没有文件的原因")
EXPORT_KINDS = {Kind.FILES: "批量下载证书", Kind.SUSPEND: "批量暂扣", Kind.REVOKE: "批量建议吊销"}
EXPORT_STATES = {"running": "办理中", "done": "已办结", "stopped": "已停止"}
EXPORT_ITEM_STATES = {"open": "待办理", "done": "已办理", "refused": "未办理"}


def status_text(shown: Shown | None) -> str:
    """Return what files say of a certificate's status, None for one that is not issued."""
    return EXPORT_STATUSES[shown] if shown else "未签发"


def refusal_text(code: str) -> str:
    """Return in the reader's language why a certificate was refused; an empty code gives an empty text."""
    return str(REFUSALS.get(code, DomainError.message)) if code else ""
