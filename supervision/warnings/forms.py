"""What officials hand in about a case."""

from __future__ import annotations

from flask_wtf import FlaskForm
from wtforms import DateField, TextAreaField
from wtforms.validators import InputRequired, Length

from lms.core.i18n import lazy_gettext as _


class CommentForm(FlaskForm):  # type: ignore[misc]  # Flask-WTF has no types
    """A comment on a case."""

    text = TextAreaField(_("意见"), [InputRequired(_("请填写意见")), Length(max=1000)])


class CheckForm(FlaskForm):  # type: ignore[misc]  # Flask-WTF has no types
    """The result of the check on site that ends a red case."""

    checked_on = DateField(_("核查日期"), [InputRequired(_("请填写核查日期"))])
    result = TextAreaField(
        _("核查结果"), [InputRequired(_("请填写核查结果")), Length(min=10, max=2000, message=_("核查结果至少 10 个字"))]
    )
