"""Shapes of the sign-in and activation forms."""

from __future__ import annotations

from flask_wtf import FlaskForm
from wtforms import HiddenField, PasswordField, StringField
from wtforms.validators import DataRequired, EqualTo, Length

from lms.accounts.rules import PASSWORD_MAX_CHARS
from lms.core.i18n import lazy_gettext as _


class SignInForm(FlaskForm):  # type: ignore[misc]  # Flask-WTF has no types
    """Login name or id number, and password."""

    login = StringField(_("登录名或身份证号"), [DataRequired(_("请填写登录名或身份证号")), Length(max=100)])
    password = PasswordField(_("密码"), [DataRequired(_("请填写密码")), Length(max=PASSWORD_MAX_CHARS)])
    next = HiddenField()


class ActivateForm(FlaskForm):  # type: ignore[misc]  # as above
    """What a new person types once."""

    id_number = StringField(_("身份证号"), [DataRequired(_("请填写身份证号")), Length(max=40)])
    code = StringField(_("激活码"), [DataRequired(_("请填写激活码")), Length(max=60)])
    password = PasswordField(_("设置密码"), [DataRequired(_("请设置密码")), Length(max=PASSWORD_MAX_CHARS)])
    repeat = PasswordField(_("再输一次密码"), [EqualTo("password", _("两次输入的密码不一致"))])
