"""Comparing a roster with who works here, and taking its good rows over, chunk by chunk."""

from __future__ import annotations

import json
import uuid
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date

from sqlalchemy import ARRAY, Uuid, any_, literal, select, text
from sqlalchemy.orm import Session

from lms.accounts import columns
from lms.accounts import operations as accounts
from lms.accounts import queries as register
from lms.accounts import rules as base
from lms.accounts.events import EmploymentsStarted
from lms.accounts.models import Employment
from lms.accounts.staff.models import Import
from lms.accounts.staff.rules import Candidate
from lms.core import clock, events, ids
from lms.core.access import Role
from lms.core.imports import kinds
from lms.core.imports.kinds import Standing, Taken
from lms.core.services import services_of
from lms.core.spreadsheets.cells import Fault


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
class Verdict(kinds.Verdict[Candidate]):
    """One good row beside the register. ``changes`` are the columns that would change."""

    present: Present | None = None
    changes: tuple[str, ...] = ()


EMPLOYMENT_COLUMNS = ("employment", "post", "department", "phone_sealed", "phone_masked", "hired_on")
# One statement brings a chunk: no id has to come back for the next. The last four characters of
# a number are the last of its mask.
HIRE_PEOPLE = text(
    f"""
    {accounts.register_sql(EMPLOYMENT_COLUMNS)},
    hired as (
      insert into accounts_employment (id, tenant_id, person_id, name, name_pinyin, id_number_masked, id_number_last4,
          post_code, department_name, phone_sealed, phone_masked, hired_on, left_on, region_code,
          industry_code, created_at)
        select cast(g.employment as uuid), :tenant_id, r.person_id, g.name, g.pinyin, g.masked, right(g.masked, 4),
               g.post, g.department, decode(g.phone_sealed, 'hex'), g.phone_masked, cast(g.hired_on as date),
               null, :region_code, :industry_code, :moment
          from given g join registered r using (n)
         where r.name_matches
         order by r.person_id
      on conflict (tenant_id, person_id) where left_on is null do nothing
      returning id, person_id, post_code
    ),
    trainees as (
      insert into accounts_role_grant (person_id, tenant_id, role, granted_at)
        select person_id, :tenant_id, :role, :moment from hired order by person_id
      on conflict do nothing
    ),
    brought as (
      insert into accounts_import_employment (tenant_id, employment_id, import_id)
        select :tenant_id, id, :import_id from hired
    )
    select (select json_object_agg(post_code, count) from (select post_code, count(*) from hired group by 1) as p),
           (select json_agg(n) from registered where not name_matches)
    """  # noqa: S608 - names of columns, all written in this room
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


def compare(session: Session, one: Import, candidates: Sequence[Candidate]) -> list[Verdict]:
    """Set good rows beside the register and the present staff; worker scope, two statements.

    A row whose name is not the register's is REFUSED; the register's name goes nowhere.
    """
    digest = services_of(session).vault.digest
    digests = [digest(candidate.id_number, kind=accounts.ID_NUMBER) for candidate in candidates]
    found = session.execute(accounts.FIND_PEOPLE, {"digests": json.dumps([one.hex() for one in digests])})
    known = {bytes(row.id_number_digest): (row.id, row.name) for row in found}
    present = _present(session, one.tenant_id, [person_id for person_id, _name in known.values()]) if known else {}
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
        return Verdict(candidate, Standing.REFUSED, _name_differs(candidate))
    found = present.get(person_id)
    if found is None:
        return Verdict(candidate, Standing.NEW)
    changes = _changes(session, candidate, found)
    return Verdict(candidate, Standing.CHANGED if changes else Standing.UNCHANGED, None, found, changes)


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


def _name_differs(candidate: Candidate) -> Fault:
    return Fault(candidate.row, "name", "name_differs")


def count(verdicts: Sequence[kinds.Verdict[Candidate]]) -> dict[str, int]:
    """Count how many present employments would change."""
    return {"rows_changed": sum(v.standing is Standing.CHANGED for v in verdicts)}


def take(session: Session, one: Import, candidates: Sequence[Candidate]) -> Taken:
    """Hire and change as the rows say; again with the same rows it changes nothing. Worker scope.

    Compares afresh, since the register may have moved on after the preview: a row that meanwhile
    does not fit is refused, named in the result.
    """
    tenant = register.enterprise(session, one.tenant_id)
    verdicts = compare(session, one, candidates)
    refused = [v.fault for v in verdicts if v.fault]
    posts_started, late = _hire(session, tenant, one.id, [v.candidate for v in verdicts if v.standing is Standing.NEW])
    moved = [v for v in verdicts if v.standing is Standing.CHANGED]
    posts_moved = _change(session, one.tenant_id, moved)
    announce(session, tenant, posts_started, posts_moved)
    return Taken({"added": len(posts_started), "changed": len(moved)}, (*refused, *late))


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


def _hire(
    session: Session, tenant: register.EnterpriseView, import_id: uuid.UUID, candidates: Sequence[Candidate]
) -> tuple[list[str], list[Fault]]:
    """Bring those who do not work here: person, employment, trainee's role and origin.

    Returns the posts of those really added, and the faults of rows whose number another employer
    registered meanwhile under another name.
    """
    if not candidates:
        return [], []
    people = [accounts.PersonEntry(candidate.name, candidate.id_number) for candidate in candidates]
    persons = accounts.person_rows(services_of(session).vault, people)
    rows = (a + b for a, b in zip(persons, _employment_rows(session, candidates), strict=True))
    values = {
        **columns.parameters((*accounts.PERSON_COLUMNS, *EMPLOYMENT_COLUMNS), rows),
        "tenant_id": tenant.tenant_id,
        "region_code": tenant.region_code,
        "industry_code": tenant.industry_code,
        "import_id": import_id,
        "role": Role.TRAINEE.value,
        "moment": clock.now(),
    }
    posts, refused = session.execute(HIRE_PEOPLE, values).one()
    return list(Counter(posts or {}).elements()), [_name_differs(candidates[n - 1]) for n in refused or ()]


def _employment_rows(session: Session, candidates: Sequence[Candidate]) -> Iterator[tuple[str | None, ...]]:
    """Yield EMPLOYMENT_COLUMNS."""
    today = clock.today()
    for fresh, candidate in zip(map(str, ids.new_ids(len(candidates))), candidates, strict=True):
        sealed = accounts.seal_phone(session, fresh, candidate.phone)
        yield (
            fresh,
            candidate.post_code,
            candidate.department,
            sealed.hex() if sealed else None,
            base.mask_phone(candidate.phone),
            (candidate.hired_on or today).isoformat(),
        )


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
