"""The register of organisations and people, and who sees what of it."""

from __future__ import annotations

import threading
import uuid
from datetime import date, timedelta

import pytest
from sqlalchemy import insert, select, text, update
from sqlalchemy.exc import IntegrityError, ProgrammingError

from lms.accounts import operations, queries, reference_data
from lms.accounts.errors import (
    AlreadyEmployed,
    AlreadyRegistered,
    BadCreditCode,
    BadDates,
    BadIdNumber,
    NameDiffers,
    RuleMissing,
    UnknownCode,
)
from lms.accounts.faces.models import FaceTemplate
from lms.accounts.models import Employment, Person, Rule, Tenant
from lms.accounts.operations import NewEmployment, NewEnterprise, PersonEntry
from lms.accounts.sign_in import roles
from lms.accounts.sign_in.models import Account, RoleGrant
from lms.accounts.sign_in.operations import issue_activation_code
from lms.core import clock
from lms.core.access import SYSTEM, Role
from lms.core.errors import NotFound
from lms.core.services import Services
from lms.core.tenancy import (
    AUTH_SCOPE,
    PUBLIC_SCOPE,
    WORKER_SCOPE,
    Scope,
    ScopeRole,
)
from tests.accounts import factories
from tests.conftest import Admin
from tests.conftest import Worker as QueueWorker


def _region_scope(lo: int, hi: int, industries: tuple[str, ...] = ("*",)) -> Scope:
    return Scope(ScopeRole.REGION, region_lo=lo, region_hi=hi, industries=industries, schemes=("*",))


def test_loading_the_reference_files_twice_changes_nothing(jobs_services: Services) -> None:
    count = text("select (select count(*) from accounts_region), (select count(*) from accounts_rule)")
    with jobs_services.db.transaction(WORKER_SCOPE) as session:
        before = session.execute(count).one()
        reference_data.load_reference(session)
        assert session.execute(count).one() == before
        assert before[0] > 3_000


def test_regions_nest_by_their_code_ranges(services: Services) -> None:
    with services.db.transaction(PUBLIC_SCOPE, read_only=True) as session:
        path = queries.region_path(session, 410102)
        assert [(r.level, r.lo, r.hi) for r in path] == [
            ("province", 410000, 420000),
            ("city", 410100, 410200),
            ("county", 410102, 410103),
        ]
        cities = queries.regions_under(session, 410000, 420000, "city")
        assert len(cities) == 18
        assert all(410000 < city.code < 420000 for city in cities)


def test_the_nearest_regions_rule_goes_before_the_countrys(jobs_services: Services) -> None:
    code = f"tests.{uuid.uuid4()}"
    today = clock.today()
    rows = [(0, 1, today, 1), (410000, 1, today, 2), (410100, 1, today, 3), (410100, 2, today + timedelta(days=1), 4)]
    with jobs_services.db.transaction(WORKER_SCOPE) as session:
        for region, version, since, value in rows:
            session.execute(
                insert(Rule).values(
                    code=code,
                    region_code=region,
                    version=version,
                    effective_from=since,
                    legal_basis="-",
                    value={"v": value},
                )
            )
        found = {place: queries.rule(session, code, region_code=place).value["v"] for place in (410102, 410302, 370000)}
        later = queries.rule(session, code, region_code=410102, on=today + timedelta(days=1)).value["v"]
        with pytest.raises(RuleMissing):
            queries.rule(session, "tests.no such rule")
    assert found == {410102: 3, 410302: 2, 370000: 1}
    assert later == 4


@pytest.mark.parametrize("change", ["digit", "region"])
def test_an_enterprise_needs_a_right_code_and_region(jobs_services: Services, change: str) -> None:
    code = factories.new_credit_code()
    bad = code[:-1] + ("0" if code[-1] != "0" else "1")
    new = NewEnterprise(
        "甲", bad if change == "digit" else code, 999999 if change == "region" else 410102, "26", "high", "micro"
    )
    with (
        pytest.raises(BadCreditCode if change == "digit" else UnknownCode),
        jobs_services.db.transaction(WORKER_SCOPE) as session,
    ):
        operations.register_enterprise(session, SYSTEM, new)


def test_a_credit_code_is_registered_once(jobs_services: Services) -> None:
    new = NewEnterprise("甲", factories.new_credit_code(), 410102, "26", "high", "micro")
    with jobs_services.db.transaction(WORKER_SCOPE) as session:
        operations.register_enterprise(session, SYSTEM, new)
    with pytest.raises(AlreadyRegistered), jobs_services.db.transaction(WORKER_SCOPE) as session:
        operations.register_enterprise(session, SYSTEM, new)


def test_people_are_found_or_added_set_wise_and_in_order(jobs_services: Services, services: Services) -> None:
    known = factories.new_worker(jobs_services, name="王小明")
    fresh = factories.new_id_number()
    entries = [
        PersonEntry("赵六", fresh),
        PersonEntry("王小明", known.id_number),
        PersonEntry("王晓明", known.id_number),
        PersonEntry("赵六", fresh.lower()),
    ]
    with services.db.transaction(factories.tenant_scope(factories.new_enterprise(jobs_services))) as session:
        first = operations.register_people(session, entries)
        again = operations.register_people(session, entries[:2])
    assert [(r.is_new, r.name_matches) for r in first] == [(True, True), (False, True), (False, False), (False, True)]
    assert first[1].person_id == known.person_id
    # The register neither gives its name nor its id to one who has the name wrong.
    assert first[2].person_id is None
    assert first[3].person_id == first[0].person_id
    assert [r.person_id for r in again] == [first[0].person_id, known.person_id]
    assert not any(r.is_new for r in again)


def test_two_registrations_at_once_make_one_person(jobs_services: Services) -> None:
    number, found = factories.new_id_number(), []

    def register() -> None:
        with jobs_services.db.transaction(WORKER_SCOPE) as session:
            found.append(operations.register_person(session, name="孙七", id_number=number))

    second = threading.Thread(target=register)
    with jobs_services.db.transaction(WORKER_SCOPE) as session:
        first = operations.register_person(session, name="孙七", id_number=number)
        second.start()
        # The second waits on the unique index until the first commits.
        second.join(timeout=0.5)
        assert second.is_alive()
    second.join(timeout=5)
    assert found == [first]


def test_only_worker_and_tenants_may_register_people(services: Services, jobs_services: Services) -> None:
    worker = factories.new_worker(jobs_services)
    for scope in (PUBLIC_SCOPE, AUTH_SCOPE, worker.actor.scope, _region_scope(410000, 420000)):
        with pytest.raises(ProgrammingError, match="permission denied"), services.db.transaction(scope) as session:
            operations.register_people(session, [PersonEntry("钱八", factories.new_id_number())])


def test_no_identifier_is_stored_in_clear(jobs_services: Services, admin_connection: Admin) -> None:
    worker = factories.new_worker(jobs_services)
    stored = admin_connection.execute(
        "select p::text, e::text from accounts_person p join accounts_employment e on e.person_id = p.id"
        " where p.id = %s",
        (worker.person_id,),
    ).fetchone()
    assert stored is not None
    for row in map(str, stored):
        for secret in (worker.id_number, "13812345678"):
            assert secret not in row
            assert secret.encode().hex() not in row
    with jobs_services.db.transaction(WORKER_SCOPE, read_only=True) as session:
        sealed = session.get_one(Person, worker.person_id).id_number_sealed
        phone = session.scalars(select(Employment.phone_sealed).where(Employment.id == worker.employment_id)).one()
    vault = jobs_services.vault
    assert vault.decrypt(sealed, context=f"id_number:{worker.person_id}").decode() == worker.id_number
    assert vault.decrypt(phone or b"", context=f"phone:{worker.employment_id}").decode() == "13812345678"


def test_hiring_makes_a_trainee_and_is_announced_once(
    jobs_services: Services, queue_worker: QueueWorker, admin_connection: Admin
) -> None:
    worker = factories.new_worker(jobs_services)
    with jobs_services.db.transaction(WORKER_SCOPE, read_only=True) as session:
        held = session.scalars(select(RoleGrant.role).where(RoleGrant.person_id == worker.person_id)).all()
        audited = session.execute(
            text("select action from core_audit where subject_id = :id"), {"id": str(worker.employment_id)}
        ).all()
    jobs = admin_connection.execute(
        "select args->>'subscriber' from procrastinate_jobs where args->'payload'->>'employment_id' = %s",
        (str(worker.employment_id),),
    ).fetchall()
    assert held == [Role.TRAINEE.value]
    assert [row.action for row in audited] == ["accounts.employment.started"]
    assert ("courses.on_employment_started",) in jobs


@pytest.mark.parametrize(
    ("change", "refusal"),
    [
        ({"id_number": "410102199001011230"}, BadIdNumber),
        ({"post_code": "astronaut"}, UnknownCode),
        ({"hired_on": date(2199, 1, 1)}, BadDates),
    ],
)
def test_a_bad_hiring_is_refused_by_its_reason(
    jobs_services: Services, change: dict[str, object], refusal: type[Exception]
) -> None:
    tenant_id = factories.new_enterprise(jobs_services)
    good: dict[str, object] = {"name": "周九", "id_number": factories.new_id_number(), "post_code": "welder"}
    with jobs_services.db.transaction(WORKER_SCOPE) as session:
        with pytest.raises(refusal):
            operations.employ(session, SYSTEM, tenant_id, NewEmployment(**{**good, **change}))  # type: ignore[arg-type]  # a test's dict
        operations.employ(session, SYSTEM, tenant_id, NewEmployment(**good))  # type: ignore[arg-type]  # as above


def test_nobody_is_hired_twice_or_under_another_name(jobs_services: Services) -> None:
    worker = factories.new_worker(jobs_services)
    for name, refusal in ((worker.name, AlreadyEmployed), ("别的名字", NameDiffers)):
        with pytest.raises(refusal), jobs_services.db.transaction(WORKER_SCOPE) as session:
            operations.employ(session, SYSTEM, worker.tenant_id, NewEmployment(name, worker.id_number, "welder"))


def test_leaving_keeps_the_learner_and_ends_the_administrator(jobs_services: Services) -> None:
    worker = factories.new_worker(jobs_services)
    with jobs_services.db.transaction(WORKER_SCOPE) as session:
        roles.grant_role(
            session, SYSTEM, person_id=worker.person_id, tenant_id=worker.tenant_id, role=Role.ENTERPRISE_ADMIN
        )
        with pytest.raises(BadDates):
            operations.end_employment(
                session, SYSTEM, worker.tenant_id, worker.employment_id, left_on=clock.today() - timedelta(days=1)
            )
        operations.end_employment(session, SYSTEM, worker.tenant_id, worker.employment_id, left_on=clock.today())
    with jobs_services.db.transaction(WORKER_SCOPE) as session:
        held = session.scalars(select(RoleGrant.role).where(RoleGrant.person_id == worker.person_id)).all()
        with pytest.raises(NotFound):
            queries.active_employment(session, worker.person_id, worker.tenant_id)
        with pytest.raises(NotFound):
            operations.end_employment(session, SYSTEM, worker.tenant_id, worker.employment_id, left_on=clock.today())
        operations.employ(session, SYSTEM, worker.tenant_id, NewEmployment(worker.name, worker.id_number, "welder"))
        newest = queries.employments_by_person(session, worker.tenant_id, [worker.person_id])[worker.person_id]
    assert held == [Role.TRAINEE.value]
    assert newest.left_on is None


def test_a_tenant_reads_and_writes_its_own_staff_only(services: Services, jobs_services: Services) -> None:
    ours, theirs = factories.new_worker(jobs_services), factories.new_worker(jobs_services)
    with services.db.transaction(factories.tenant_scope(ours.tenant_id)) as session:
        seen = set(session.scalars(select(Employment.id)))
        assert seen == {ours.employment_id}
        assert set(session.scalars(select(Tenant.id))) == {ours.tenant_id}
        with pytest.raises(NotFound):
            queries.employment(session, theirs.tenant_id, theirs.employment_id)
        changed = session.execute(
            update(Employment).where(Employment.id == theirs.employment_id).values(department_name="x")
        )
        assert changed.rowcount == 0  # type: ignore[attr-defined]  # an update's result has one
    grant = insert(RoleGrant).values(
        person_id=theirs.person_id, tenant_id=theirs.tenant_id, role="trainee", granted_at=clock.now()
    )
    hiring = NewEmployment("吴十", factories.new_id_number(), "welder")
    scope = factories.tenant_scope(ours.tenant_id)
    with pytest.raises(ProgrammingError, match="row-level security"), services.db.transaction(scope) as session:
        session.execute(grant)
    with pytest.raises(NotFound), services.db.transaction(scope) as session:
        operations.employ(session, SYSTEM, theirs.tenant_id, hiring)


@pytest.mark.parametrize("table", ["accounts_person", "accounts_face_template", "accounts_portrait"])
def test_a_tenant_cannot_read_the_register_or_templates(
    services: Services, jobs_services: Services, table: str
) -> None:
    worker = factories.new_worker(jobs_services)
    with (
        pytest.raises(ProgrammingError, match="permission denied"),
        services.db.transaction(factories.tenant_scope(worker.tenant_id)) as session,
    ):
        session.execute(text(f"select * from {table}"))


def test_a_tenant_cannot_make_itself_an_administrator(services: Services, jobs_services: Services) -> None:
    worker = factories.new_worker(jobs_services)
    with (
        pytest.raises(ProgrammingError, match="row-level security"),
        services.db.transaction(factories.tenant_scope(worker.tenant_id)) as session,
    ):
        roles.grant_role(session, SYSTEM, person_id=worker.person_id, tenant_id=worker.tenant_id, role=Role.REGULATOR)


def test_a_person_sees_only_themself(services: Services, jobs_services: Services) -> None:
    me = factories.new_worker(jobs_services)
    factories.new_worker(jobs_services, me.tenant_id)
    with services.db.transaction(me.actor.scope, read_only=True) as session:
        assert set(session.scalars(select(Person.id))) == {me.person_id}
        assert set(session.scalars(select(Employment.person_id))) == {me.person_id}
        assert set(session.scalars(select(Tenant.id))) == {me.tenant_id}
        assert set(session.scalars(select(RoleGrant.person_id))) == {me.person_id}
        assert session.scalars(select(FaceTemplate.id)).all() == []


@pytest.mark.parametrize(
    ("lo", "hi", "industries", "sees"),
    [
        (410000, 420000, ("*",), True),
        (410100, 410200, ("26",), True),
        (410102, 410103, ("54",), False),
        (410103, 410104, ("*",), False),
        (370000, 380000, ("*",), False),
    ],
)
def test_a_department_sees_its_regions_and_industries(
    services: Services, jobs_services: Services, lo: int, hi: int, industries: tuple[str, ...], sees: bool
) -> None:
    worker = factories.new_worker(jobs_services)
    with services.db.transaction(_region_scope(lo, hi, industries), read_only=True) as session:
        assert (worker.tenant_id in queries.enterprises(session, [worker.tenant_id])) is sees
        found = session.scalars(select(Employment.id).where(Employment.id == worker.employment_id)).first()
        assert (found is not None) is sees


def test_two_departments_in_one_county_see_different_enterprises(services: Services, jobs_services: Services) -> None:
    chemical = factories.new_enterprise(jobs_services, industry="26")
    haulier = factories.new_enterprise(jobs_services, industry="54")
    seen = {}
    for industries in (("26", "54"), ("54",)):
        with services.db.transaction(_region_scope(410102, 410103, industries), read_only=True) as session:
            seen[industries] = set(queries.enterprises(session, [chemical, haulier]))
    assert seen == {("26", "54"): {chemical, haulier}, ("54",): {haulier}}


@pytest.mark.parametrize("scope", [Scope(ScopeRole.NONE), AUTH_SCOPE, PUBLIC_SCOPE], ids=["bare", "auth", "public"])
@pytest.mark.parametrize(
    "model", [Person, Employment, Tenant, Account, RoleGrant, FaceTemplate], ids=lambda model: str(model.__tablename__)
)
def test_before_sign_in_nothing_of_anybody_is_readable(
    services: Services, jobs_services: Services, scope: Scope, model: type[Person]
) -> None:
    factories.new_worker(jobs_services)
    with (
        pytest.raises(ProgrammingError, match="permission denied"),
        services.db.transaction(scope, read_only=True) as session,
    ):
        session.execute(select(model.__table__))


def test_the_web_login_cannot_become_the_worker_or_the_auditor(services: Services) -> None:
    for role in (ScopeRole.WORKER, ScopeRole.AUDIT):
        with pytest.raises(ProgrammingError, match="permission denied"), services.db.transaction(Scope(role)):
            pass


def test_an_activation_code_is_for_ones_own_staff_only(services: Services, jobs_services: Services) -> None:
    ours, theirs = factories.new_worker(jobs_services), factories.new_worker(jobs_services)
    with services.db.transaction(factories.tenant_scope(ours.tenant_id)) as session:
        assert issue_activation_code(session, SYSTEM, ours.person_id, ours.tenant_id)
    with (
        pytest.raises((ProgrammingError, IntegrityError)),
        services.db.transaction(factories.tenant_scope(ours.tenant_id)) as session,
    ):
        issue_activation_code(session, SYSTEM, theirs.person_id, ours.tenant_id)
