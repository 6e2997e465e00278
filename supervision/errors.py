"""What supervision refuses."""

from __future__ import annotations

from lms.core.errors import Conflict, Invalid
from lms.core.i18n import lazy_gettext as _


class AlreadyClosed(Conflict):
    """The case has ended; nothing can be added to it."""

    code = "warning_closed"
    message = _("该预警已经关闭")


class ClosesByItself(Conflict):
    """Yellow and orange cases go when their cause goes, not by decision."""

    code = "warning_closes_by_itself"
    message = _("黄色和橙色预警在原因消除后自动关闭，不能人工关闭")


class AlreadyAcknowledged(Conflict):
    """The official has acknowledged this case before."""

    code = "warning_acknowledged"
    message = _("您已经签收过该预警")


class BadMonth(Invalid):
    """The month of the address is none."""

    code = "bad_month"
    status = 400
    message = _("月份参数无效")
