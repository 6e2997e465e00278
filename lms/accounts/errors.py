"""What the accounts room refuses."""

from __future__ import annotations

from lms.core.errors import Conflict, DomainError, Invalid
from lms.core.i18n import lazy_gettext as _


class SignInRefused(DomainError):
    """Wrong name or password; which of the two is not said."""

    code = "sign_in_refused"
    status = 401
    message = _("账号或密码不正确")


class ActivationRefused(DomainError):
    """Number and code do not belong together, or the code was used or has expired."""

    code = "activation_refused"
    status = 422
    message = _("身份证号或激活码不正确，或激活码已使用、已过期；请联系单位管理员重新发放")


class WeakPassword(Invalid):
    """The chosen password is too easy."""

    code = "weak_password"
    message = _("密码至少 8 位，不能全是数字，也不能与身份证号相关")


class BadIdNumber(Invalid):
    """The id number is not one (GB 11643)."""

    code = "bad_id_number"
    message = _("身份证号不正确，请核对 18 位号码")


class BadCreditCode(Invalid):
    """The credit code is not one (GB 32100)."""

    code = "bad_credit_code"
    message = _("统一社会信用代码不正确，请核对 18 位代码")


class NameDiffers(Conflict):
    """The register knows this id number under another name."""

    code = "name_differs"
    message = _("姓名与身份登记信息不一致，请核对证件")


class AlreadyEmployed(Conflict):
    """The person already works for this tenant."""

    code = "already_employed"
    message = _("该人员已在本单位任职")


class ConsentMissing(DomainError):
    """A face may be processed only after the separate consent."""

    code = "consent_missing"
    status = 403
    message = _("请先阅读并同意人脸信息单独告知")


class NoTemplate(Conflict):
    """There is no face to compare with."""

    code = "no_template"
    message = _("您还没有采集人脸，请先完成人脸采集")


class FaceNotEnrolled(Invalid):
    """The photographs cannot serve as a template."""

    code = "face_rejected"
    message = _("照片不符合要求，请按提示重新拍摄")


class TooManyChecks(DomainError):
    """The hourly number of identity checks is used up; a person decides now."""

    code = "too_many_checks"
    status = 429
    message = _("核验次数过多，请 %(retry_after_s)s 秒后再试，或联系单位管理员人工核验")
