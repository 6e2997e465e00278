"""Objections: the holder speaks against a decision, the department answers; both stay on record."""

from __future__ import annotations

import uuid
from datetime import datetime, timedelta

from sqlalchemy import select, update
from sqlalchemy.dialects.postgresql import insert as upsert
from sqlalchemy.orm import Session

import lms.accounts.api as accounts
from certs.access import access_certificate
from certs.errors import AlreadyObjected, CaseClosed, ObjectionTooLate
from certs.models import Certificate, StatusEvent
from certs.rules import OBJECTIONABLE, Outcome
from certs.status.access import access_case
from certs.status.cases import TELL_TASK, case_columns
from certs.status.models import Ban, Objection
from lms.core import audit, clock, notify, queue
from lms.core.access import Actor
from lms.core.errors import NotFound

RULE = "certificate_objection"


def object_to(
    session: Session, actor: Actor, certificate_id: uuid.UUID, subject_id: uuid.UUID, objection: str
) -> uuid.UUID:
    """Object to a decision about one's own certificate, or to a ban; return the objection's id.

    ``subject_id`` is the step of the certificate's history, or the ban. How many days there are is
    the rule ``certificate_objection``: calendar days of the province, that of the decision not
    counted and the last one whole (《行政复议法》(2023) art. 88 by 《民事诉讼法》 art. 85; a last day on a
    holiday does not move on, for the product knows no holidays). Raises NotFound,
    ObjectionTooLate, AlreadyObjected.
    """
    row = access_certificate(session, certificate_id)
    subject, decided_at = _subject(session, row, subject_id)
    days = accounts.rule(session, RULE, region_code=row.region_code).value
    today = clock.today()
    if today > clock.day_of(decided_at) + timedelta(days=days["file_within_days"]):
        raise ObjectionTooLate(days=days["file_within_days"])
    due = today + timedelta(days=days["answer_within_days"])
    objection_id: uuid.UUID | None = session.scalar(
        upsert(Objection)
        .values(
            **case_columns(row),
            subject=subject,
            subject_id=subject_id,
            text=objection,
            state="open",
            filed_at=clock.now(),
            answer_due_on=due,
        )
        .on_conflict_do_nothing()
        .returning(Objection.id)
    )
    if objection_id is None:
        raise AlreadyObjected
    data = {"certificate": str(row.id), "subject": str(subject_id)}
    audit.record(
        session, actor, "certs.objection.filed",
        subject_type="objection", subject_id=objection_id, data=data, tenant_id=row.tenant_id,
    )  # fmt: skip
    queue.enqueue(session, TELL_TASK, what="objections", case_id=str(objection_id))
    return objection_id


def _subject(session: Session, row: Certificate, subject_id: uuid.UUID) -> tuple[str, datetime]:
    step = session.scalars(
        select(StatusEvent).where(
            StatusEvent.id == subject_id,
            StatusEvent.certificate_id == row.id,
            StatusEvent.new_status.in_(OBJECTIONABLE),
        )
    ).first()
    if step is not None:
        return "status", step.at
    ban = session.scalars(select(Ban).where(Ban.id == subject_id, Ban.certificate_id == row.id)).first()
    if ban is None:
        raise NotFound
    return "ban", ban.at


def answer_objection(session: Session, actor: Actor, objection_id: uuid.UUID, answer: str, *, outcome: Outcome) -> None:
    """Answer an objection; the holder is told. Raises NotFound outside the scope, CaseClosed."""
    found = access_case(session, Objection, objection_id)
    closed = session.execute(
        update(Objection)
        .where(Objection.person_id == found.person_id, Objection.id == found.id, Objection.state == "open")
        .values(
            state="answered",
            outcome=outcome.value,
            decided_by=actor.person_id,
            decider_name=actor.tenant_name or actor.display_name,
            decision_reason=answer,
            decided_at=clock.now(),
        )
        .execution_options(synchronize_session=False)
    )
    if not closed.rowcount:  # type: ignore[attr-defined]  # a cursor result: the statement is an UPDATE
        raise CaseClosed
    data = {"certificate": str(found.certificate_id), "outcome": outcome.value}
    audit.record(
        session, actor, "certs.objection.answered",
        subject_type="objection", subject_id=found.id, data=data, tenant_id=found.tenant_id,
    )  # fmt: skip
    notice = notify.Notice(
        title_zh="您的异议已有答复",
        title_en="Your objection has been answered",
        body_zh=f"{'异议成立' if outcome is Outcome.UPHELD else '异议不成立'}。{answer}",
        body_en=f"{'Upheld' if outcome is Outcome.UPHELD else 'Rejected'}. {answer}",
        url=f"/certificates/{found.certificate_id}",
    )
    notify.send(session, found.person_id, notice, dedup_key=f"certs.objection_answered:{found.id}")
