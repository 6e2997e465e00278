"""Records of education, practice and papers, entered by officials; each has the person judged again."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import insert, select, update
from sqlalchemy.orm import Session

import lms.courses.api as courses
from certs.errors import CredentialGone, CredentialInvalid
from certs.schemes.models import Credential, Refusal
from certs.schemes.rules import EDUCATION, PAPERS
from lms.core import audit, clock, ids, queue
from lms.core.access import Actor
from lms.core.errors import Forbidden, NotFound

RECONSIDER_TASK = "certs.reconsider"
KINDS = ("education", "practice", "paper")


@dataclass(frozen=True, slots=True)
class NewCredential:
    """What was seen. ``code`` is a level of education or a paper, ``months`` the length of a practice.

    ``document`` says where the paper is found: a file number or its SHA-256.
    """

    kind: str
    code: str
    months: int
    detail: str
    document: str

    def is_right(self) -> bool:
        """Tell whether it can be judged: a known code for education and papers, months for practice."""
        codes: dict[str, Sequence[str]] = {"education": EDUCATION, "paper": PAPERS, "practice": ("",)}
        whole = bool(self.document.strip()) and (self.kind != "practice" or bool(self.detail.strip()))
        right_months = 0 < self.months <= 720 if self.kind == "practice" else self.months == 0
        return self.code in codes.get(self.kind, ()) and right_months and whole


def record_credential(
    session: Session, actor: Actor, enrolment: courses.EnrolmentView, new: NewCredential
) -> uuid.UUID:
    """Enter what an official has seen of a person who learns in the scope; return the record's id.

    Whoever was refused is judged again by a job. Raises CredentialInvalid.
    """
    if actor.person_id is None:
        raise Forbidden
    if not new.is_right():
        raise CredentialInvalid
    credential_id = ids.new_id()
    session.execute(
        insert(Credential).values(
            person_id=enrolment.person_id,
            id=credential_id,
            region_code=enrolment.region_code,
            industry_code=enrolment.industry_code,
            kind=new.kind,
            code=new.code,
            months=new.months,
            detail=new.detail,
            document=new.document,
            recorded_by=actor.person_id,
            recorder_name=f"{actor.tenant_name} {actor.display_name}".strip(),
            recorded_at=clock.now(),
        )
    )
    data = {"kind": new.kind, "code": new.code, "months": new.months, "document": new.document}
    _record(session, actor, "recorded", credential_id, {"person": str(enrolment.person_id), **data})
    queue.enqueue(session, RECONSIDER_TASK, person_id=str(enrolment.person_id))
    return credential_id


def withdraw_credential(session: Session, actor: Actor, credential_id: uuid.UUID) -> uuid.UUID:
    """Take a wrong record back; return whose it was. Issued certificates stay. Raises NotFound, CredentialGone."""
    row = session.scalars(select(Credential).where(Credential.id == credential_id)).first()
    if row is None:
        raise NotFound
    withdrawn = session.execute(
        update(Credential)
        .where(Credential.person_id == row.person_id, Credential.id == row.id, Credential.withdrawn_at.is_(None))
        .values(withdrawn_at=clock.now(), withdrawn_by=actor.person_id)
        .execution_options(synchronize_session=False)
    )
    if not withdrawn.rowcount:  # type: ignore[attr-defined]  # a cursor result: the statement is an UPDATE
        raise CredentialGone
    _record(session, actor, "withdrawn", credential_id, {"person": str(row.person_id)})
    return row.person_id


def credentials_of(session: Session, person_id: uuid.UUID) -> Sequence[Credential]:
    """Return the records of a person within the scope, the newest first, withdrawn ones too."""
    return session.scalars(
        select(Credential).where(Credential.person_id == person_id).order_by(Credential.id.desc())
    ).all()


def refused_attempts(session: Session, person_id: uuid.UUID) -> Sequence[uuid.UUID]:
    """Return the attempts after which a person was refused. Worker scope."""
    return session.scalars(select(Refusal.attempt_id).where(Refusal.person_id == person_id)).all()


def _record(session: Session, actor: Actor, deed: str, credential_id: uuid.UUID, data: dict[str, object]) -> None:
    audit.record(
        session, actor, f"certs.credential.{deed}",
        subject_type="credential", subject_id=credential_id, data=data, tenant_id=actor.tenant_id,
    )  # fmt: skip
