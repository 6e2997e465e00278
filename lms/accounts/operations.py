"""Registering organisations and people, hiring and leaving."""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date

from sqlalchemy import delete, insert, select, text
from sqlalchemy.dialects.postgresql import insert as upsert
from sqlalchemy.orm import Session

from lms.accounts import columns, queries, rules
from lms.accounts.adapters.pinyin import pinyin_key
from lms.accounts.errors import (
    AlreadyEmployed,
    AlreadyRegistered,
    BadCreditCode,
    BadDates,
    BadIdNumber,
    BadName,
    BadPhone,
    NameDiffers,
    UnknownCode,
)
from lms.accounts.events import EmploymentEnded, EmploymentStarted, EnterpriseRegistered
from lms.accounts.models import DepartmentScope, Employment, Post, Region, Tenant, TenantKind
from lms.accounts.sign_in.models import RoleGrant
from lms.accounts.sign_in.roles import grant_role
from lms.core import audit, clock, events, ids
from lms.core.access import Actor, Role
from lms.core.crypto import Vault
from lms.core.errors import NotFound
from lms.core.services import services_of
from lms.core.tenancy import ALL

ID_NUMBER = "id_number"
PHONE = "phone"

PERSON_COLUMNS = ("fresh", "digest", "sealed", "masked", "name", "pinyin", "sex", "birth")


def register_sql(more: Sequence[str] = ()) -> str:
    """Return a WITH clause: ``given`` (PERSON_COLUMNS and ``more``, as texts) and ``registered``, joined by ``n``."""
    return f"""
    with given as materialized (select g.* from {columns.given_sql((*PERSON_COLUMNS, *more))}),
    arrays as (
      select array_agg(cast(fresh as uuid) order by n) as ids, array_agg(decode(digest, 'hex') order by n) as digests,
             array_agg(decode(sealed, 'hex') order by n) as sealed, array_agg(masked order by n) as masked,
             array_agg(name order by n) as names, array_agg(pinyin order by n) as pinyins,
             array_agg(sex order by n) as sexes, array_agg(cast(birth as date) order by n) as births
        from given
    ),
    registered as materialized (
      select r.n, r.person_id, r.is_new, r.name_matches
        from arrays as a, accounts_register_people(
          a.ids, a.digests, a.sealed, a.masked, a.names, a.pinyins, a.sexes, a.births, :moment
        ) with ordinality as r(digest, person_id, is_new, name_matches, n)
    )
    """  # noqa: S608 - names of columns, all written in this room


REGISTER_PEOPLE = text(register_sql() + "select person_id, is_new, name_matches from registered order by n")  # noqa: S608 - as above


FIND_PEOPLE = text(
    "select id_number_digest, id, name from accounts_person where id_number_digest = any(array("
    "select decode(g.digest, 'hex') from json_array_elements_text(cast(:digests as json)) as g(digest)))"
)


@dataclass(frozen=True, slots=True)
class NewEnterprise:
    """What is known of an enterprise or institution when it is registered."""

    name: str
    credit_code: str
    region_code: int
    industry_code: str
    risk_class: str
    size_class: str
    licence_number: str | None = None
    licence_valid_from: date | None = None
    licence_valid_until: date | None = None


@dataclass(frozen=True, slots=True)
class NewEmployment:
    """What an employer says of one it hires. ``hired_on`` is today unless given."""

    name: str
    id_number: str
    post_code: str
    department_name: str = ""
    phone: str = ""
    hired_on: date | None = None


@dataclass(frozen=True, slots=True)
class PersonEntry:
    """One person as given to the register; name and number are right by ``rules``."""

    name: str
    id_number: str


@dataclass(frozen=True, slots=True)
class Registered:
    """What the register answers: no id where it knows the number under another name."""

    person_id: uuid.UUID | None
    is_new: bool
    name_matches: bool


def register_enterprise(
    session: Session, actor: Actor, new: NewEnterprise, *, kind: TenantKind = TenantKind.ENTERPRISE
) -> uuid.UUID:
    """Add an enterprise, institution or association to the register; worker scope.

    Raises BadCreditCode, UnknownCode, AlreadyRegistered.
    """
    values = {
        "industry_code": new.industry_code,
        "risk_class": new.risk_class,
        "size_class": new.size_class,
        "licence_number": new.licence_number,
        "licence_valid_from": new.licence_valid_from,
        "licence_valid_until": new.licence_valid_until,
    }
    tenant_id = _register_tenant(session, actor, kind, new.name, new.credit_code, new.region_code, values)
    if kind == TenantKind.ENTERPRISE:
        announced = EnterpriseRegistered(
            1, tenant_id, new.region_code, new.industry_code, new.risk_class, new.size_class
        )
        events.publish(session, announced)
    return tenant_id


def register_department(
    session: Session,
    actor: Actor,
    *,
    name: str,
    credit_code: str,
    region_code: int,
    industries: Sequence[str] = ALL,
    schemes: Sequence[str] = ALL,
) -> uuid.UUID:
    """Add a department that supervises the subtree of ``region_code`` in its industries and certificate types.

    Worker scope. Raises as ``register_enterprise``.
    """
    tenant_id = _register_tenant(session, actor, TenantKind.DEPARTMENT, name, credit_code, region_code, {})
    region = queries.region(session, region_code)
    session.execute(
        insert(DepartmentScope).values(
            tenant_id=tenant_id,
            region_lo=region.lo,
            region_hi=region.hi,
            industries=list(industries),
            schemes=list(schemes),
        )
    )
    return tenant_id


def _register_tenant(
    session: Session,
    actor: Actor,
    kind: TenantKind,
    name: str,
    credit_code: str,
    region_code: int,
    values: Mapping[str, object],
) -> uuid.UUID:
    code, tenant_id = rules.normalise_credit_code(credit_code), ids.new_id()
    if rules.credit_code_fault(code):
        raise BadCreditCode
    if session.get(Region, region_code) is None:
        raise UnknownCode(value=region_code)
    added = session.execute(
        upsert(Tenant)
        .values(
            id=tenant_id,
            kind=kind.value,
            name=name.strip(),
            credit_code=code,
            region_code=region_code,
            created_at=clock.now(),
            **values,
        )
        .on_conflict_do_nothing(index_elements=["credit_code"])
        .returning(Tenant.id)
    ).first()
    if added is None:
        raise AlreadyRegistered
    audit.record(
        session,
        actor,
        "accounts.tenant.registered",
        subject_type="tenant",
        subject_id=tenant_id,
        tenant_id=tenant_id,
        data={"kind": kind.value, "name": name, "region_code": region_code},
    )
    return tenant_id


def register_people(session: Session, people: Sequence[PersonEntry]) -> list[Registered]:
    """Find or add people set-wise, in their order; worker or tenant scope, one statement.

    Names and numbers must have passed ``rules``. A person of another name is refused without
    telling the register's name or id.
    """
    if not people:
        return []
    given = columns.parameters(PERSON_COLUMNS, person_rows(services_of(session).vault, people))
    rows = session.execute(REGISTER_PEOPLE, {**given, "moment": clock.now()})
    return [Registered(row.person_id, row.is_new, row.name_matches) for row in rows]


def known_people(session: Session, people: Sequence[PersonEntry]) -> list[Registered]:
    """Find people by their numbers, in their order, adding nobody; worker scope, one statement.

    ``is_new`` says that the register does not know the number. A person of another name is told as
    ``register_people`` does.
    """
    digest = services_of(session).vault.digest
    digests = [digest(rules.normalise_id_number(one.id_number), kind=ID_NUMBER) for one in people]
    found = session.execute(FIND_PEOPLE, {"digests": json.dumps([one.hex() for one in digests])})
    known = {bytes(row.id_number_digest): row for row in found}
    answers = []
    for one, key in zip(people, digests, strict=True):
        row = known.get(key)
        matches = row is not None and row.name == rules.normalise_name(one.name)
        answers.append(Registered(row.id if row is not None and matches else None, row is None, matches))
    return answers


def person_rows(vault: Vault, people: Sequence[PersonEntry]) -> Iterator[tuple[str, ...]]:
    """Yield people as PERSON_COLUMNS, each with a fresh id for those whom the register does not know."""
    for fresh, person in zip(map(str, ids.new_ids(len(people))), people, strict=True):
        fact, name = rules.id_facts(person.id_number), rules.normalise_name(person.name)
        yield (
            fresh,
            vault.digest(fact.number, kind=ID_NUMBER).hex(),
            vault.encrypt(fact.number.encode(), context=f"{ID_NUMBER}:{fresh}").hex(),
            rules.mask_id_number(fact.number),
            name,
            pinyin_key(name),
            fact.sex,
            fact.birth_date.isoformat(),
        )


def register_person(session: Session, *, name: str, id_number: str) -> uuid.UUID:
    """Return the person of this id number, added to the register if nobody had it.

    Raises BadName, BadIdNumber, and NameDiffers when the register knows another name.
    """
    if rules.name_fault(name):
        raise BadName
    if rules.id_number_fault(id_number):
        raise BadIdNumber
    found = register_people(session, [PersonEntry(name, id_number)])[0]
    if found.person_id is None:
        raise NameDiffers
    return found.person_id


def employ(session: Session, actor: Actor, tenant_id: uuid.UUID, new: NewEmployment) -> uuid.UUID:
    """Hire a person, who becomes a trainee of the tenant; returns the employment's id.

    Raises BadName, BadIdNumber, BadPhone, BadDates, NameDiffers, UnknownCode, AlreadyEmployed,
    NotFound for a tenant outside the scope.
    """
    phone, hired_on = rules.normalise_phone(new.phone), new.hired_on or clock.today()
    if rules.phone_fault(phone):
        raise BadPhone
    if hired_on > clock.today():
        raise BadDates
    if session.get(Post, new.post_code) is None:
        raise UnknownCode(value=new.post_code)
    tenant = queries.enterprise(session, tenant_id)
    person_id = register_person(session, name=new.name, id_number=new.id_number)
    name, number, employment_id = rules.normalise_name(new.name), rules.normalise_id_number(new.id_number), ids.new_id()
    added = session.execute(
        upsert(Employment)
        .values(
            id=employment_id,
            tenant_id=tenant_id,
            person_id=person_id,
            name=name,
            name_pinyin=pinyin_key(name),
            id_number_masked=rules.mask_id_number(number),
            id_number_last4=number[-4:],
            post_code=new.post_code,
            department_name=new.department_name.strip(),
            phone_sealed=seal_phone(session, employment_id, phone),
            phone_masked=rules.mask_phone(phone),
            hired_on=hired_on,
            left_on=None,
            region_code=tenant.region_code,
            industry_code=tenant.industry_code,
            created_at=clock.now(),
        )
        .on_conflict_do_nothing()
        .returning(Employment.id)
    ).first()
    if added is None:
        raise AlreadyEmployed
    _start_employment(session, actor, tenant, employment_id, person_id, new.post_code)
    return employment_id


def seal_phone(session: Session, employment_id: uuid.UUID | str, phone: str) -> bytes | None:
    """Encrypt a phone number for its employment; nothing for nothing."""
    if not phone:
        return None
    return services_of(session).vault.encrypt(phone.encode(), context=f"{PHONE}:{employment_id}")


def _start_employment(
    session: Session,
    actor: Actor,
    tenant: queries.EnterpriseView,
    employment_id: uuid.UUID,
    person_id: uuid.UUID,
    post_code: str,
) -> None:
    grant_role(session, actor, person_id=person_id, tenant_id=tenant.tenant_id, role=Role.TRAINEE)
    data: dict[str, object] = {"post_code": post_code}
    _audit_employment(session, actor, "accounts.employment.started", tenant.tenant_id, employment_id, data)
    started = EmploymentStarted(
        1, tenant.tenant_id, employment_id, person_id, post_code, tenant.region_code, tenant.industry_code
    )
    events.publish(session, started)


def end_employment(
    session: Session, actor: Actor, tenant_id: uuid.UUID, employment_id: uuid.UUID, *, left_on: date
) -> None:
    """Record that a person has left; every role with the tenant but the trainee's ends.

    Learning and certificates stay with the person, who may still sign in to see them.
    Raises NotFound, BadDates.
    """
    row = _lock_active(session, tenant_id, employment_id)
    if left_on < row.hired_on or left_on > clock.today():
        raise BadDates
    row.left_on = left_on
    session.execute(
        delete(RoleGrant).where(
            RoleGrant.tenant_id == tenant_id,
            RoleGrant.person_id == row.person_id,
            RoleGrant.role != Role.TRAINEE.value,
        )
    )
    data: dict[str, object] = {"left_on": left_on.isoformat()}
    _audit_employment(session, actor, "accounts.employment.ended", tenant_id, employment_id, data)
    ended = EmploymentEnded(
        1, tenant_id, employment_id, row.person_id, row.post_code, row.region_code, row.industry_code
    )
    events.publish(session, ended)


def _lock_active(session: Session, tenant_id: uuid.UUID, employment_id: uuid.UUID) -> Employment:
    mine = (Employment.tenant_id == tenant_id, Employment.id == employment_id, Employment.left_on.is_(None))
    row = session.scalars(select(Employment).where(*mine).with_for_update()).first()
    if row is None:
        raise NotFound
    return row


def _audit_employment(
    session: Session,
    actor: Actor,
    action: str,
    tenant_id: uuid.UUID,
    employment_id: uuid.UUID,
    data: dict[str, object],
) -> None:
    audit.record(
        session, actor, action, subject_type="employment", subject_id=employment_id, tenant_id=tenant_id, data=data
    )
