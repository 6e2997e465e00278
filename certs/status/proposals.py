"""What two officials decide: revocations and bans, proposed by one and approved or refused by another."""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from datetime import date

from sqlalchemy import update
from sqlalchemy.dialects.postgresql import insert as upsert
from sqlalchemy.orm import Session

from certs import rules
from certs.access import access_certificate
from certs.errors import (
    BanDateInvalid,
    CaseClosed,
    LowerDepartment,
    NotIssuedYet,
    NotTheProposer,
    OwnProposal,
    ProposalOpen,
    TransitionRefused,
)
from certs.models import Certificate
from certs.rules import Decision, ProposalKind, Status
from certs.status.access import access_case
from certs.status.bans import bar
from certs.status.cases import TELL_TASK, case_columns
from certs.status.models import Proposal, Reason
from certs.status.operations import Grounds, change
from certs.status.reasons import reason_in_force
from lms.core import audit, clock, notify, queue
from lms.core.access import Actor
from lms.core.errors import Forbidden
from lms.core.i18n import lazy_gettext as _


@dataclass(frozen=True, slots=True)
class NewProposal:
    """What is proposed. ``ban_until`` is the last barred day, None for good; only bans have one."""

    kind: ProposalKind
    reason_code: str
    reason: str
    ban_until: date | None = None


def propose(session: Session, actor: Actor, certificate_id: uuid.UUID, new: NewProposal) -> uuid.UUID:
    """Propose a revocation, or a ban of the holder from the certificate's scheme; return the proposal's id.

    Those who may decide are told. Raises NotFound outside the scope, NotIssuedYet,
    TransitionRefused where nothing is left to revoke, BanDateInvalid, ReasonUnknown, ProposalOpen.
    """
    row = access_certificate(session, certificate_id)
    _check_proposable(row, new)
    if actor.person_id is None or actor.tenant_id is None or actor.scope.region_lo is None:
        raise Forbidden
    reason = reason_in_force(session, new.kind, new.reason_code)
    proposal_id: uuid.UUID | None = session.scalar(
        upsert(Proposal)
        .values(
            **case_columns(row),
            kind=new.kind.value,
            reason_code=reason.code,
            reason_version=reason.version,
            reason=new.reason,
            ban_until=new.ban_until,
            state="open",
            proposed_by=actor.person_id,
            proposer_name=actor.display_name,
            department_id=actor.tenant_id,
            department_name=actor.tenant_name,
            department_lo=actor.scope.region_lo,
            department_hi=actor.scope.region_hi,
            proposed_at=clock.now(),
        )
        .on_conflict_do_nothing()
        .returning(Proposal.id)
    )
    if proposal_id is None:
        raise ProposalOpen
    data = {"kind": new.kind.value, "certificate": str(row.id), "reason": new.reason, "reason_code": reason.code}
    _audit(session, actor, "made", (proposal_id, row.tenant_id), data)
    queue.enqueue(session, TELL_TASK, what="proposals", case_id=str(proposal_id))
    return proposal_id


def _check_proposable(row: Certificate, new: NewProposal) -> None:
    if row.state != "issued":
        raise NotIssuedYet
    if new.kind is ProposalKind.REVOKE and rules.next_status(Status(row.status), Decision.REVOKE) is None:
        raise TransitionRefused
    if new.ban_until and new.ban_until <= clock.today():
        raise BanDateInvalid


def decide_proposal(session: Session, actor: Actor, proposal_id: uuid.UUID, reason: str, *, approve: bool) -> None:
    """Approve a proposal, which carries it out, or refuse it. Both officials stand in the record.

    Raises NotFound outside the scope, CaseClosed when it was decided before, OwnProposal for the
    proposer, LowerDepartment for one that does not oversee all that the proposer's does, and
    BanDateInvalid for the approval of a ban whose last day has passed.
    """
    found = access_case(session, Proposal, proposal_id)
    if found.state != "open":
        raise CaseClosed
    if found.proposed_by == actor.person_id:
        raise OwnProposal
    if not rules.oversees((actor.scope.region_lo, actor.scope.region_hi), (found.department_lo, found.department_hi)):
        raise LowerDepartment
    if approve and found.ban_until and found.ban_until < clock.today():
        raise BanDateInvalid(_("建议的限制期限已过，请驳回后重新提出"))
    _close(session, actor, found, "approved" if approve else "refused", reason)
    if approve and found.kind == ProposalKind.REVOKE:
        row = access_certificate(session, found.certificate_id)
        change(session, actor, row, Decision.REVOKE, Grounds(_reason_of(session, found), found.reason, found.id))
    elif approve:
        bar(session, actor, found)
    _tell_proposer(session, found, reason, approve=approve)


def withdraw_proposal(session: Session, actor: Actor, proposal_id: uuid.UUID) -> None:
    """Take one's own open proposal back. Raises NotFound, CaseClosed, NotTheProposer."""
    found = access_case(session, Proposal, proposal_id)
    if found.state != "open":
        raise CaseClosed
    if found.proposed_by != actor.person_id:
        raise NotTheProposer
    _close(session, actor, found, "withdrawn", "")


def _close(session: Session, actor: Actor, found: Proposal, state: str, reason: str) -> None:
    closed = session.execute(
        update(Proposal)
        .where(Proposal.person_id == found.person_id, Proposal.id == found.id, Proposal.state == "open")
        .values(
            state=state,
            decided_by=actor.person_id,
            decider_name=f"{actor.tenant_name} {actor.display_name}".strip(),
            decision_reason=reason,
            decided_at=clock.now(),
        )
        .execution_options(synchronize_session=False)
    )
    if not closed.rowcount:  # type: ignore[attr-defined]  # a cursor result: the statement is an UPDATE
        raise CaseClosed
    data = {"kind": found.kind, "certificate": str(found.certificate_id), "reason": reason}
    _audit(session, actor, state, (found.id, found.tenant_id), data)


def _reason_of(session: Session, found: Proposal) -> Reason:
    return session.get_one(Reason, (found.reason_code, found.reason_version))


def _audit(session: Session, actor: Actor, deed: str, case: tuple[uuid.UUID, uuid.UUID], data: dict[str, str]) -> None:
    case_id, tenant_id = case
    audit.record(
        session, actor, f"certs.proposal.{deed}",
        subject_type="proposal", subject_id=case_id, data=data, tenant_id=tenant_id,
    )  # fmt: skip


def _tell_proposer(session: Session, found: Proposal, reason: str, *, approve: bool) -> None:
    notice = notify.Notice(
        title_zh="您的处理建议已获批准" if approve else "您的处理建议未获批准",
        title_en="Your proposal was approved" if approve else "Your proposal was refused",
        body_zh=f"理由：{reason}",
        body_en=f"Reason: {reason}",
        url=f"/regulator/proposals/{found.id}",
    )
    notify.send(session, found.proposed_by, notice, dedup_key=f"certs.proposal_decided:{found.id}")
