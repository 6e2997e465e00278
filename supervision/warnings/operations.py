"""Cases: opened by figures, told to those concerned, ended with the cause or by a check on site."""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from sqlalchemy import select, text, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from lms.core import audit, clock, events, ids, notify
from lms.core.access import SYSTEM, Actor
from lms.core.notify import Notice
from supervision.access import access_warning
from supervision.errors import AlreadyAcknowledged, AlreadyClosed, ClosesByItself
from supervision.events import WarningClosed, WarningOpened
from supervision.figures.models import EnterpriseTotal
from supervision.warnings import rules
from supervision.warnings.models import WarningCase, WarningNote
from supervision.warnings.queries import rules_in_force
from supervision.warnings.rules import RuleView, Standing, Verdict

EVENT_VERSION = 1
BY_FIGURES = (rules.COMPLETION, rules.PASS_RATE)
NAMES = {
    rules.COMPLETION: ("培训完成率低于阈值", "Completion below the threshold"),
    rules.PASS_RATE: ("考试合格率低于阈值", "Pass rate below the threshold"),
    rules.FAILED_TWICE: ("同一人员连续两次考核不合格", "One person failed two assessments in a row"),
}
_OFFICIALS = text(
    """
    select person_id, name, role, organisation, tenant_id, region_lo, region_hi
      from accounts_official_figures
     where (role = 'enterprise_admin' and tenant_id = :tenant_id)
        or (role = 'regulator' and region_lo <= :region_code and region_hi > :region_code
            and ('*' = any(industries) or :industry_code = any(industries)))
    """
)
# The newest two marks of each enrolment, both of them failures.
_STREAKS = text(
    """
    select tenant_id, person_id, enrolment_id, attempt_no from (
      select tenant_id, person_id, enrolment_id, attempt_no, passed,
             lag(passed) over w as before, row_number() over (w rows unbounded preceding) as place,
             count(*) over (partition by enrolment_id) as marks
        from exams_attempt_figures where enrolment_id = any(:enrolments)
      window w as (partition by enrolment_id order by attempt_no)) a
     where place = marks and not passed and before = false
     order by tenant_id, person_id
    """
)


@dataclass(frozen=True, slots=True)
class Changes:
    """How many cases an evaluation has opened and closed."""

    opened: int
    closed: int


def evaluate(session: Session, tenants: Sequence[uuid.UUID]) -> Changes:
    """Set the standing of ``tenants`` against the rules; open and close cases. Worker's scope.

    The unique index on open cases makes a second opening of the same case a no-op.
    """
    force = rules_in_force(session, clock.today())
    warning_rules = [rule for rule in force if rule.purpose == "warning"]
    totals = session.scalars(select(EnterpriseTotal).where(EnterpriseTotal.tenant_id.in_(tenants)))
    open_cases = _open_cases(session, tenants)
    opened = closed = 0
    for total in totals:
        for figure, verdict in rules.judge(_standing(total), warning_rules).items():
            case = open_cases.get((total.tenant_id, figure))
            if verdict.is_raised and case is None:
                opened += _open_by_figures(session, total, figure, verdict)
            elif verdict.is_raised and case is not None:
                _keep_latest(session, case, verdict)
            elif case is not None:
                _close(session, SYSTEM, case, verdict.figures())
                closed += 1
    return Changes(opened, closed)


def _standing(total: EnterpriseTotal) -> Standing:
    return Standing(
        region_code=total.region_code,
        industry_code=total.industry_code,
        size_class=total.size_class,
        due=total.due,
        completed=total.completed,
        attempts=total.attempts,
        passed=total.passed,
    )


def _open_cases(session: Session, tenants: Sequence[uuid.UUID]) -> dict[tuple[uuid.UUID, str], WarningCase]:
    found = session.scalars(
        select(WarningCase).where(
            WarningCase.tenant_id.in_(tenants), WarningCase.state == "open", WarningCase.kind.in_(BY_FIGURES)
        )
    )
    return {(case.tenant_id, case.kind): case for case in found}


def _open_by_figures(session: Session, total: EnterpriseTotal, figure: str, verdict: Verdict) -> int:
    return _open(
        session,
        total,
        kind=figure,
        subject_id=total.tenant_id,
        rule=verdict.rule,
        figures=verdict.figures(),
    )


def _open(
    session: Session,
    total: EnterpriseTotal,
    *,
    kind: str,
    subject_id: uuid.UUID,
    rule: RuleView,
    figures: dict[str, Any],
) -> int:
    now, warning_id = clock.now(), ids.new_id()
    told = _whom_to_tell(session, total, now)
    values = _case_values(total, rule, figures)
    added = session.execute(
        insert(WarningCase)
        .values(**values, id=warning_id, kind=kind, subject_id=subject_id, told=told, opened_at=now)
        .on_conflict_do_nothing()
        .returning(WarningCase.id)
    ).first()
    if added is None:
        return 0
    level = str(rule.level)
    _tell(session, told, kind, level, total.name, warning_id, ended=False)
    _record(session, SYSTEM, "supervision.warning.opened", total.tenant_id, warning_id, {"kind": kind, **figures})
    events.publish(
        session,
        WarningOpened(
            EVENT_VERSION, total.tenant_id, warning_id, kind, level, total.region_code, total.industry_code, now
        ),
    )
    return 1


def _case_values(total: EnterpriseTotal, rule: RuleView, figures: dict[str, Any]) -> dict[str, Any]:
    """Return what a new case takes from the enterprise's standing and from the rule that it breaks."""
    return {
        "tenant_id": total.tenant_id,
        "level": rule.level,
        "state": "open",
        "region_code": total.region_code,
        "industry_code": total.industry_code,
        "period_from": total.period_from,
        "period_to": total.period_to,
        "rule_code": rule.code,
        "rule_region_code": rule.region_code,
        "rule_version": rule.version,
        "figures": figures,
        "latest": figures,
    }


def _whom_to_tell(session: Session, total: EnterpriseTotal, now: datetime) -> list[dict[str, Any]]:
    """Return the enterprise's administrators and the regulators nearest to it, as the case keeps them."""
    wanted = {
        "tenant_id": total.tenant_id,
        "region_code": total.region_code,
        "industry_code": total.industry_code,
    }
    found = session.execute(_OFFICIALS, wanted).all()
    near = rules.narrowest((row.region_lo, row.region_hi) for row in found if row.role == "regulator")
    return [
        {
            "person_id": str(row.person_id),
            "name": row.name,
            "role": row.role,
            "organisation": row.organisation,
            "at": now.isoformat(),
        }
        for row in sorted(found, key=lambda row: (row.role, row.organisation, row.name))
        if row.role != "regulator" or row.region_hi - row.region_lo == near
    ]


def _tell(
    session: Session,
    told: Iterable[dict[str, Any]],
    kind: str,
    level: str,
    enterprise: str,
    warning_id: uuid.UUID,
    *,
    ended: bool,
) -> None:
    level_zh, level_en = {
        "yellow": ("黄色预警", "Yellow warning"),
        "orange": ("橙色预警", "Orange warning"),
        "red": ("红色预警", "Red warning"),
    }[level]
    name_zh, name_en = NAMES[kind]
    for one in told:
        notify.send(
            session,
            uuid.UUID(one["person_id"]),
            Notice(
                title_zh=f"{level_zh}已解除" if ended else level_zh,
                title_en=f"{level_en} lifted" if ended else level_en,
                body_zh=f"{enterprise}：{name_zh}",
                body_en=f"{enterprise}: {name_en}",
                url="/tenant/figures" if one["role"] == "enterprise_admin" else f"/warnings/{warning_id}",
            ),
            dedup_key=f"warning:{warning_id}:{'closed' if ended else 'opened'}",
        )


def _keep_latest(session: Session, case: WarningCase, verdict: Verdict) -> None:
    figures = verdict.figures()
    if case.latest != figures:
        _write(session, case, latest=figures)


def _write(session: Session, case: WarningCase, **values: object) -> None:
    session.execute(
        update(WarningCase).where(WarningCase.tenant_id == case.tenant_id, WarningCase.id == case.id).values(**values),
        execution_options={"synchronize_session": False},
    )


def _close(session: Session, actor: Actor, case: WarningCase, figures: dict[str, Any]) -> None:
    now = clock.now()
    _write(session, case, state="closed", closed_at=now, closed_by=actor.person_id, closing_figures=figures)
    enterprise = session.get(EnterpriseTotal, case.tenant_id)
    name = enterprise.name if enterprise else ""
    _tell(session, case.told, case.kind, case.level, name, case.id, ended=True)
    data = {"kind": case.kind, "opened_at": case.opened_at.isoformat(), **figures}
    _record(session, actor, "supervision.warning.closed", case.tenant_id, case.id, data)
    events.publish(
        session,
        WarningClosed(
            version=EVENT_VERSION,
            tenant_id=case.tenant_id,
            warning_id=case.id,
            kind=case.kind,
            level=case.level,
            region_code=case.region_code,
            industry_code=case.industry_code,
            at=now,
        ),
    )


def _record(
    session: Session, actor: Actor, action: str, tenant_id: uuid.UUID, warning_id: uuid.UUID, data: dict[str, Any]
) -> None:
    audit.record(session, actor, action, subject_type="warning", subject_id=warning_id, tenant_id=tenant_id, data=data)


def evaluate_failures(session: Session, enrolments: Sequence[uuid.UUID]) -> int:
    """Open a red case for each person whose newest two marks in an enrolment are failures.

    ``enrolments`` are those with a new failure. Returns how many cases were opened.
    """
    if not enrolments:
        return 0
    force = rules_in_force(session, clock.today())
    opened = 0
    for row in session.execute(_STREAKS, {"enrolments": list(enrolments)}).all():
        total = session.get(EnterpriseTotal, row.tenant_id)
        if total is None:
            continue
        found = rules.applicable(
            force,
            region_code=total.region_code,
            industry_code=total.industry_code,
            size_class=total.size_class,
        )
        rule = next((one for one in found.values() if one.figure == rules.FAILED_TWICE), None)
        if rule is not None:
            figures = {"enrolment_id": str(row.enrolment_id), "attempt_no": row.attempt_no}
            opened += _open(
                session, total, kind=rules.FAILED_TWICE, subject_id=row.person_id, rule=rule, figures=figures
            )
    return opened


def add_note(session: Session, actor: Actor, warning_id: uuid.UUID, kind: str, body: str) -> uuid.UUID:
    """Acknowledge (once per official) or comment on a case that is open or closed.

    Raises NotFound, AlreadyAcknowledged.
    """
    case = access_warning(session, warning_id)
    note_id = ids.new_id()
    added = session.execute(
        insert(WarningNote)
        .values(
            tenant_id=case.tenant_id,
            id=note_id,
            warning_id=case.id,
            region_code=case.region_code,
            industry_code=case.industry_code,
            kind=kind,
            text=body,
            author_id=actor.person_id,
            author_name=actor.display_name,
            organisation=actor.tenant_name,
            at=clock.now(),
        )
        .on_conflict_do_nothing()
        .returning(WarningNote.id)
    ).first()
    if added is None:
        raise AlreadyAcknowledged
    _record(session, actor, f"supervision.warning.{_DEEDS[kind]}", case.tenant_id, case.id, {"note_id": str(note_id)})
    return note_id


_DEEDS = {"acknowledged": "acknowledged", "comment": "commented", "check_result": "checked"}


def close_red(session: Session, actor: Actor, warning_id: uuid.UUID, result: str, checked_on: date) -> None:
    """End a red case with the result of its check on site. Raises NotFound, AlreadyClosed, ClosesByItself."""
    case = access_warning(session, warning_id)
    if case.level != "red":
        raise ClosesByItself
    if case.state != "open":
        raise AlreadyClosed
    add_note(session, actor, warning_id, "check_result", result)
    _close(session, actor, case, {**case.latest, "checked_on": checked_on.isoformat()})
