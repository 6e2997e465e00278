"""Pure rules of certificate types: what is asked of a person, what was found, and the decision that follows."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from datetime import date
from enum import StrEnum
from string import Formatter, digits
from typing import Any, Final

from certs.rules import certificate_number, issuer_name

EDUCATION: Final = ("secondary", "college", "bachelor", "master")
"""Levels of education, the lowest first; a higher one stands for every lower one."""
PAPERS: Final = ("application", "diploma", "health", "pledge")
NUMBER_CHARS_MAX: Final = 60
CODE_CHARS_MAX: Final = 40
RESERVED_CODES: Final = frozenset({"new", "list", "drafts"})
"""Words that addresses use beside codes."""
_CODE: Final = re.compile(r"[a-z][a-z0-9]*(?:-[a-z0-9]+)*", re.ASCII)
_ANY: Final = "*"


class Condition(StrEnum):
    """What may be asked, in the order of judging."""

    LAST_DAY = "last_issue_on"
    BANNED = "banned"
    LEARNING = "learning_completed"
    HOURS = "class_hours"
    EXAM = "exam"
    IDENTITY = "identity_verified"
    EMPLOYED = "employed"
    AGE = "age"
    EDUCATION = "education"
    PRACTICE = "practice"
    PAPERS = "papers"


RECORDED: Final = (Condition.EDUCATION, Condition.PRACTICE, Condition.PAPERS)
"""Conditions of which only a record tells that an official has entered."""


class RulesInvalid(ValueError):
    """The conditions of a scheme cannot be judged; the text names the key."""


@dataclass(frozen=True, slots=True)
class Requirements:
    """What a scheme asks; stands in its ``rules``. A value of zero, nothing or false asks nothing.

    ``exam_min_score`` is out of 100, ``class_hours`` as credited in one cycle, ages in full years,
    ``basis`` the law behind a single condition where it is not the scheme's own, ``last_issue_on`` the
    last day (ISO 8601) on which a certificate is issued.
    """

    exam_min_score: int
    learning_completed: bool
    identity_verified: bool
    class_hours: float = 0
    employed: bool = False
    age_min: int = 0
    age_max: int = 0
    education: str = ""
    practice_months: int = 0
    papers: tuple[str, ...] = ()
    basis: tuple[tuple[str, str], ...] = ()
    last_issue_on: str = ""

    @staticmethod
    def from_data(data: Mapping[str, Any]) -> Requirements:
        """Read them from the scheme; raises RulesInvalid naming what cannot be judged."""
        known = {field.name for field in fields(Requirements)}
        if unknown := set(data) - known:
            # A condition that nobody judges would be silently passed.
            raise RulesInvalid(", ".join(sorted(unknown)))
        try:
            values = {**data, "papers": tuple(data.get("papers", ())), "basis": tuple(data.get("basis", {}).items())}
            found = Requirements(**values)
        except (TypeError, AttributeError) as error:
            raise RulesInvalid(str(error)) from error
        found._check()
        return found

    def _check(self) -> None:
        numbers = (self.exam_min_score, self.class_hours, self.age_min, self.age_max, self.practice_months)
        switches = (self.learning_completed, self.identity_verified, self.employed)
        right = {
            "numbers": all(type(n) in (int, float) and n >= 0 for n in numbers),
            "switches": all(type(switch) is bool for switch in switches),
            "education": self.education in ("", *EDUCATION),
            "papers": set(self.papers) <= set(PAPERS),
            "last_issue_on": not self.last_issue_on or is_iso_day(self.last_issue_on),
            "basis": {name for name, _text in self.basis} <= {str(condition) for condition in Condition},
        }
        wrong = [name for name, holds in right.items() if not holds]
        if not wrong and not 0 < self.exam_min_score <= 100:
            wrong.append("exam_min_score")
        if not wrong and self.age_max and self.age_max < self.age_min:
            wrong.append("age_max")
        if wrong:
            raise RulesInvalid(", ".join(wrong))

    def to_data(self) -> dict[str, Any]:
        """Return plain values as they are stored; what asks nothing is left out."""
        always = {"exam_min_score", "learning_completed", "identity_verified"}
        values: dict[str, Any] = {
            field.name: getattr(self, field.name)
            for field in fields(self)
            if field.name in always or getattr(self, field.name)
        }
        if self.papers:
            values["papers"] = list(self.papers)
        if self.basis:
            values["basis"] = dict(self.basis)
        return values

    def asked(self) -> dict[Condition, dict[str, Any]]:
        """Return each condition that is judged, with its figures, in the order of judging."""
        wanted: dict[Condition, tuple[object, dict[str, Any]]] = {
            Condition.LAST_DAY: (self.last_issue_on, {"day": self.last_issue_on}),
            Condition.BANNED: (True, {}),
            Condition.LEARNING: (self.learning_completed, {}),
            Condition.HOURS: (self.class_hours, {"hours": self.class_hours}),
            Condition.EXAM: (True, {"score": self.exam_min_score}),
            Condition.IDENTITY: (self.identity_verified, {}),
            Condition.EMPLOYED: (self.employed, {}),
            Condition.AGE: (self.age_min or self.age_max, {"min": self.age_min, "max": self.age_max}),
            Condition.EDUCATION: (self.education, {"level": self.education}),
            Condition.PRACTICE: (self.practice_months, {"months": self.practice_months}),
            Condition.PAPERS: (self.papers, {"papers": list(self.papers)}),
        }
        return {condition: figures for condition, (is_asked, figures) in wanted.items() if is_asked}


@dataclass(frozen=True, slots=True)
class Facts:
    """What is known of a person in one cycle of a programme. None means that nothing shows it.

    ``score`` is out of 100; ``ban_until`` counts only where ``banned``, None is for good.
    """

    learning_completed: bool
    identity_verified: bool
    score: int | None = None
    passed: bool = False
    class_hours: float | None = None
    employed: bool = False
    birth_date: date | None = None
    education: str | None = None
    practice_months: int | None = None
    papers: tuple[str, ...] = ()
    banned: bool = False
    ban_until: date | None = None


@dataclass(frozen=True, slots=True)
class Finding:
    """One condition: its figures as asked, as found (None where nothing shows it), and whether it is kept."""

    condition: Condition
    asked: Mapping[str, Any]
    found: Mapping[str, Any] | None
    kept: bool


@dataclass(frozen=True, slots=True)
class Decision:
    """Whether a person gets the certificate of a scheme, and why: codes and figures, no sentences."""

    scheme_code: str
    scheme_version: int
    on: date
    findings: tuple[Finding, ...]

    @property
    def is_eligible(self) -> bool:
        return all(finding.kept for finding in self.findings)

    @property
    def failing(self) -> tuple[Condition, ...]:
        """The conditions that are not kept, in the order of judging."""
        return tuple(finding.condition for finding in self.findings if not finding.kept)

    def to_data(self) -> dict[str, Any]:
        """Return plain values, as kept with a certificate or a refusal."""
        findings = [
            {"condition": one.condition.value, "asked": one.asked, "found": one.found, "kept": one.kept}
            for one in self.findings
        ]
        return {
            "scheme": self.scheme_code,
            "version": self.scheme_version,
            "on": self.on.isoformat(),
            "findings": findings,
        }

    @staticmethod
    def from_data(data: Mapping[str, Any]) -> Decision:
        """Undo ``to_data``."""
        findings = tuple(
            Finding(Condition(one["condition"]), one["asked"], one["found"], one["kept"]) for one in data["findings"]
        )
        return Decision(data["scheme"], data["version"], date.fromisoformat(data["on"]), findings)


def evaluate(scheme: tuple[str, int], wanted: Requirements, facts: Facts, on: date) -> Decision:
    """Judge a person by version ``scheme`` (code, version) on a day. What nothing shows is not kept."""
    judge = {
        Condition.LAST_DAY: lambda asked, day, _f: ({"day": day.isoformat()}, day.isoformat() <= asked["day"]),
        Condition.BANNED: _judge_ban,
        Condition.LEARNING: lambda _asked, _on, f: ({"done": f.learning_completed}, f.learning_completed),
        Condition.HOURS: lambda asked, _on, f: _at_least("hours", f.class_hours, asked),
        Condition.EXAM: _judge_exam,
        Condition.IDENTITY: lambda _asked, _on, f: ({"done": f.identity_verified}, f.identity_verified),
        Condition.EMPLOYED: lambda _asked, _on, f: ({"done": f.employed}, f.employed),
        Condition.AGE: _judge_age,
        Condition.EDUCATION: _judge_education,
        Condition.PRACTICE: lambda asked, _on, f: _at_least("months", f.practice_months, asked),
        Condition.PAPERS: _judge_papers,
    }
    findings = []
    for condition, asked in wanted.asked().items():
        found, kept = judge[condition](asked, on, facts)
        findings.append(Finding(condition, asked, found, kept))
    return Decision(*scheme, on, tuple(findings))


_Judged = tuple[dict[str, Any] | None, bool]


def _at_least(name: str, value: float | None, asked: Mapping[str, Any]) -> _Judged:
    return (None, False) if value is None else ({name: value}, value >= asked[name])


def _judge_ban(_asked: Mapping[str, Any], _on: date, facts: Facts) -> _Judged:
    until = facts.ban_until.isoformat() if facts.ban_until else None
    return ({"banned": True, "until": until} if facts.banned else {"banned": False}), not facts.banned


def _judge_exam(asked: Mapping[str, Any], _on: date, facts: Facts) -> _Judged:
    if facts.score is None:
        return None, False
    found = {"score": facts.score, "passed": facts.passed}
    return found, facts.passed and facts.score >= asked["score"]


def _judge_age(asked: Mapping[str, Any], on: date, facts: Facts) -> _Judged:
    if facts.birth_date is None:
        return None, False
    age = full_years(facts.birth_date, on)
    return {"age": age}, age >= asked["min"] and (not asked["max"] or age <= asked["max"])


def _judge_education(asked: Mapping[str, Any], _on: date, facts: Facts) -> _Judged:
    if not facts.education:
        return None, False
    return {"level": facts.education}, EDUCATION.index(facts.education) >= EDUCATION.index(asked["level"])


def _judge_papers(asked: Mapping[str, Any], _on: date, facts: Facts) -> _Judged:
    handed_in = [paper for paper in asked["papers"] if paper in facts.papers]
    return ({"papers": handed_in} if handed_in else None), handed_in == asked["papers"]


def full_years(born: date, on: date) -> int:
    """Return the full years of age on a day; whoever was born on 29 February grows older on 1 March in other years."""
    return on.year - born.year - ((on.month, on.day) < (born.month, born.day))


def is_ended(wanted: Requirements, today: date) -> bool:
    """Tell whether the last day of issue is over."""
    return bool(wanted.last_issue_on) and wanted.last_issue_on < today.isoformat()


def is_iso_day(value: object) -> bool:
    """Tell whether a value is a day as ``2027-01-01``, and no other spelling of one."""
    try:
        return isinstance(value, str) and date.fromisoformat(value).isoformat() == value
    except ValueError:
        return False


def is_new_code(code: str) -> bool:
    """Tell whether a code may name a new certificate type or page; it stands in addresses, files and records."""
    return 3 <= len(code) <= CODE_CHARS_MAX and code not in RESERVED_CODES and _CODE.fullmatch(code) is not None


def number_problem(pattern: str) -> str:
    """Tell what is wrong with a pattern of numbers: serial, places, check, length; empty when nothing is."""
    try:
        places = [(name, spec, kind) for _text, name, spec, kind in Formatter().parse(pattern) if name is not None]
    except ValueError:
        return "places"
    allowed = {"province": ("",), "year": ("",), "serial": tuple(f"0{n}d" for n in range(5, 10)), "check": ("",)}
    # Names are compared whole: {year.real} or {serial!r} would reach into the values.
    if any(kind or spec not in allowed.get(name, ()) for name, spec, kind in places):
        return "places"
    names = [name for name, _spec, _kind in places]
    if names.count("serial") != 1:
        return "serial"
    if "check" in names and (names.count("check") != 1 or not pattern.endswith("{check}")):
        return "check"
    sample = certificate_number(pattern, province="豫", year=2026, serial=1)
    return "length" if len(sample) > NUMBER_CHARS_MAX else ""


def numbers_meet(one: str, other: str) -> bool:
    """Tell whether two good patterns could give the same number, in whatever provinces and years."""
    shapes = _shape(one), _shape(other)
    if len(shapes[0]) != len(shapes[1]):
        return False
    return all(_ANY in (a, b) or set(a) & set(b) for a, b in zip(*shapes, strict=True))


def _shape(pattern: str) -> list[str]:
    """Return which characters may stand at each place of a number."""
    places: list[str] = []
    for literal, name, spec, _kind in Formatter().parse(pattern):
        places.extend(literal)
        filled = {"province": [_ANY], "year": [digits] * 4, "check": [digits + "X"]}
        places.extend([digits] * int(spec.strip("d")) if name == "serial" and spec else filled.get(name or "", []))
    return places


def issuer_problem(pattern: str) -> str:
    """Tell what is wrong with an issuer's name, which may name its province as ``{province}``; empty if nothing is."""
    try:
        places = [(name, spec, kind) for _text, name, spec, kind in Formatter().parse(pattern) if name is not None]
    except ValueError:
        return "places"
    if any(place != ("province", "", None) for place in places):
        return "places"
    return "" if 2 <= len(issuer_name(pattern, province="河南省")) <= NUMBER_CHARS_MAX else "length"


def changed_keys(old: Mapping[str, Any], new: Mapping[str, Any]) -> Sequence[str]:
    """Return the names of values that differ between two versions, those within ``rules`` as ``rules.<name>``."""
    flat_old, flat_new = _flat(old), _flat(new)
    return sorted(key for key in flat_old.keys() | flat_new.keys() if flat_old.get(key) != flat_new.get(key))


def _flat(values: Mapping[str, Any]) -> dict[str, Any]:
    inner = {f"rules.{key}": value for key, value in values.get("rules", {}).items()}
    return {**{key: value for key, value in values.items() if key != "rules"}, **inner}
