"""The demo's decisions about certificates, and the public log with all of them in it."""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from datetime import date, timedelta

from sqlalchemy import ColumnElement, select

from certs.actions import demo as downloaded
from certs.imports import demo as imported
from certs.issue import demo as issued
from certs.models import Certificate, StatusEvent
from certs.registry.operations import sequence_all
from certs.rules import CorrectionKind, Decision, Outcome, ProposalKind
from certs.schemes.drafts import content_of, save_draft
from certs.schemes.queries import scheme_in_force
from certs.status.corrections import NewCorrection, decide_correction, request_correction
from certs.status.objections import answer_objection, object_to
from certs.status.operations import decide
from certs.status.proposals import NewProposal, decide_proposal, propose
from lms.accounts.demo import STAFF_SIGN_INS, measured, moment_of, person_actor, province_of
from lms.accounts.demo_cast import SCHEME
from lms.core import clock
from lms.core.access import Actor
from lms.core.bootstrap import worker_conninfo
from lms.core.services import Services
from lms.core.worker import drain

HOLDER = "chizheng"
DECISIONS = (
    (Decision.SUSPEND, "suspend_unsafe_act", "现场检查发现持证人未按规定执行有限空间作业审批，暂扣证书并责令整改。"),
    (Decision.REVOKE, "revoke_fraud", "经核实考试当日由他人代为签到，考核成绩无效。"),
    (Decision.SUSPEND, "suspend_investigation", "企业停产整顿期间暂停证书使用。"),
    (Decision.REVOKE, "revoke_accident", "隐瞒事故情况，被依法撤销任职资格。"),
    (Decision.CANCEL, "cancel_request", "持证人退休，本人书面申请注销。"),
)
BAN = "以他人代考取得证书，三年内限制取得该类证书。"
OBJECTION = "考试当日本人全程在场，签到记录可调取监控核实，请求复核。"
OLD_PHOTO = "证件照为多年前所摄，已重新采集，请更换。"
MISTAKEN = (
    "检查时未能出示有限空间作业票，暂扣证书待核。",
    "当日作业票由班组长保管，已补交扫描件和现场监控截图，请予复核。",
    "经复核，作业票审批齐全，暂扣依据不足，恢复证书。",
)


@dataclass(frozen=True, slots=True)
class _Chosen:
    """A certificate that something is decided about."""

    id: uuid.UUID
    person_id: uuid.UUID
    tenant_id: uuid.UUID


def make(services: Services) -> None:
    """Let county and city decide about a few certificates, then number and sign the log."""
    today = clock.today()
    officials = province_of(services).officials
    county, city = officials["county"], officials["city"]
    with measured("decisions, earlier certificates and the log"):
        # First: it is the last exams' evening, and all that follows works the queue off.
        issued.make(services, county, today)
        imported.make(services, county, today)
        _replace_photo(services, county, today)
        _suspend_by_mistake(services, county, today)
        chosen = _chosen(services, county)
        for place, (row, (decision, code, reason)) in enumerate(zip(chosen, DECISIONS, strict=False)):
            with clock.travelling_to(moment_of(today - timedelta(days=1), 20, 10 + place)):
                if decision is Decision.REVOKE:
                    _decide_by_two(services, (county, city), row.id, NewProposal(ProposalKind.REVOKE, code, reason))
                    continue
                with services.db.transaction(county.scope) as session:
                    decide(session, county, row.id, decision, reason, code=code)
        if len(chosen) > len(DECISIONS) + 1:
            with clock.travelling_to(moment_of(today - timedelta(days=1), 21, 0)):
                ban = NewProposal(ProposalKind.BAN, "ban_fraud", BAN, date(today.year + 3, today.month, 1))
                _decide_by_two(services, (county, city), chosen[1].id, ban)
                _leave_open(services, county, chosen)
        downloaded.make(services, county, today)
        _draft(services, officials["province"], today)
        drain(services, worker_conninfo(services.settings))
        sequence_all(services)


def _draft(services: Services, province: Actor, today: date) -> None:
    """Leave a draft of the next version: holders shall be reminded earlier."""
    then = moment_of(today - timedelta(days=1), 16, 5)
    with clock.travelling_to(then), services.db.transaction(province.scope) as session:
        present = scheme_in_force(session, SCHEME, today)
        content = {**content_of(present), "effective_from": date(today.year + 1, 1, 1).isoformat()}
        window = {"renewal_window_days": present.renewal_window_days + 30}
        save_draft(session, province, "scheme", SCHEME, {**content, **window})


def _replace_photo(services: Services, county: Actor, today: date) -> None:
    """Let the known holder's first certificate be superseded by one with a new photo."""
    row = _held(services, county)
    with clock.travelling_to(moment_of(today - timedelta(days=3), 9, 10)):
        holder = _holder(services, row)
        with services.db.transaction(holder.scope) as session:
            correction_id = request_correction(session, holder, row.id, NewCorrection(CorrectionKind.PHOTO, OLD_PHOTO))
    with clock.travelling_to(moment_of(today - timedelta(days=3), 10, 25)):
        with services.db.transaction(county.scope) as session:
            decide_correction(session, county, correction_id, "照片已核对，准予更换。", approve=True)
        drain(services, worker_conninfo(services.settings))


def _suspend_by_mistake(services: Services, county: Actor, today: date) -> None:
    """Let the county suspend the known holder, be objected to, and take it back."""
    row = _held(services, county)
    reason, objection, answer = MISTAKEN
    then = moment_of(today - timedelta(days=3), 15, 40)
    with clock.travelling_to(then), services.db.transaction(county.scope) as session:
        decide(session, county, row.id, Decision.SUSPEND, reason, code="suspend_investigation")
    with clock.travelling_to(moment_of(today - timedelta(days=2), 8, 50)):
        objection_id = _object(services, row, "suspended", objection)
    then = moment_of(today - timedelta(days=2), 16, 30)
    with clock.travelling_to(then), services.db.transaction(county.scope) as session:
        answer_objection(session, county, objection_id, answer, outcome=Outcome.UPHELD)
        decide(session, county, row.id, Decision.REINSTATE, answer, code="reinstate_other")


def _held(services: Services, county: Actor) -> _Chosen:
    """Return the certificate in force of the holder who can sign in."""
    number, place = next(where for where, (login, _role) in STAFF_SIGN_INS.items() if login == HOLDER)
    holder = province_of(services).enterprises[number].people[place].person_id
    return _found(services, county, Certificate.person_id == holder, limit=1)[0]


def _chosen(services: Services, county: Actor) -> list[_Chosen]:
    """Return certificates of people who cannot sign in: whoever is shown keeps a valid one."""
    enterprises = province_of(services).enterprises
    known = [enterprises[number].people[place].person_id for number, place in STAFF_SIGN_INS]
    return _found(services, county, Certificate.person_id.not_in(known), limit=len(DECISIONS) + 2)


def _found(services: Services, county: Actor, whose: ColumnElement[bool], limit: int) -> list[_Chosen]:
    with services.db.transaction(county.scope, read_only=True) as session:
        query = select(Certificate.id, Certificate.person_id, Certificate.tenant_id)
        query = query.where(
            Certificate.state == "issued", Certificate.status == "valid", Certificate.origin == "issued", whose
        )
        return [_Chosen(*row) for row in session.execute(query.order_by(Certificate.issued_at).limit(limit))]


def _holder(services: Services, row: _Chosen) -> Actor:
    return person_actor(services, row.person_id, row.tenant_id, "", "")


def _object(services: Services, row: _Chosen, against: str, text: str) -> uuid.UUID:
    """Let the holder object to the step that led to the status."""
    holder = _holder(services, row)
    with services.db.transaction(holder.scope) as session:
        mine = (StatusEvent.certificate_id == row.id, StatusEvent.new_status == against)
        step = session.scalars(select(StatusEvent.id).where(*mine)).one()
        return object_to(session, holder, row.id, step, text)


def _decide_by_two(services: Services, officials: tuple[Actor, Actor], row_id: uuid.UUID, new: NewProposal) -> None:
    """Let the first official propose and the second approve."""
    first, second = officials
    with services.db.transaction(first.scope) as session:
        proposal_id = propose(session, first, row_id, new)
    with services.db.transaction(second.scope) as session:
        decide_proposal(session, second, proposal_id, "材料核实无误，同意。", approve=True)


def _leave_open(services: Services, county: Actor, chosen: list[_Chosen]) -> None:
    """Leave one case of each kind for whoever tries the demo: a proposed ban, an objection, a correction."""
    with services.db.transaction(county.scope) as session:
        new = NewProposal(ProposalKind.BAN, "ban_fraud", "两次考试由他人代考，建议限制取证。")
        propose(session, county, chosen[-1].id, new)
    _object(services, chosen[1], "revoked", OBJECTION)
    holder = _holder(services, chosen[-2])
    with services.db.transaction(holder.scope) as session:
        request_correction(session, holder, chosen[-2].id, NewCorrection(CorrectionKind.PHOTO, OLD_PHOTO))
