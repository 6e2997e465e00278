"""What an administrator does with staff and rosters, one function per intention."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

from sqlalchemy import ARRAY, Uuid, any_, literal, select, text, update
from sqlalchemy.orm import Session

from lms.accounts import operations as accounts
from lms.accounts import queries as register
from lms.accounts import rules as base
from lms.accounts.errors import BadPhone, UnknownCode
from lms.accounts.models import Employment, Post
from lms.accounts.sign_in.operations import activated_among, issue_activation_codes
from lms.accounts.staff import importing
from lms.accounts.staff.access import access_employment, tenant_of
from lms.accounts.staff.errors import (
    AlreadyLeft,
    CodesTaken,
    LeavingTooEarly,
    NobodyToActivate,
    ReasonMissing,
)
from lms.accounts.staff.models import ImportedEmployment
from lms.accounts.staff.rosters import ROSTERS
from lms.core import audit, clock
from lms.core.access import Actor
from lms.core.errors import NotFound
from lms.core.imports.access import access_import
from lms.core.imports.errors import ImportNotReady
from lms.core.services import services_of

EXPORT = "staff.export"
MIN_REASON_CHARS = 4
CODES_AT_ONCE = 1_000

SEALED_ID_NUMBER = text("select person_id, sealed from accounts_sealed_id_number(:employment)")


@dataclass(frozen=True, slots=True)
class Handout:
    """One person's fresh activation code, to be handed over; it is stored nowhere."""

    name: str
    id_number_masked: str
    department: str
    code: str


def take_codes(session: Session, actor: Actor, import_id: uuid.UUID) -> list[Handout]:
    """Make the activation codes of those whom an import brought: once.

    Raises NotFound, ImportNotReady, CodesTaken, NobodyToActivate.
    """
    row = access_import(session, actor, ROSTERS, import_id, lock=True)
    if row.codes_taken_at:
        at = clock.local(row.codes_taken_at)
        raise CodesTaken(at=f"{at:%Y-%m-%d %H:%M}", name=row.codes_taken_by_name)
    if row.state != "done":
        raise ImportNotReady
    handouts = _issue(session, actor, import_id=import_id)
    row.codes_taken_at, row.codes_taken_by_name = clock.now(), actor.display_name[:60]
    return handouts


def reissue_codes(
    session: Session,
    actor: Actor,
    *,
    import_id: uuid.UUID | None = None,
    employment_ids: Sequence[uuid.UUID] | None = None,
) -> list[Handout]:
    """Make new codes for present staff who have no account; their older codes are void.

    Of one import, of the chosen, or of all. Raises NotFound, NobodyToActivate.
    """
    if import_id:
        access_import(session, actor, ROSTERS, import_id)
    return _issue(session, actor, import_id=import_id, employment_ids=employment_ids)


def _issue(
    session: Session,
    actor: Actor,
    *,
    import_id: uuid.UUID | None = None,
    employment_ids: Sequence[uuid.UUID] | None = None,
) -> list[Handout]:
    tenant_id = tenant_of(actor)
    mine = (Employment.tenant_id == tenant_id, Employment.left_on.is_(None))
    wanted = employment_ids
    if import_id:
        brought = (ImportedEmployment.tenant_id == tenant_id, ImportedEmployment.import_id == import_id)
        wanted = session.scalars(select(ImportedEmployment.employment_id).where(*brought)).all()
    elif wanted is None:
        wanted = session.scalars(select(Employment.id).where(*mine)).all()
    handouts: list[tuple[str, Handout]] = []
    # In portions by id, so that no plan depends on statistics that a fresh import has outrun.
    for start in range(0, len(wanted), CODES_AT_ONCE):
        handouts += _issue_some(session, actor, tenant_id, wanted[start : start + CODES_AT_ONCE])
    if not handouts:
        raise NobodyToActivate
    return [handout for _key, handout in sorted(handouts, key=lambda pair: pair[0])]


def _issue_some(
    session: Session, actor: Actor, tenant_id: uuid.UUID, employment_ids: Sequence[uuid.UUID]
) -> list[tuple[str, Handout]]:
    """Make codes for those of the chosen who work here and have no account, with their sort keys."""
    rows = session.execute(
        select(
            Employment.person_id,
            Employment.name,
            Employment.name_pinyin,
            Employment.id_number_masked,
            Employment.department_name,
        ).where(
            Employment.tenant_id == tenant_id,
            Employment.id == any_(literal(list(employment_ids), ARRAY(Uuid))),
            Employment.left_on.is_(None),
        )
    ).all()
    active = activated_among(session, [row.person_id for row in rows])
    waiting = [row for row in rows if row.person_id not in active]
    if not waiting:
        return []
    codes = issue_activation_codes(session, actor, tenant_id, [row.person_id for row in waiting])
    return [
        (
            f"{row.department_name}\x00{row.name_pinyin}",
            Handout(row.name, row.id_number_masked, row.department_name, codes[row.person_id]),
        )
        for row in waiting
    ]


def change_employment(
    session: Session, actor: Actor, employment_id: uuid.UUID, *, post_code: str, department: str, phone: str | None
) -> None:
    """Change what somebody does here; ``phone`` None keeps the present one, an empty one deletes it.

    Raises NotFound, AlreadyLeft, UnknownCode, BadPhone.
    """
    row = access_employment(session, actor, employment_id)
    if row.left_on:
        raise AlreadyLeft
    if session.get(Post, post_code) is None:
        raise UnknownCode(value=post_code)
    before = {"post_code": row.post_code, "department": row.department_name}
    values: dict[str, object] = {"post_code": post_code, "department_name": department.strip()}
    if phone is not None:
        number = base.normalise_phone(phone)
        if base.phone_fault(number):
            raise BadPhone
        values |= {
            "phone_sealed": accounts.seal_phone(session, employment_id, number),
            "phone_masked": base.mask_phone(number),
        }
    own = (Employment.tenant_id == row.tenant_id, Employment.id == employment_id)
    session.execute(update(Employment).where(*own).values(**values))
    after = {"post_code": post_code, "department": department, "phone_changed": phone is not None}
    audit.record(
        session,
        actor,
        "accounts.employment.changed",
        subject_type="employment",
        subject_id=employment_id,
        data={"before": before, "after": after},
    )
    if before["post_code"] != post_code:
        importing.announce(session, register.enterprise(session, row.tenant_id), (), (post_code,))


def end_employment(session: Session, actor: Actor, employment_id: uuid.UUID, left_on: date) -> None:
    """Record that somebody has left. Raises NotFound, AlreadyLeft, LeavingTooEarly."""
    row = access_employment(session, actor, employment_id)
    if row.left_on:
        raise AlreadyLeft
    if left_on < row.hired_on or left_on > clock.today():
        raise LeavingTooEarly
    accounts.end_employment(session, actor, row.tenant_id, employment_id, left_on=left_on)


def reveal_id_number(session: Session, actor: Actor, employment_id: uuid.UUID, reason: str) -> str:
    """Return the full id number of one of the present staff, for a stated reason that is audited.

    Raises NotFound, ReasonMissing.
    """
    access_employment(session, actor, employment_id)
    if len(reason.strip()) < MIN_REASON_CHARS:
        raise ReasonMissing
    found = session.execute(SEALED_ID_NUMBER, {"employment": employment_id}).first()
    if found is None:
        raise NotFound
    vault = services_of(session).vault
    number = vault.decrypt(bytes(found.sealed), context=f"{accounts.ID_NUMBER}:{found.person_id}").decode()
    audit.record(
        session,
        actor,
        "accounts.id_number.revealed",
        subject_type="employment",
        subject_id=employment_id,
        data={"reason": reason.strip()[:200]},
    )
    return number
