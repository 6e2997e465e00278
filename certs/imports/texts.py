"""What the screens and files say of columns, faults and states of imports."""

from __future__ import annotations

from collections.abc import Mapping

from lms.core.i18n import lazy_gettext as _

COLUMN_TEXTS: Mapping[str, object] = {
    "name": _("姓名"),
    "id_kind": _("证件类型"),
    "id_number": _("证件号码"),
    "number": _("证书编号"),
    "scheme": _("证书类型"),
    "issuer": _("发证机关"),
    "issued_on": _("发证日期"),
    "valid_from": _("有效期自"),
    "valid_until": _("有效期至"),
    "first_issued_on": _("初次发证日期"),
    "photo": _("照片文件名"),
}
# What is wrong, and how the list of reasons is headed in the filter.
FAULT_TEXTS: Mapping[str, object] = {
    "name_missing": _("姓名为空"),
    "name_characters": _("姓名含有数字或其他不允许的字符，或不足两个字"),
    "name_differs": _("姓名与该身份证号的登记信息不一致，请核对证件"),
    "id_kind": _("暂不支持「%(shown)s」，目前只能导入居民身份证持有人的证书"),
    "id_missing": _("身份证号为空"),
    "id_length": _("身份证号应为 18 位，实际 %(shown)s 位"),
    "id_characters": _("身份证号含有不允许的字符"),
    "id_birth_date": _("身份证号中的出生日期不存在或不合理"),
    "id_check_digit": _("身份证号校验位不正确，请核对每一位"),
    "id_as_number": _("身份证号被表格软件转成了数字，末几位已丢失；请把该列设为文本后重新填写"),
    "number_missing": _("证书编号为空"),
    "number_characters": _("证书编号「%(shown)s」含有不允许的字符，或超过 60 个字"),
    "number_ours": _("「%(shown)s」是本平台签发的编号格式，不能作为导入证书的编号"),
    "number_duplicate": _("与第 %(shown)s 行的证书编号重复"),
    "number_held": _("该编号的证书已登记，内容与本行不同"),
    "scheme_missing": _("证书类型为空"),
    "scheme_unknown": _("没有「%(shown)s」这种证书类型，或不在本部门的管理范围内"),
    "issuer_missing": _("发证机关为空"),
    "issuer_long": _("发证机关超过 120 个字"),
    "date_missing": _("日期为空"),
    "date": _("「%(shown)s」不是有效日期，请按 2024-03-01 填写"),
    "issued_future": _("发证日期 %(shown)s 晚于今天"),
    "valid_order": _("有效期至不晚于有效期自 %(shown)s"),
    "valid_long": _("有效期至 %(shown)s 不合理，有效期超过 50 年"),
    "issued_after_end": _("发证日期晚于有效期至 %(shown)s"),
    "first_order": _("初次发证日期晚于发证日期 %(shown)s"),
    "under_age": _("%(shown)s 时本人未满 16 周岁，请核对日期和身份证号"),
    "banned": _("本人正被限制取得该类证书"),
    "photo_name": _("照片文件名不能含有路径或特殊字符"),
    "photo_no_zip": _("填写了照片文件名，但没有上传照片压缩包"),
    "photo_missing": _("照片压缩包中没有「%(shown)s」"),
    "photo_twice": _("照片压缩包中有多个「%(shown)s」"),
    "photo_kind": _("照片不是 JPEG 或 PNG 图片"),
    "photo_large": _("照片过大，不得超过 2 MB、400 万像素"),
    "photo_small": _("照片过小，宽和高都不得少于 100 像素"),
    "photo_unreadable": _("照片已损坏，无法打开"),
}
FAULT_KINDS: Mapping[str, object] = {
    "name_missing": _("姓名为空"),
    "name_characters": _("姓名有误"),
    "name_differs": _("姓名与登记不一致"),
    "id_kind": _("证件类型不支持"),
    "id_missing": _("身份证号为空"),
    "id_length": _("身份证号位数不对"),
    "id_characters": _("身份证号字符有误"),
    "id_birth_date": _("出生日期有误"),
    "id_check_digit": _("校验位不正确"),
    "id_as_number": _("身份证号成了数字"),
    "number_missing": _("证书编号为空"),
    "number_characters": _("证书编号有误"),
    "number_ours": _("与本平台编号混淆"),
    "number_duplicate": _("文件内重复"),
    "number_held": _("编号已被登记"),
    "scheme_missing": _("证书类型为空"),
    "scheme_unknown": _("证书类型不存在"),
    "issuer_missing": _("发证机关为空"),
    "issuer_long": _("发证机关过长"),
    "date_missing": _("日期为空"),
    "date": _("日期有误"),
    "issued_future": _("日期晚于今天"),
    "valid_order": _("日期先后有误"),
    "valid_long": _("有效期过长"),
    "issued_after_end": _("日期先后有误"),
    "first_order": _("日期先后有误"),
    "under_age": _("未满 16 周岁"),
    "banned": _("限制取证"),
    "photo_name": _("照片文件名有误"),
    "photo_no_zip": _("没有照片压缩包"),
    "photo_missing": _("缺少照片"),
    "photo_twice": _("照片重名"),
    "photo_kind": _("照片格式不对"),
    "photo_large": _("照片过大"),
    "photo_small": _("照片过小"),
    "photo_unreadable": _("照片损坏"),
}
HINT_TEXT = _("是否为「%(hint)s」？")
STATE_TEXTS: Mapping[str, tuple[object, str]] = {
    "checking": (_("校验中"), "info"),
    "refused": (_("无法读取"), "bad"),
    "ready": (_("待确认"), "warn"),
    "importing": (_("导入中"), "info"),
    "done": (_("已完成"), "ok"),
    "cancelled": (_("已取消"), "muted"),
    "withdrawing": (_("整批注销中"), "warn"),
    "withdrawn": (_("已整批注销"), "muted"),
}


def fault_text(code: str, shown: str, hint: str) -> str:
    """Return what is wrong, in the reader's language, with the nearest right value where one is known."""
    text = str(FAULT_TEXTS[code]) % {"shown": shown}
    return f"{text} {str(HINT_TEXT) % {'hint': hint}}" if hint else text
