"""When figures warn. Pure: figures and rules in, verdicts out."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date

from supervision.figures.rules import pct

EVERYWHERE = 0
COMPLETION = "completion"
PASS_RATE = "pass_rate"  # noqa: S105 - a figure
FAILED_TWICE = "failed_twice"


@dataclass(frozen=True, slots=True)
class RuleView:
    """One version of a threshold or a target. Empty ``size_classes`` or ``industries`` mean all."""

    code: str
    region_code: int
    version: int
    effective_from: date
    purpose: str
    figure: str
    level: str | None
    threshold_pct: int
    size_classes: tuple[str, ...]
    industries: tuple[str, ...]
    legal_basis_zh: str
    legal_basis_en: str


@dataclass(frozen=True, slots=True)
class Standing:
    """The figures of one enterprise that warnings look at, with its groups."""

    region_code: int
    industry_code: str
    size_class: str
    due: int
    completed: int
    attempts: int
    passed: int


@dataclass(frozen=True, slots=True)
class Verdict:
    """Whether one rule warns, and by which figures: ``part`` of ``whole`` against the threshold."""

    rule: RuleView
    is_raised: bool
    part: int
    whole: int

    def figures(self) -> dict[str, object]:
        """Return what a case keeps of the figures that raised or closed it."""
        return {
            "part": self.part,
            "whole": self.whole,
            "pct": pct(self.part, self.whole),
            "threshold_pct": self.rule.threshold_pct,
        }


def places(region_code: int) -> tuple[int, ...]:
    """Return the codes whose rules reach a county, nearest first: county, city, province, everywhere."""
    return (region_code, region_code // 100 * 100, region_code // 10_000 * 10_000, EVERYWHERE)


def in_force(rules: Iterable[RuleView], on: date) -> list[RuleView]:
    """Return the newest version of each code and region that has begun by ``on``."""
    newest: dict[tuple[str, int], RuleView] = {}
    for rule in rules:
        key = (rule.code, rule.region_code)
        if rule.effective_from <= on and (key not in newest or newest[key].version < rule.version):
            newest[key] = rule
    return list(newest.values())


def applicable(
    rules: Sequence[RuleView], *, region_code: int, industry_code: str = "", size_class: str = ""
) -> dict[str, RuleView]:
    """Return by code the rule of the nearest region that speaks of such an enterprise.

    ``rules`` are those in force. Where two codes set a target for the same figure, the one that
    names sizes or industries goes before the general one; that choice is ``target_for``'s.
    """
    chosen: dict[str, RuleView] = {}
    order = {place: rank for rank, place in enumerate(places(region_code))}
    for rule in rules:
        if rule.region_code not in order:
            continue
        if rule.size_classes and size_class not in rule.size_classes:
            continue
        if rule.industries and industry_code not in rule.industries:
            continue
        other = chosen.get(rule.code)
        if other is None or order[rule.region_code] < order[other.region_code]:
            chosen[rule.code] = rule
    return chosen


def target_for(rules: Mapping[str, RuleView], figure: str) -> RuleView | None:
    """Return the target of ``figure`` among applicable rules, the most particular one."""
    fitting = [rule for rule in rules.values() if rule.purpose == "target" and rule.figure == figure]
    return max(fitting, key=lambda rule: (bool(rule.industries), bool(rule.size_classes)), default=None)


def judge(standing: Standing, rules: Sequence[RuleView]) -> dict[str, Verdict]:
    """Return a verdict for each figure that warns by share, by figure. Without a whole nothing warns."""
    shares = {COMPLETION: (standing.completed, standing.due), PASS_RATE: (standing.passed, standing.attempts)}
    found = {}
    for rule in applicable(
        rules,
        region_code=standing.region_code,
        industry_code=standing.industry_code,
        size_class=standing.size_class,
    ).values():
        if rule.purpose == "warning" and rule.figure in shares:
            part, whole = shares[rule.figure]
            is_raised = whole > 0 and part * 100 < rule.threshold_pct * whole
            found[rule.figure] = Verdict(rule, is_raised, part, whole)
    return found


def narrowest(spans: Iterable[tuple[int, int]]) -> int | None:
    """Return the smallest width of the region intervals: those nearest to the case are told."""
    return min((hi - lo for lo, hi in spans), default=None)
