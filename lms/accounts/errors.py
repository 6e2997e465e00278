"""What the accounts room refuses."""

from __future__ import annotations

from lms.core.errors import Conflict, Invalid, NotFound, TooMany
from lms.core.i18n import lazy_gettext as _


class BadIdNumber(Invalid):
    """Not a resident id number of GB 11643."""

    code = "bad_id_number"
    message = _("身份证号不正确，请核对 18 位号码")


class BadCreditCode(Invalid):
    """Not a unified social credit code of GB 32100."""

    code = "bad_credit_code"
    message = _("统一社会信用代码不正确，请核对 18 位代码")


class BadName(Invalid):
    """Cannot be a person's name."""

    code = "bad_name"
    message = _("姓名不正确，请填写 2 至 60 个字")


class BadPhone(Invalid):
    """Not a mobile number."""

    code = "bad_phone"
    message = _("手机号不正确，请填写 11 位手机号")


class BadDates(Invalid):
    """Somebody leaves before being hired, or is hired in the future."""

    code = "bad_dates"
    message = _("日期不正确：入职日期不能晚于今天，离职日期不能早于入职日期")


class NameDiffers(Invalid):
    """The register knows this id number under another name, which is not shown."""

    code = "name_differs"
    message = _("姓名与身份登记信息不一致，请核对证件")


class UnknownCode(Invalid):
    """A region, industry, post or class that the reference data do not have."""

    code = "unknown_code"
    message = _("代码“%(value)s”不存在，请从列表中选择")


class AlreadyRegistered(Conflict):
    """The credit code stands in the register already."""

    code = "already_registered"
    message = _("该统一社会信用代码已登记")


class AlreadyEmployed(Conflict):
    """The person works for this organisation already."""

    code = "already_employed"
    message = _("该人员已在本单位任职")


class AlreadyActivated(Conflict):
    """The person has an account: a new code would let an employer take it over."""

    code = "already_activated"
    message = _("该人员的账号已激活，不能再发激活码")


class WeakPassword(Invalid):
    """The chosen password is too easy."""

    code = "weak_password"
    message = _("密码为 8 至 128 位，不能全是数字，也不能与身份证号或登录名相关")


class BadLoginName(Invalid):
    """Not usable as a login name."""

    code = "bad_login_name"
    message = _("登录名以字母开头，由 3 至 60 位小写字母、数字、点、横线组成")


class LoginNameTaken(Conflict):
    """Another account has this login name."""

    code = "login_name_taken"
    message = _("该登录名已被使用")


class SignInRefused(Invalid):
    """Wrong login or wrong password: which of them is not told."""

    code = "sign_in_refused"
    message = _("账号或密码不正确")


class ActivationRefused(Invalid):
    """Wrong, used or expired code, wrong id number, or an account that is active already."""

    code = "activation_refused"
    message = _("身份证号或激活码不正确，或激活码已使用、已过期；请联系单位管理员重新发放")


class ConsentMissing(Conflict):
    """The person has not agreed to the use of the face."""

    code = "consent_missing"
    message = _("请先阅读并同意人脸信息单独告知")


class FaceNotEnrolled(Conflict):
    """There is no usable template of the person."""

    code = "face_not_enrolled"
    message = _("您还没有采集人脸，请先完成人脸采集")


class IdentityPending(Conflict):
    """The person declined the use of the face; an administrator has to check the id on site."""

    code = "identity_pending"
    message = _("您选择了不使用人脸核验，请联系本单位管理员现场核对身份证件")


class TooManyChecks(TooMany):
    """The hourly number of identity checks is used up; a person decides now."""

    code = "too_many_checks"
    message = _("核验次数过多，请 %(retry_after_s)s 秒后再试，或联系单位管理员现场核对身份证件")


class RuleMissing(NotFound):
    """No version of a rule is in force: the reference data are not loaded."""

    code = "rule_missing"
    message = _("规则“%(rule)s”尚未配置")


class FaceNeedsConfirmation(Conflict):
    """The face is not the enrolled one, or the earlier template is gone: a person has to look."""

    code = "face_needs_confirmation"
    message = _("无法与此前采集的人脸比对一致，请联系本单位管理员现场核对身份证件后重新采集")
