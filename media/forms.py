"""Shapes of what people send."""

from __future__ import annotations

from flask_wtf import FlaskForm
from flask_wtf.file import FileField, FileRequired
from wtforms import StringField
from wtforms.validators import DataRequired, Length

from lms.core.i18n import lazy_gettext as _
from media.operations import MAX_TITLE


class UploadForm(FlaskForm):  # type: ignore[misc]  # flask-wtf ships no types
    """A video with its title and captions."""

    title = StringField(
        _("标题"), validators=[DataRequired(_("请填写标题")), Length(max=MAX_TITLE, message=_("最多 120 个字"))]
    )
    file = FileField(_("视频文件"), validators=[FileRequired(_("请选择视频文件"))])
    captions_zh = FileField(_("中文字幕（WebVTT）"))
    captions_en = FileField(_("英文字幕（WebVTT）"))
