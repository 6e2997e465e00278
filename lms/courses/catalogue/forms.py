"""Shape checks of the course forms."""

from __future__ import annotations

from flask_wtf import FlaskForm
from flask_wtf.file import FileField
from wtforms import BooleanField, RadioField, SelectField, StringField, TextAreaField
from wtforms.validators import InputRequired, Length, Optional, Regexp

from lms.core.i18n import lazy_gettext as _
from lms.courses.catalogue.operations import NewCourse
from lms.courses.catalogue.rules import DraftQuestion
from lms.courses.choices import choices

LETTERS = "ABCD"
CODE = r"^[a-z0-9]+(-[a-z0-9]+)*$"


class CourseForm(FlaskForm):  # type: ignore[misc]  # Flask-WTF has no types
    """What an author says of a course."""

    code = StringField(
        _("课程代码"),
        [InputRequired(_("请填写课程代码")), Length(max=60), Regexp(CODE, message=_("只能用小写字母、数字和连字符"))],
    )
    title_zh = StringField(_("课程名称"), [InputRequired(_("请填写课程名称")), Length(max=120)])
    title_en = StringField(_("课程名称（英文）"), [Optional(), Length(max=200)])
    summary_zh = TextAreaField(_("简介"), [Optional(), Length(max=2000)])
    summary_en = TextAreaField(_("简介（英文）"), [Optional(), Length(max=4000)])
    industry_tag = SelectField(_("行业"), default="")
    post_tag = SelectField(_("岗位"), default="")
    risk_tag = SelectField(_("风险"))

    def course(self) -> NewCourse:
        """Return what was filled in."""
        return NewCourse(
            code=self.code.data or "",
            title_zh=self.title_zh.data or "",
            title_en=self.title_en.data or "",
            summary_zh=self.summary_zh.data or "",
            summary_en=self.summary_en.data or "",
            industry_tag=self.industry_tag.data or "",
            post_tag=self.post_tag.data or "",
            risk_tag=self.risk_tag.data or "",
        )


class LessonForm(FlaskForm):  # type: ignore[misc]  # Flask-WTF has no types
    """A lesson: its video, and the questions that follow."""

    media_asset_id = SelectField(_("视频"), [InputRequired(_("请选择视频"))])
    title_zh = StringField(_("微课名称"), [InputRequired(_("请填写微课名称")), Length(max=120)])
    title_en = StringField(_("微课名称（英文）"), [Optional(), Length(max=200)])
    quiz_required = BooleanField(_("课后测验（随机 5 题，80 分合格）"), default=True)
    is_risk_case = BooleanField(_("这一节是风险点案例"))
    questions = FileField(_("试题文件（xlsx 或 json，可以稍后再加）"))


class QuestionForm(FlaskForm):  # type: ignore[misc]  # Flask-WTF has no types
    """One typed question."""

    kind = RadioField(
        _("题型"),
        choices=choices([("single", _("单选题")), ("multiple", _("多选题")), ("true_false", _("判断题"))]),
        default="single",
    )
    stem_zh = TextAreaField(_("题干"), [InputRequired(_("请填写题干")), Length(max=1000)])
    zh_a = StringField(_("选项 A"), [Optional(), Length(max=300)])
    zh_b = StringField(_("选项 B"), [Optional(), Length(max=300)])
    zh_c = StringField(_("选项 C"), [Optional(), Length(max=300)])
    zh_d = StringField(_("选项 D"), [Optional(), Length(max=300)])
    answer = StringField(
        _("答案"),
        [
            InputRequired(_("请填写答案")),
            Length(max=8),
            Regexp(r"^[A-Da-d]+$", message=_("请填写选项字母，如 A 或 ABD")),
        ],
    )
    explanation_zh = TextAreaField(_("解析"), [Optional(), Length(max=1000)])

    def question(self) -> DraftQuestion:
        """Return what was filled in; a true/false question without options gets the usual two."""
        fields = zip(LETTERS, (self.zh_a, self.zh_b, self.zh_c, self.zh_d), strict=True)
        texts = [(letter, (field.data or "").strip()) for letter, field in fields]
        options = tuple((letter, text, "") for letter, text in texts if text)
        if self.kind.data == "true_false" and not options:
            options = (("A", "正确", "True"), ("B", "错误", "False"))
        return DraftQuestion(
            code="",
            kind=self.kind.data or "",
            stem_zh=self.stem_zh.data or "",
            stem_en="",
            options=options,
            answer=tuple(sorted(set((self.answer.data or "").upper()))),
            explanation_zh=self.explanation_zh.data or "",
        )


class PublishForm(FlaskForm):  # type: ignore[misc]  # Flask-WTF has no types
    """Publishing: the case lesson, or why there is none."""

    case_lesson_id = SelectField(_("风险点案例"))
    no_case_reason = TextAreaField(_("没有风险点案例的原因（不少于 10 个字）"), [Optional(), Length(max=500)])
