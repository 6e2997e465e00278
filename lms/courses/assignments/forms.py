"""Shape checks of the assignment forms."""

from __future__ import annotations

import uuid

from flask_wtf import FlaskForm
from wtforms import DateField, RadioField, SelectField, StringField
from wtforms.validators import InputRequired, Length, ValidationError

from lms.core import clock
from lms.core.i18n import lazy_gettext as _
from lms.courses.assignments import rules
from lms.courses.choices import choices


class AssignmentForm(FlaskForm):  # type: ignore[misc]  # Flask-WTF has no types
    """A programme, whom it is for, and by when. The people ticked come as ``employment``."""

    programme_code = SelectField(_("培训项目"), [InputRequired(_("请选择培训项目"))])
    target = RadioField(
        _("对象"),
        choices=choices([("post", _("按岗位（含以后入职的员工）")), ("people", _("指定人员"))]),
        default="post",
    )
    post_code = SelectField(_("岗位"), default="")
    due_on = DateField(_("完成期限"), [InputRequired(_("请选择完成期限"))])

    def validate_due_on(self, field: DateField) -> None:
        """Refuse a deadline that has passed."""
        if field.data and not rules.deadline_is_ahead(field.data, clock.today()):
            raise ValidationError(_("完成期限不能早于今天"))

    def validate_post_code(self, field: SelectField) -> None:
        """Ask for a post where the assignment is for one."""
        if self.target.data == "post" and not field.data:
            raise ValidationError(_("请选择岗位"))


class DecisionForm(FlaskForm):  # type: ignore[misc]  # Flask-WTF has no types
    """An administrator's word on a referred face check."""

    same_person = RadioField(choices=choices([("yes", _("确认是本人")), ("no", _("不是本人"))]))
    reason = StringField(_("原因"), [InputRequired(), Length(max=300)])


def parse_ids(raw: list[str]) -> list[uuid.UUID]:
    """Read ids from outside; what is none is left out."""
    found = []
    for text in raw:
        try:
            found.append(uuid.UUID(text))
        except ValueError:
            continue
    return found
