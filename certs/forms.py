"""Shape checks of this room's forms."""

from __future__ import annotations

from typing import Any

from flask_wtf import FlaskForm
from wtforms import StringField, TextAreaField
from wtforms.fields import Field
from wtforms.validators import AnyOf, InputRequired, Length

from certs.rules import DECIDED_BY_ONE
from lms.core.i18n import lazy_gettext as _


def _stripped(text: str | None) -> str | None:
    return text.strip() if text else text


class TextForm(FlaskForm):  # type: ignore[misc]  # Flask-WTF has no types
    """A form that judges and hands on its texts without the blanks around them: blanks alone are no reason."""

    class Meta(FlaskForm.Meta):  # type: ignore[misc]  # as above
        def bind_field(self, form: Any, unbound_field: Any, options: dict[str, Any]) -> Field:
            if issubclass(unbound_field.field_class, StringField):
                options = {**options, "filters": [_stripped]}
            bound: Field = unbound_field.bind(form=form, **options)
            return bound


class DecisionForm(TextForm):
    """A decision about a certificate, with its reason."""

    decision = StringField(_("决定"), [InputRequired(), AnyOf([decision.value for decision in DECIDED_BY_ONE])])
    code = StringField(_("理由类别"), [Length(max=40)])
    reason = TextAreaField(
        _("理由"), [InputRequired(_("请填写理由")), Length(min=4, max=500, message=_("理由请写 4 至 500 个字"))]
    )


class FindForm(FlaskForm):  # type: ignore[misc]  # Flask-WTF has no types
    """A look-up by number and name."""

    number = StringField(_("证书编号"), [InputRequired(), Length(max=60)])
    name = StringField(_("持证人姓名"), [InputRequired(), Length(max=60)])
