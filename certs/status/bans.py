"""Bans: who gets no certificate of a scheme, until when and why."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from datetime import date

from sqlalchemy import ARRAY, Uuid, any_, insert, literal, select
from sqlalchemy.orm import Session
from sqlalchemy.sql.elements import ColumnElement

from certs.models import Scheme
from certs.status.models import Ban, Proposal, Reason
from lms.core import audit, clock, ids, notify
from lms.core.access import Actor


def bar(session: Session, actor: Actor, proposal: Proposal) -> None:
    """Enter the ban that ``actor`` has just approved; the person is told. The walls ask for that approval."""
    ban_id = ids.new_id()
    session.execute(
        insert(Ban).values(
            person_id=proposal.person_id,
            id=ban_id,
            certificate_id=proposal.certificate_id,
            tenant_id=proposal.tenant_id,
            region_code=proposal.region_code,
            industry_code=proposal.industry_code,
            scheme_code=proposal.scheme_code,
            proposal_id=proposal.id,
            from_on=clock.today(),
            until_on=proposal.ban_until,
            reason_code=proposal.reason_code,
            reason_version=proposal.reason_version,
            reason=proposal.reason,
            actor_id=actor.person_id,
            actor_name=actor.tenant_name or actor.display_name,
            at=clock.now(),
        )
    )
    data = {"proposal": str(proposal.id), "scheme": proposal.scheme_code, "until": str(proposal.ban_until or "")}
    audit.record(
        session, actor, "certs.person.barred",
        subject_type="person", subject_id=proposal.person_id, data=data, tenant_id=proposal.tenant_id,
    )  # fmt: skip
    titles = ("您已被限制取得该类证书", "You have been barred from a type of certificate")
    notice = _notice(session, proposal, proposal.ban_until, titles)
    notify.send(session, proposal.person_id, notice, dedup_key=f"certs.ban:{ban_id}")


def ban_in_force(session: Session, person_id: uuid.UUID, scheme_code: str, on: date) -> Ban | None:
    """Return the ban that keeps a person from a scheme on a day, the longest of several, or None."""
    return _longest(session, Ban.scheme_code == scheme_code, person_id, on)


def banned_among(session: Session, people: Sequence[uuid.UUID], on: date) -> frozenset[tuple[uuid.UUID, str]]:
    """Return who of many is kept from which scheme on a day."""
    if not people:
        return frozenset()
    rows = session.execute(
        select(Ban.person_id, Ban.scheme_code)
        .where(Ban.person_id == any_(literal(list(people), ARRAY(Uuid))), Ban.from_on <= on)
        .where(Ban.until_on.is_(None) | (Ban.until_on >= on))
    )
    return frozenset((person_id, scheme_code) for person_id, scheme_code in rows)


def ban_from_programme(session: Session, person_id: uuid.UUID, programme_code: str, on: date) -> Ban | None:
    """Return the ban that keeps a person from the certificate of a programme on a day, or None."""
    schemes = select(Scheme.code).where(Scheme.programme_code == programme_code)
    return _longest(session, Ban.scheme_code.in_(schemes), person_id, on)


def _longest(session: Session, where: ColumnElement[bool], person_id: uuid.UUID, on: date) -> Ban | None:
    bans = session.scalars(
        select(Ban)
        .where(Ban.person_id == person_id, where, Ban.from_on <= on)
        .where(Ban.until_on.is_(None) | (Ban.until_on >= on))
        .order_by(Ban.until_on.desc().nulls_first())
        .limit(1)
    )
    return bans.first()


def tell_barred(session: Session, ban: Ban, attempt_id: uuid.UUID) -> None:
    """Tell somebody who passed why there is no certificate, once for each attempt."""
    titles = ("因限制期未满，本次未能发证", "No certificate: you are barred from this type")
    notice = _notice(session, ban, ban.until_on, titles)
    notify.send(session, ban.person_id, notice, dedup_key=f"certs.barred:{attempt_id}")


def _notice(session: Session, case: Ban | Proposal, until: date | None, titles: tuple[str, str]) -> notify.Notice:
    law = session.get_one(Reason, (case.reason_code, case.reason_version))
    term_zh = f"至 {until}" if until else "终身"
    return notify.Notice(
        title_zh=titles[0],
        title_en=titles[1],
        body_zh=f"期限：{term_zh}。{law.name_zh}（{law.legal_basis_zh}）。理由：{case.reason}",
        body_en=f"Until: {until or 'for life'}. {law.name_en} ({law.legal_basis_en}). Reason: {case.reason}",
        url=f"/certificates/{case.certificate_id}",
    )
