"""Counting everything from the source rows, and comparing that with what was folded."""

from __future__ import annotations

import uuid
from dataclasses import dataclass

from sqlalchemy import text
from sqlalchemy.orm import Session

# One statement, so one snapshot: a deed is either among the source rows and its delta is dropped
# here, or it is among neither and its delta waits for the next fold.
_COUNT = text(
    """
    with gone as (
      delete from supervision_delta returning enrolment_id, d_attempts, d_passed
    ), passes as (
      select distinct on (f.enrolment_id) f.enrolment_id, f.tenant_id, f.due_month as month
        from exams_attempt_figures f
        join accounts_enterprise_figures e on e.tenant_id = f.tenant_id
       where f.passed order by f.enrolment_id, f.graded_at, f.attempt_no
    ), completed as (
      insert into supervision_completed (enrolment_id, tenant_id, month) select * from passes on conflict do nothing
    ), reached as (
      insert into supervision_covered (tenant_id, person_id)
      select c.tenant_id, c.person_id from courses_credit_figures c
        join accounts_enterprise_figures e on e.tenant_id = c.tenant_id on conflict do nothing
    ), lost as (
      delete from supervision_completed c where not exists (
        select 1 from passes p where p.enrolment_id = c.enrolment_id)
    ), unreached as (
      delete from supervision_covered c where not exists (
        select 1 from courses_credit_figures f where (f.tenant_id, f.person_id) = (c.tenant_id, c.person_id))
    ), laid as (
      insert into supervision_rebuild (tenant_id, month, due, completed, attempts, passed, certificates)
      select tenant_id, month, due, completed, attempts, passed, certificates from supervision_source_month
       where (due, completed, attempts, passed, certificates) <> (0, 0, 0, 0, 0)
    )
    select array(select distinct enrolment_id from gone where d_attempts > 0 and d_passed = 0) as failed
    """
)
_WRONG_MONTHS = text(
    """
    delete from supervision_enterprise_month m where not exists (
      select 1 from supervision_rebuild r where (r.tenant_id, r.month) = (m.tenant_id, m.month))
    """
)
_MONTHS = text(
    """
    insert into supervision_enterprise_month as m
           (tenant_id, month, region_code, industry_code, risk_class, size_class,
            due, completed, attempts, passed, certificates)
    select r.tenant_id, r.month, e.region_code, e.industry_code, e.risk_class, e.size_class,
           r.due, r.completed, r.attempts, r.passed, r.certificates
      from supervision_rebuild r join accounts_enterprise_figures e on e.tenant_id = r.tenant_id
     order by r.tenant_id, r.month
        on conflict (tenant_id, month) do update set
           region_code = excluded.region_code, industry_code = excluded.industry_code,
           risk_class = excluded.risk_class, size_class = excluded.size_class, due = excluded.due,
           completed = excluded.completed, attempts = excluded.attempts, passed = excluded.passed,
           certificates = excluded.certificates
     where (m.region_code, m.industry_code, m.risk_class, m.size_class,
            m.due, m.completed, m.attempts, m.passed, m.certificates)
        is distinct from (excluded.region_code, excluded.industry_code, excluded.risk_class, excluded.size_class,
            excluded.due, excluded.completed, excluded.attempts, excluded.passed, excluded.certificates)
    """
)
_SUMS = (
    text("delete from supervision_region_month"),
    text(
        """
        insert into supervision_region_month (region_code, industry_code, risk_class, size_class, month,
                                              due, completed, attempts, passed, certificates)
        select region_code, industry_code, risk_class, size_class, month,
               sum(due), sum(completed), sum(attempts), sum(passed), sum(certificates)
          from supervision_enterprise_month group by 1, 2, 3, 4, 5
        """
    ),
    text("delete from supervision_region_total"),
    text(
        """
        insert into supervision_region_total
               (region_code, industry_code, risk_class, size_class, enterprises, staff, covered)
        select region_code, industry_code, risk_class, size_class, count(*), sum(staff), sum(covered)
          from supervision_enterprise_total group by 1, 2, 3, 4
        """
    ),
)
_MISMATCHES = text(
    """
    select 'enterprise_month' as place, coalesce(m.tenant_id, s.tenant_id)::text || ' ' || coalesce(m.month, s.month)
             as subject,
           jsonb_build_array(m.due, m.completed, m.attempts, m.passed, m.certificates)::text as folded,
           jsonb_build_array(s.due, s.completed, s.attempts, s.passed, s.certificates)::text as counted
      from supervision_enterprise_month m
      full join supervision_source_month s on s.tenant_id = m.tenant_id and s.month = m.month
     where (coalesce(m.due, 0), coalesce(m.completed, 0), coalesce(m.attempts, 0), coalesce(m.passed, 0),
            coalesce(m.certificates, 0))
        <> (coalesce(s.due, 0), coalesce(s.completed, 0), coalesce(s.attempts, 0), coalesce(s.passed, 0),
            coalesce(s.certificates, 0))
       and not exists (select 1 from supervision_delta d where d.tenant_id = coalesce(m.tenant_id, s.tenant_id))
    union all
    select 'enterprise_total', e.tenant_id::text, jsonb_build_array(t.staff, t.covered)::text,
           jsonb_build_array(n.staff, n.covered)::text
      from accounts_enterprise_figures e
      left join supervision_enterprise_total t on t.tenant_id = e.tenant_id
      cross join lateral (
        select count(*)::int as staff, count(*) filter (where exists (
                 select 1 from courses_credit_figures c
                  where c.tenant_id = f.tenant_id and c.person_id = f.person_id))::int as covered
          from accounts_staff_figures f where f.tenant_id = e.tenant_id) n
     where (t.staff, t.covered) is distinct from (n.staff, n.covered)
       and not exists (select 1 from supervision_delta d where d.tenant_id = e.tenant_id)
    union all
    select 'region_month', coalesce(r.region_code, m.region_code) || ' ' || coalesce(r.month, m.month),
           jsonb_build_array(r.due, r.completed, r.attempts, r.passed, r.certificates)::text,
           jsonb_build_array(m.due, m.completed, m.attempts, m.passed, m.certificates)::text
      from supervision_region_month r
      full join (
        select region_code, industry_code, risk_class, size_class, month, sum(due) as due,
               sum(completed) as completed, sum(attempts) as attempts, sum(passed) as passed,
               sum(certificates) as certificates
          from supervision_enterprise_month group by 1, 2, 3, 4, 5) m
        on (m.region_code, m.industry_code, m.risk_class, m.size_class, m.month)
         = (r.region_code, r.industry_code, r.risk_class, r.size_class, r.month)
     where (r.due, r.completed, r.attempts, r.passed, r.certificates)
        is distinct from (m.due, m.completed, m.attempts, m.passed, m.certificates)
    union all
    select 'region_total', coalesce(r.region_code, t.region_code)::text,
           jsonb_build_array(r.enterprises, r.staff, r.covered)::text,
           jsonb_build_array(t.enterprises, t.staff, t.covered)::text
      from supervision_region_total r
      full join (
        select region_code, industry_code, risk_class, size_class, count(*) as enterprises,
               sum(staff) as staff, sum(covered) as covered
          from supervision_enterprise_total group by 1, 2, 3, 4) t
        on (t.region_code, t.industry_code, t.risk_class, t.size_class)
         = (r.region_code, r.industry_code, r.risk_class, r.size_class)
     where (r.enterprises, r.staff, r.covered) is distinct from (t.enterprises, t.staff, t.covered)
     limit :limit
    """
)


@dataclass(frozen=True, slots=True)
class Mismatch:
    """One figure that is not what its source rows say."""

    place: str
    subject: str
    folded: str
    counted: str


@dataclass(frozen=True, slots=True)
class Rebuilt:
    """What a rebuild has set right, and which enrolments' failures it has met on the way."""

    corrected: int
    failed_enrolments: tuple[uuid.UUID, ...]


def rebuild_months(session: Session) -> Rebuilt:
    """Count every month of every enterprise from the source rows. The caller holds ``try_lock``."""
    session.execute(text("set local statement_timeout = 0"))
    session.execute(text("delete from supervision_rebuild"))
    failed = session.execute(_COUNT).scalar_one()
    dropped = session.execute(_WRONG_MONTHS).rowcount  # type: ignore[attr-defined]  # a cursor result
    written = session.execute(_MONTHS).rowcount  # type: ignore[attr-defined]  # a cursor result
    session.execute(
        text(
            "delete from supervision_enterprise_total t where not exists"
            " (select 1 from accounts_enterprise_figures e where e.tenant_id = t.tenant_id)"
        )
    )
    return Rebuilt(dropped + written, tuple(failed))


def rebuild_sums(session: Session) -> None:
    """Sum regions anew from the enterprises. The caller holds ``try_lock``."""
    for statement in _SUMS:
        session.execute(statement)
    session.execute(text("delete from supervision_rebuild"))


def enterprise_ids(session: Session) -> list[uuid.UUID]:
    """Return every enterprise that figures are kept for."""
    return list(session.scalars(text("select tenant_id from accounts_enterprise_figures order by tenant_id")))


def mismatches(session: Session, *, limit: int = 50) -> list[Mismatch]:
    """Compare folded with counted figures in one snapshot; enterprises with deltas in flight wait."""
    session.execute(text("set local statement_timeout = 0"))
    return [Mismatch(*row) for row in session.execute(_MISMATCHES, {"limit": limit})]
