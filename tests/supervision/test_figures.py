"""Deeds become deltas, deltas become figures, and counting anew gives the same."""

from __future__ import annotations

import random
import threading
import uuid
from datetime import timedelta

import psycopg
import pytest
from sqlalchemy import func, select, text
from sqlalchemy.exc import ProgrammingError

from lms.core import clock, ids
from lms.core.services import Kernel, Services
from lms.core.tenancy import WORKER_SCOPE, Scope, ScopeRole
from supervision import operations
from supervision.figures.models import Delta, EnterpriseMonth, EnterpriseTotal
from supervision.figures.rules import month_of, months_back, pct
from tests.conftest import Admin, Instance, Worker, fresh_services
from tests.supervision import province
from tests.supervision.province import Enterprise


def figures(jobs: Services, enterprise: Enterprise) -> dict[str, tuple[int, ...]]:
    """Return the folded months of an enterprise."""
    with jobs.db.transaction(WORKER_SCOPE) as session:
        rows = session.scalars(select(EnterpriseMonth).where(EnterpriseMonth.tenant_id == enterprise.tenant_id))
        found = {
            row.month.isoformat()[:7]: (row.due, row.completed, row.attempts, row.passed, row.certificates)
            for row in rows
        }
    return {month: counts for month, counts in found.items() if any(counts)}


def standing(jobs: Services, enterprise: Enterprise) -> EnterpriseTotal:
    with jobs.db.transaction(WORKER_SCOPE) as session:
        row = session.get(EnterpriseTotal, enterprise.tenant_id)
    assert row is not None
    return row


def waiting(jobs: Services, enterprise: Enterprise) -> int:
    with jobs.db.transaction(WORKER_SCOPE) as session:
        query = select(func.count()).select_from(Delta).where(Delta.tenant_id == enterprise.tenant_id)
        return session.execute(query).scalar_one()


def mismatches(jobs: Services, *enterprises: Enterprise) -> list[object]:
    """Compare folded with counted figures for these enterprises and all regions."""
    mine = {str(one.tenant_id) for one in enterprises}
    return [one for one in operations.check(jobs) if one.subject.split()[0] in mine or one.place.startswith("region")]


def test_deeds_move_figures_in_their_months(jobs_services: Services, services: Services) -> None:
    enterprise = province.make_enterprise(jobs_services, staff=3)
    due_on = province.this_month()
    first, second = province.assign(jobs_services, enterprise, [0, 1], due_on)
    province.credit(services, enterprise, 0, first)
    province.sit(jobs_services, services, enterprise, 0, first, passes=True)
    province.sit(jobs_services, services, enterprise, 1, second, passes=False)
    assert waiting(jobs_services, enterprise) > 0
    operations.fold_all(jobs_services)
    assert waiting(jobs_services, enterprise) == 0
    month = due_on.isoformat()[:7]
    assert figures(jobs_services, enterprise) == {month: (2, 1, 2, 1, 0)}
    total = standing(jobs_services, enterprise)
    assert (total.due, total.completed, total.attempts, total.passed) == (2, 1, 2, 1)
    assert (total.staff, total.covered) == (3, 1)
    assert mismatches(jobs_services, enterprise) == []


def test_completion_counts_in_the_month_of_the_deadline(jobs_services: Services, services: Services) -> None:
    enterprise = province.make_enterprise(jobs_services, staff=1)
    next_month = month_of(clock.today().replace(day=28) + timedelta(days=7))
    (enrolment,) = province.assign(jobs_services, enterprise, [0], next_month.replace(day=15))
    province.sit(jobs_services, services, enterprise, 0, enrolment, passes=True)
    operations.fold_all(jobs_services)
    now, later = clock.today().isoformat()[:7], next_month.isoformat()[:7]
    assert figures(jobs_services, enterprise) == {now: (0, 0, 1, 1, 0), later: (1, 1, 0, 0, 0)}
    # The period ends with the present month: what falls due later is not counted yet.
    assert standing(jobs_services, enterprise).due == 0
    assert mismatches(jobs_services, enterprise) == []


def test_a_second_pass_of_one_enrolment_completes_it_once(jobs_services: Services, services: Services) -> None:
    enterprise = province.make_enterprise(jobs_services, staff=1)
    (enrolment,) = province.assign(jobs_services, enterprise, [0], province.this_month())
    for _ in range(2):
        province.sit(jobs_services, services, enterprise, 0, enrolment, passes=True)
        operations.fold_all(jobs_services)
    assert list(figures(jobs_services, enterprise).values()) == [(1, 1, 2, 2, 0)]
    assert mismatches(jobs_services, enterprise) == []


def test_coverage_follows_who_is_employed(jobs_services: Services, services: Services) -> None:
    enterprise = province.make_enterprise(jobs_services, staff=2)
    first, second = province.assign(jobs_services, enterprise, [0, 1], province.this_month())
    for place, enrolment in ((0, first), (0, first), (1, second)):
        province.credit(services, enterprise, place, enrolment)
    operations.fold_all(jobs_services)
    assert (standing(jobs_services, enterprise).staff, standing(jobs_services, enterprise).covered) == (2, 2)
    province.leave(jobs_services, enterprise, 1)
    operations.fold_all(jobs_services)
    assert (standing(jobs_services, enterprise).staff, standing(jobs_services, enterprise).covered) == (1, 1)
    assert mismatches(jobs_services, enterprise) == []


def test_a_withdrawn_assignment_is_no_longer_due(jobs_services: Services) -> None:
    enterprise = province.make_enterprise(jobs_services, staff=2)
    enrolments = province.assign(jobs_services, enterprise, [0, 1], province.this_month())
    operations.fold_all(jobs_services)
    assert standing(jobs_services, enterprise).due == 2
    province.cancel(jobs_services, enterprise, province.assignment_of(jobs_services, enrolments[0]))
    operations.fold_all(jobs_services)
    assert standing(jobs_services, enterprise).due == 0
    assert mismatches(jobs_services, enterprise) == []


def test_folding_again_and_in_two_processes_counts_each_delta_once(jobs_services: Services, services: Services) -> None:
    enterprise = province.make_enterprise(jobs_services, staff=12)
    enrolments = province.assign(jobs_services, enterprise, range(12), province.this_month())
    failures: list[BaseException] = []
    stop = threading.Event()

    def folder() -> None:
        try:
            while not stop.is_set():
                operations.fold_all(jobs_services)
        except BaseException as error:  # noqa: BLE001 - a thread's failure must reach the test
            failures.append(error)

    threads = [threading.Thread(target=folder) for _ in range(2)]
    for thread in threads:
        thread.start()
    for place, enrolment in enumerate(enrolments):
        province.credit(services, enterprise, place, enrolment)
        province.sit(jobs_services, services, enterprise, place, enrolment, passes=place % 3 != 0)
    stop.set()
    for thread in threads:
        thread.join()
    assert failures == []
    operations.fold_all(jobs_services)
    operations.fold_all(jobs_services)
    assert list(figures(jobs_services, enterprise).values()) == [(12, 8, 12, 8, 0)]
    assert standing(jobs_services, enterprise).covered == 12
    assert mismatches(jobs_services, enterprise) == []


class Deeds:
    """Random deeds at a few enterprises: whatever can be done at that moment."""

    def __init__(
        self, jobs: Services, services: Services, enterprises: list[Enterprise], source: random.Random
    ) -> None:
        self.jobs, self.services, self.enterprises, self.source = jobs, services, enterprises, source
        self.enrolled: dict[tuple[uuid.UUID, int], tuple[Enterprise, uuid.UUID]] = {}
        self.gone: set[tuple[uuid.UUID, int]] = set()

    def do_one(self) -> None:
        deed = self.source.choice((self.assign, self.credit, self.sit, self.sit, self.leave, self.hire, self.cancel))
        deed(self.source.choice(self.enterprises), self.source.randrange(4))
        if self.source.random() < 0.2:
            operations.fold_all(self.jobs)

    def assign(self, enterprise: Enterprise, place: int) -> None:
        key = (enterprise.tenant_id, place)
        if key not in self.gone and key not in self.enrolled:
            month = self.source.choice(months_back(month_of(clock.today()), 3))
            (enrolment,) = province.assign(self.jobs, enterprise, [place], month.replace(day=20))
            self.enrolled[key] = (enterprise, enrolment)

    def credit(self, enterprise: Enterprise, place: int) -> None:
        if found := self.enrolled.get((enterprise.tenant_id, place)):
            province.credit(self.services, enterprise, place, found[1])

    def sit(self, enterprise: Enterprise, place: int) -> None:
        if found := self.enrolled.get((enterprise.tenant_id, place)):
            passes = self.source.random() < 0.5
            province.sit(self.jobs, self.services, enterprise, place, found[1], passes=passes)

    def leave(self, enterprise: Enterprise, place: int) -> None:
        if (enterprise.tenant_id, place) not in self.gone:
            self.gone.add((enterprise.tenant_id, place))
            province.leave(self.jobs, enterprise, place)

    def hire(self, enterprise: Enterprise, _place: int) -> None:
        province.hire(self.jobs, enterprise, 1)

    def cancel(self, enterprise: Enterprise, place: int) -> None:
        if found := self.enrolled.pop((enterprise.tenant_id, place), None):
            province.cancel(self.jobs, enterprise, province.assignment_of(self.jobs, found[1]))


@pytest.mark.parametrize("seed", [1, 2])
def test_random_deeds_fold_to_what_a_rebuild_counts(jobs_services: Services, services: Services, seed: int) -> None:
    places = [(410302, "26", "small"), (410303, "54", "large"), (410102, "26", "micro")]
    enterprises = [
        province.make_enterprise(jobs_services, region_code=region, industry_code=industry, size_class=size, staff=4)
        for region, industry, size in places
    ]
    deeds = Deeds(jobs_services, services, enterprises, random.Random(seed))
    for _ in range(50):
        deeds.do_one()
    assert mismatches(jobs_services, *enterprises) == []
    folded = [figures(jobs_services, enterprise) for enterprise in enterprises]
    assert any(folded)
    totals = [(standing(jobs_services, one).staff, standing(jobs_services, one).covered) for one in enterprises]
    operations.rebuild(jobs_services)
    assert [figures(jobs_services, enterprise) for enterprise in enterprises] == folded
    assert totals == [(standing(jobs_services, one).staff, standing(jobs_services, one).covered) for one in enterprises]
    assert mismatches(jobs_services, *enterprises) == []


def test_a_rebuild_mends_what_was_tampered_with_and_check_names_it(
    instance: Instance, kernel: Kernel, worker_id: str
) -> None:
    # Other tests enter enrolments and attempts that nobody announced; here every difference is the planted one.
    with fresh_services(instance, kernel, f"anzheng_figures_{worker_id}") as own:
        enterprise = province.make_enterprise(own, staff=1)
        province.assign(own, enterprise, [0], province.this_month())
        operations.fold_all(own)
        assert operations.check(own) == []
        with psycopg.connect(own.settings.admin_database_url or "", autocommit=True) as admin:
            admin.execute("update supervision_enterprise_month set due = 99")
        subjects = {one.place: one.subject for one in operations.check(own)}
        assert set(subjects) == {"enterprise_month", "region_month"}
        assert str(enterprise.tenant_id) in subjects["enterprise_month"]
        assert operations.rebuild(own) == 1
        assert list(figures(own, enterprise).values()) == [(1, 0, 0, 0, 0)]
        assert operations.check(own) == []


def test_the_daily_rebuild_runs_when_a_day_has_passed(
    jobs_services: Services, queue_worker: Worker, admin_connection: Admin
) -> None:
    enterprise = province.make_enterprise(jobs_services, staff=1)
    province.assign(jobs_services, enterprise, [0], province.this_month())
    operations.rebuild(jobs_services)
    tamper = "update supervision_enterprise_month set due = 7 where tenant_id = %s"
    admin_connection.execute(tamper, (enterprise.tenant_id,))
    queue_worker.tick("supervision.rebuild")
    assert list(figures(jobs_services, enterprise).values()) == [(7, 0, 0, 0, 0)]
    admin_connection.execute(
        "update supervision_enterprise_total set counted_at = counted_at - interval '25 hours' where tenant_id = %s",
        (enterprise.tenant_id,),
    )
    queue_worker.tick("supervision.rebuild")
    assert list(figures(jobs_services, enterprise).values()) == [(1, 0, 0, 0, 0)]


def test_a_month_that_begins_is_counted_without_a_deed(jobs_services: Services) -> None:
    enterprise = province.make_enterprise(jobs_services, staff=1)
    next_month = month_of(province.this_month() + timedelta(days=7))
    with clock.travelling_to(province.moment(clock.today().replace(day=1))):
        province.assign(jobs_services, enterprise, [0], next_month.replace(day=20))
        operations.fold_all(jobs_services)
        assert standing(jobs_services, enterprise).due == 0
    if next_month.month == 1:
        return
    with clock.travelling_to(province.moment(next_month)):
        operations.fold_all(jobs_services)
        assert (standing(jobs_services, enterprise).due, standing(jobs_services, enterprise).period_to) == (
            1,
            next_month,
        )
    operations.fold_all(jobs_services)


def test_an_enterprise_that_moves_takes_its_figures_along(jobs_services: Services, admin_connection: Admin) -> None:
    enterprise = province.make_enterprise(jobs_services, region_code=410305, industry_code="33", staff=1)
    province.assign(jobs_services, enterprise, [0], province.this_month())
    operations.fold_all(jobs_services)
    admin_connection.execute("update accounts_tenant set region_code = 410303 where id = %s", (enterprise.tenant_id,))
    province.hire(jobs_services, enterprise, 1)
    operations.fold_all(jobs_services)
    assert standing(jobs_services, enterprise).region_code == 410303
    assert mismatches(jobs_services, enterprise) == []


def test_scopes_write_deltas_of_their_own_only_and_read_none(services: Services) -> None:
    mine, other = ids.new_id(), ids.new_id()
    scopes = {
        "person_id": Scope(ScopeRole.PERSON, actor_id=mine, person_id=mine),
        "tenant_id": Scope(ScopeRole.TENANT, actor_id=mine, tenant_id=mine),
    }
    row = text(
        "insert into supervision_delta (id, tenant_id, person_id, region_code, industry_code, month, d_due,"
        " d_completed, d_attempts, d_passed, d_certificates, d_staff, d_covered, at) values (:id, :tenant_id,"
        " :person_id, 410302, '26', '2026-11-01', 0, 0, 0, 0, 0, 0, 0, now())"
    )
    for owner, scope in scopes.items():
        keys = {"tenant_id": other, "person_id": other, "id": ids.new_id()}
        with pytest.raises(ProgrammingError, match="row-level security"), services.db.transaction(scope) as session:
            session.execute(row, keys)
        with services.db.transaction(scope) as session:
            session.execute(row, {**keys, owner: mine, "id": ids.new_id()})
        with pytest.raises(ProgrammingError, match="permission denied"), services.db.transaction(scope) as session:
            session.execute(text("select count(*) from supervision_delta"))
    elsewhere = province.region_scope(410400, 410500)
    with pytest.raises(ProgrammingError, match="row-level security"), services.db.transaction(elsewhere) as session:
        session.execute(row, {"tenant_id": other, "person_id": None, "id": ids.new_id()})


def test_shares_are_cut_off_not_rounded_up() -> None:
    assert pct(7999, 10_000) == 79.9
    assert pct(0, 0) is None
    assert pct(4, 5) == 80.0
