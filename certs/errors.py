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


class UnknownLeaf(NotFound):
    """The log has no entry at this place."""

    code = "unknown_leaf"
    message = _("存证日志中没有这条记录")


class NoSuchTree(Invalid):
    """A consistency proof was asked between sizes that the log never had in this order."""

    code = "no_such_tree"
    message = _("参数 first、second 应为整数，且 1 ≤ first ≤ second ≤ %(size)s")


class NotAWitness(Invalid):
    """The key is no witness's key."""

    code = "not_a_witness"
    message = _("这不是见证人的公钥")


class WitnessKnown(Conflict):
    """There is a witness of this name with another key."""

    code = "witness_known"
    message = _("见证人 %(name)s 已登记了另一把公钥")


class CosignatureRefused(Invalid):
    """The file is no checkpoint of this log with a co-signature of a registered witness."""

    code = "cosignature_refused"
    message = _("文件不是本日志的检查点，或其中没有已登记见证人的有效联署")


class GuessingTooOften(TooMany):
    """An address asked for too many certificates that do not exist."""

    code = "guessing_too_often"


class NoFile(Invalid):
    """A verification was asked for without a file."""

    code = "no_file"
    message = _("请选择要验证的证书文件（PDF）")


class NoKeys(RuntimeError):
    """The instance has no issuing keys yet; ``anzheng certs init`` makes them."""
