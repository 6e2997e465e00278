"""Refusals of this room."""

from __future__ import annotations

from dataclasses import dataclass

from lms.core.errors import Conflict, Forbidden, Invalid
from lms.core.i18n import lazy_gettext as _


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing wrong with one question of an import. ``place`` is a row number or a question code."""

    place: str
    field: str
    code: str
    message: object


class QuestionsRefused(Invalid):
    """A set of questions holds errors; nothing of it was taken over."""

    code = "questions_refused"
    message = _("试题有误，未导入任何内容")

    def __init__(self, problems: list[Problem]) -> None:
        super().__init__()
        self.problems = problems


class UnreadableFile(Invalid):
    """The file is neither the JSON nor the spreadsheet that the bank reads."""

    code = "unreadable_file"
    message = _("无法读取该文件，请使用题库模板（xlsx 或 json）")


class NotYourBank(Forbidden):
    """Only the owner of a bank changes it; the province's own are changed on the command line."""

    code = "not_your_bank"
    message = _("该题库由其他机构维护，您只能查看")


class QuestionChanged(Conflict):
    """Somebody has made a newer version, or retired the question, since the page was opened."""

    code = "question_changed"
    message = _("该试题已有新版本，请刷新后再修改")


class BankTooSmall(Conflict):
    """The bank cannot fill the blueprint."""

    code = "bank_too_small"
    message = _("题库试题不足，无法组卷：%(kind)s／%(knowledge_point)s 需要 %(needed)s 题，只有 %(found)s 题")


class NoBlueprint(Conflict):
    """No version of the programme's blueprint is in force today."""

    code = "no_blueprint"
    message = _("该培训项目还没有生效的组卷方案")


class LearningNotCompleted(Conflict):
    """The lessons come before the exam."""

    code = "learning_not_completed"
    message = _("请先完成全部课程，再参加考试")


class IdentityNotVerified(Conflict):
    """There is no passed identity check for this exam that is young enough."""

    code = "identity_not_verified"
    message = _("请先完成考前身份核验（%(minutes)s 分钟内有效）")


class AlreadyPassed(Conflict):
    """The exam of this enrolment has been passed."""

    code = "already_passed"
    message = _("您已通过本项目考试，无需再考")


class NoAttemptLeft(Conflict):
    """All attempts that the rule allows have been used."""

    code = "no_attempt_left"
    message = _("考试机会已用完（共 %(allowed)s 次），请重新参加培训")


class AnotherAttemptOpen(Conflict):
    """A person sits one exam at a time."""

    code = "another_attempt_open"
    message = _("您有一场考试尚未交卷，请先完成")


class AttemptClosed(Conflict):
    """The attempt takes no more answers; ``state`` is ``submitted`` or ``expired``."""

    code = "attempt_closed"
    message = _("考试时间已到或已交卷，答案不再接收")

    def __init__(self, state: str) -> None:
        super().__init__()
        self.state = state


class BadAnswers(Invalid):
    """The answers name an item or an option that the paper does not have, or have the wrong shape."""

    code = "bad_answers"
    message = _("答案格式有误，未保存")
