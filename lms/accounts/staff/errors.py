"""What the staff pages refuse."""

from __future__ import annotations

from lms.core.errors import Conflict, Invalid
from lms.core.i18n import lazy_gettext as _


class CodesTaken(Conflict):
    """The codes were handed out before; only their digests are kept."""

    code = "codes_taken"
    message = _("激活码已于 %(at)s 由 %(name)s 下载，系统不保存明文；如有遗失请重新签发")


class NobodyToActivate(Conflict):
    """Everybody concerned has an account already."""

    code = "codes_nobody"
    message = _("这些人员都已激活，不需要激活码")


class ReasonMissing(Invalid):
    """An unmasking needs its purpose."""

    code = "reveal_reason_missing"
    message = _("请填写查看完整身份证号的用途（至少 4 个字）")


class LeavingTooEarly(Invalid):
    """Nobody leaves before being hired."""

    code = "left_before_hired"
    message = _("离职日期不能早于入职日期，也不能晚于今天")


class AlreadyLeft(Conflict):
    """The employment is over."""

    code = "already_left"
    message = _("该人员已离职，不能再修改任职信息")
