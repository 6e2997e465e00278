"""Read-only lists of staff and imports."""

from __future__ import annotations

import uuid
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any

from sqlalchemy import Select, and_, any_, func, or_, select
from sqlalchemy.orm import Session
from sqlalchemy.sql.elements import ColumnElement

from lms.accounts.models import Employment, Post
from lms.accounts.sign_in.models import Account
from lms.accounts.staff.models import Import, ImportedEmployment
from lms.core.paging import Page, paginate

MAX_SEARCH_CHARS = 60
EXPORT_FETCH_ROWS = 5_000


@dataclass(frozen=True, slots=True)
class Filter:
    """What the list shows. ``state``: active, left or all; ``activated``: yes, no or all as an empty text."""

    q: str = ""
    post: str = ""
    department: str = ""
    state: str = "active"
    activated: str = ""

    @classmethod
    def of(cls, given: Mapping[str, str]) -> Filter:
        """Read a filter from an address; anything unknown means no filter."""
        state, activated = given.get("state", "active"), given.get("activated", "")
        return cls(
            q=given.get("q", "").strip()[:MAX_SEARCH_CHARS],
            post=given.get("post", "")[:40],
            department=given.get("department", "")[:80],
            state=state if state in {"active", "left", "all"} else "active",
            activated=activated if activated in {"yes", "no"} else "",
        )

    def as_query(self) -> dict[str, str]:
        """Return the filter as it stands in an address."""
        values = {"q": self.q, "post": self.post, "department": self.department, "activated": self.activated}
        return {"state": self.state, **{name: value for name, value in values.items() if value}}


@dataclass(frozen=True, slots=True)
class StaffRow:
    """One employment in the list."""

    employment_id: uuid.UUID
    person_id: uuid.UUID
    name: str
    name_pinyin: str
    id_number_masked: str
    post_code: str
    post_zh: str
    post_en: str
    high_risk: bool
    department_name: str
    phone_masked: str
    hired_on: date
    left_on: date | None
    is_activated: bool


@dataclass(frozen=True, slots=True)
class StaffFigures:
    """How many work here."""

    active: int
    hired_this_month: int
    left_this_month: int
    activated: int
    high_risk: int

    @property
    def waiting(self) -> int:
        return self.active - self.activated


def _has_account() -> ColumnElement[bool]:
    # By name: an administrator's scope may not read the table's other columns, which a star would ask for.
    return select(Account.person_id).where(Account.person_id == Employment.person_id).exists()


def _matches(q: str) -> ColumnElement[bool]:
    """Find by the name or its beginning, its pinyin, the last four characters of the number, or the post."""
    literal = q.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")
    tests: list[ColumnElement[bool]] = [
        Employment.name.like(f"%{literal}%"),
        Employment.name_pinyin.like(f"{literal.lower()}%"),
        func.replace(Employment.name_pinyin, " ", "").like(f"{literal.lower()}%"),
        Post.name_zh.like(f"%{literal}%"),
        Post.name_en.ilike(f"%{literal}%"),
    ]
    if len(q) == 4:
        tests.append(Employment.id_number_last4 == q.upper())
    return or_(*tests)


def _staff(tenant_id: uuid.UUID, wanted: Filter) -> Select[*tuple[Any, ...]]:
    query = (
        select(
            Employment.id,
            Employment.person_id,
            Employment.name,
            Employment.name_pinyin,
            Employment.id_number_masked,
            Employment.post_code,
            Post.name_zh,
            Post.name_en,
            Post.high_risk,
            Employment.department_name,
            Employment.phone_masked,
            Employment.hired_on,
            Employment.left_on,
            _has_account().label("is_activated"),
        )
        .join(Post, Post.code == Employment.post_code)
        .where(Employment.tenant_id == tenant_id)
    )
    if wanted.state != "all":
        query = query.where(
            Employment.left_on.is_(None) if wanted.state == "active" else Employment.left_on.is_not(None)
        )
    if wanted.post:
        query = query.where(Employment.post_code == wanted.post)
    if wanted.department:
        query = query.where(Employment.department_name == wanted.department)
    if wanted.activated:
        query = query.where(_has_account() if wanted.activated == "yes" else ~_has_account())
    return query.where(_matches(wanted.q)) if wanted.q else query


def staff_page(session: Session, tenant_id: uuid.UUID, wanted: Filter, cursor: str | None) -> Page[StaffRow]:
    """Return one page of the staff in the order of the names' pinyin. Raises BadCursor."""
    query = _staff(tenant_id, wanted)
    total = session.scalar(select(func.count()).select_from(query.order_by(None).subquery()))
    page = paginate(
        session,
        query,
        keys=(Employment.name_pinyin.expression, Employment.id.expression),
        key_of=lambda row: (row.name_pinyin, row.id),
        cursor=cursor,
        total=total,
    )
    return page.map(lambda row: StaffRow(*row))


def all_staff(session: Session, tenant_id: uuid.UUID, wanted: Filter) -> Iterator[StaffRow]:
    """Yield all rows of the filter, fetched in portions."""
    query = _staff(tenant_id, wanted).order_by(Employment.name_pinyin, Employment.id)
    for row in session.execute(query.execution_options(yield_per=EXPORT_FETCH_ROWS)):
        yield StaffRow(*row)


def staff_row(session: Session, tenant_id: uuid.UUID, employment_id: uuid.UUID) -> StaffRow | None:
    """Return one employment as the list shows it."""
    query = _staff(tenant_id, Filter(state="all")).where(Employment.id == employment_id)
    row = session.execute(query).first()
    return StaffRow(*row) if row else None


def figures(session: Session, tenant_id: uuid.UUID, today: date) -> StaffFigures:
    """Count the staff in one statement."""
    month, active = today.replace(day=1), Employment.left_on.is_(None)
    row = session.execute(
        select(
            func.count().filter(active),
            func.count().filter(and_(active, Employment.hired_on >= month)),
            func.count().filter(Employment.left_on >= month),
            func.count().filter(and_(active, Account.person_id.is_not(None))),
            func.count().filter(and_(active, Post.high_risk)),
        )
        .select_from(Employment)
        .join(Post, Post.code == Employment.post_code)
        .outerjoin(Account, Account.person_id == Employment.person_id)
        .where(Employment.tenant_id == tenant_id)
    ).one()
    return StaffFigures(*row)


def departments(session: Session, tenant_id: uuid.UUID) -> list[str]:
    """Return the names of the departments that have staff now."""
    query = (
        select(Employment.department_name)
        .where(Employment.tenant_id == tenant_id, Employment.left_on.is_(None), Employment.department_name != "")
        .distinct()
        .order_by(Employment.department_name)
    )
    return list(session.scalars(query))


def posts_used(session: Session, tenant_id: uuid.UUID) -> list[tuple[str, str, str]]:
    """Return (code, Chinese, English) of the posts that have staff now."""
    used = select(Employment.post_code).where(Employment.tenant_id == tenant_id, Employment.left_on.is_(None))
    rows = session.execute(
        select(Post.code, Post.name_zh, Post.name_en).where(Post.code.in_(used)).order_by(Post.name_zh)
    )
    return [(code, zh, en) for code, zh, en in rows]


def waiting_for_account(session: Session, tenant_id: uuid.UUID) -> int:
    """Count the present staff without an account."""
    query = select(func.count()).where(Employment.tenant_id == tenant_id, Employment.left_on.is_(None), ~_has_account())
    return session.scalar(query) or 0


def import_page(session: Session, tenant_id: uuid.UUID, cursor: str | None) -> Page[Import]:
    """Return one page of the imports, the newest first."""
    return paginate(
        session,
        select(Import).where(Import.tenant_id == tenant_id),
        keys=(Import.id.expression,),
        key_of=lambda row: (row.id,),
        cursor=cursor,
        descending=True,
    )


def running_import(session: Session, tenant_id: uuid.UUID) -> Import | None:
    """Return the newest import that still wants attention: being checked, to be confirmed, or running."""
    query = (
        select(Import)
        .where(Import.tenant_id == tenant_id, Import.state.in_(("checking", "ready", "importing")))
        .order_by(Import.id.desc())
        .limit(1)
    )
    return session.scalars(query).first()


def brought_waiting(session: Session, one: Import) -> int:
    """Count those of an import's new staff who still work here and have no account."""
    brought = select(ImportedEmployment.employment_id).where(
        ImportedEmployment.tenant_id == one.tenant_id, ImportedEmployment.import_id == one.id
    )
    query = select(func.count()).where(
        Employment.tenant_id == one.tenant_id,
        # An array and not a join: on tables that have just grown, without statistics, the join compared every
        # row with every other (9,000 new staff kept the page waiting for more than ten seconds).
        Employment.id == any_(func.array(brought.scalar_subquery())),
        Employment.left_on.is_(None),
        ~_has_account(),
    )
    return session.scalar(query) or 0
