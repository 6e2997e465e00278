"""What the screens and files say of a roster's columns and faults."""

from __future__ import annotations

from collections.abc import Mapping

from lms.core.i18n import lazy_gettext as _
from lms.core.imports.texts import DATE_FAULT, FaultWords

COLUMN_TEXTS: Mapping[str, object] = {
    "name": _("姓名"),
    "id_number": _("身份证号"),
    "post": _("岗位"),
    "department": _("部门"),
    "phone": _("手机号"),
    "hired_on": _("入职日期"),
}
# What names and id numbers are refused for, by the codes of this room's rules, whatever list they stand in.
PERSON_FAULTS: Mapping[str, FaultWords] = {
    "name_missing": FaultWords(_("姓名为空"), _("姓名为空")),
    "name_characters": FaultWords(_("姓名含有数字或其他不允许的字符，或不足两个字"), _("姓名有误")),
    "name_differs": FaultWords(_("姓名与该身份证号的登记信息不一致，请核对证件"), _("姓名与登记不一致")),
    "id_missing": FaultWords(_("身份证号为空"), _("身份证号为空")),
    "id_length": FaultWords(_("身份证号应为 18 位，实际 %(shown)s 位"), _("身份证号位数不对")),
    "id_characters": FaultWords(_("身份证号含有不允许的字符"), _("身份证号字符有误")),
    "id_birth_date": FaultWords(_("身份证号中的出生日期不存在或不合理"), _("出生日期有误")),
    "id_check_digit": FaultWords(_("身份证号校验位不正确，请核对每一位"), _("校验位不正确")),
    "id_as_number": FaultWords(
        _("身份证号被表格软件转成了数字，末几位已丢失；请把该列设为文本后重新填写"), _("身份证号成了数字")
    ),
}
FAULTS: Mapping[str, FaultWords] = {
    **PERSON_FAULTS,
    "id_duplicate": FaultWords(_("与第 %(shown)s 行的身份证号重复"), _("文件内重复")),
    "post_missing": FaultWords(_("岗位为空"), _("岗位为空")),
    "post_unknown": FaultWords(_("没有「%(shown)s」这个岗位"), _("岗位不存在")),
    "department_long": FaultWords(_("部门名称超过 80 个字"), _("部门过长")),
    "phone": FaultWords(_("手机号不正确，应为 11 位手机号"), _("手机号有误")),
    "date": DATE_FAULT,
    "date_future": FaultWords(_("入职日期 %(shown)s 晚于今天"), _("日期晚于今天")),
    "date_under_age": FaultWords(_("入职日期 %(shown)s 时未满 16 周岁（劳动法第十五条）"), _("未满 16 周岁")),
}
