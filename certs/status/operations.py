"""Changing a certificate's status. What one official decides is here, what takes two in ``proposals``."""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from typing import Any

from sqlalchemy import insert, update
from sqlalchemy.orm import Session

from certs import rules
from certs.access import access_certificate
from certs.errors import FourEyesNeeded, NotIssuedYet, TransitionRefused
from certs.events import CertificateStatusChanged
from certs.models import Certificate, StatusEvent
from certs.registry.operations import add_status_leaf
from certs.rules import Decision, Status
from certs.status.models import Reason
from certs.status.reasons import other_reason, reason_in_force
from lms.core import audit, clock, events, ids, notify
from lms.core.access import Actor

EVENT_VERSION = 1
_DEEDS = {
    Decision.SUSPEND: "suspended",
    Decision.REINSTATE: "reinstated",
    Decision.REVOKE: "revoked",
    Decision.CANCEL: "cancelled",
    Decision.SUPERSEDE: "superseded",
}
_TITLES = {
    Decision.SUSPEND: ("您的证书已被暂扣", "Your certificate has been suspended"),
    Decision.REINSTATE: ("您的证书已恢复有效", "Your certificate has been reinstated"),
    Decision.REVOKE: ("您的证书已被吊销", "Your certificate has been revoked"),
    Decision.CANCEL: ("您的证书已注销", "Your certificate has been cancelled"),
    Decision.SUPERSEDE: ("您的证书已换发新证", "Your certificate has been replaced by a new one"),
}


@dataclass(frozen=True, slots=True)
class Grounds:
    """Why something is decided: a coded reason, and what the official writes to it."""

    reason: Reason
    text: str
    proposal_id: uuid.UUID | None = None


def decide(
    session: Session, actor: Actor, certificate_id: uuid.UUID, decision: Decision, reason: str, *, code: str = ""
) -> Status:
    """Suspend, reinstate or cancel a certificate; return the new status.

    ``code`` names the coded reason, by default the catch-all of the decision. Raises NotFound
    outside the scope, ReasonUnknown, FourEyesNeeded for what two officials decide
    (``certs.status.proposals``), and what ``change`` raises.
    """
    if decision not in rules.DECIDED_BY_ONE:
        raise FourEyesNeeded
    row = access_certificate(session, certificate_id)
    grounds = Grounds(reason_in_force(session, decision, code or other_reason(decision)), reason)
    return change(session, actor, row, decision, grounds)


def change(session: Session, actor: Actor, row: Certificate, decision: Decision, grounds: Grounds) -> Status:
    """Lead a certificate to the status that the decision gives; return it.

    History, log entry, audit, notice and announcement stand in the same transaction. Raises
    NotIssuedYet, and TransitionRefused where the present status does not allow it, also when
    somebody else was faster.
    """
    if row.state != "issued":
        raise NotIssuedYet
    old = Status(row.status)
    new = rules.next_status(old, decision)
    if new is None:
        raise TransitionRefused
    changed = session.execute(
        update(Certificate)
        .where(Certificate.person_id == row.person_id, Certificate.id == row.id, Certificate.status == old.value)
        .values(status=new.value)
        .execution_options(synchronize_session=False)
    )
    if not changed.rowcount:  # type: ignore[attr-defined]  # a cursor result: the statement is an UPDATE
        raise TransitionRefused
    event = _event(actor, row, (old, new), grounds)
    session.execute(insert(StatusEvent).values(event))
    add_status_leaf(session, event)
    _audit(session, actor, row, decision, event)
    _announce(session, row, event)
    _tell(session, row, decision, grounds, event)
    return new


def _event(actor: Actor, row: Certificate, step: tuple[Status, Status], grounds: Grounds) -> dict[str, Any]:
    old, new = step
    return {
        "person_id": row.person_id,
        "id": ids.new_id(),
        "certificate_id": row.id,
        "tenant_id": row.tenant_id,
        "region_code": row.region_code,
        "industry_code": row.industry_code,
        "scheme_code": row.scheme_code,
        "old_status": old.value,
        "new_status": new.value,
        "reason": grounds.text,
        "reason_code": grounds.reason.code,
        "reason_version": grounds.reason.version,
        "proposal_id": grounds.proposal_id,
        "actor_id": actor.person_id,
        "actor_name": actor.tenant_name or actor.display_name,
        "at": clock.now(),
    }


def _audit(session: Session, actor: Actor, row: Certificate, decision: Decision, event: dict[str, Any]) -> None:
    audit.record(
        session,
        actor,
        f"certs.certificate.{_DEEDS[decision]}",
        subject_type="certificate",
        subject_id=row.id,
        data={
            "number": row.number,
            "before": event["old_status"],
            "after": event["new_status"],
            "reason": event["reason"],
            "reason_code": event["reason_code"],
            "proposal_id": str(event["proposal_id"] or ""),
        },
        tenant_id=row.tenant_id,
    )


def _announce(session: Session, row: Certificate, event: dict[str, Any]) -> None:
    events.publish(
        session,
        CertificateStatusChanged(
            version=EVENT_VERSION,
            person_id=row.person_id,
            certificate_id=row.id,
            tenant_id=row.tenant_id,
            region_code=row.region_code,
            industry_code=row.industry_code,
            scheme_code=row.scheme_code,
            old_status=event["old_status"],
            new_status=event["new_status"],
            at=event["at"],
            origin=row.origin,
        ),
    )


def _tell(session: Session, row: Certificate, decision: Decision, grounds: Grounds, event: dict[str, Any]) -> None:
    title_zh, title_en = _TITLES[decision]
    reason = grounds.reason
    notice = notify.Notice(
        title_zh=title_zh,
        title_en=title_en,
        body_zh=f"证书编号 {row.number}。{reason.name_zh}（{reason.legal_basis_zh}）。理由：{grounds.text}",
        body_en=f"Number {row.number}. {reason.name_en} ({reason.legal_basis_en}). Reason: {grounds.text}",
        url=f"/certificates/{row.id}",
    )
    notify.send(session, row.person_id, notice, dedup_key=f"certs.status:{event['id']}")
