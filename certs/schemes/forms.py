"""Shape checks of the editor of certificate types, and of records."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date
from typing import Any

from flask_wtf import FlaskForm
from wtforms import (
    BooleanField,
    DateField,
    FloatField,
    IntegerField,
    SelectField,
    StringField,
    TextAreaField,
    ValidationError,
)
from wtforms.fields import Field, SelectChoice  # type: ignore[attr-defined]  # newer than the published types
from wtforms.validators import DataRequired, InputRequired, Length, NumberRange, Optional

from certs.forms import TextForm
from certs.schemes import rules
from certs.schemes.wording import CLASSES, LEVELS, NAMES, PAPERS
from lms.core.i18n import gettext
from lms.core.i18n import lazy_gettext as _

_MUST = DataRequired(_("请填写"))
PROBLEMS = {
    "places": _("只能使用 {province}、{year}、{serial:07d}、{check}，序号 5 至 9 位"),
    "serial": _("须恰好含一个序号，例如 {serial:07d}"),
    "check": _("校验位 {check} 只能有一个，并放在最后"),
    "length": _("长度不合适"),
}
# Conditions that may rest on a law of their own; of the others the type's own law speaks.
BASED = (
    rules.Condition.HOURS,
    rules.Condition.EMPLOYED,
    rules.Condition.AGE,
    rules.Condition.EDUCATION,
    rules.Condition.PRACTICE,
    rules.Condition.PAPERS,
)


def choices(pairs: Iterable[tuple[str, object]]) -> list[SelectChoice]:
    """Return choices as WTForms wants them."""
    return [SelectChoice(value, label) for value, label in pairs]


def _number(label: Any, lowest: int, highest: int) -> IntegerField:
    message = _("请填写 %(lowest)s 至 %(highest)s 的整数", lowest=lowest, highest=highest)
    return IntegerField(label, [InputRequired(message), NumberRange(lowest, highest, message)])


def no_control_characters(_form: FlaskForm, field: Field) -> None:
    """Refuse what neither a page nor a database can hold."""
    if any(ord(char) < 32 and char not in "\r\n\t" for char in field.data or ""):
        raise ValidationError(gettext("不能含控制字符"))


class SchemeForm(TextForm):
    """A version of a certificate type. ``today`` is set by the view: a version begins on it or later."""

    today: date = date.max

    effective_from = DateField(_("施行日期"), [InputRequired(_("请填写日期，例如 2027-01-01"))])
    legal_basis = TextAreaField(
        _("法律依据"), [_MUST, Length(10, 2000, _("请写 10 至 2000 个字")), no_control_characters]
    )
    name_zh = StringField(_("名称"), [_MUST, Length(2, 60, _("请写 2 至 60 个字")), no_control_characters])
    name_en = StringField(_("英文名称"), [_MUST, Length(2, 120, _("请写 2 至 120 个字符")), no_control_characters])
    class_ = SelectField(_("等级"), choices=choices(CLASSES.items()))
    issuer_name = StringField(_("发证机关"), [_MUST, Length(max=60), no_control_characters])
    number_pattern = StringField(_("编号规则"), [_MUST, Length(max=80), no_control_characters])
    validity_months = _number(_("有效期（月）"), 1, 360)
    renewal_window_days = _number(_("延续申请期（届满前天数）"), 0, 366)
    continuing_hours_per_year = _number(_("继续教育（每个证书年度学时，0 为不要求）"), 0, 400)
    template = SelectField(_("证书版式"))
    exam_min_score = _number(_("考试最低分（满分 100）"), 1, 100)
    learning_completed = BooleanField(_("须学完培训项目的全部课程"))
    identity_verified = BooleanField(_("考试时须通过身份核验"))
    employed = BooleanField(_("须在报名单位在职"))
    class_hours = FloatField(
        _("最少学时（0 为不要求）"), [InputRequired(_("请填写数字")), NumberRange(0, 1000, _("请填写 0 至 1000 的数"))]
    )
    age_min = _number(_("最低年龄（0 为不要求）"), 0, 100)
    age_max = _number(_("最高年龄（0 为不要求）"), 0, 120)
    education = SelectField(_("最低学历"), choices=choices([("", _("不要求")), *LEVELS.items()]))
    practice_months = _number(_("实践经历（月，0 为不要求）"), 0, 480)
    paper_application = BooleanField(PAPERS["application"])
    paper_diploma = BooleanField(PAPERS["diploma"])
    paper_health = BooleanField(PAPERS["health"])
    paper_pledge = BooleanField(PAPERS["pledge"])
    last_issue_on = DateField(_("最后发证日"), [Optional()])

    def validate_effective_from(self, field: Field) -> None:
        """A version never begins in the past: somebody may have been judged by the one before."""
        if field.data and field.data < self.today:
            raise ValidationError(gettext("施行日期不能早于今天"))

    def validate_number_pattern(self, field: Field) -> None:
        """The pattern can be filled, and gives numbers that differ."""
        if problem := rules.number_problem(field.data or ""):
            raise ValidationError(str(PROBLEMS[problem]))

    def validate_issuer_name(self, field: Field) -> None:
        """The issuer may name its province, and nothing else."""
        if problem := rules.issuer_problem(field.data or ""):
            text = gettext("只能使用 {province}") if problem == "places" else str(PROBLEMS[problem])
            raise ValidationError(text)

    def validate_age_max(self, field: Field) -> None:
        """There is an age between the two."""
        if field.data and self.age_min.data and field.data < self.age_min.data:
            raise ValidationError(gettext("最高年龄不能小于最低年龄"))

    def validate_last_issue_on(self, field: Field) -> None:
        """A version that ended before it began would never be in force."""
        if field.data and self.effective_from.data and field.data < self.effective_from.data:
            raise ValidationError(gettext("最后发证日不能早于施行日期"))

    def validate_class_hours(self, field: Field) -> None:
        """Not a number is none."""
        if field.data is not None and field.data != field.data:
            raise ValidationError(gettext("请填写数字"))

    def fill(self, content: dict[str, Any]) -> None:
        """Show the values of a version or draft."""
        asked = rules.Requirements.from_data(content["rules"])
        for name in self._plain():
            self[name].data = content["class" if name == "class_" else name]
        for name in self._asked():
            self[name].data = getattr(asked, name)
        self.effective_from.data = date.fromisoformat(content["effective_from"])
        self.last_issue_on.data = date.fromisoformat(asked.last_issue_on) if asked.last_issue_on else None
        self.template.data = f"{content['template']['code']}:{content['template']['version']}"
        for paper in rules.PAPERS:
            self[f"paper_{paper}"].data = paper in asked.papers
        for condition, law in asked.basis:
            if f"basis_{condition}" in self:
                self[f"basis_{condition}"].data = law

    def content(self, programme_code: str) -> dict[str, Any]:
        """Return what was filled in, as a draft holds it."""
        values = {"class" if name == "class_" else name: self[name].data for name in self._plain()}
        code, version = str(self.template.data).rsplit(":", 1)
        basis = {one.value: self[f"basis_{one.value}"].data for one in BASED if self[f"basis_{one.value}"].data}
        hours = float(self.class_hours.data or 0)
        asked = rules.Requirements(
            **{
                **{name: self[name].data for name in self._asked()},
                "class_hours": int(hours) if hours.is_integer() else hours,
            },
            last_issue_on=self.last_issue_on.data.isoformat() if self.last_issue_on.data else "",
            papers=tuple(paper for paper in rules.PAPERS if self[f"paper_{paper}"].data),
            basis=tuple(basis.items()),
        )
        return {
            **values,
            "effective_from": str(self.effective_from.data),
            "template": {"code": code, "version": int(version)},
            "programme_code": programme_code,
            "rules": asked.to_data(),
        }

    @staticmethod
    def _plain() -> tuple[str, ...]:
        return (
            *("legal_basis", "name_zh", "name_en", "class_", "issuer_name", "number_pattern"),
            *("validity_months", "renewal_window_days", "continuing_hours_per_year"),
        )

    @staticmethod
    def _asked() -> tuple[str, ...]:
        return (
            *("exam_min_score", "learning_completed", "identity_verified", "employed", "class_hours"),
            *("age_min", "age_max", "education", "practice_months"),
        )


for _one in BASED:
    setattr(
        SchemeForm,
        f"basis_{_one.value}",
        StringField(
            _("%(condition)s的依据", condition=NAMES[_one]), [Optional(), Length(max=300), no_control_characters]
        ),
    )


class NewSchemeForm(SchemeForm):
    """The first version of a certificate type, until it is published."""

    code = StringField(_("代码"), [_MUST, no_control_characters])
    programme = SelectField(_("培训项目"))

    def begin(self) -> None:
        """Show what most types ask; the rest is for the editor to fill in."""
        self.effective_from.data = self.today
        self.learning_completed.data = self.identity_verified.data = True
        usual = {"exam_min_score": 80, "validity_months": 36, "renewal_window_days": 90}
        for name in ("continuing_hours_per_year", "class_hours", "age_min", "age_max", "practice_months"):
            self[name].data = 0
        for name, value in usual.items():
            self[name].data = value

    def fill(self, content: dict[str, Any]) -> None:
        """Show the values of a version or draft."""
        super().fill(content)
        self.programme.data = content["programme_code"]

    def validate_code(self, field: Field) -> None:
        """The code stands in addresses, files and records for good."""
        check_code(field)


class ReturnForm(TextForm):
    """Why a draft goes back to whoever asked for its publication."""

    reason = TextAreaField(
        _("退回理由"), [InputRequired(_("请填写理由")), Length(min=4, max=500, message=_("理由请写 4 至 500 个字"))]
    )


def check_code(field: Field) -> None:
    """Refuse a code that cannot be a new one's. Raises ValidationError."""
    if not rules.is_new_code(field.data or ""):
        raise ValidationError(gettext("请用 3 至 40 个小写字母、数字和连字符，以字母开头，例如 dust-safety-officer"))


class CredentialForm(TextForm):
    """What an official has seen of a person."""

    what = SelectField(
        _("事项"),
        choices=choices(
            [
                ("practice:", NAMES[rules.Condition.PRACTICE]),
                *((f"education:{code}", _("学历：%(level)s", level=name)) for code, name in LEVELS.items()),
                *((f"paper:{code}", _("材料：%(paper)s", paper=name)) for code, name in PAPERS.items()),
            ]
        ),
    )
    months = IntegerField(
        _("月数（仅实践经历）"), [Optional(), NumberRange(0, 720, _("请填写 1 至 720 的整数"))], default=0
    )
    detail = StringField(_("内容"), [Length(max=300), no_control_characters])
    document = StringField(
        _("证明材料编号或 SHA-256"), [_MUST, Length(max=200, message=_("最多 200 个字")), no_control_characters]
    )
