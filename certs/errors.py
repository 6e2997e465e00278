"""What this room refuses."""

from __future__ import annotations

from lms.core.errors import Conflict, DomainError, Invalid, NotFound, TooMany
from lms.core.i18n import lazy_gettext as _


class SchemeInvalid(Invalid):
    """A scheme's data file is not usable."""

    code = "scheme_invalid"
    message = _("证书类型数据有误：%(problem)s")


class TransitionRefused(Conflict):
    """The certificate's status does not allow this decision."""

    code = "transition_refused"
    message = _("证书当前状态不能执行此操作，请刷新后查看最新状态")


class NotIssuedYet(Conflict):
    """The certificate is still being made, or its making failed."""

    code = "not_issued_yet"
    message = _("证书尚未签发")


class FileAltered(DomainError):
    """The stored file is not the one that was signed; it is not handed out."""

    code = "file_altered"
    status = 500
    message = _("证书文件校验不一致，已停止下载并记录，请联系发证机关")


class UnknownCertificate(NotFound):
    """Nobody was ever issued a certificate under this code."""

    code = "unknown_certificate"
    message = _("查无此证")


class GuessingTooOften(TooMany):
    """An address asked for too many certificates that do not exist."""

    code = "guessing_too_often"


class NoFile(Invalid):
    """A verification was asked for without a file."""

    code = "no_file"
    message = _("请选择要验证的证书文件（PDF）")


class NoKeys(RuntimeError):
    """The instance has no issuing keys yet; ``anzheng certs init`` makes them."""
