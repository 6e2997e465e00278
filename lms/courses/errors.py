"""What this room refuses."""

from __future__ import annotations

from lms.core.errors import Conflict, Forbidden, Invalid
from lms.core.i18n import lazy_gettext as _


class DeadlinePast(Invalid):
    """The deadline must not lie before today."""

    code = "deadline_past"
    message = _("完成期限不能早于今天")


class NobodyToAssign(Invalid):
    """The selection holds no active employee of this enterprise."""

    code = "nobody_to_assign"
    message = _("没有可以安排的在职员工，请重新选择")


class AlreadyAssigned(Conflict):
    """Everybody selected has this programme open already, or the post has."""

    code = "already_assigned"
    message = _("所选岗位或人员已有该项目的未完成任务，无需重复安排")


class ProgrammeNotReady(Conflict):
    """A course of the programme has not been published, so nobody could complete it."""

    code = "programme_not_ready"
    message = _("该培训项目的课程尚未发布：%(courses)s")


class AssignmentClosed(Conflict):
    """The assignment has been cancelled already."""

    code = "assignment_closed"
    message = _("该培训任务已经撤销")


class CourseFrozen(Conflict):
    """A published course never changes under a learner."""

    code = "course_frozen"
    message = _("课程已发布，不能再修改")


class CourseCodeTaken(Conflict):
    """Another course bears this code."""

    code = "course_code_taken"
    message = _("课程代码已被使用，请换一个")


class CourseEmpty(Conflict):
    """A course without a lesson cannot be published."""

    code = "course_empty"
    message = _("课程还没有微课，不能发布")


class RiskCaseMissing(Conflict):
    """Every course carries a risk-point case lesson, or the institution says why not."""

    code = "risk_case_missing"
    message = _("发布前请指定一节风险点案例微课，或填写没有案例的原因（不少于 10 个字）")


class AssetNotReady(Conflict):
    """The video is missing, still being worked on, refused, or longer than a lesson may be."""

    code = "asset_not_ready"
    message = _("所选视频不可用：须为已处理完成、不超过 %(minutes)s 分钟的视频")


class QuestionsRefused(Invalid):
    """Lesson questions hold errors; none was taken over. ``problems`` names place and fault."""

    code = "questions_refused"
    message = _("试题有误，未保存任何内容")

    def __init__(self, problems: list[tuple[str, object]]) -> None:
        super().__init__()
        self.problems = problems


class UnreadableQuestions(Invalid):
    """The file is neither the JSON nor the spreadsheet that this door reads."""

    code = "unreadable_questions"
    message = _("无法读取该文件，请使用模板（xlsx 或 json）")


class TooFewQuestions(Invalid):
    """The quiz draws more questions than the lesson has."""

    code = "too_few_questions"
    message = _("课后测验需要至少 %(needed)s 道试题，目前只有 %(found)s 道")


class EnrolmentClosed(Conflict):
    """The enrolment has been cancelled."""

    code = "enrolment_closed"
    message = _("该培训任务已撤销，不再计学时")


class IdentityMissing(Forbidden):
    """Before learning, the person registers a face, or an administrator has checked who they are."""

    code = "identity_missing"
    message = _("学习前请先完成身份采集；不使用人脸的，请联系本单位管理员现场确认身份")


class LessonLockedElsewhere(Conflict):
    """The same lesson is open in another enrolment: its seconds count once."""

    code = "lesson_locked_elsewhere"
    message = _("这节微课正在另一项培训中学习，请先在那里学完")


class LessonOutOfOrder(Conflict):
    """Lessons of a course are learned in their order."""

    code = "lesson_out_of_order"
    message = _("请先学完前面的微课")


class BadBeat(Invalid):
    """The report of the player is not one that a player sends."""

    code = "bad_beat"
    message = _("播放记录格式有误")


class FaceCheckNotDue(Conflict):
    """There is no open check of this id."""

    code = "face_check_not_due"
    message = _("当前没有需要完成的人脸核验")


class FaceCheckReferred(Conflict):
    """The check failed too often; a person of the enterprise decides."""

    code = "face_check_referred"
    message = _("多次核验未通过，已提交本单位管理员核实，核实前暂停计学时")


class FaceCheckOpen(Conflict):
    """A face check of this lesson waits to be settled before the quiz."""

    code = "face_check_open"
    message = _("请先完成本节的人脸核验，再做课后测验")


class VideoNotCompleted(Conflict):
    """The quiz comes after the whole video."""

    code = "video_not_completed"
    message = _("请先看完本节视频，再做课后测验")


class QuizClosed(Conflict):
    """The quiz has been handed in, or belongs to an earlier round."""

    code = "quiz_closed"
    message = _("该测验已提交，不能再次作答")


class QuizIncomplete(Invalid):
    """A question was left open."""

    code = "quiz_incomplete"
    message = _("还有 %(open)s 道题没有作答")


class ReasonMissing(Invalid):
    """A decision about a person needs a reason of some substance."""

    code = "reason_missing"
    message = _("请填写原因（不少于 5 个字）")
