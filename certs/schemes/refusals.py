"""Refusals: why somebody who passed has no certificate, kept until there is one."""

from __future__ import annotations

import uuid
from typing import Any

from sqlalchemy import select
from sqlalchemy.dialects.postgresql import insert as upsert
from sqlalchemy.orm import Session

import lms.courses.api as courses
from certs.models import Certificate, Scheme
from certs.schemes.models import Refusal
from certs.schemes.rules import Decision
from lms.core import clock, notify


def keep(session: Session, decision: Decision, enrolment: courses.EnrolmentView, attempt_id: uuid.UUID) -> None:
    """Keep a refusal in the place of the person's last one for the scheme. Worker scope."""
    values = {
        "tenant_id": enrolment.tenant_id,
        "region_code": enrolment.region_code,
        "industry_code": enrolment.industry_code,
        "scheme_version": decision.scheme_version,
        "enrolment_id": enrolment.enrolment_id,
        "attempt_id": attempt_id,
        "decision": decision.to_data(),
        "at": clock.now(),
    }
    added = upsert(Refusal).values(person_id=enrolment.person_id, scheme_code=decision.scheme_code, **values)
    session.execute(added.on_conflict_do_update(index_elements=["person_id", "scheme_code"], set_=values))


def tell(session: Session, person_id: uuid.UUID, attempt_id: uuid.UUID) -> None:
    """Tell the person that something is missing, once for each attempt."""
    notice = notify.Notice(
        title_zh="考试已合格，但尚不符合发证条件",
        title_en="You passed, but not every condition for the certificate is met",
        body_zh="请在“证书”页查看还缺什么；补齐后系统会自动发证。",
        body_en="See under Certificates what is missing. Once it is there, the certificate is issued by itself.",
        url="/certificates",
    )
    notify.send(session, person_id, notice, dedup_key=f"certs.withheld:{attempt_id}")


def refused_with_scheme(
    session: Session, person_id: uuid.UUID, attempt_id: uuid.UUID | None = None
) -> list[tuple[Scheme, dict[str, Any]]]:
    """Return a person's refusals within the scope that no certificate has followed, with the version judged by."""
    followed = select(Certificate.id).where(
        Certificate.person_id == Refusal.person_id, Certificate.enrolment_id == Refusal.enrolment_id
    )
    query = (
        select(Scheme, Refusal.decision)
        .join(Refusal, (Refusal.scheme_code == Scheme.code) & (Refusal.scheme_version == Scheme.version))
        .where(Refusal.person_id == person_id, ~followed.exists())
        .order_by(Refusal.scheme_code)
    )
    if attempt_id is not None:
        query = query.where(Refusal.attempt_id == attempt_id)
    return [(scheme, decision) for scheme, decision in session.execute(query)]
