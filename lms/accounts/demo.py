"""The demo province's organisations and people, registered through this room's own operations."""

from __future__ import annotations

import contextlib
import csv
import io
import os
import secrets
import uuid
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import date, datetime, time, timedelta
from pathlib import Path
from time import monotonic

import structlog
from argon2 import PasswordHasher
from sqlalchemy import insert, select
from sqlalchemy.orm import Session

from lms.accounts import operations
from lms.accounts import queries as register
from lms.accounts.demo_cast import (
    CITY,
    COUNTY,
    PROVINCE,
    SCHEME,
    SEED,
    Drawing,
    PlannedEnterprise,
    PlannedPerson,
    Standing,
)
from lms.accounts.faces import checking
from lms.accounts.faces import operations as faces
from lms.accounts.models import Employment, TenantKind
from lms.accounts.sign_in import operations as sign_in
from lms.accounts.sign_in.models import Account
from lms.accounts.sign_in.roles import grant_role
from lms.accounts.staff.rosters import ROSTERS
from lms.core import audit, clock
from lms.core.access import SYSTEM, Actor, Role
from lms.core.imports import operations as imports
from lms.core.imports.checking import check
from lms.core.imports.parts import SOURCE
from lms.core.imports.taking import take_over
from lms.core.imports.uploads import upload_of
from lms.core.services import Services, services_of
from lms.core.tenancy import ALL, WORKER_SCOPE, Scope, ScopeRole

log = structlog.get_logger()
SCALE_VARIABLE = "ANZHENG_DEMO_SCALE"
FACES = Path(__file__).parent / "demo_faces"
DAYS_BACK = 88
VOLUNTEERS = 24
ROSTER_HEADS = ("姓名", "身份证号", "岗位", "部门", "手机号", "入职日期")
SIGN_INS = "demo-sign-ins.txt"
Part = tuple[str, str]
# Login name and what it stands for. Staff by the number of the enterprise and the place in its roster.
STAFF_SIGN_INS: dict[tuple[int, int], Part] = {
    (0, 19): ("xueyuan", "学员（有待学课程）"),
    (0, 18): ("kaosheng", "学员（可参加考试）"),
    (0, 2): ("chizheng", "学员（已持证）"),
    (0, 0): ("qiye", "企业管理员（危化，黄色预警）"),
    (1, 0): ("qiye2", "企业管理员"),
}
OFFICIAL_SIGN_INS: dict[str, Part] = {
    "instructor": ("jiaoshi", "培训教师"),
    "county": ("xianju", "县级监管（应急）"),
    "inspector": ("jiancha", "县级执法检查"),
    "transport": ("jiaotong", "县级监管（交通）"),
    "city": ("shiju", "市级监管（应急）"),
    "province": ("shengting", "省级监管（应急）"),
    "province_second": ("shengting2", "省级监管（应急，批准草稿）"),
    "auditor": ("shenji", "审计员"),
}
FIRST_PAGES = {
    "courses.home": "/learn",
    "courses.course_list": "/courses",
    "supervision.tenant_home": "/tenant",
    "supervision.board": "/board",
    "accounts.audit_log": "/audit",
}
# Passwords of accounts that nobody signs in to are 256 random bits, which stretching would not
# make stronger, so the hash may be the cheapest; eight hundred dear ones take a minute.
_cheap_hasher = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1)


@dataclass(frozen=True, slots=True)
class DemoPerson:
    """One of the staff. ``frames`` are camera frames of somebody who agreed to the use of the face."""

    actor: Actor
    employment_id: uuid.UUID
    plan: PlannedPerson
    frames: tuple[bytes, ...] = ()

    @property
    def person_id(self) -> uuid.UUID:
        if self.actor.person_id is None:
            raise RuntimeError("a person without an id")
        return self.actor.person_id


@dataclass(frozen=True, slots=True)
class DemoEnterprise:
    """A registered enterprise with its administrator, who is the first of its people."""

    tenant_id: uuid.UUID
    plan: PlannedEnterprise
    admin: Actor
    people: tuple[DemoPerson, ...]


@dataclass(frozen=True, slots=True)
class SignIn:
    """One line of the table of sign-ins."""

    role: str
    name: str
    login: str
    password: str
    first_page: str


@dataclass(slots=True)
class Province:
    """What the steps of the demo hand on to each other."""

    drawing: Drawing
    officials: dict[str, Actor] = field(default_factory=dict)
    enterprises: list[DemoEnterprise] = field(default_factory=list)
    sign_ins: list[SignIn] = field(default_factory=list)


_provinces: dict[str, Province] = {}


def province_of(services: Services) -> Province:
    """Return the province that this process is making. Raises LookupError before its first step."""
    return _provinces[str(services.db.engine.url)]


@contextlib.contextmanager
def measured(step: str) -> Iterator[None]:
    """Say on the terminal how long a step took, in seconds."""
    started = monotonic()
    yield
    print(f"  demo: {step} {monotonic() - started:.1f} s", flush=True)  # noqa: T201 - who waits wants to see it


def moment_of(day: date, hour: int = 9, minute: int = 0) -> datetime:
    """Return a time of a day of the province."""
    return datetime.combine(day, time(hour, minute), clock.ZONE)


def person_actor(services: Services, person_id: uuid.UUID, tenant_id: uuid.UUID, name: str, firm: str) -> Actor:
    """Return a trainee as sign-in would."""
    scope = Scope(ScopeRole.PERSON, person_id=person_id, tenant_id=tenant_id)
    allowed = services.kernel.permissions_of(Role.TRAINEE)
    return Actor(person_id, Role.TRAINEE, tenant_id, name, firm, allowed, scope)


def make_bodies(services: Services) -> None:
    """Register departments and the institution as they were three months ago. Never in production."""
    if services.settings.is_production:
        raise RuntimeError("the demo province is not for production")
    today = clock.today()
    with measured("departments and institution"):
        with clock.travelling_to(moment_of(today - timedelta(days=DAYS_BACK), 8)):
            province = _public_bodies(services, Drawing(today))
        _provinces[str(services.db.engine.url)] = province


def make_people(services: Services) -> None:
    """Register enterprises, import their rosters, and settle how each person's identity is checked."""
    province, today = province_of(services), clock.today()
    with measured("enterprises and rosters"):
        scale = float(os.environ.get(SCALE_VARIABLE, "1"))
        with clock.travelling_to(moment_of(today - timedelta(days=DAYS_BACK), 10)):
            for planned in province.drawing.enterprises(scale):
                province.enterprises.append(_enterprise(services, planned))
    with measured("accounts and identities"):
        _give_faces(province, max(6, round(VOLUNTEERS * scale)))
        for number, enterprise in enumerate(province.enterprises):
            _identify(services, today, number, enterprise)


def _public_bodies(services: Services, drawing: Drawing) -> Province:
    bodies = (
        ("province", "河南省应急管理厅（演示）", PROVINCE, ALL, ALL),
        ("city", "洛阳市应急管理局（演示）", CITY, ALL, ALL),
        ("county", "孟津区应急管理局（演示）", COUNTY, ALL, ALL),
        ("transport", "孟津区交通运输局（演示）", COUNTY, ("53", "54", "55", "56", "59"), (SCHEME,)),
    )
    officials = {}
    with services.db.transaction(WORKER_SCOPE) as session:
        for key, name, region, industries, schemes in bodies:
            tenant_id = operations.register_department(
                session, SYSTEM, name=name, credit_code=drawing.credit_code(region), region_code=region,
                industries=industries, schemes=schemes,
            )  # fmt: skip
            place = register.region(session, region)
            scope = Scope(
                ScopeRole.REGION, tenant_id=tenant_id, region_lo=place.lo, region_hi=place.hi,
                industries=tuple(industries), schemes=tuple(schemes),
            )  # fmt: skip
            for role in (Role.REGULATOR, *((Role.INSPECTOR,) if key == "county" else ())):
                actor = Actor(None, role, tenant_id, "", name, services.kernel.permissions_of(role), scope)
                officials[key if role is Role.REGULATOR else "inspector"] = actor
            if key == "province":
                officials["auditor"] = Actor(None, Role.AUDITOR, tenant_id, "", name, frozenset(), scope)
        school = operations.NewEnterprise(
            "中原安全培训学院（演示）", drawing.credit_code(410102), 410102, "83", "ordinary", "medium"
        )
        school_id = operations.register_enterprise(session, SYSTEM, school, kind=TenantKind.INSTITUTION)
    scope = Scope(ScopeRole.TENANT, tenant_id=school_id)
    allowed = services.kernel.permissions_of(Role.INSTRUCTOR)
    officials["instructor"] = Actor(None, Role.INSTRUCTOR, school_id, "", school.name, allowed, scope)
    officials["province_second"] = officials["province"]
    province = Province(drawing)
    for key, part in officials.items():
        # The second one of a department is drawn apart, so that all the others stay who they are.
        drawn_by = Drawing(drawing.today, SEED + 1) if key == "province_second" else drawing
        province.officials[key] = _play(services, drawn_by, part)
        with services.db.transaction(WORKER_SCOPE) as session:
            _open_for_table(session, province, OFFICIAL_SIGN_INS[key], province.officials[key])
    return province


def _play(services: Services, drawing: Drawing, part: Actor) -> Actor:
    """Find somebody for a part: register the person and grant the role."""
    who = drawing.person(410102, "office_worker")
    if part.tenant_id is None or part.role is None:
        raise RuntimeError("a part without organisation")
    with services.db.transaction(WORKER_SCOPE) as session:
        person_id = operations.register_person(session, name=who.name, id_number=who.id_number)
        grant_role(session, SYSTEM, person_id=person_id, tenant_id=part.tenant_id, role=part.role)
    return _as_person(part, person_id, who.name)


def _as_person(part: Actor, person_id: uuid.UUID, name: str) -> Actor:
    found = part.scope
    scope = Scope(
        found.role, actor_id=person_id, person_id=None, tenant_id=found.tenant_id, region_lo=found.region_lo,
        region_hi=found.region_hi, industries=found.industries, schemes=found.schemes,
    )  # fmt: skip
    return Actor(person_id, part.role, part.tenant_id, name, part.tenant_name, part.permissions, scope)


def _enterprise(services: Services, planned: PlannedEnterprise) -> DemoEnterprise:
    """Register an enterprise, its administrator, and its roster through the import."""
    chief = planned.people[0]
    new = operations.NewEnterprise(
        planned.name, planned.credit_code, planned.region_code, planned.industry_code, planned.risk_class,
        planned.size_class, planned.licence_number, planned.licence_valid_from, planned.licence_valid_until,
    )  # fmt: skip
    with services.db.transaction(WORKER_SCOPE) as session:
        tenant_id = operations.register_enterprise(session, SYSTEM, new)
        person_id = operations.register_person(session, name=chief.name, id_number=chief.id_number)
        grant_role(session, SYSTEM, person_id=person_id, tenant_id=tenant_id, role=Role.ENTERPRISE_ADMIN)
    role, scope = Role.ENTERPRISE_ADMIN, Scope(ScopeRole.TENANT, actor_id=person_id, tenant_id=tenant_id)
    allowed = services.kernel.permissions_of(role)
    admin = Actor(person_id, role, tenant_id, chief.name, planned.name, allowed, scope)
    _import_roster(services, admin, planned)
    return DemoEnterprise(tenant_id, planned, admin, _staff_of(services, tenant_id, planned))


def _import_roster(services: Services, admin: Actor, planned: PlannedEnterprise) -> None:
    """Upload, check and take over the roster, as its administrator and the worker do."""
    with services.db.transaction(WORKER_SCOPE, read_only=True) as session:
        posts = {post.code: post.name_zh for post in register.posts(session)}
    sheet = io.StringIO()
    writer = csv.writer(sheet)
    writer.writerow(ROSTER_HEADS)
    for one in planned.people:
        cells = (one.name, one.id_number, posts[one.post_code], one.department, one.phone, one.hired_on.isoformat())
        writer.writerow(cells)
    data = sheet.getvalue().encode("utf-8-sig")
    upload = upload_of(ROSTERS, data, "员工花名册.csv")
    ROSTERS.parts(services, upload.import_id).put(SOURCE, data)
    with services.db.transaction(admin.scope) as session:
        imports.add(session, admin, ROSTERS, upload)
    check(ROSTERS, services, import_id=str(upload.import_id))
    with services.db.transaction(admin.scope) as session:
        imports.confirm(session, admin, ROSTERS, upload.import_id)
    take_over(ROSTERS, services, import_id=str(upload.import_id))


def _staff_of(services: Services, tenant_id: uuid.UUID, planned: PlannedEnterprise) -> tuple[DemoPerson, ...]:
    with services.db.transaction(WORKER_SCOPE, read_only=True) as session:
        query = select(Employment.name, Employment.id_number_last4, Employment.id, Employment.person_id)
        rows = session.execute(query.where(Employment.tenant_id == tenant_id)).all()
    found = {(name, last4): (employment_id, person_id) for name, last4, employment_id, person_id in rows}
    people = []
    for one in planned.people:
        employment_id, person_id = found[one.name, one.id_number[-4:]]
        actor = person_actor(services, person_id, tenant_id, one.name, planned.name)
        people.append(DemoPerson(actor, employment_id, one))
    return tuple(people)


def _give_faces(province: Province, count: int) -> None:
    """Lend each photographed volunteer's face to one invented person of the same sex."""
    with (FACES / "index.csv").open(encoding="utf8") as file:
        files = sorted({(row["id"], row["sex"][0].upper()) for row in csv.DictReader(file)})
    waiting = {sex: [number for number, own in files if own == sex][: count // 2] for sex in "MF"}
    for place, enterprise in enumerate(province.enterprises):
        people = list(enterprise.people)
        # Those at the end of the roster, so that the faces spread over several enterprises.
        for n in [k for k in range(2, len(people)) if k % 3 == 2][:5]:
            pool = waiting["M" if people[n].plan.sex == "M" else "F"]
            if pool and enterprise.plan.standing in {Standing.ONE_DEED, Standing.FULL, Standing.GOOD}:
                number = pool.pop(0)
                frames = tuple((FACES / f"{number}_{shot}.jpg").read_bytes() for shot in ("03", "08", "03"))
                people[n] = DemoPerson(people[n].actor, people[n].employment_id, people[n].plan, frames)
        province.enterprises[place] = DemoEnterprise(
            enterprise.tenant_id, enterprise.plan, enterprise.admin, tuple(people)
        )


def _identify(services: Services, today: date, number: int, enterprise: DemoEnterprise) -> None:
    """Let everybody activate and answer on the use of the face; the administrator sees those who declined."""
    day = today - timedelta(days=DAYS_BACK - 2)
    with clock.travelling_to(moment_of(day, 8, 30)):
        _open_accounts(services, number, enterprise)
    with clock.travelling_to(moment_of(day, 9)):
        for person in enterprise.people:
            agrees = bool(person.frames)
            with services.db.transaction(person.actor.scope) as session:
                faces.answer_consent(session, person.actor, biometric=agrees, portrait=agrees, language="zh")
            if agrees:
                checking.enrol_face(services, person.actor, person.frames)
    with clock.travelling_to(moment_of(day, 14)), services.db.transaction(enterprise.admin.scope) as session:
        for person in enterprise.people:
            if not person.frames:
                faces.confirm_identity(session, enterprise.admin, enterprise.tenant_id, person.person_id)


def _open_accounts(services: Services, number: int, enterprise: DemoEnterprise) -> None:
    """Let everybody activate: the known ones with login name and password, the others for nobody."""
    with services.db.transaction(WORKER_SCOPE) as session:
        for index, person in enumerate(enterprise.people):
            part = STAFF_SIGN_INS.get((number, index))
            if part:
                actor = enterprise.admin if index == 0 else person.actor
                _open_for_table(session, province_of(services), part, actor)
                continue
            values = {"person_id": person.person_id, "login_name": None, "state": "active"}
            hashed = _cheap_hasher.hash(secrets.token_urlsafe(32))
            session.execute(insert(Account).values(**values, password_hash=hashed, activated_at=clock.now()))
            audit.record(
                session, person.actor, "accounts.account.opened", subject_type="person", subject_id=person.person_id
            )


def _open_for_table(session: Session, province: Province, part: Part, actor: Actor) -> None:
    """Give somebody a login name and a password that stand in the table of sign-ins."""
    login, role = part
    password = f"{secrets.choice(('Qingshan', 'Luohe', 'Yunwu', 'Songbai'))}-{secrets.token_hex(4)}"
    if actor.person_id is None or actor.role is None:
        raise RuntimeError(f"nobody plays {role}")
    sign_in.open_account(session, SYSTEM, person_id=actor.person_id, login_name=login, password=password)
    home = services_of(session).kernel.homes.get(actor.role, "accounts.profile")
    province.sign_ins.append(SignIn(role, f"{actor.display_name} · {actor.tenant_name}", login, password, home))


def write_sign_ins(services: Services) -> Path:
    """Write the table of sign-ins where only the owner can read it; return its path."""
    lines = ["登录信息（演示） · Sign-ins of the demo province", ""]
    lines.extend(
        f"{one.login:<12} {one.password:<20} {FIRST_PAGES.get(one.first_page, '/'):<12} {one.role} · {one.name}"
        for one in province_of(services).sign_ins
    )
    path = services.settings.home / SIGN_INS
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf8") as file:
        file.write("\n".join(lines) + "\n")
    return path
