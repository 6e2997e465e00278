"""What the screens call the codes of this room; lazy texts, read in the language of the reader."""

from __future__ import annotations

from collections.abc import Iterable

from lms.core.access import Role
from lms.core.faces.api import Advice
from lms.core.i18n import lazy_gettext as _

ROLES: dict[str, object] = {
    Role.TRAINEE: _("学员"),
    Role.ENTERPRISE_ADMIN: _("企业管理员"),
    Role.INSTRUCTOR: _("讲师"),
    Role.EXPERT: _("专家"),
    Role.EXAMINER: _("考评员"),
    Role.INSTITUTION_ADMIN: _("机构管理员"),
    Role.REGULATOR: _("监管人员"),
    Role.INSPECTOR: _("执法人员"),
    Role.AUDITOR: _("审计员"),
    Role.OPERATOR: _("运维人员"),
}

ADVICE: dict[str, object] = {
    Advice.NO_FACE: _("没有看到人脸，请正对镜头"),
    Advice.SEVERAL_FACES: _("画面里有多张脸，请确保只有您一人"),
    Advice.COME_CLOSER: _("离镜头太远，请靠近一些"),
    Advice.HOLD_STILL: _("画面模糊，请保持不动"),
    Advice.LOOK_STRAIGHT: _("请正对镜头，不要侧脸或低头"),
    Advice.HEAD_UPRIGHT: _("请把头摆正"),
    Advice.MORE_LIGHT: _("光线太暗，请到亮一点的地方"),
    Advice.LESS_LIGHT: _("光线太强，请避开强光"),
    Advice.FRAMES_DISAGREE: _("几张照片差别太大，请本人重新拍摄"),
    Advice.TOO_FEW_FRAMES: _("照片数量不够，请重新拍摄"),
    Advice.TOO_MANY_FRAMES: _("照片数量过多，请重新拍摄"),
}
RETAKE = _("照片无法识别，请重新拍摄")

IDENTITY_PATHS: dict[str, tuple[object, str]] = {
    "face": (_("已采集人脸"), "ok"),
    "declined_confirmed": (_("已由管理员现场核对"), "ok"),
    "declined_pending": (_("待管理员现场核对"), "warn"),
    "none": (_("尚未办理"), "warn"),
}


def role_name(role: str) -> object:
    """Return the screen name of a role."""
    return ROLES.get(role, role)


def advice_texts(codes: Iterable[str]) -> tuple[object, ...]:
    """Return the sentences for codes of advice, each once."""
    return tuple(dict.fromkeys(ADVICE.get(code, RETAKE) for code in codes))
