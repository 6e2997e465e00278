"""Forms of the staff pages."""

from __future__ import annotations

from flask_wtf import FlaskForm
from flask_wtf.file import FileField
from wtforms import DateField, SelectField, StringField
from wtforms.validators import InputRequired, Length, Optional

from lms.core.i18n import lazy_gettext as _

REQUIRED = InputRequired(_("请填写此项"))


class UploadForm(FlaskForm):  # type: ignore[misc]  # Flask-WTF has no types
    """A roster."""

    file = FileField(_("花名册文件"))


class EmployForm(FlaskForm):  # type: ignore[misc]  # Flask-WTF has no types
    """One new member of staff."""

    name = StringField(_("姓名"), [REQUIRED, Length(max=60)])
    id_number = StringField(_("身份证号"), [REQUIRED, Length(max=30)])
    post_code = SelectField(_("岗位"), [REQUIRED])
    department = StringField(_("部门"), [Length(max=80)])
    phone = StringField(_("手机号"), [Length(max=20)])
    hired_on = DateField(_("入职日期"), [Optional()])


class EmploymentForm(FlaskForm):  # type: ignore[misc]  # Flask-WTF has no types
    """What somebody does here. An empty phone keeps the present one, which is shown masked only."""

    post_code = SelectField(_("岗位"), [REQUIRED])
    department = StringField(_("部门"), [Length(max=80)])
    phone = StringField(_("新手机号"), [Length(max=20)])


class LeavingForm(FlaskForm):  # type: ignore[misc]  # Flask-WTF has no types
    """The last day of an employment."""

    left_on = DateField(_("离职日期"), [REQUIRED])
