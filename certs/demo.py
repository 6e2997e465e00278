"""The demo's decisions about certificates, and the public log with all of them in it."""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from datetime import timedelta

from sqlalchemy import select

from certs.models import Certificate, StatusEvent
from certs.registry.operations import sequence_all
from certs.rules import Decision, ProposalKind
from certs.status.objections import object_to
from certs.status.operations import decide
from certs.status.proposals import NewProposal, decide_proposal, propose
from lms.accounts.demo import STAFF_SIGN_INS, measured, moment_of, province_of
from lms.core import clock
from lms.core.access import Actor, Role
from lms.core.bootstrap import worker_conninfo
from lms.core.services import Services
from lms.core.tenancy import Scope, ScopeRole
from lms.core.worker import drain

DECISIONS = (
    (Decision.SUSPEND, "suspend_unsafe_act", "现场检查发现持证人未按规定执行有限空间作业审批，暂扣证书并责令整改。"),
    (Decision.REVOKE, "revoke_fraud", "经核实考试当日由他人代为签到，考核成绩无效。"),
    (Decision.SUSPEND, "suspend_investigation", "企业停产整顿期间暂停证书使用。"),
    (Decision.REVOKE, "revoke_accident", "隐瞒事故情况，被依法撤销任职资格。"),
)
OBJECTION = "考试当日本人全程在场，签到记录可调取监控核实，请求复核。"


@dataclass(frozen=True, slots=True)
class _Chosen:
    """A certificate that something is decided about."""

    id: uuid.UUID
    person_id: uuid.UUID
    tenant_id: uuid.UUID


def make(services: Services) -> None:
    """Let county and city decide about a few certificates, then number and sign the log."""
    officials = province_of(services).officials
    county, city = officials["county"], officials["city"]
    today = clock.today(services.settings.timezone)
    with measured("decisions and the certificates' log"):
        chosen = _chosen(services, county)
        for place, (row, (decision, code, reason)) in enumerate(zip(chosen, DECISIONS, strict=False)):
            moment = moment_of(services, today - timedelta(days=1), 20, 10 + place)
            with clock.travelling_to(moment):
                if decision is Decision.REVOKE:
                    _decide_by_two(services, (county, city), row.id, NewProposal(ProposalKind.REVOKE, code, reason))
                    continue
                with services.db.transaction(county.scope) as session:
                    decide(session, county, row.id, decision, reason, code=code)
        with clock.travelling_to(moment_of(services, today - timedelta(days=1), 21, 0)):
            _leave_open(services, county, chosen)
        drain(services, worker_conninfo(services.settings))
        sequence_all(services)


def _chosen(services: Services, county: Actor) -> list[_Chosen]:
    """Return certificate, person and enterprise of those who are decided about: whoever is shown keeps a valid one."""
    enterprises = province_of(services).enterprises
    known = [enterprises[number].people[place].person_id for number, place in STAFF_SIGN_INS]
    with services.db.transaction(county.scope, read_only=True) as session:
        query = select(Certificate.id, Certificate.person_id, Certificate.tenant_id)
        query = query.where(Certificate.state == "issued", Certificate.person_id.not_in(known))
        found = session.execute(query.order_by(Certificate.issued_at).limit(len(DECISIONS) + 1))
        return [_Chosen(*row) for row in found]


def _decide_by_two(services: Services, officials: tuple[Actor, Actor], row_id: uuid.UUID, new: NewProposal) -> None:
    """Let the first official propose and the second approve."""
    first, second = officials
    with services.db.transaction(first.scope) as session:
        proposal_id = propose(session, first, row_id, new)
    with services.db.transaction(second.scope) as session:
        decide_proposal(session, second, proposal_id, "材料核实无误，同意。", approve=True)


def _leave_open(services: Services, county: Actor, chosen: list[_Chosen]) -> None:
    """Leave a proposed ban and an objection for whoever tries the demo."""
    if len(chosen) <= len(DECISIONS):
        return
    with services.db.transaction(county.scope) as session:
        new = NewProposal(ProposalKind.BAN, "ban_fraud", "两次考试由他人代考，建议限制取证。")
        propose(session, county, chosen[-1].id, new)
    revoked = chosen[1]
    scope = Scope(ScopeRole.PERSON, person_id=revoked.person_id, tenant_id=revoked.tenant_id)
    holder = Actor(revoked.person_id, Role.TRAINEE, revoked.tenant_id, "", "", frozenset(), scope)
    with services.db.transaction(scope) as session:
        mine = (StatusEvent.certificate_id == revoked.id, StatusEvent.new_status == "revoked")
        step = session.scalars(select(StatusEvent.id).where(*mine)).one()
        object_to(session, holder, revoked.id, step, OBJECTION)
