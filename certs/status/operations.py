"""Suspending, reinstating and revoking certificates."""

from __future__ import annotations

import uuid
from typing import Any

from sqlalchemy import insert, update
from sqlalchemy.orm import Session

from certs import rules
from certs.access import access_certificate
from certs.errors import NotIssuedYet, TransitionRefused
from certs.events import CertificateStatusChanged
from certs.models import Certificate, StatusEvent
from certs.registry.operations import add_status_leaf
from certs.rules import Decision, Status
from lms.core import audit, clock, events, ids, notify
from lms.core.access import Actor

EVENT_VERSION = 1
_DEEDS = {Decision.SUSPEND: "suspended", Decision.REINSTATE: "reinstated", Decision.REVOKE: "revoked"}
_TITLES = {
    Decision.SUSPEND: ("您的证书已被暂扣", "Your certificate has been suspended"),
    Decision.REINSTATE: ("您的证书已恢复有效", "Your certificate has been reinstated"),
    Decision.REVOKE: ("您的证书已被吊销", "Your certificate has been revoked"),
}


def decide(session: Session, actor: Actor, certificate_id: uuid.UUID, decision: Decision, reason: str) -> Status:
    """Change a certificate's status with a reason; return the new one.

    History, log entry, audit, notice and announcement stand in the same transaction. Raises
    NotFound outside the scope, NotIssuedYet, and TransitionRefused where the present status does
    not allow it, also when somebody else was faster.
    """
    row = access_certificate(session, certificate_id)
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
    event = _event(actor, row, (old, new), reason)
    session.execute(insert(StatusEvent).values(event))
    add_status_leaf(session, event)
    audit.record(
        session,
        actor,
        f"certs.certificate.{_DEEDS[decision]}",
        subject_type="certificate",
        subject_id=row.id,
        data={"number": row.number, "before": old.value, "after": new.value, "reason": reason},
        tenant_id=row.tenant_id,
    )
    _tell(session, row, decision, event)
    return new


def _event(actor: Actor, row: Certificate, step: tuple[Status, Status], reason: str) -> dict[str, Any]:
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
        "reason": reason,
        "actor_id": actor.person_id,
        "actor_name": actor.tenant_name or actor.display_name,
        "at": clock.now(),
    }


def _tell(session: Session, row: Certificate, decision: Decision, event: dict[str, Any]) -> None:
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
        ),
    )
    title_zh, title_en = _TITLES[decision]
    notice = notify.Notice(
        title_zh=title_zh,
        title_en=title_en,
        body_zh=f"证书编号 {row.number}。理由：{event['reason']}",
        body_en=f"Number {row.number}. Reason: {event['reason']}",
        url=f"/certificates/{row.id}",
    )
    notify.send(session, row.person_id, notice, dedup_key=f"certs.status:{event['id']}")
