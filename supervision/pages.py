"""The blueprint that this room's views share, and what they all show."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import date

from flask import Blueprint, request

from lms.core.i18n import lazy_gettext as _
from supervision.errors import BadMonth

blueprint = Blueprint("supervision", __name__, template_folder="templates")

SIZES = (("large", _("大型")), ("medium", _("中型")), ("small", _("小型")), ("micro", _("微型")))
RISKS = (("high", _("高危")), ("ordinary", _("一般")))
KINDS = {
    "completion": _("培训完成率低于阈值"),
    "pass_rate": _("考试合格率低于阈值"),
    "failed_twice": _("同一人员连续两次考核不合格"),
}
LEVEL_NAMES = {"yellow": _("黄色预警"), "orange": _("橙色预警"), "red": _("红色预警")}
MONTH = re.compile(r"\d{4}-(0[1-9]|1[0-2])")


def chosen(name: str, choices: Mapping[str, object] | tuple[str, ...], default: str = "") -> str:
    """Return a query argument if it is one of the choices."""
    value = request.args.get(name, "")
    return value if value in choices else default


def chosen_month() -> date | None:
    """Return the month of the address, None without one. Raises BadMonth."""
    value = request.args.get("month", "")
    if not value:
        return None
    if not MONTH.fullmatch(value) or value.startswith("0000"):
        raise BadMonth
    return date(int(value[:4]), int(value[5:]), 1)
