"""Comparing a roster with who works here, and taking its good rows over, chunk by chunk."""

from __future__ import annotations

import json
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from enum import StrEnum

from sqlalchemy import ARRAY, Uuid, any_, literal, select, text
from sqlalchemy.orm import Session

from lms.accounts import operations as accounts
from lms.accounts import queries as register
from lms.accounts import rules as base
from lms.accounts.adapters.pinyin import pinyin_key
from lms.accounts.events import EmploymentsStarted
from lms.accounts.models import Employment
from lms.accounts.staff.rules import Candidate, Fault
from lms.core import clock, events, ids
from lms.core.access import Role
from lms.core.services import services_of


class Standing(StrEnum):
    """What a good row means for who works here."""

    NEW = "new"
    UNCHANGED = "unchanged"
    CHANGED = "changed"
    REFUSED = "refused"


@dataclass(frozen=True, slots=True)
class Present:
    """A present employment, as far as a roster may change it."""

    employment_id: uuid.UUID
    post_code: str
    department: str
    phone_masked: str
    phone_sealed: bytes | None
    hired_on: date


@dataclass(frozen=True, slots=True)
class Verdict:
    """One good row beside the register. ``changes`` are the columns that would change."""

    candidate: Candidate
    standing: Standing
    person_id: uuid.UUID | None = None
    present: Present | None = None
    changes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Taken:
    """What one chunk brought."""

    added: int
    changed: int
    refused: tuple[Fault, ...]


# Rows travel as one JSON text: writing arrays costs the client more than reading it costs the server.
FIND_PEOPLE = text(
    "select p.id_number_digest, p.id, p.name"
    " from json_array_elements_text(cast(:digests as json)) as g(digest)"
    " join accounts_person p on p.id_number_digest = decode(g.digest, 'hex')"
)
INSERT_EMPLOYMENTS = text(
    """
    insert into accounts_employment (id, tenant_id, person_id, name, name_pinyin, id_number_masked, id_number_last4,
        post_code, department_name, phone_sealed, phone_masked, hired_on, left_on, region_code,
        industry_code, created_at)
      select g.id, :tenant_id, g.person_id, g.name, g.pinyin, g.masked, g.last4, g.post, g.department,
             decode(g.phone_sealed, 'hex'), g.phone_masked, g.hired_on, null, :region_code, :industry_code, :moment
        from json_to_recordset(cast(:rows as json))
          as g(id uuid, person_id uuid, name text, pinyin text, masked text, last4 text, post text, department text,
               phone_sealed text, phone_masked text, hired_on date)
       order by g.person_id
    on conflict (tenant_id, person_id) where left_on is null do nothing
    returning id, person_id, post_code
    """
)
INSERT_TRAINEES = text(
    "insert into accounts_role_grant (person_id, tenant_id, role, granted_at)"
    " select g.id, :tenant_id, :role, :moment from unnest(cast(:person_ids as uuid[])) as g(id) order by g.id"
    " on conflict do nothing"
)
INSERT_BROUGHT = text(
    "insert into accounts_import_employment (tenant_id, employment_id, import_id)"
    " select :tenant_id, g.id, :import_id from unnest(cast(:ids as uuid[])) as g(id)"
)
UPDATE_EMPLOYMENTS = text(
    """
    update accounts_employment e
       set post_code = g.post, department_name = g.department, phone_sealed = decode(g.phone_sealed, 'hex'),
           phone_masked = g.phone_masked, hired_on = g.hired_on
      from json_to_recordset(cast(:rows as json))
        as g(id uuid, post text, department text, phone_sealed text, phone_masked text, hired_on date)
     where e.tenant_id = :tenant_id and e.id = g.id and e.left_on is null
    """
)


def compare(session: Session, tenant_id: uuid.UUID, candidates: Sequence[Candidate]) -> list[Verdict]:
    """Set good rows beside the register and the present staff; worker scope, two statements.

    A row whose name is not the register's is REFUSED; the register's name goes nowhere.
    """
    digest = services_of(session).vault.digest
    digests = [digest(candidate.id_number, kind=accounts.ID_NUMBER) for candidate in candidates]
    found = session.execute(FIND_PEOPLE, {"digests": json.dumps([one.hex() for one in digests])})
    known = {bytes(row.id_number_digest): (row.id, row.name) for row in found}
    present = _present(session, tenant_id, [person_id for person_id, _name in known.values()]) if known else {}
    return [
        _verdict(session, candidate, known.get(key), present)
        for candidate, key in zip(candidates, digests, strict=True)
    ]


def _present(session: Session, tenant_id: uuid.UUID, person_ids: Sequence[uuid.UUID]) -> dict[uuid.UUID, Present]:
    rows = session.execute(
        select(
            Employment.person_id,
            Employment.id,
            Employment.post_code,
            Employment.department_name,
            Employment.phone_masked,
            Employment.phone_sealed,
            Employment.hired_on,
        ).where(
            Employment.tenant_id == tenant_id,
            Employment.person_id == any_(literal(list(person_ids), ARRAY(Uuid))),
            Employment.left_on.is_(None),
        )
    )
    return {row[0]: Present(*row[1:]) for row in rows}


def _verdict(
    session: Session,
    candidate: Candidate,
    known: tuple[uuid.UUID, str] | None,
    present: Mapping[uuid.UUID, Present],
) -> Verdict:
    if known is None:
        return Verdict(candidate, Standing.NEW)
    person_id, name = known
    if name != candidate.name:
        return Verdict(candidate, Standing.REFUSED)
    found = present.get(person_id)
    if found is None:
        return Verdict(candidate, Standing.NEW, person_id)
    changes = _changes(session, candidate, found)
    return Verdict(candidate, Standing.CHANGED if changes else Standing.UNCHANGED, person_id, found, changes)


def _changes(session: Session, candidate: Candidate, present: Present) -> tuple[str, ...]:
    """Name the columns that differ; what the file leaves empty stays as it is."""
    changed = []
    if candidate.post_code != present.post_code:
        changed.append("post")
    if candidate.department and candidate.department != present.department:
        changed.append("department")
    if candidate.phone and not _same_phone(session, candidate.phone, present):
        changed.append("phone")
    if candidate.hired_on and candidate.hired_on != present.hired_on:
        changed.append("hired_on")
    return tuple(changed)


def _same_phone(session: Session, phone: str, present: Present) -> bool:
    if present.phone_sealed is None or present.phone_masked != base.mask_phone(phone):
        return False
    context = f"{accounts.PHONE}:{present.employment_id}"
    return services_of(session).vault.decrypt(present.phone_sealed, context=context) == phone.encode()


def name_differs(candidate: Candidate) -> Fault:
    """Return the fault of a row whose name is not the register's."""
    return Fault(candidate.row, "name", "name_differs")


def take_over(session: Session, tenant_id: uuid.UUID, import_id: uuid.UUID, candidates: Sequence[Candidate]) -> Taken:
    """Hire and change as the rows say; again with the same rows it changes nothing. Worker scope.

    Compares afresh, since the register may have moved on after the preview: a row that meanwhile
    does not fit is refused, named in the result.
    """
    tenant = register.enterprise(session, tenant_id)
    verdicts = compare(session, tenant_id, candidates)
    refused = [name_differs(v.candidate) for v in verdicts if v.standing is Standing.REFUSED]
    persons, late = _persons(session, [v for v in verdicts if v.standing is Standing.NEW])
    posts_started = _hire(session, tenant, import_id, persons)
    moved = [v for v in verdicts if v.standing is Standing.CHANGED]
    posts_moved = _change(session, tenant_id, moved)
    announce(session, tenant, posts_started, posts_moved)
    return Taken(len(posts_started), len(moved), (*refused, *late))


def announce(
    session: Session, tenant: register.EnterpriseView, posts_started: Sequence[str], posts_moved: Sequence[str]
) -> None:
    """Tell other rooms in which posts people began; ``count`` are new employments only."""
    posts = tuple(sorted({*posts_started, *posts_moved}))
    if posts:
        started = EmploymentsStarted(
            1, tenant.tenant_id, tenant.region_code, tenant.industry_code, posts, len(posts_started)
        )
        events.publish(session, started)


def _persons(session: Session, verdicts: Sequence[Verdict]) -> tuple[list[tuple[uuid.UUID, Candidate]], list[Fault]]:
    """Register those whom nobody knows; a name that another employer gave meanwhile refuses the row."""
    persons = [(v.person_id, v.candidate) for v in verdicts if v.person_id]
    unknown = [v.candidate for v in verdicts if v.person_id is None]
    entries = [accounts.PersonEntry(candidate.name, candidate.id_number) for candidate in unknown]
    late = []
    for candidate, found in zip(unknown, accounts.register_people(session, entries), strict=True):
        if found.person_id is None:
            late.append(name_differs(candidate))
        else:
            persons.append((found.person_id, candidate))
    return persons, late


def _hire(
    session: Session,
    tenant: register.EnterpriseView,
    import_id: uuid.UUID,
    persons: Sequence[tuple[uuid.UUID, Candidate]],
) -> list[str]:
    """Insert employments, trainee roles and their origin; return the posts of those really added."""
    if not persons:
        return []
    moment, today = clock.now(), clock.today()
    rows = [_hired_json(session, person_id, candidate, today) for person_id, candidate in persons]
    added = session.execute(
        INSERT_EMPLOYMENTS,
        {
            "tenant_id": tenant.tenant_id,
            "region_code": tenant.region_code,
            "industry_code": tenant.industry_code,
            "moment": moment,
            "rows": json.dumps(rows, ensure_ascii=False),
        },
    ).all()
    values = {"tenant_id": tenant.tenant_id, "moment": moment, "role": Role.TRAINEE.value}
    session.execute(INSERT_TRAINEES, {**values, "person_ids": [row.person_id for row in added]})
    brought = {"tenant_id": tenant.tenant_id, "import_id": import_id, "ids": [row.id for row in added]}
    session.execute(INSERT_BROUGHT, brought)
    return [row.post_code for row in added]


def _change(session: Session, tenant_id: uuid.UUID, verdicts: Sequence[Verdict]) -> list[str]:
    """Bring present employments to what the rows say; return the posts that people moved to."""
    if not verdicts:
        return []
    rows = [
        _changed_json(session, v.candidate, v.present, phone_changes="phone" in v.changes)
        for v in verdicts
        if v.present
    ]
    session.execute(UPDATE_EMPLOYMENTS, {"tenant_id": tenant_id, "rows": json.dumps(rows, ensure_ascii=False)})
    return [v.candidate.post_code for v in verdicts if "post" in v.changes]


def _hired_json(session: Session, person_id: uuid.UUID, candidate: Candidate, today: date) -> dict[str, object]:
    fresh = ids.new_id()
    sealed = accounts.seal_phone(session, fresh, candidate.phone)
    return {
        "id": str(fresh),
        "person_id": str(person_id),
        "name": candidate.name,
        "pinyin": pinyin_key(candidate.name),
        "masked": base.mask_id_number(candidate.id_number),
        "last4": candidate.id_number[-4:],
        "post": candidate.post_code,
        "department": candidate.department,
        "phone_sealed": sealed.hex() if sealed else None,
        "phone_masked": base.mask_phone(candidate.phone),
        "hired_on": (candidate.hired_on or today).isoformat(),
    }


def _changed_json(
    session: Session, candidate: Candidate, present: Present, *, phone_changes: bool
) -> dict[str, object]:
    sealed = present.phone_sealed
    if phone_changes:
        sealed = accounts.seal_phone(session, present.employment_id, candidate.phone)
    return {
        "id": str(present.employment_id),
        "post": candidate.post_code,
        "department": candidate.department or present.department,
        "phone_sealed": sealed.hex() if sealed else None,
        "phone_masked": base.mask_phone(candidate.phone) if phone_changes else present.phone_masked,
        "hired_on": (candidate.hired_on or present.hired_on).isoformat(),
    }
