"""Shape checks of what is ordered for many certificates at once."""

from __future__ import annotations

import uuid
from collections.abc import Sequence

from wtforms import StringField, TextAreaField
from wtforms.validators import InputRequired, Length

from certs.errors import ChoiceUnreadable
from certs.forms import TextForm
from lms.core import web
from lms.core.i18n import lazy_gettext as _


class ReasonForm(TextForm):
    """Why it is decided: a coded reason, and what the official writes to it."""

    code = StringField(_("理由类别"), [InputRequired(_("请选择列表中的理由")), Length(max=40)])
    reason = TextAreaField(
        _("理由"), [InputRequired(_("请填写理由")), Length(min=4, max=500, message=_("理由请写 4 至 500 个字"))]
    )


def ids_of(given: Sequence[str]) -> tuple[uuid.UUID, ...]:
    """Return the ids of the ticked certificates. Raises ChoiceUnreadable: what is decided must be what was ticked."""
    found = tuple(web.uuid_or_none(text) for text in given)
    if None in found:
        raise ChoiceUnreadable
    return tuple(one for one in found if one is not None)
