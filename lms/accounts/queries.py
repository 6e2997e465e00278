"""Reading the register: regions, organisations, posts, who works where."""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

from sqlalchemy import BindParameter, Select, bindparam, func, select
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Session

from lms.accounts import models
from lms.accounts.errors import RuleMissing
from lms.accounts.models import DepartmentScope, Employment, Industry, Person, Post, Tenant
from lms.accounts.sign_in.models import RoleGrant
from lms.core import clock
from lms.core.access import Role
from lms.core.errors import NotFound
from lms.core.prepared import Prepared
from lms.core.remembered import Remembered, find

SPAN = {"province": 10_000, "city": 100, "county": 1}
"""How many GB/T 2260 codes a division of each level covers, counted from its own."""
WHOLE_COUNTRY = 0


@dataclass(frozen=True, slots=True)
class Region:
    """A division with its code range: ``lo`` inclusive, ``hi`` exclusive."""

    code: int
    name: str
    level: str
    parent_code: int | None
    lo: int
    hi: int


@dataclass(frozen=True, slots=True)
class Rule:
    """The version of a rule in force on a day in a region."""

    code: str
    region_code: int
    version: int
    effective_from: date
    legal_basis: str
    value: dict[str, Any]


@dataclass(frozen=True, slots=True)
class PostView:
    """A post with its names."""

    code: str
    name_zh: str
    name_en: str
    high_risk: bool


@dataclass(frozen=True, slots=True)
class EnterpriseView:
    """An organisation as others see it. Only enterprises are sure to have classes and industry."""

    tenant_id: uuid.UUID
    name: str
    credit_code: str
    kind: str
    region_code: int
    industry_code: str | None
    risk_class: str | None
    size_class: str | None
    licence_number: str | None
    licence_valid_from: date | None
    licence_valid_until: date | None


@dataclass(frozen=True, slots=True)
class EmploymentView:
    """A person's time with an organisation; ``left_on`` None while it lasts."""

    employment_id: uuid.UUID
    tenant_id: uuid.UUID
    person_id: uuid.UUID
    name: str
    id_number_masked: str
    post_code: str
    department_name: str
    region_code: int
    industry_code: str | None
    hired_on: date
    left_on: date | None


@dataclass(frozen=True, slots=True)
class PersonFacts:
    """What the register says of a person, to the worker or to the person."""

    person_id: uuid.UUID
    name: str
    id_number_masked: str
    sex: str


def _region(row: models.Region) -> Region:
    return Region(row.code, row.name, row.level, row.parent_code, row.code, row.code + SPAN[row.level])


def _all_regions(session: Session) -> dict[int, Region]:
    return {row.code: _region(row) for row in session.scalars(select(models.Region))}


def _all_posts(session: Session) -> dict[str, PostView]:
    return {post.code: post for post in posts(session)}


def _all_industries(session: Session) -> dict[str, tuple[str, str]]:
    rows = session.execute(select(Industry.code, Industry.name_zh, Industry.name_en))
    return {code: (name_zh, name_en) for code, name_zh, name_en in rows}


# The classifications change with a release, and an issue names seven of their entries.
_REGIONS = Remembered(_all_regions)
_POSTS = Remembered(_all_posts)
_INDUSTRIES = Remembered(_all_industries)


def region(session: Session, code: int) -> Region:
    """Return the division of GB/T 2260 code ``code``. Raises NotFound."""
    found = find(_REGIONS, session, code)
    if found is None:
        raise NotFound
    return found


def regions_under(session: Session, lo: int, hi: int, level: str) -> list[Region]:
    """Return the divisions of ``level`` with codes in [lo, hi), by code."""
    inside = (models.Region.code >= lo, models.Region.code < hi, models.Region.level == level)
    return [_region(row) for row in session.scalars(select(models.Region).where(*inside).order_by(models.Region.code))]


def region_path(session: Session, code: int) -> tuple[Region, ...]:
    """Return the divisions from the province down to ``code``. Raises NotFound."""
    path = [region(session, code)]
    while (parent := path[0].parent_code) is not None:
        path.insert(0, region(session, parent))
    return tuple(path)


def rule(session: Session, code: str, *, region_code: int = WHOLE_COUNTRY, on: date | None = None) -> Rule:
    """Return the rule in force ``on`` a day (today) in a region: the nearest division's goes first.

    Raises RuleMissing when no version is in force.
    """
    day = on or clock.today()
    places = {WHOLE_COUNTRY, region_code, region_code // 100 * 100, region_code // 10_000 * 10_000}
    found = session.scalars(
        select(models.Rule)
        .where(models.Rule.code == code, models.Rule.region_code.in_(places), models.Rule.effective_from <= day)
        .order_by(models.Rule.region_code.desc(), models.Rule.effective_from.desc(), models.Rule.version.desc())
        .limit(1)
    ).first()
    if found is None:
        raise RuleMissing(rule=code)
    return Rule(found.code, found.region_code, found.version, found.effective_from, found.legal_basis, found.value)


def posts(session: Session) -> list[PostView]:
    """Return all posts in the order of their Chinese names."""
    rows = session.scalars(select(Post).order_by(Post.name_zh))
    return [PostView(row.code, row.name_zh, row.name_en, row.high_risk) for row in rows]


def post_name(session: Session, post_code: str, english: bool = False) -> str:  # noqa: FBT001, FBT002 - agreed door
    """Return a post's name; an unknown code is returned as it is."""
    found = find(_POSTS, session, post_code)
    if found is None:
        return post_code
    return found.name_en if english else found.name_zh


def industry_name(session: Session, code: str | None, english: bool = False) -> str:  # noqa: FBT001, FBT002 - as above
    """Return the name of a section or division of GB/T 4754; an unknown code as it is."""
    names = find(_INDUSTRIES, session, code) if code else None
    if names is None:
        return code or ""
    return names[1] if english else names[0]


def industries(session: Session) -> list[tuple[str, str, str]]:
    """Return (code, Chinese, English) of all two-digit divisions, by code."""
    rows = session.scalars(select(Industry).where(Industry.parent_code.is_not(None)).order_by(Industry.code))
    return [(row.code, row.name_zh, row.name_en) for row in rows]


def _enterprise(row: Any) -> EnterpriseView:
    return EnterpriseView(
        tenant_id=row.id,
        name=row.name,
        credit_code=row.credit_code,
        kind=row.kind,
        region_code=row.region_code,
        industry_code=row.industry_code,
        risk_class=row.risk_class,
        size_class=row.size_class,
        licence_number=row.licence_number,
        licence_valid_from=row.licence_valid_from,
        licence_valid_until=row.licence_valid_until,
    )


_ENTERPRISE = Prepared(select(*Tenant.__table__.c).where(Tenant.id == bindparam("tenant_id")))


def enterprise(session: Session, tenant_id: uuid.UUID) -> EnterpriseView:
    """Return an organisation of any kind. Raises NotFound outside the scope."""
    rows = _ENTERPRISE.rows(session, tenant_id=tenant_id)
    if not rows:
        raise NotFound
    return _enterprise(rows[0])


def enterprises(session: Session, tenant_ids: Iterable[uuid.UUID]) -> dict[uuid.UUID, EnterpriseView]:
    """Return those of the organisations that the scope lets through, by id."""
    rows = session.scalars(select(Tenant).where(Tenant.id.in_(list(tenant_ids))))
    return {row.id: _enterprise(row) for row in rows}


def employment_view(row: Any) -> EmploymentView:
    """Return what others may know of an employment, a whole row or one with the columns of ``_EMPLOYMENT``."""
    return EmploymentView(
        employment_id=row.id,
        tenant_id=row.tenant_id,
        person_id=row.person_id,
        name=row.name,
        id_number_masked=row.id_number_masked,
        post_code=row.post_code,
        department_name=row.department_name,
        region_code=row.region_code,
        industry_code=row.industry_code,
        hired_on=row.hired_on,
        left_on=row.left_on,
    )


def active_employment(session: Session, person_id: uuid.UUID, tenant_id: uuid.UUID) -> EmploymentView:
    """Return the person's present employment with the tenant. Raises NotFound."""
    row = session.scalars(
        select(Employment).where(
            Employment.tenant_id == tenant_id,
            Employment.person_id == person_id,
            Employment.left_on.is_(None),
        )
    ).first()
    if row is None:
        raise NotFound
    return employment_view(row)


@dataclass(frozen=True, slots=True)
class Workplace:
    """Where a person works now, as a page's head says it."""

    tenant_name: str
    risk_class: str
    department: str


def workplace_of(person_id: BindParameter[uuid.UUID], tenant_id: BindParameter[uuid.UUID]) -> Select[Any]:
    """Return the query for where a person works now, for use within another statement.

    It answers one array with the fields of ``Workplace``, or nothing for whoever does not work there.
    """
    fields = (Tenant.name, func.coalesce(Tenant.risk_class, ""), func.coalesce(Employment.department_name, ""))
    return (
        select(func.jsonb_build_array(*fields, type_=JSONB))
        .join_from(Employment, Tenant, Employment.tenant_id == Tenant.id)
        .where(Employment.tenant_id == tenant_id, Employment.person_id == person_id, Employment.left_on.is_(None))
    )


def employments_of_post(session: Session, tenant_id: uuid.UUID, post_code: str) -> list[EmploymentView]:
    """Return the tenant's present staff in a post, by name."""
    rows = session.scalars(
        select(Employment)
        .where(
            Employment.tenant_id == tenant_id,
            Employment.post_code == post_code,
            Employment.left_on.is_(None),
        )
        .order_by(Employment.name_pinyin, Employment.id)
    )
    return [employment_view(row) for row in rows]


_EMPLOYMENT = Prepared(
    select(
        Employment.id,
        Employment.tenant_id,
        Employment.person_id,
        Employment.name,
        Employment.id_number_masked,
        Employment.post_code,
        Employment.department_name,
        Employment.region_code,
        Employment.industry_code,
        Employment.hired_on,
        Employment.left_on,
    ).where(Employment.tenant_id == bindparam("tenant_id"), Employment.id == bindparam("employment_id"))
)


def employment(session: Session, tenant_id: uuid.UUID, employment_id: uuid.UUID) -> EmploymentView:
    """Return one employment, present or past. Raises NotFound."""
    rows = _EMPLOYMENT.rows(session, tenant_id=tenant_id, employment_id=employment_id)
    if not rows:
        raise NotFound
    return employment_view(rows[0])


def employments_by_id(session: Session, employment_ids: Iterable[uuid.UUID]) -> dict[uuid.UUID, EmploymentView]:
    """Return those of the employments that the scope lets through, by id."""
    rows = session.scalars(select(Employment).where(Employment.id.in_(list(employment_ids))))
    return {row.id: employment_view(row) for row in rows}


def employments_by_person(
    session: Session, tenant_id: uuid.UUID, person_ids: Iterable[uuid.UUID]
) -> dict[uuid.UUID, EmploymentView]:
    """Return each person's newest employment with the tenant, the present one before past ones."""
    rows = session.scalars(
        select(Employment)
        .where(Employment.tenant_id == tenant_id, Employment.person_id.in_(list(person_ids)))
        .order_by(Employment.left_on.asc().nulls_last(), Employment.hired_on)
    )
    return {row.person_id: employment_view(row) for row in rows}


def employments_of_person(session: Session, person_id: uuid.UUID) -> list[EmploymentView]:
    """Return all of a person's employments that the scope lets through, the newest first."""
    rows = session.scalars(
        select(Employment)
        .where(Employment.person_id == person_id)
        .order_by(Employment.left_on.desc().nulls_first(), Employment.hired_on.desc())
    )
    return [employment_view(row) for row in rows]


_FACTS = Prepared(
    select(Person.id, Person.name, Person.id_number_masked, Person.sex).where(Person.id == bindparam("person_id"))
)


def person_facts(session: Session, person_id: uuid.UUID) -> PersonFacts:
    """Return the register's facts of a person; for the worker or the person. Raises NotFound."""
    rows = _FACTS.rows(session, person_id=person_id)
    if not rows:
        raise NotFound
    return PersonFacts(*rows[0])


def administrators_of(session: Session, tenant_id: uuid.UUID) -> list[uuid.UUID]:
    """Return the persons who administer the organisation; tenant or worker scope."""
    return _holders(session, tenant_id, (Role.ENTERPRISE_ADMIN, Role.INSTITUTION_ADMIN))


def regulators_of(session: Session, tenant_id: uuid.UUID) -> list[uuid.UUID]:
    """Return the regulators of a department; worker scope."""
    return _holders(session, tenant_id, (Role.REGULATOR,))


def _holders(session: Session, tenant_id: uuid.UUID, roles: Sequence[Role]) -> list[uuid.UUID]:
    named = [role.value for role in roles]
    held = select(RoleGrant.person_id).where(RoleGrant.tenant_id == tenant_id, RoleGrant.role.in_(named))
    return list(dict.fromkeys(session.scalars(held.order_by(RoleGrant.granted_at))))


@dataclass(frozen=True, slots=True)
class Official:
    """A regulator and the range [region_lo, region_hi) that the department oversees."""

    person_id: uuid.UUID
    region_lo: int
    region_hi: int


def regulators_over(session: Session, *, region_code: int, industry_code: str, scheme_code: str) -> list[Official]:
    """Return the regulators of all departments that oversee a place, industry and scheme. Worker scope."""
    rows = session.execute(
        select(RoleGrant.person_id, DepartmentScope.region_lo, DepartmentScope.region_hi)
        .join(DepartmentScope, DepartmentScope.tenant_id == RoleGrant.tenant_id)
        .where(RoleGrant.role == Role.REGULATOR.value)
        .where(DepartmentScope.region_lo <= region_code, DepartmentScope.region_hi > region_code)
        .where(DepartmentScope.industries.overlap(["*", industry_code]))
        .where(DepartmentScope.schemes.overlap(["*", scheme_code]))
    )
    return [Official(*row) for row in rows]
