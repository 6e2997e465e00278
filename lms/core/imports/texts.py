"""What screens and files say of every kind of import."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from lms.core.i18n import lazy_gettext as _


@dataclass(frozen=True, slots=True)
class FaultWords:
    """What is wrong, with ``%(shown)s`` for what the cell may show, and how the filter of reasons calls it."""

    text: object
    label: object


DATE_FAULT = FaultWords(_("「%(shown)s」不是有效日期，请按 2024-03-01 填写"), _("日期有误"))
HINT_TEXT = _("是否为「%(hint)s」？")
ROW_HEAD = _("行号")
REASON_HEAD = _("错误原因")
STATE_TEXTS: Mapping[str, tuple[object, str]] = {
    "checking": (_("校验中"), "info"),
    "refused": (_("无法读取"), "bad"),
    "ready": (_("待确认"), "warn"),
    "importing": (_("导入中"), "info"),
    "done": (_("已完成"), "ok"),
    "cancelled": (_("已取消"), "muted"),
}


@dataclass(frozen=True, slots=True)
class Words:
    """What one kind of import is called. The titles of its jobs take ``%(name)s``, the file's."""

    columns: Mapping[str, object]
    faults: Mapping[str, FaultWords]
    check_title: object
    take_title: object
    file_name: str
    """What a file is called whose own name says nothing."""

    def fault_text(self, code: str, shown: str, hint: str) -> str:
        """Return what is wrong, in the reader's language, with the nearest right value where one is known."""
        text = str(self.faults[code].text) % {"shown": shown}
        return f"{text} {str(HINT_TEXT) % {'hint': hint}}" if hint else text
