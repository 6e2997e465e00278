"""Requesting a certificate and marking it issued or failed."""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

import structlog
from sqlalchemy import bindparam, select, text, update
from sqlalchemy.dialects.postgresql import insert as upsert
from sqlalchemy.orm import Session

import exams.api as exams
import lms.accounts.api as accounts
import lms.courses.api as courses
from certs import rules
from certs.events import CertificateIssued
from certs.issue.drawing import Requested
from certs.models import Certificate, NumberEntry, PublicId, Scheme, StatusEvent
from certs.registry.operations import add_issue_leaf, certificate_facts
from certs.rules import Status
from certs.schemes import facts, refusals
from certs.schemes.operations import province_names
from certs.schemes.queries import scheme_in_force
from certs.schemes.rules import Condition, Decision, Requirements, evaluate
from certs.status.bans import ban_in_force, tell_barred
from lms.core import audit, clock, events, ids, notify, queue
from lms.core.access import Actor
from lms.core.db import add_row
from lms.core.errors import Conflict
from lms.core.prepared import Prepared, sent_together

ISSUE_TASK = "certs.issue"
EVENT_VERSION = 1
PUBLIC_ID_BITS = 80
log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class _Earned:
    """What the certificate is made from: the attempt with its enrolment, the scheme and the decision by it.

    ``on`` is the day from which the certificate is valid: that of the mark, or a later one on which
    the last record was made that the scheme asks for.
    """

    attempt: exams.AttemptView
    enrolment: courses.EnrolmentView
    scheme: Scheme
    on: date
    decision: Decision


_table = Certificate.__table__
# Statements of every issue, put together once.
_ADD = upsert(Certificate.__table__).on_conflict_do_nothing().returning(_table.c.id)  # type: ignore[arg-type]  # a table
_ISSUE = (
    update(Certificate.__table__)  # type: ignore[arg-type]  # as above
    .where(_table.c.person_id == bindparam("mine"), _table.c.id == bindparam("this"), _table.c.state == "requested")
    .values(state="issued", failure="")
    .returning(*_table.c)
)


def request_certificate(
    session: Session,
    actor: Actor,
    *,
    person_id: uuid.UUID,
    attempt_id: uuid.UUID,
    scheme_code: str | None = None,
    queued: bool = True,
) -> uuid.UUID | None:
    """Ask for the certificate that a passed attempt earns; return its id. Unless ``queued``, the caller issues it.

    None when the programme leads to none, or not to the ``scheme_code`` that is asked for, a condition is
    not kept (the refusal is kept and audited), or the person has it already: per person, scheme and
    enrolment (one cycle of the programme) there is one. Worker scope.
    """
    earned = _earned(session, person_id, attempt_id, scheme_code)
    if earned is None or _is_held(session, earned):
        return None
    if not earned.decision.is_eligible:
        _withhold(session, actor, earned)
        return None
    values = {**_identity(session, earned), **_content(session, earned)}
    if session.scalar(_ADD, values) is None:
        return None
    return enter(session, actor, values, queued=queued)


def _earned(session: Session, person_id: uuid.UUID, attempt_id: uuid.UUID, wanted_code: str | None) -> _Earned | None:
    attempt = exams.attempt(session, person_id, attempt_id)
    enrolment = courses.enrolment(session, person_id, attempt.enrolment_id)
    scheme_code = courses.scheme_of(session, enrolment.programme_code, enrolment.programme_version)
    if not scheme_code or wanted_code not in (None, scheme_code):
        return None
    today, on = clock.today(), clock.day_of(attempt.graded_at or clock.now())
    scheme = scheme_in_force(session, scheme_code, on)
    wanted = Requirements.from_data(scheme.rules)
    known = facts.known_of(session, [person_id], scheme.code, today)[person_id]
    employment = None
    if wanted.employed:
        employment = accounts.employment(session, enrolment.tenant_id, enrolment.employment_id)
    hours = facts.hours_if_asked(session, wanted, enrolment)
    found = facts.facts_for(known, enrolment, attempt, employment, hours)
    decision = evaluate((scheme.code, scheme.version), wanted, found, today)
    recorded_on = facts.recorded_day(session, person_id, wanted)
    return _Earned(attempt, enrolment, scheme, max(on, recorded_on or on), decision)


_HELD = Prepared(
    select(Certificate.id).where(
        Certificate.person_id == bindparam("person_id"),
        Certificate.scheme_code == bindparam("scheme_code"),
        Certificate.enrolment_id == bindparam("enrolment_id"),
    )
)


def _is_held(session: Session, earned: _Earned) -> bool:
    mine = earned.enrolment
    return bool(
        _HELD.rows(session, person_id=mine.person_id, scheme_code=earned.scheme.code, enrolment_id=mine.enrolment_id)
    )


def _withhold(session: Session, actor: Actor, earned: _Earned) -> None:
    """Keep the refusal; tell the person, and the audit log, what is missing."""
    decision, attempt = earned.decision, earned.attempt
    refusals.keep(session, decision, earned.enrolment, attempt.attempt_id)
    if Condition.BANNED in decision.failing:
        ban = ban_in_force(session, attempt.person_id, earned.scheme.code, decision.on)
        if ban is not None:
            tell_barred(session, ban, attempt.attempt_id)
    else:
        refusals.tell(session, attempt.person_id, attempt.attempt_id)
    audit.record(
        session,
        actor,
        "certs.certificate.withheld",
        subject_type="attempt",
        subject_id=attempt.attempt_id,
        data={"scheme": earned.scheme.code, "missing": list(decision.failing)},
        tenant_id=attempt.tenant_id,
    )


def _identity(session: Session, earned: _Earned) -> dict[str, Any]:
    scheme, enrolment = earned.scheme, earned.enrolment
    return {
        "person_id": enrolment.person_id,
        "id": ids.new_id(),
        "tenant_id": enrolment.tenant_id,
        "region_code": enrolment.region_code,
        "industry_code": enrolment.industry_code,
        "scheme_code": scheme.code,
        "scheme_version": scheme.version,
        "cycle": enrolment.cycle,
        "enrolment_id": enrolment.enrolment_id,
        "attempt_id": earned.attempt.attempt_id,
        **new_numbers(session, scheme, enrolment.region_code, earned.on),
    }


def new_numbers(session: Session, scheme: Scheme, region_code: int, on: date) -> dict[str, Any]:
    """Return number, public id and place in the status list of a new certificate. Worker scope."""
    serial = int(session.execute(text("select nextval('certs_status_index_seq')")).scalar_one())
    province = province_names().get(str(region_code)[:2], "")
    return {
        "number": rules.certificate_number(scheme.number_pattern, province=province, year=on.year, serial=serial),
        "public_id": ids.public_code(PUBLIC_ID_BITS),
        "status_index": serial,
    }


def _content(session: Session, earned: _Earned) -> dict[str, Any]:
    """Freeze what the certificate will say: later changes of name or enterprise do not alter it."""
    enrolment, scheme = earned.enrolment, earned.scheme
    person = accounts.person_facts(session, enrolment.person_id)
    enterprise = accounts.enterprise(session, enrolment.tenant_id)
    employment = accounts.employment(session, enrolment.tenant_id, enrolment.employment_id)
    province = accounts.region_path(session, enrolment.region_code)[0]
    now = clock.now()
    return {
        "state": "requested",
        "status": Status.VALID.value,
        "failure": "",
        "holder_name": person.name,
        "holder_name_masked": rules.mask_name(person.name),
        "id_number_masked": person.id_number_masked,
        "sex": person.sex,
        "post_code": employment.post_code,
        "post_name": accounts.post_name(session, employment.post_code),
        "industry_name": accounts.industry_name(session, enrolment.industry_code),
        "enterprise_name": enterprise.name,
        "licence_number": enterprise.licence_number or "",
        "licence_valid_until": enterprise.licence_valid_until,
        "issuer_name": rules.issuer_name(scheme.issuer_name, province=province.name),
        "valid_from": earned.on,
        "valid_until": rules.last_valid_day(earned.on, scheme.validity_months),
        "requested_at": now,
        "queued_at": now,
        "decision": earned.decision.to_data(),
    }


def enter(session: Session, actor: Actor, values: dict[str, Any], *, queued: bool = True) -> uuid.UUID:
    """Enter a certificate's numbers, audit that it was asked for, queue its making if ``queued``; return its id."""
    certificate_id: uuid.UUID = values["id"]
    owner = {"person_id": values["person_id"], "certificate_id": certificate_id}
    with sent_together(session):
        add_row(session, NumberEntry, number=values["number"], **owner)
        add_row(session, PublicId, public_id=values["public_id"], **owner)
        audit.record(
            session,
            actor,
            "certs.certificate.requested",
            subject_type="certificate",
            subject_id=certificate_id,
            data={"number": values["number"], "attempt_id": str(values["attempt_id"])},
            tenant_id=values["tenant_id"],
        )
        if queued:
            _queue(session, values["person_id"], certificate_id)
    return certificate_id


def _queue(session: Session, person_id: uuid.UUID, certificate_id: uuid.UUID) -> None:
    queue.enqueue(session, ISSUE_TASK, person_id=str(person_id), certificate_id=str(certificate_id))


def mark_issued(
    session: Session,
    actor: Actor,
    certificate: Requested,
    *,
    pdf_key: str,
    pdf_sha256: bytes,
    issued_at: datetime,
    signer_key_id: str,
) -> bool:
    """Make the stored file the certificate's own; tell whether this call did.

    Of several files that crashed or repeated jobs have made, the first one to come here wins;
    row, leaf, history, notice and announcement stand or fall together.
    """
    made = {"issued_at": issued_at, "pdf_key": pdf_key, "pdf_sha256": pdf_sha256, "signer_key_id": signer_key_id}
    row = session.execute(_ISSUE, {"mine": certificate.person_id, "this": certificate.id, **made}).first()
    if row is None:
        return False
    with sent_together(session):
        event_id = _begin_history(session, row)
        add_issue_leaf(session, certificate_facts(row), event_id, issued_at)
        _announce(session, actor, row)
    return True


def _begin_history(session: Session, row: Any) -> uuid.UUID:
    event_id = ids.new_id()
    add_row(
        session,
        StatusEvent,
        person_id=row.person_id,
        id=event_id,
        certificate_id=row.id,
        tenant_id=row.tenant_id,
        region_code=row.region_code,
        industry_code=row.industry_code,
        scheme_code=row.scheme_code,
        old_status="",
        new_status=row.status,
        reason="",
        actor_id=None,
        actor_name=row.issuer_name,
        at=row.issued_at,
    )
    return event_id


def _announce(session: Session, actor: Actor, row: Any) -> None:
    at = row.issued_at or clock.now()
    audit.record(
        session,
        actor,
        "certs.certificate.issued",
        subject_type="certificate",
        subject_id=row.id,
        data={"number": row.number, "pdf_sha256": (row.pdf_sha256 or b"").hex(), "signer_key_id": row.signer_key_id},
        tenant_id=row.tenant_id,
    )
    issued = CertificateIssued(
        EVENT_VERSION, row.person_id, row.id, row.tenant_id, row.region_code, row.industry_code, row.scheme_code, at
    )
    events.publish(session, issued)
    notice = notify.Notice(
        title_zh="您的证书已签发",
        title_en="Your certificate has been issued",
        body_zh=f"证书编号 {row.number}，有效期至 {row.valid_until:%Y-%m-%d}。",
        body_en=f"Number {row.number}, valid until {row.valid_until:%Y-%m-%d}.",
        url=f"/certificates/{row.id}",
    )
    notify.send(session, row.person_id, notice, dedup_key=f"certs.issued:{row.id}")


def mark_failed(session: Session, actor: Actor, certificate: Requested | Certificate, reason: str) -> bool:
    """Give up on a certificate that cannot be drawn; tell whether this call did. Lists show the reason."""
    failed = session.scalar(
        update(Certificate)
        .where(Certificate.person_id == certificate.person_id, Certificate.id == certificate.id)
        .where(Certificate.state == "requested")
        .values(state="failed", failure=reason[:300])
        .returning(Certificate.id)
        .execution_options(synchronize_session=False)
    )
    if failed is None:
        return False
    audit.record(
        session,
        actor,
        "certs.certificate.failed",
        subject_type="certificate",
        subject_id=certificate.id,
        data={"reason": reason[:300]},
        tenant_id=certificate.tenant_id,
    )
    log.error("certificate_failed", certificate=str(certificate.id))
    return True


def retry_failed(session: Session, actor: Actor, certificate_id: uuid.UUID) -> None:
    """Queue a failed certificate again, after its cause was removed. Worker scope. Raises Conflict."""
    row = session.execute(
        update(Certificate)
        .where(Certificate.id == certificate_id, Certificate.state == "failed")
        .values(state="requested", failure="", queued_at=clock.now())
        .returning(Certificate.person_id, Certificate.tenant_id)
    ).first()
    if row is None:
        raise Conflict
    audit.record(
        session,
        actor,
        "certs.certificate.retried",
        subject_type="certificate",
        subject_id=certificate_id,
        tenant_id=row.tenant_id,
    )
    _queue(session, row.person_id, certificate_id)


def queue_forgotten(session: Session, before: datetime, limit: int = 500) -> int:
    """Queue again what was requested and last queued before the moment; return how many were.

    A job that used up its tries while, say, storage was down leaves a request behind.
    """
    rows = session.execute(
        select(Certificate.person_id, Certificate.id)
        .where(Certificate.state == "requested", Certificate.queued_at < before)
        .order_by(Certificate.queued_at)
        .limit(limit)
        .with_for_update(skip_locked=True)
    ).all()
    for row in rows:
        session.execute(
            update(Certificate)
            .where(Certificate.person_id == row.person_id, Certificate.id == row.id)
            .values(queued_at=clock.now())
        )
        _queue(session, row.person_id, row.id)
    return len(rows)
