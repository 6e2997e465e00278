"""What the screens and files say of columns, faults and states."""

from __future__ import annotations

from collections.abc import Mapping

from lms.core.i18n import lazy_gettext as _

COLUMN_TEXTS: Mapping[str, object] = {
    "name": _("姓名"),
    "id_number": _("身份证号"),
    "post": _("岗位"),
    "department": _("部门"),
    "phone": _("手机号"),
    "hired_on": _("入职日期"),
}
FAULT_TEXTS: Mapping[str, object] = {
    "name_missing": _("姓名为空"),
    "name_characters": _("姓名含有数字或其他不允许的字符，或不足两个字"),
    "name_differs": _("姓名与该身份证号的登记信息不一致，请核对证件"),
    "id_missing": _("身份证号为空"),
    "id_length": _("身份证号应为 18 位，实际 %(shown)s 位"),
    "id_characters": _("身份证号含有不允许的字符"),
    "id_birth_date": _("身份证号中的出生日期不存在或不合理"),
    "id_check_digit": _("身份证号校验位不正确，请核对每一位"),
    "id_as_number": _("身份证号被表格软件转成了数字，末几位已丢失；请把该列设为文本后重新填写"),
    "id_duplicate": _("与第 %(shown)s 行的身份证号重复"),
    "post_missing": _("岗位为空"),
    "post_unknown": _("没有「%(shown)s」这个岗位"),
    "department_long": _("部门名称超过 80 个字"),
    "phone": _("手机号不正确，应为 11 位手机号"),
    "date": _("「%(shown)s」不是有效日期，请按 2024-03-01 填写"),
    "date_future": _("入职日期 %(shown)s 晚于今天"),
    "date_under_age": _("入职日期 %(shown)s 时未满 16 周岁（劳动法第十五条）"),
}
FAULT_KINDS: Mapping[str, object] = {
    "name_missing": _("姓名为空"),
    "name_characters": _("姓名有误"),
    "name_differs": _("姓名与登记不一致"),
    "id_missing": _("身份证号为空"),
    "id_length": _("身份证号位数不对"),
    "id_characters": _("身份证号字符有误"),
    "id_birth_date": _("出生日期有误"),
    "id_check_digit": _("校验位不正确"),
    "id_as_number": _("身份证号成了数字"),
    "id_duplicate": _("文件内重复"),
    "post_missing": _("岗位为空"),
    "post_unknown": _("岗位不存在"),
    "department_long": _("部门过长"),
    "phone": _("手机号有误"),
    "date": _("日期有误"),
    "date_future": _("日期晚于今天"),
    "date_under_age": _("未满 16 周岁"),
}
HINT_TEXT = _("是否为「%(hint)s」？")
STATE_TEXTS: Mapping[str, tuple[object, str]] = {
    "checking": (_("校验中"), "info"),
    "refused": (_("无法读取"), "bad"),
    "ready": (_("待确认"), "warn"),
    "importing": (_("导入中"), "info"),
    "done": (_("已完成"), "ok"),
    "cancelled": (_("已取消"), "muted"),
}


def fault_text(code: str, shown: str, hint: str) -> str:
    """Return what is wrong, in the reader's language, with the nearest right value where one is known."""
    text = str(FAULT_TEXTS[code]) % {"shown": shown}
    return f"{text} {str(HINT_TEXT) % {'hint': hint}}" if hint else text
