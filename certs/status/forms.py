"""Shape checks of the forms about a certificate's status."""

from __future__ import annotations

from wtforms import DateField, StringField, TextAreaField
from wtforms.validators import AnyOf, InputRequired, Length, Optional

from certs.forms import TextForm
from certs.rules import CorrectionKind, ProposalKind
from lms.core.i18n import lazy_gettext as _

_REASON = [InputRequired(_("请填写理由")), Length(min=4, max=500, message=_("理由请写 4 至 500 个字"))]
_LONG = [InputRequired(_("请填写内容")), Length(min=4, max=2000, message=_("内容请写 4 至 2000 个字"))]


class ProposalForm(TextForm):
    """What is proposed about a certificate; a ban without a day is for good."""

    kind = StringField(_("事项"), [InputRequired(), AnyOf([kind.value for kind in ProposalKind])])
    code = StringField(_("理由类别"), [InputRequired(_("请选择列表中的理由")), Length(max=40)])
    until = DateField(_("限制期限"), [Optional()])
    reason = TextAreaField(_("理由"), _REASON)


class VerdictForm(TextForm):
    """How a case ends, with the reason."""

    verdict = StringField(_("决定"), [InputRequired(), AnyOf(["approve", "refuse", "withdraw"])])
    reason = TextAreaField(_("理由"), _LONG)


class CorrectionForm(TextForm):
    """What is to be corrected and why."""

    kind = StringField(_("更正内容"), [InputRequired(), AnyOf([kind.value for kind in CorrectionKind])])
    new_name = StringField(_("新姓名"), [Length(max=60)])
    note = TextAreaField(_("说明"), _REASON)


class ObjectionForm(TextForm):
    """What the holder says against a decision."""

    subject_id = StringField(_("决定"), [InputRequired(), Length(max=36)])
    text = TextAreaField(_("异议内容"), _LONG)
