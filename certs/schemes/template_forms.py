"""Shape checks of the editor of certificate pages."""

from __future__ import annotations

from typing import Any

from wtforms import BooleanField, SelectField, StringField, TextAreaField
from wtforms.fields import Field
from wtforms.validators import DataRequired, Length, Optional

from certs.adapters.face import TemplateSpec
from certs.adapters.trial import page_problems
from certs.forms import TextForm
from certs.schemes.forms import check_code, choices, no_control_characters
from certs.schemes.templates import spec_data, spec_of
from certs.schemes.wording import PALETTES, ROWS
from lms.core.i18n import gettext
from lms.core.i18n import lazy_gettext as _

_MUST = DataRequired(_("请填写"))
_PLAIN = ("heading_zh", "statement_zh", "statement_en", "seal_line_zh", "seal_name_zh", "issuer_label_zh", "palette")


def _text(longest: int, *, needed: bool = True) -> list[Any]:
    rules = [Length(max=longest, message=_("最多 %(longest)s 个字", longest=longest)), no_control_characters]
    return [_MUST if needed else Optional(), *rules]


class TemplateForm(TextForm):
    """A version of a certificate page."""

    name_zh = StringField(_("版式名称"), _text(40))
    name_en = StringField(_("版式英文名称"), _text(80))
    heading_zh = StringField(_("页眉"), _text(20))
    statement_zh = TextAreaField(_("证明文字"), _text(80))
    statement_en = TextAreaField(_("证明文字（英文）"), _text(240))
    note_0 = StringField(_("第一行附注"), _text(140, needed=False))
    note_1 = StringField(_("第二行附注"), _text(180, needed=False))
    issuer_label_zh = StringField(_("发证机关栏目名"), _text(8))
    seal_name_zh = StringField(_("印章名称（空着用发证机关名称）"), _text(24, needed=False))
    seal_line_zh = StringField(_("印章下弦文字"), _text(10))
    palette = SelectField(_("主色"), choices=choices(PALETTES.items()))
    show_employer = BooleanField(ROWS["employer"])
    show_licence = BooleanField(ROWS["licence"])
    show_industry = BooleanField(ROWS["industry"])
    show_first_issued = BooleanField(ROWS["first_issued"])

    def fill(self, content: dict[str, Any]) -> None:
        """Show the values of a version or draft."""
        spec = spec_of(content["spec"])
        self.name_zh.data, self.name_en.data = content["name_zh"], content["name_en"]
        for name in _PLAIN:
            self[name].data = getattr(spec, name)
        for place in range(2):
            self[f"note_{place}"].data = spec.notes_zh[place] if place < len(spec.notes_zh) else ""
        for row in ROWS:
            self[f"show_{row}"].data = row not in spec.hidden

    def content(self) -> dict[str, Any]:
        """Return what was filled in, as a draft holds it."""
        return {
            "name_zh": self.name_zh.data,
            "name_en": self.name_en.data,
            "spec": spec_data(self.spec()),
        }

    def spec(self) -> TemplateSpec:
        """Return the page that was filled in."""
        values: dict[str, Any] = {name: " ".join((self[name].data or "").split()) for name in _PLAIN}
        notes = tuple(self[f"note_{place}"].data or "" for place in range(2))
        hidden = tuple(row for row in ROWS if not self[f"show_{row}"].data)
        return TemplateSpec(**values, notes_zh=notes, hidden=hidden)

    def fits(self) -> bool:
        """Tell whether all of it can be printed; if not, the fields say what cannot."""
        found = page_problems(self.spec())
        for name, problem in found.items():
            text = gettext("太长，印不下") if problem == "long" else gettext("字体缺少这些字：%(chars)s", chars=problem)
            self[name].errors = [*self[name].errors, text]
        return not found


class NewTemplateForm(TemplateForm):
    """The first version of a certificate page."""

    code = StringField(_("代码"), [_MUST, no_control_characters])

    def validate_code(self, field: Field) -> None:
        """The code stands in addresses and records for good."""
        check_code(field)
