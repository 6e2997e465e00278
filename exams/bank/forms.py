"""Shape checks of the bank's forms."""

from __future__ import annotations

from flask_wtf import FlaskForm
from flask_wtf.file import FileField, FileRequired
from wtforms import RadioField, SelectField, SelectMultipleField, StringField, TextAreaField
from wtforms.fields.choices import SelectChoice  # type: ignore[attr-defined]  # newer than the published types
from wtforms.validators import DataRequired, InputRequired, Length, Optional

from exams.bank.queries import BankView
from exams.bank.rules import Draft, Option
from lms.core.i18n import in_language
from lms.core.i18n import lazy_gettext as _

LETTERS = "ABCDEF"
KINDS = [("single", _("单选题")), ("multiple", _("多选题")), ("true_false", _("判断题"))]
LEVELS = [("1", _("易")), ("2", _("中")), ("3", _("难"))]


class QuestionForm(FlaskForm):  # type: ignore[misc]  # Flask-WTF has no types
    """One question with its answer."""

    code = StringField(_("编号"), [DataRequired(), Length(max=60)])
    kind = RadioField(_("题型"), choices=[SelectChoice(*pair) for pair in KINDS], default="single")
    knowledge_point = SelectField(_("知识点"))
    difficulty = SelectField(_("难度"), choices=[SelectChoice(*pair) for pair in LEVELS], default="2")
    stem_zh = TextAreaField(_("题干"), [InputRequired(), Length(max=2000)])
    stem_en = TextAreaField(_("题干（英文）"), [Optional(), Length(max=4000)])
    answer = SelectMultipleField(_("正确答案"), choices=[SelectChoice(letter, letter) for letter in LETTERS])
    basis_zh = StringField(_("法规依据"), [InputRequired(), Length(max=500)])
    explanation_zh = TextAreaField(_("解析"), [Optional(), Length(max=2000)])
    explanation_en = TextAreaField(_("解析（英文）"), [Optional(), Length(max=4000)])

    zh_a = StringField(_("选项 %(letter)s", letter="A"), [InputRequired(), Length(max=500)])
    zh_b = StringField(_("选项 %(letter)s", letter="B"), [InputRequired(), Length(max=500)])
    zh_c = StringField(_("选项 %(letter)s", letter="C"), [Optional(), Length(max=500)])
    zh_d = StringField(_("选项 %(letter)s", letter="D"), [Optional(), Length(max=500)])
    zh_e = StringField(_("选项 %(letter)s", letter="E"), [Optional(), Length(max=500)])
    zh_f = StringField(_("选项 %(letter)s", letter="F"), [Optional(), Length(max=500)])
    en_a = StringField(_("选项 %(letter)s（英文）", letter="A"), [Optional(), Length(max=500)])
    en_b = StringField(_("选项 %(letter)s（英文）", letter="B"), [Optional(), Length(max=500)])
    en_c = StringField(_("选项 %(letter)s（英文）", letter="C"), [Optional(), Length(max=500)])
    en_d = StringField(_("选项 %(letter)s（英文）", letter="D"), [Optional(), Length(max=500)])
    en_e = StringField(_("选项 %(letter)s（英文）", letter="E"), [Optional(), Length(max=500)])
    en_f = StringField(_("选项 %(letter)s（英文）", letter="F"), [Optional(), Length(max=500)])

    def offer(self, bank: BankView) -> None:
        """Offer the bank's knowledge points."""
        self.knowledge_point.choices = [
            SelectChoice(code, in_language(*names)) for code, names in bank.knowledge_points.items()
        ]

    def show(self, draft: Draft) -> None:
        """Fill in the present content."""
        for name in ("code", "kind", "knowledge_point", "stem_zh", "stem_en", "basis_zh"):
            self[name].data = getattr(draft, name)
        self.explanation_zh.data, self.explanation_en.data = draft.explanation_zh, draft.explanation_en
        self.difficulty.data = str(draft.difficulty)
        self.answer.data = list(draft.answer)
        for option in draft.options:
            if option.key in LETTERS:
                self[f"zh_{option.key.lower()}"].data, self[f"en_{option.key.lower()}"].data = option.zh, option.en

    def draft(self) -> Draft:
        """Return what was filled in."""
        options = [
            Option(letter, self.text(f"zh_{letter.lower()}"), self.text(f"en_{letter.lower()}"))
            for letter in LETTERS
            if self.text(f"zh_{letter.lower()}") or self.text(f"en_{letter.lower()}")
        ]
        return Draft(
            code=self.text("code"),
            kind=str(self.kind.data),
            knowledge_point=str(self.knowledge_point.data),
            difficulty=int(self.difficulty.data),
            stem_zh=self.text("stem_zh"),
            stem_en=self.text("stem_en"),
            options=tuple(options),
            answer=tuple(sorted(self.answer.data or [])),
            basis_zh=self.text("basis_zh"),
            explanation_zh=self.text("explanation_zh"),
            explanation_en=self.text("explanation_en"),
        )

    def text(self, name: str) -> str:
        """Return a field's text without outer spaces."""
        return str(self[name].data or "").strip()


class ImportForm(FlaskForm):  # type: ignore[misc]  # Flask-WTF has no types
    """A file of questions."""

    file = FileField(_("题库文件"), [FileRequired()])
