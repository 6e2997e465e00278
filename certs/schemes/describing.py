"""Versions of certificate types in words: all of their values, and what one changes of another."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import date
from typing import Any

from certs.rules import certificate_number, last_valid_day
from certs.schemes.rules import Condition, Requirements, changed_keys
from certs.schemes.wording import CLASSES, NAMES, asked_words
from lms.core.i18n import gettext as _
from lms.core.i18n import lazy_gettext as _l

LABELS = {
    "effective_from": _l("施行日期"),
    "name_zh": _l("名称"),
    "name_en": _l("英文名称"),
    "class": _l("等级"),
    "issuer_name": _l("发证机关"),
    "number_pattern": _l("编号规则"),
    "validity_months": _l("有效期"),
    "renewal_window_days": _l("延续申请期"),
    "continuing_hours_per_year": _l("继续教育"),
    "template": _l("证书版式"),
    "programme_code": _l("培训项目"),
    "legal_basis": _l("法律依据"),
}
_SAMPLE_SERIAL = 1234
# By which condition a value of ``rules`` is said.
_CONDITIONS = {
    "exam_min_score": Condition.EXAM,
    "age_min": Condition.AGE,
    "age_max": Condition.AGE,
    "practice_months": Condition.PRACTICE,
    "basis": None,
}


@dataclass(frozen=True, slots=True)
class Named:
    """The names, in the reader's language, of what versions refer to by code; an unknown code stands for itself."""

    programmes: Mapping[str, str] = field(default_factory=dict)
    templates: Mapping[str, str] = field(default_factory=dict)


def described(content: Mapping[str, Any], named: Named) -> list[tuple[str, str]]:
    """Return label and words of every value but the conditions."""
    return [(str(label), _value(content, key, named)) for key, label in LABELS.items()]


def differences(old: Mapping[str, Any], new: Mapping[str, Any], named: Named) -> list[tuple[str, str, str]]:
    """Return label, old and new words of everything in which two versions differ."""
    found: dict[str, tuple[str, str, str]] = {}
    for key in changed_keys(old, new):
        if key.startswith("rules."):
            label, say = _condition(key.removeprefix("rules."))
        else:
            label, say = str(LABELS[key]), _saying(key, named)
        found[label] = (label, say(old), say(new))
    return list(found.values())


def _saying(key: str, named: Named) -> Callable[[Mapping[str, Any]], str]:
    return lambda content: _value(content, key, named)


def _condition(key: str) -> tuple[str, Callable[[Mapping[str, Any]], str]]:
    condition = _CONDITIONS[key] if key in _CONDITIONS else Condition(key)
    if condition is None:
        return _("单项依据"), _bases
    asked_for = condition

    def say(content: Mapping[str, Any]) -> str:
        asked = Requirements.from_data(content["rules"]).asked()
        return asked_words(asked_for, asked[asked_for]) if asked_for in asked else _("不要求")

    return str(NAMES[asked_for]), say


def _bases(content: Mapping[str, Any]) -> str:
    basis = content["rules"].get("basis", {})
    said = [_("%(condition)s：%(law)s", condition=NAMES[Condition(name)], law=law) for name, law in basis.items()]
    return _("；").join(said) or "—"


def _value(content: Mapping[str, Any], key: str, named: Named) -> str:
    value = content[key]
    words: dict[str, Callable[[], str]] = {
        "class": lambda: str(CLASSES[value]),
        "issuer_name": lambda: _(
            "%(sample)s（规则 %(pattern)s）", sample=value.replace("{province}", "河南省"), pattern=value
        ),
        "number_pattern": lambda: _("%(sample)s（规则 %(pattern)s）", sample=sample_number(value), pattern=value),
        "validity_months": lambda: _validity(value),
        "renewal_window_days": lambda: _("届满前 %(days)s 天内", days=value),
        "continuing_hours_per_year": lambda: _("每个证书年度 %(hours)s 学时", hours=value) if value else _("不要求"),
        "template": lambda: _(
            "%(name)s 第 %(version)s 版",
            name=named.templates.get(value["code"], value["code"]),
            version=value["version"],
        ),
        "programme_code": lambda: named.programmes.get(value, value),
    }
    return words[key]() if key in words else str(value)


def _validity(months: int) -> str:
    begins = date(2026, 3, 1)
    ends = last_valid_day(begins, months)
    years, rest = divmod(months, 12)
    term = _("%(months)s 个月", months=months) if rest else _("%(years)s 年", years=years)
    return _("%(term)s，止于届满前一日（如 %(begins)s 至 %(ends)s）", term=term, begins=begins, ends=ends)


def sample_number(pattern: str) -> str:
    """Return what a certificate's number looks like."""
    return certificate_number(pattern, province="豫", year=2026, serial=_SAMPLE_SERIAL)
