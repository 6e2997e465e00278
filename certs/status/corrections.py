"""Corrections: a new certificate with the right name, photo or employer takes the old one's place."""

from __future__ import annotations

import uuid
from dataclasses import dataclass, replace
from datetime import date
from typing import Any, Final

from sqlalchemy import select, update
from sqlalchemy.dialects.postgresql import insert as upsert
from sqlalchemy.orm import Session

import lms.accounts.api as accounts
from certs import rules
from certs.access import access_certificate
from certs.errors import (
    CaseClosed,
    CorrectionOpen,
    HolderBarred,
    ImportedElsewhere,
    NotCorrectable,
    NothingToCorrect,
    RevocationProposed,
)
from certs.issue.drawing import Requested
from certs.issue.operations import enter, new_numbers
from certs.models import Certificate, Scheme
from certs.rules import CorrectionKind, Decision, Origin, ProposalKind, Status
from certs.status.access import access_case
from certs.status.bans import ban_in_force
from certs.status.cases import TELL_TASK, case_columns
from certs.status.models import Correction, Proposal
from certs.status.operations import Grounds, change
from certs.status.reasons import other_reason, reason_in_force
from lms.core import audit, clock, ids, notify, queue
from lms.core.access import SYSTEM, Actor
from lms.core.db import add_row
from lms.core.errors import Forbidden
from lms.core.tenancy import ScopeRole

CORRECT_TASK = "certs.correct"
# What a successor does not take over from the certificate that it replaces.
_FRESH: dict[str, Any] = {
    "state": "requested",
    "status": Status.VALID.value,
    "failure": "",
    "issued_at": None,
    "pdf_key": None,
    "pdf_sha256": None,
    "signer_key_id": None,
}
# Why an approved correction came to nothing. What is stored keeps the province's language; notices have both.
_ENDED: Final[dict[type[NotCorrectable], tuple[str, str]]] = {
    NotCorrectable: ("原证书已不是有效状态", "the certificate is no longer in force"),
    HolderBarred: ("持证人已被限制取得该类证书", "the holder has been barred from this type of certificate"),
    RevocationProposed: ("原证书有吊销建议待决定", "the revocation of the certificate has been proposed"),
}


@dataclass(frozen=True, slots=True)
class NewCorrection:
    """What is asked for. Only a change of name has a ``new_name``; ``note`` says why, for the department."""

    kind: CorrectionKind
    note: str
    new_name: str = ""


def request_correction(session: Session, actor: Actor, certificate_id: uuid.UUID, new: NewCorrection) -> uuid.UUID:
    """Ask for a correction, as the holder or as the present employer; return the request's id.

    A change of employer is to the organisation that the actor acts for. Raises NotFound outside
    the scope, ImportedElsewhere, NotCorrectable, NothingToCorrect, CorrectionOpen.
    """
    row = access_certificate(session, certificate_id)
    if row.origin != Origin.ISSUED:
        raise ImportedElsewhere
    if not is_correctable(row, clock.today()):
        raise NotCorrectable
    if actor.person_id is None:
        raise Forbidden
    by_employer = actor.scope.role is ScopeRole.TENANT
    correction_id: uuid.UUID | None = session.scalar(
        upsert(Correction)
        .values(
            **case_columns(row),
            kind=new.kind.value,
            new_name=_new_name(row, new),
            employer_id=_new_employer(session, actor, row) if new.kind is CorrectionKind.EMPLOYER else None,
            note=new.note,
            state="open",
            requested_by=actor.person_id,
            requester_name=f"{actor.tenant_name} {actor.display_name}".strip() if by_employer else row.holder_name,
            requester_tenant_id=actor.tenant_id if by_employer else None,
            requested_at=clock.now(),
        )
        .on_conflict_do_nothing()
        .returning(Correction.id)
    )
    if correction_id is None:
        raise CorrectionOpen
    _audit(session, actor, "requested", (correction_id, row.tenant_id), {"certificate": str(row.id), "kind": new.kind})
    queue.enqueue(session, TELL_TASK, what="corrections", case_id=str(correction_id))
    return correction_id


def is_correctable(row: Certificate, today: date) -> bool:
    """Tell whether a certificate is in force or will be."""
    shown = rules.shown_status(Status(row.status), row.valid_from, row.valid_until, today, window_days=0)
    return row.state == "issued" and shown in rules.CORRECTABLE


def _check_correctable(session: Session, row: Certificate) -> None:
    """Raise what keeps a certificate from having a successor now: NotCorrectable or one of its kinds.

    Region scope over the certificate, or worker scope.
    """
    today = clock.today()
    if not is_correctable(row, today):
        raise NotCorrectable
    if ban_in_force(session, row.person_id, row.scheme_code, today):
        raise HolderBarred
    about = (Proposal.person_id == row.person_id, Proposal.certificate_id == row.id)
    revocation = select(Proposal.id).where(*about, Proposal.kind == ProposalKind.REVOKE, Proposal.state == "open")
    if session.scalar(revocation):
        raise RevocationProposed


def _new_name(row: Certificate, new: NewCorrection) -> str:
    if new.kind is not CorrectionKind.NAME:
        return ""
    name = new.new_name.strip()
    if not name or name == row.holder_name:
        raise NothingToCorrect
    return name


def _new_employer(session: Session, actor: Actor, row: Certificate) -> uuid.UUID:
    if actor.tenant_id is None:
        raise Forbidden
    accounts.active_employment(session, row.person_id, actor.tenant_id)
    enterprise = accounts.enterprise(session, actor.tenant_id)
    if enterprise.tenant_id == row.tenant_id and enterprise.name == row.enterprise_name:
        raise NothingToCorrect
    return actor.tenant_id


def decide_correction(session: Session, actor: Actor, correction_id: uuid.UUID, reason: str, *, approve: bool) -> None:
    """Approve a correction, which has the successor made, or refuse it.

    Raises NotFound, CaseClosed; on approval also NotCorrectable, HolderBarred, RevocationProposed.
    """
    found = access_case(session, Correction, correction_id)
    if approve and found.state == "open":
        _check_correctable(session, access_certificate(session, found.certificate_id))
    state = "approved" if approve else "refused"
    closed = session.execute(
        update(Correction)
        .where(Correction.person_id == found.person_id, Correction.id == found.id, Correction.state == "open")
        .values(
            state=state,
            decided_by=actor.person_id,
            decider_name=actor.tenant_name or actor.display_name,
            decision_reason=reason,
            decided_at=clock.now(),
        )
        .execution_options(synchronize_session=False)
    )
    if not closed.rowcount:  # type: ignore[attr-defined]  # a cursor result: the statement is an UPDATE
        raise CaseClosed
    data = {"certificate": str(found.certificate_id), "kind": found.kind, "reason": reason}
    _audit(session, actor, state, (found.id, found.tenant_id), data)
    notice = notify.Notice(
        title_zh="证书更正申请已获批准" if approve else "证书更正申请未获批准",
        title_en="The correction of a certificate was approved" if approve else "The correction was refused",
        body_zh=f"理由：{reason}",
        body_en=f"Reason: {reason}",
    )
    _tell(session, found, notice, "certs.correction")
    if approve:
        queue.enqueue(session, CORRECT_TASK, correction_id=str(found.id))


def _tell(session: Session, found: Correction, notice: notify.Notice, key: str) -> None:
    for person_id, page in (
        (found.person_id, f"/certificates/{found.certificate_id}"),
        (found.requested_by, f"/tenant/certificates/{found.certificate_id}"),
    ):
        # The holder who asked gets one notice: the second has the key of the first.
        notify.send(session, person_id, replace(notice, url=page), dedup_key=f"{key}:{found.id}")


def begin(session: Session, correction_id: uuid.UUID) -> tuple[uuid.UUID, uuid.UUID] | None:
    """Enter the successor of an approved correction; return its person and id, None when there is nothing to do.

    Where the certificate may not have one any more, the correction ends without. The caller issues
    the successor. Worker scope; a second call finds the successor that the first has entered.
    """
    found = session.scalars(select(Correction).where(Correction.id == correction_id).with_for_update()).one()
    if found.state != "approved":
        return None
    if found.successor_id is None:
        old = access_certificate(session, found.certificate_id)
        try:
            _check_correctable(session, old)
        except NotCorrectable as refusal:
            _end(session, found, refusal)
            return None
        values = _successor(session, found, old)
        add_row(session, Certificate, **values)
        found.successor_id = enter(session, SYSTEM, values, queued=False)
    return found.person_id, found.successor_id


def _end(session: Session, found: Correction, refusal: NotCorrectable) -> None:
    """End an approved correction without a successor; the decision stays on record beside the reason."""
    why_zh, why_en = _ENDED[type(refusal)]
    ended = f"{why_zh}，未签发新证书"
    found.state, found.decision_reason = "refused", f"{found.decision_reason}（批准后终止：{ended}）"
    data = {"certificate": str(found.certificate_id), "reason": ended}
    _audit(session, SYSTEM, "ended", (found.id, found.tenant_id), data)
    notice = notify.Notice(
        title_zh="证书更正已终止",
        title_en="The correction of a certificate has ended",
        body_zh=f"{ended}。",
        body_en=f"No new certificate is issued: {why_en}.",
    )
    _tell(session, found, notice, "certs.correction_ended")


def _successor(session: Session, found: Correction, old: Certificate) -> dict[str, Any]:
    """Return the new certificate: everything as it was, but for its numbers and what is corrected."""
    now = clock.now()
    values = {column.key: getattr(old, column.key) for column in Certificate.__table__.columns}
    # It was earned by no other exam: the correction stands where the others name theirs, by which ``succeed`` knows it.
    earned = {"enrolment_id": found.id, "attempt_id": found.id}
    values |= {**_FRESH, **earned, "id": ids.new_id(), "requested_at": now, "queued_at": now}
    if found.kind == CorrectionKind.NAME:
        values |= {"holder_name": found.new_name, "holder_name_masked": rules.mask_name(found.new_name)}
    elif found.employer_id is not None:
        values |= _employer(session, found.employer_id)
    scheme = session.get_one(Scheme, (old.scheme_code, old.scheme_version))
    today = clock.today()
    return values | new_numbers(session, scheme, values["region_code"], today)


def _employer(session: Session, tenant_id: uuid.UUID) -> dict[str, Any]:
    enterprise = accounts.enterprise(session, tenant_id)
    values: dict[str, Any] = {
        "tenant_id": tenant_id,
        "region_code": enterprise.region_code,
        "enterprise_name": enterprise.name,
        "licence_number": enterprise.licence_number or "",
        "licence_valid_until": enterprise.licence_valid_until,
    }
    if enterprise.industry_code:
        name = accounts.industry_name(session, enterprise.industry_code)
        values |= {"industry_code": enterprise.industry_code, "industry_name": name}
    return values


def succeed(session: Session, issued: Requested) -> None:
    """Finish the correction whose successor has just been issued, if the certificate is one. Worker scope.

    In the transaction of the issue: at no moment are both in force, nor a successor whose
    certificate was revoked meanwhile.
    """
    if issued.enrolment_id == issued.attempt_id:
        finish(session, issued.enrolment_id)


def finish(session: Session, correction_id: uuid.UUID) -> bool:
    """Supersede the old certificate once its successor is issued; tell whether the correction is done. Worker scope.

    Where the old one was revoked or suspended meanwhile, the successor must not outlive it and is cancelled.
    """
    found = session.scalars(select(Correction).where(Correction.id == correction_id).with_for_update()).one()
    if found.state != "approved" or found.successor_id is None:
        return found.state == "done"
    successor = access_certificate(session, found.successor_id)
    if successor.state != "issued":
        return False
    # Locked, so that no decision about it comes in between.
    old = session.scalars(select(Certificate).where(Certificate.id == found.certificate_id).with_for_update()).one()
    decider = replace(SYSTEM, tenant_name=found.decider_name or "")
    if old.status == Status.VALID:
        reason = reason_in_force(session, Decision.SUPERSEDE, f"supersede_{found.kind}")
        change(session, decider, old, Decision.SUPERSEDE, Grounds(reason, found.note))
    else:
        reason = reason_in_force(session, Decision.CANCEL, other_reason(Decision.CANCEL))
        change(session, decider, successor, Decision.CANCEL, Grounds(reason, f"{old.number}: {old.status}"))
    found.state, found.finished_at = "done", clock.now()
    data = {"certificate": str(old.id), "successor": successor.number}
    _audit(session, SYSTEM, "finished", (found.id, found.tenant_id), data)
    return True


def unfinished(session: Session, limit: int = 200) -> list[uuid.UUID]:
    """Return approved corrections that can go on now, the oldest first. Worker scope."""
    issued = select(Certificate.id).where(Certificate.id == Correction.successor_id, Certificate.state == "issued")
    query = select(Correction.id).where(Correction.state == "approved")
    query = query.where(Correction.successor_id.is_(None) | issued.exists())
    return list(session.scalars(query.order_by(Correction.decided_at).limit(limit)))


def _audit(session: Session, actor: Actor, deed: str, case: tuple[uuid.UUID, uuid.UUID], data: dict[str, str]) -> None:
    case_id, tenant_id = case
    audit.record(
        session, actor, f"certs.correction.{deed}",
        subject_type="correction", subject_id=case_id, data=data, tenant_id=tenant_id,
    )  # fmt: skip
