"""What this room refuses."""

from __future__ import annotations

from certs.rules import GUESSING_WINDOW
from lms.core.errors import Conflict, DomainError, Invalid, NotFound, TooMany
from lms.core.i18n import lazy_gettext as _
from lms.core.spreadsheets.errors import SheetRefused


class SchemeInvalid(Invalid):
    """A scheme's data file is not usable."""

    code = "scheme_invalid"
    message = _("证书类型数据有误：%(problem)s")


class SchemeNotInForce(NotFound):
    """No version of the scheme was in force on the day in question."""

    code = "scheme_not_in_force"
    message = _("该证书类型在有关日期尚未施行")


class DraftInvalid(Invalid):
    """A draft cannot be judged or drawn by."""

    code = "draft_invalid"
    message = _("草稿内容有误，请编辑后再试：%(problem)s")


class DraftEnded(Conflict):
    """The draft was published or given up before."""

    code = "draft_ended"
    message = _("该草稿已发布或已放弃，请刷新后查看")


class DraftAsked(Conflict):
    """The draft waits for its decision: what was asked for is not changed meanwhile."""

    code = "draft_asked"
    message = _("该草稿正等待批准，不能修改；须先撤回或退回")


class DraftNotAsked(Conflict):
    """Nobody has asked for the publication, or it was decided a moment ago."""

    code = "draft_not_asked"
    message = _("该草稿现在不等待批准，请刷新后查看")


class DraftOutdated(Conflict):
    """Somebody else published a version since the draft was saved."""

    code = "draft_outdated"
    message = _("拟订期间已发布了其他版本，请打开编辑页核对并重新保存")


class OwnDraft(DomainError):
    """Nobody publishes what they asked for themselves."""

    code = "own_draft"
    status = 403
    message = _("提请发布的人不能自己批准或退回，须由本部门另一名人员决定")


class NotTheAsker(DomainError):
    """Only who asked takes it back."""

    code = "not_the_asker"
    status = 403
    message = _("只有提请发布的人可以撤回")


class NotTheProvince(DomainError):
    """A certificate type is the whole province's."""

    code = "not_the_province"
    status = 403
    message = _("证书类型和版式全省统一，只能由省级部门发布")


class CredentialInvalid(Invalid):
    """What was recorded of a person cannot be judged."""

    code = "credential_invalid"
    message = _("请选择学历、经历或材料的种类，填写证明材料编号；实践经历还须填写 1 至 720 个月和内容")


class CredentialGone(Conflict):
    """The record was withdrawn before."""

    code = "credential_gone"
    message = _("该记录已撤回")


class TransitionRefused(Conflict):
    """The certificate's status does not allow this decision."""

    code = "transition_refused"
    message = _("证书当前状态不能执行此操作，请刷新后查看最新状态")


class FourEyesNeeded(Conflict):
    """Two officials decide this: one proposes, another approves."""

    code = "four_eyes_needed"
    message = _("吊销和限制取证须由一人提出、另一人批准")


class ProposalOpen(Conflict):
    """The same has been proposed for this certificate and waits for its decision."""

    code = "proposal_open"
    message = _("该证书已有一项同类建议等待决定")


class CaseClosed(Conflict):
    """The case was decided before, perhaps a moment ago."""

    code = "case_closed"
    message = _("该事项已办结，请刷新后查看结果")


class OwnProposal(DomainError):
    """Nobody decides what they proposed themselves."""

    code = "own_proposal"
    status = 403
    message = _("提出建议的人不能自己批准或驳回，须由另一名人员决定")


class LowerDepartment(DomainError):
    """The department does not oversee all that the proposer's does."""

    code = "lower_department"
    status = 403
    message = _("须由同级或上级部门的人员决定")


class NotTheProposer(DomainError):
    """Only the proposer takes a proposal back."""

    code = "not_the_proposer"
    status = 403
    message = _("只有提出建议的人可以撤回")


class ReasonUnknown(Invalid):
    """There is no such coded reason for this decision."""

    code = "reason_unknown"
    message = _("请选择列表中的理由")


class ReasonsInvalid(Invalid):
    """The data file of reasons is not usable."""

    code = "reasons_invalid"
    message = _("理由数据有误：%(problem)s")


class BanDateInvalid(Invalid):
    """A ban ends on a day to come, or never."""

    code = "ban_date_invalid"
    message = _("限制期限须晚于今天；不填表示终身")


class NotCorrectable(Conflict):
    """Only a certificate in force is corrected."""

    code = "not_correctable"
    message = _("只有有效的证书可以申请更正")


class HolderBarred(NotCorrectable):
    """The holder gets no certificate of this type, and so none in place of this one."""

    code = "holder_barred"
    message = _("持证人已被限制取得该类证书，限制期内不能更正")


class RevocationProposed(NotCorrectable):
    """Whether the certificate is revoked is decided first: a successor would escape that decision."""

    code = "revocation_proposed"
    message = _("该证书有一项吊销建议待决定，请先办结该建议")


class NothingToCorrect(Invalid):
    """The certificate says already what is asked for."""

    code = "nothing_to_correct"
    message = _("申请的内容与证书现有内容相同")


class CorrectionOpen(Conflict):
    """A correction of this certificate is under way."""

    code = "correction_open"
    message = _("该证书已有一项更正申请正在办理")


class ObjectionTooLate(Conflict):
    """The time for an objection is over."""

    code = "objection_too_late"
    message = _("异议须在决定作出之日起 %(days)s 日内提出，期限已过")


class AlreadyObjected(Conflict):
    """One decision is objected to once."""

    code = "already_objected"
    message = _("您已对该决定提出异议")


class CaseInvalid(Invalid):
    """What was sent is not what the form asks for."""

    code = "case_invalid"


class NotIssuedYet(Conflict):
    """The certificate is still being made, or its making failed."""

    code = "not_issued_yet"
    message = _("证书尚未签发")


class NotSignedHere(NotFound):
    """The certificate was imported: there is no file of ours."""

    code = "not_signed_here"
    message = _("导入的证书没有本平台签名的电子文件，请以公众核验页为准")


class FileAltered(DomainError):
    """The stored file is not the one that was signed; it is not handed out."""

    code = "file_altered"
    status = 500
    message = _("证书文件校验不一致，已停止下载并记录，请联系发证机关")


class BulkOpen(Conflict):
    """An order of the department for this scheme is not over yet."""

    code = "bulk_open"
    message = _("该证书类型的批量制证还在进行，请等待完成或先取消")


class BulkStepRefused(Conflict):
    """The order's state does not allow this step."""

    code = "bulk_step_refused"
    message = _("批量制证当前状态不能执行此操作，请刷新后查看")


class PhotosRefused(SheetRefused):
    """The photos come in no archive, or in one of too many files."""

    code = "photos_refused"
    message = _("照片应打包为一个 .zip 压缩包，最多 %(limit)s 张")


class SourceMissing(Invalid):
    """Nobody can tell later where certificates without a source came from."""

    code = "source_missing"
    message = _("请填写原系统名称（2 至 60 个字）")


class WithdrawReasonMissing(Invalid):
    """A whole batch is cancelled for a reason that its holders are told."""

    code = "withdraw_reason_missing"
    message = _("理由请写 4 至 500 个字")


class ImportedElsewhere(Conflict):
    """What we did not issue we do not issue anew: the authority that did corrects it."""

    code = "imported_elsewhere"
    message = _("导入的证书请向原发证机关申请更正")


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


class FindInvalid(Invalid):
    """A look-up needs the number and the name, both as texts."""

    code = "find_invalid"
    message = _("请填写证书编号和持证人姓名")


class GuessingTooOften(TooMany):
    """An address asked for too many certificates that do not exist."""

    code = "guessing_too_often"

    def __init__(self) -> None:
        super().__init__(retry_after_s=int(GUESSING_WINDOW.total_seconds()))


class NoFile(Invalid):
    """A verification was asked for without a file."""

    code = "no_file"
    message = _("请选择要验证的证书文件（PDF）")


class NoKeys(RuntimeError):
    """The instance has no key that may sign now; the text says which command helps."""


class KeyRefused(ValueError):
    """A signing key is not usable here; the text says why, for the operator at the command line."""


class NothingChosen(Invalid):
    """An action on many certificates was asked for without any."""

    code = "nothing_chosen"
    message = _("请先勾选证书，或选择筛选出的全部证书")


class TooManyChosen(Invalid):
    """An action names more certificates than one order may."""

    code = "too_many_chosen"
    message = _("一次最多办理 %(limit)s 张证书，请缩小筛选范围后分次办理")


class ChoiceUnreadable(Invalid):
    """What should be ids of certificates is none."""

    code = "choice_unreadable"
    message = _("所选证书无法识别，请回到列表重新勾选")


class ChoiceChanged(Conflict):
    """What the filter finds is not what the official has confirmed."""

    code = "choice_changed"
    message = _("筛选结果已有变化，现为 %(now)s 张，请核对后重新确认")


class ActionEnded(Conflict):
    """An action that has ended cannot be stopped."""

    code = "action_ended"
    message = _("该批量办理已结束")
