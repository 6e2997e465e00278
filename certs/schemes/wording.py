"""Decisions and conditions in sentences, in the reader's language. Records hold codes and figures only."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from certs.models import Scheme
from certs.schemes.models import Draft
from certs.schemes.rules import Condition, Decision, Finding, Requirements
from lms.core.i18n import gettext as _
from lms.core.i18n import lazy_gettext as _l

NAMES = {
    Condition.LAST_DAY: _l("最后发证日"),
    Condition.BANNED: _l("无取证限制"),
    Condition.LEARNING: _l("完成学习"),
    Condition.HOURS: _l("学时"),
    Condition.EXAM: _l("考试"),
    Condition.IDENTITY: _l("身份核验"),
    Condition.EMPLOYED: _l("在职"),
    Condition.AGE: _l("年龄"),
    Condition.EDUCATION: _l("学历"),
    Condition.PRACTICE: _l("实践经历"),
    Condition.PAPERS: _l("申请材料"),
}
LEVELS = {
    "secondary": _l("高中或中专"),
    "college": _l("大专"),
    "bachelor": _l("本科"),
    "master": _l("硕士及以上"),
}
PAPERS = {
    "application": _l("申请表"),
    "diploma": _l("学历证书"),
    "health": _l("体检证明"),
    "pledge": _l("个人承诺书"),
}
OUTCOMES = {
    "eligible": _l("符合条件"),
    "held": _l("本周期已持证"),
    "last_issue_on": _l("已停止发证"),
    "banned": _l("被限制取证"),
    "learning_completed": _l("课程没有学完"),
    "class_hours": _l("学时不足"),
    "exam": _l("考试没有合格"),
    "identity_verified": _l("没有身份核验"),
    "employed": _l("不在职"),
    "age": _l("年龄不符"),
    "education": _l("学历不够或没有证明"),
    "practice": _l("实践经历不够或没有证明"),
    "papers": _l("申请材料不齐"),
}
# Of these a figure was found that only means something beside the one that was asked.
MEASURED = (Condition.HOURS, Condition.EXAM, Condition.AGE, Condition.EDUCATION, Condition.PRACTICE)
PALETTES = {"navy": _l("藏青"), "green": _l("墨绿"), "maroon": _l("绛红"), "graphite": _l("石墨灰")}
ROWS = {
    "employer": _l("工作单位"),
    "licence": _l("许可证号"),
    "industry": _l("行业类别"),
    "first_issued": _l("初领日期"),
}
DRAFT_KINDS = {"scheme": _l("证书类型"), "template": _l("证书版式")}
# Each with its tone.
DRAFT_STATES = {
    "open": (_l("拟订中"), "info"),
    "returned": (_l("已退回"), "bad"),
    "asked": (_l("待批准"), "warn"),
    "published": (_l("已发布"), "ok"),
    "discarded": (_l("已放弃"), "muted"),
}
CLASSES = {"junior": _l("初级"), "intermediate": _l("中级"), "senior": _l("高级")}


def draft_state(row: Draft) -> tuple[object, str]:
    """Return the words of a draft's state and their tone; one that came back says so until it is asked for again."""
    return DRAFT_STATES["returned" if row.state == "open" and row.decided_at else row.state]


@dataclass(frozen=True, slots=True)
class Line:
    """One condition as it is shown: what was asked, what was found, whether it is kept, and its own law if any."""

    name: str
    asked: str
    found: str
    kept: bool
    legal_basis: str


@dataclass(frozen=True, slots=True)
class Shown:
    """A decision as it is shown; ``sentence`` begins with whether the conditions are met and says why.

    ``legal_basis`` is the scheme's own, for all lines without a law of their own.
    """

    is_eligible: bool
    sentence: str
    legal_basis: str
    lines: Sequence[Line]
    decision: Decision


def shown(data: Mapping[str, Any] | None, scheme: Scheme) -> Shown | None:
    """Return a kept decision in sentences; ``scheme`` is the version that it was made by. None without one."""
    if not data:
        return None
    decision = Decision.from_data(data)
    basis = dict(Requirements.from_data(scheme.rules).basis)
    lines = [
        Line(
            name=str(NAMES[one.condition]),
            asked=_begun(asked_words(one.condition, one.asked)),
            found=_begun(found_words(one)),
            kept=one.kept,
            legal_basis=basis.get(one.condition.value, ""),
        )
        for one in decision.findings
    ]
    return Shown(decision.is_eligible, because(decision), scheme.legal_basis, lines, decision)


def because(decision: Decision) -> str:
    """Return the decision in one sentence: met, or not met, because of what."""
    if decision.is_eligible:
        return _("符合，因为%(reasons)s", reasons=_("；").join(found_words(one) for one in decision.findings))
    missed = [_missed(one) for one in decision.findings if not one.kept]
    return _("不符合，因为%(reasons)s", reasons=_("；").join(missed))


def _missed(finding: Finding) -> str:
    found, measured = found_words(finding), finding.condition in MEASURED and finding.found is not None
    return _("%(found)s（要求%(asked)s）", found=found, asked=_asked(finding)) if measured else found


def _asked(finding: Finding) -> str:
    return asked_words(finding.condition, finding.asked)


def conditions(wanted: Requirements) -> list[tuple[str, str, str]]:
    """Return name, sentence and law, if it has one of its own, of everything that a scheme asks."""
    basis = dict(wanted.basis)
    return [
        (str(NAMES[one]), _begun(asked_words(one, asked)), basis.get(one.value, ""))
        for one, asked in wanted.asked().items()
    ]


def _begun(words: str) -> str:
    """Return words that stand alone with a capital; inside a sentence they have none."""
    return words[:1].upper() + words[1:]


def asked_words(condition: Condition, asked: Mapping[str, Any]) -> str:
    """Say what a condition asks."""
    if condition is Condition.AGE:
        return _asked_age(asked["min"], asked["max"])
    words = {
        Condition.LAST_DAY: lambda: _("在最后发证日 %(day)s 或之前", day=asked["day"]),
        Condition.BANNED: lambda: _("没有未满期限的取证限制"),
        Condition.LEARNING: lambda: _("学完培训项目的全部课程"),
        Condition.HOURS: lambda: _("本次培训学时不少于 %(hours)s", hours=asked["hours"]),
        Condition.EXAM: lambda: _("考试合格且成绩不低于 %(score)s 分", score=asked["score"]),
        Condition.IDENTITY: lambda: _("考试时通过身份核验"),
        Condition.EMPLOYED: lambda: _("在报名单位在职"),
        Condition.EDUCATION: lambda: _("学历不低于%(level)s", level=LEVELS[asked["level"]]),
        Condition.PRACTICE: lambda: _("实践经历不少于 %(months)s 个月", months=asked["months"]),
        Condition.PAPERS: lambda: _("已提交%(papers)s", papers=_papers(asked["papers"])),
    }
    return words[condition]()


def _asked_age(lowest: int, highest: int) -> str:
    if lowest and highest:
        return _("年满 %(lowest)s 周岁、不超过 %(highest)s 周岁", lowest=lowest, highest=highest)
    if highest:
        return _("不超过 %(highest)s 周岁", highest=highest)
    return _("年满 %(lowest)s 周岁", lowest=lowest)


def found_words(finding: Finding) -> str:
    """Say what was found of a condition; what nothing shows is said to be not shown."""
    found = finding.found
    if found is None:
        return _not_shown(finding)
    if finding.condition is Condition.PAPERS:
        return _found_papers(finding.asked["papers"], found["papers"])
    words = {
        Condition.LAST_DAY: lambda: _("还在发证") if finding.kept else _("该类证书已停止发证"),
        Condition.BANNED: lambda: _found_ban(found),
        Condition.LEARNING: lambda: _("课程已全部学完") if found["done"] else _("课程还没有学完"),
        Condition.HOURS: lambda: _("已计学时 %(hours)s", hours=found["hours"]),
        Condition.EXAM: lambda: _found_exam(found, kept=finding.kept),
        Condition.IDENTITY: lambda: _("考试时已通过身份核验") if found["done"] else _("考试时没有通过身份核验"),
        Condition.EMPLOYED: lambda: _("在报名单位在职") if found["done"] else _("已从报名单位离职"),
        Condition.AGE: lambda: _("现年 %(age)s 周岁", age=found["age"]),
        Condition.EDUCATION: lambda: _("登记的学历为%(level)s", level=LEVELS[found["level"]]),
        Condition.PRACTICE: lambda: _("登记的实践经历共 %(months)s 个月", months=found["months"]),
    }
    return words[finding.condition]()


def _found_exam(found: Mapping[str, Any], *, kept: bool) -> str:
    if kept or found["passed"]:
        return _("考试合格，成绩 %(score)s 分", score=found["score"])
    return _("考试不合格，成绩 %(score)s 分", score=found["score"])


def _found_ban(found: Mapping[str, Any]) -> str:
    if not found["banned"]:
        return _("没有取证限制")
    if found["until"]:
        return _("被限制取得该类证书，至 %(day)s", day=found["until"])
    return _("被终身限制取得该类证书")


def _found_papers(asked: Sequence[str], handed_in: Sequence[str]) -> str:
    absent = [paper for paper in asked if paper not in handed_in]
    if absent:
        return _("缺少%(papers)s", papers=_papers(absent))
    return _("已提交%(papers)s", papers=_papers(handed_in))


def _not_shown(finding: Finding) -> str:
    if finding.condition is Condition.EXAM:
        return _("还没有考试成绩")
    if finding.condition is Condition.PAPERS:
        return _("缺少%(papers)s", papers=_papers(finding.asked["papers"]))
    return _("%(condition)s没有证明材料", condition=NAMES[finding.condition])


def _papers(codes: Sequence[str]) -> str:
    return _("、").join(str(PAPERS[code]) for code in codes)
