"""What the screens and files say of columns, faults and states of imports."""

from __future__ import annotations

from collections.abc import Mapping

import lms.accounts.api as accounts
from lms.core.i18n import lazy_gettext as _
from lms.core.imports.texts import DATE_FAULT, FaultWords
from lms.core.imports.texts import STATE_TEXTS as COMMON_STATES

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
FAULTS: Mapping[str, FaultWords] = {
    **accounts.PERSON_FAULTS,
    "id_kind": FaultWords(_("暂不支持「%(shown)s」，目前只能导入居民身份证持有人的证书"), _("证件类型不支持")),
    "number_missing": FaultWords(_("证书编号为空"), _("证书编号为空")),
    "number_characters": FaultWords(_("证书编号「%(shown)s」含有不允许的字符，或超过 60 个字"), _("证书编号有误")),
    "number_ours": FaultWords(_("「%(shown)s」是本平台签发的编号格式，不能作为导入证书的编号"), _("与本平台编号混淆")),
    "number_duplicate": FaultWords(_("与第 %(shown)s 行的证书编号重复"), _("文件内重复")),
    "number_held": FaultWords(_("该编号的证书已登记，内容与本行不同"), _("编号已被登记")),
    "scheme_missing": FaultWords(_("证书类型为空"), _("证书类型为空")),
    "scheme_unknown": FaultWords(_("没有「%(shown)s」这种证书类型，或不在本部门的管理范围内"), _("证书类型不存在")),
    "issuer_missing": FaultWords(_("发证机关为空"), _("发证机关为空")),
    "issuer_long": FaultWords(_("发证机关超过 120 个字"), _("发证机关过长")),
    "date_missing": FaultWords(_("日期为空"), _("日期为空")),
    "date": DATE_FAULT,
    "issued_future": FaultWords(_("发证日期 %(shown)s 晚于今天"), _("日期晚于今天")),
    "valid_order": FaultWords(_("有效期至不晚于有效期自 %(shown)s"), _("日期先后有误")),
    "valid_long": FaultWords(_("有效期至 %(shown)s 不合理，有效期超过 50 年"), _("有效期过长")),
    "issued_after_end": FaultWords(_("发证日期晚于有效期至 %(shown)s"), _("日期先后有误")),
    "first_order": FaultWords(_("初次发证日期晚于发证日期 %(shown)s"), _("日期先后有误")),
    "under_age": FaultWords(_("%(shown)s 时本人未满 16 周岁，请核对日期和身份证号"), _("未满 16 周岁")),
    "banned": FaultWords(_("本人正被限制取得该类证书"), _("限制取证")),
    "photo_name": FaultWords(_("照片文件名不能含有路径或特殊字符"), _("照片文件名有误")),
    "photo_no_zip": FaultWords(_("填写了照片文件名，但没有上传照片压缩包"), _("没有照片压缩包")),
    "photo_missing": FaultWords(_("照片压缩包中没有「%(shown)s」"), _("缺少照片")),
    "photo_twice": FaultWords(_("照片压缩包中有多个「%(shown)s」"), _("照片重名")),
    "photo_kind": FaultWords(_("照片不是 JPEG 或 PNG 图片"), _("照片格式不对")),
    "photo_large": FaultWords(_("照片过大，不得超过 2 MB、400 万像素"), _("照片过大")),
    "photo_small": FaultWords(_("照片过小，宽和高都不得少于 100 像素"), _("照片过小")),
    "photo_unreadable": FaultWords(_("照片已损坏，无法打开"), _("照片损坏")),
}
STATE_TEXTS: Mapping[str, tuple[object, str]] = {
    **COMMON_STATES,
    "withdrawing": (_("整批注销中"), "warn"),
    "withdrawn": (_("已整批注销"), "muted"),
}
