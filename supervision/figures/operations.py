"""Folding: what has happened is added up, exactly once, in short set-wise statements.

The deltas are deleted and counted in one statement. There is no watermark, so a transaction that
commits late is never skipped, and a crash takes the deletion back together with the sums.
"""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from sqlalchemy import func, select, text
from sqlalchemy.orm import Session

from lms.core import clock
from supervision.figures.models import EnterpriseTotal
from supervision.figures.rules import period_of

BATCH_ROWS = 5_000
COUNTS = ("due", "completed", "attempts", "passed", "certificates")
LOCK_NAME = "anzheng.supervision.figures"

_TRY_LOCK = text("select pg_try_advisory_xact_lock(hashtextextended(:name, 0))")
_TAKE = text(
    """
    with chosen as materialized (
      select id from supervision_delta order by id limit :size for update skip locked
    ), picked as (
      delete from supervision_delta d using chosen where d.id = chosen.id returning d.*
    ), known as (
      select p.* from picked p join accounts_enterprise_figures e on e.tenant_id = p.tenant_id
    ), fresh as (
      insert into supervision_completed (enrolment_id, tenant_id, month)
      select distinct on (enrolment_id) enrolment_id, tenant_id, month from known where d_completed > 0
       order by enrolment_id, month
          on conflict do nothing returning tenant_id, month
    ), reached as (
      insert into supervision_covered (tenant_id, person_id)
      select distinct tenant_id, person_id from known where d_covered > 0 order by 1, 2 on conflict do nothing
    ), sums as (
      select tenant_id, month, sum(due) as due, sum(completed) as completed, sum(attempts) as attempts,
             sum(passed) as passed, sum(certificates) as certificates
        from (select tenant_id, month, d_due as due, 0 as completed, d_attempts as attempts,
                     d_passed as passed, d_certificates as certificates from known
              union all select tenant_id, month, 0, 1, 0, 0, 0 from fresh) moved
       group by 1, 2
      having bool_or((due, completed, attempts, passed, certificates) <> (0, 0, 0, 0, 0))
    ), added as (
      insert into supervision_enterprise_month as m
             (tenant_id, month, region_code, industry_code, risk_class, size_class,
              due, completed, attempts, passed, certificates)
      select s.tenant_id, s.month, e.region_code, e.industry_code, e.risk_class, e.size_class,
             s.due, s.completed, s.attempts, s.passed, s.certificates
        from sums s join accounts_enterprise_figures e on e.tenant_id = s.tenant_id
       order by s.tenant_id, s.month
          on conflict (tenant_id, month) do update set
             due = m.due + excluded.due, completed = m.completed + excluded.completed,
             attempts = m.attempts + excluded.attempts, passed = m.passed + excluded.passed,
             certificates = m.certificates + excluded.certificates
      returning m.tenant_id, m.month
    )
    select (select count(*) from picked) as taken,
           array(select distinct tenant_id from known order by 1) as tenants,
           array(select tenant_id from added order by tenant_id, month) as moved,
           array(select month from added order by tenant_id, month) as months,
           array(select distinct enrolment_id from known where d_attempts > 0 and d_passed = 0 order by 1) as failed
    """
)
_STAND = text(
    """
    insert into supervision_enterprise_total as t
           (tenant_id, name, region_code, industry_code, risk_class, size_class, period_from, period_to,
            due, completed, attempts, passed, certificates, staff, covered, counted_at)
    select e.tenant_id, e.name, e.region_code, e.industry_code, e.risk_class, e.size_class,
           :period_from, :period_to, m.due, m.completed, m.attempts, m.passed, m.certificates,
           s.staff, s.covered, :now
      from accounts_enterprise_figures e
     cross join lateral (
       select coalesce(sum(due), 0) as due, coalesce(sum(completed), 0) as completed,
              coalesce(sum(attempts), 0) as attempts, coalesce(sum(passed), 0) as passed,
              coalesce(sum(certificates), 0) as certificates
         from supervision_enterprise_month
        where tenant_id = e.tenant_id and month between :period_from and :period_to) m
     cross join lateral (
       select count(*) as staff, count(c.person_id) as covered
         from accounts_staff_figures f
         left join supervision_covered c on c.tenant_id = f.tenant_id and c.person_id = f.person_id
        where f.tenant_id = e.tenant_id) s
     where e.tenant_id = any(:tenants)
     order by e.tenant_id
        on conflict (tenant_id) do update set
           name = excluded.name, region_code = excluded.region_code, industry_code = excluded.industry_code,
           risk_class = excluded.risk_class, size_class = excluded.size_class,
           period_from = excluded.period_from, period_to = excluded.period_to, due = excluded.due,
           completed = excluded.completed, attempts = excluded.attempts, passed = excluded.passed,
           certificates = excluded.certificates, staff = excluded.staff, covered = excluded.covered,
           counted_at = excluded.counted_at
    """
)
_MOVED_HOUSE = text(
    """
    select t.tenant_id from supervision_enterprise_total t
      join accounts_enterprise_figures e on e.tenant_id = t.tenant_id
     where t.tenant_id = any(:tenants)
       and (t.region_code, t.industry_code, t.risk_class, t.size_class)
           is distinct from (e.region_code, e.industry_code, e.risk_class, e.size_class)
    """
)
_REGROUP = text(
    """
    update supervision_enterprise_month m
       set region_code = e.region_code, industry_code = e.industry_code,
           risk_class = e.risk_class, size_class = e.size_class
      from accounts_enterprise_figures e where e.tenant_id = m.tenant_id and m.tenant_id = any(:tenants)
    """
)
_MONTH_GROUPS = text(
    """
    select distinct m.region_code, m.industry_code, m.risk_class, m.size_class, m.month
      from supervision_enterprise_month m
      left join unnest(cast(:moved as uuid[]), cast(:months as date[])) as k (tenant_id, month)
             on k.tenant_id = m.tenant_id and k.month = m.month
     where k.tenant_id is not null or m.tenant_id = any(:all_months_of)
    """
)
_TOTAL_GROUPS = text(
    "select distinct region_code, industry_code, risk_class, size_class"
    " from supervision_enterprise_total where tenant_id = any(:tenants)"
)
_KEYS = "unnest(cast(:regions as int[]), cast(:industries as text[]), cast(:risks as text[]), cast(:sizes as text[])"
_DROP_MONTHS = text(
    f"""
    delete from supervision_region_month r
     using {_KEYS}, cast(:months as date[])) as k (region_code, industry_code, risk_class, size_class, month)
     where (r.region_code, r.industry_code, r.risk_class, r.size_class, r.month)
         = (k.region_code, k.industry_code, k.risk_class, k.size_class, k.month)
    """  # noqa: S608 - constants of this file
)
_SUM_MONTHS = text(
    f"""
    insert into supervision_region_month (region_code, industry_code, risk_class, size_class, month,
                                          due, completed, attempts, passed, certificates)
    select m.region_code, m.industry_code, m.risk_class, m.size_class, m.month,
           sum(m.due), sum(m.completed), sum(m.attempts), sum(m.passed), sum(m.certificates)
      from {_KEYS}, cast(:months as date[])) as k (region_code, industry_code, risk_class, size_class, month)
      join supervision_enterprise_month m
        on (m.region_code, m.month, m.industry_code, m.risk_class, m.size_class)
         = (k.region_code, k.month, k.industry_code, k.risk_class, k.size_class)
     group by 1, 2, 3, 4, 5
    """  # noqa: S608 - constants of this file
)
_DROP_TOTALS = text(
    f"""
    delete from supervision_region_total r
     using {_KEYS}) as k (region_code, industry_code, risk_class, size_class)
     where (r.region_code, r.industry_code, r.risk_class, r.size_class)
         = (k.region_code, k.industry_code, k.risk_class, k.size_class)
    """  # noqa: S608 - constants of this file
)
_SUM_TOTALS = text(
    f"""
    insert into supervision_region_total (region_code, industry_code, risk_class, size_class,
                                          enterprises, staff, covered)
    select t.region_code, t.industry_code, t.risk_class, t.size_class, count(*), sum(t.staff), sum(t.covered)
      from {_KEYS}) as k (region_code, industry_code, risk_class, size_class)
      join supervision_enterprise_total t
        on (t.region_code, t.industry_code, t.risk_class, t.size_class)
         = (k.region_code, k.industry_code, k.risk_class, k.size_class)
     group by 1, 2, 3, 4
    """  # noqa: S608 - constants of this file
)
_STALE = text("select tenant_id from supervision_enterprise_total where period_to <> :period_to limit :size")


@dataclass(frozen=True, slots=True)
class Folded:
    """What one fold has done: deltas taken, enterprises touched, enrolments with a new failure."""

    taken: int
    tenants: tuple[uuid.UUID, ...]
    failed_enrolments: tuple[uuid.UUID, ...]


def try_lock(session: Session) -> bool:
    """Become the only one who writes figures until this transaction ends; False when another does."""
    return bool(session.execute(_TRY_LOCK, {"name": LOCK_NAME}).scalar_one())


def fold(session: Session, *, size: int = BATCH_ROWS) -> Folded:
    """Add up to ``size`` deltas to the figures and count the enterprises that they touch anew.

    The caller holds ``try_lock``. Running it again, or in two processes, changes nothing more:
    a delta is gone in the transaction that counts it.
    """
    row = session.execute(_TAKE, {"size": size}).one()
    if row.tenants:
        recount(session, row.tenants, moved=row.moved, months=row.months)
    return Folded(row.taken, tuple(row.tenants), tuple(row.failed))


def recount(
    session: Session,
    tenants: Sequence[uuid.UUID],
    *,
    moved: Sequence[uuid.UUID] = (),
    months: Sequence[date] = (),
) -> None:
    """Bring the totals of ``tenants`` and of all groups they belong to up to date.

    ``moved`` and ``months`` name, pairwise, the months whose figures have changed. An enterprise
    that has changed its county, industry or class takes all its months with it.
    """
    wanted = {"tenants": list(tenants)}
    elsewhere = list(session.scalars(_MOVED_HOUSE, wanted))
    touched = {"moved": list(moved), "months": list(months), "all_months_of": elsewhere}
    month_groups = {tuple(key) for key in session.execute(_MONTH_GROUPS, touched)}
    total_groups = {tuple(key) for key in session.execute(_TOTAL_GROUPS, wanted)}
    if elsewhere:
        session.execute(_REGROUP, {"tenants": elsewhere})
        month_groups |= {tuple(key) for key in session.execute(_MONTH_GROUPS, touched)}
    period_from, period_to = period_of(clock.today())
    session.execute(_STAND, {**wanted, "period_from": period_from, "period_to": period_to, "now": clock.now()})
    total_groups |= {tuple(key) for key in session.execute(_TOTAL_GROUPS, wanted)}
    if month_groups:
        keys = _columns(sorted(month_groups))
        session.execute(_DROP_MONTHS, keys)
        session.execute(_SUM_MONTHS, keys)
    if total_groups:
        keys = _columns(sorted(total_groups))
        session.execute(_DROP_TOTALS, keys)
        session.execute(_SUM_TOTALS, keys)


def _columns(keys: Sequence[tuple[Any, ...]]) -> dict[str, list[Any]]:
    """Turn rows of keys into the arrays that the statements take."""
    names = ("regions", "industries", "risks", "sizes", "months")
    return {name: [key[at] for key in keys] for at, name in enumerate(names) if at < len(keys[0])}


def stale_tenants(session: Session, *, size: int = BATCH_ROWS) -> list[uuid.UUID]:
    """Return enterprises whose totals still speak of an earlier month: a month begins for everybody."""
    _period_from, period_to = period_of(clock.today())
    return list(session.scalars(_STALE, {"period_to": period_to, "size": size}))


def oldest_count(session: Session) -> datetime | None:
    """Return when the figures that have waited longest were counted; None without enterprises."""
    return session.execute(select(func.min(EnterpriseTotal.counted_at))).scalar_one()
