"""Fresh organisations and people for the tests of accounts; nothing is shared between tests."""

from __future__ import annotations

import random
import uuid
from dataclasses import dataclass

from flask.testing import FlaskClient
from stdnum.cn import ric, uscc

from lms.accounts import operations, queries
from lms.accounts.operations import NewEmployment, NewEnterprise
from lms.accounts.sign_in import operations as sign_in
from lms.accounts.sign_in import roles
from lms.core.access import SYSTEM, Actor, Role
from lms.core.services import Services
from lms.core.tenancy import WORKER_SCOPE, Scope, ScopeRole

PASSWORD = "green tea at dawn"
random_source = random.SystemRandom()


def new_id_number(birth: str = "19900101", sex: str = "M") -> str:
    """Return a valid id number that no other test has."""
    sequence = random_source.randrange(500) * 2 + (sex == "M")
    body = f"{random_source.randrange(110101, 659999)}{birth}{sequence:03d}"
    return body + ric.calc_check_digit(body + "0")  # the library leaves the last place out


def new_credit_code() -> str:
    """Return a valid credit code that no other test has."""
    alphabet = "0123456789ABCDEFGHJKLMNPQRTUWXY"
    body = "91410100" + "".join(random_source.choice(alphabet) for _ in range(9))
    return body + uscc.calc_check_digit(body)


@dataclass(frozen=True, slots=True)
class Worker:
    """An employee with what the test needs to act as them."""

    person_id: uuid.UUID
    tenant_id: uuid.UUID
    employment_id: uuid.UUID
    name: str
    id_number: str

    @property
    def actor(self) -> Actor:
        scope = Scope(ScopeRole.PERSON, person_id=self.person_id, tenant_id=self.tenant_id)
        return Actor(self.person_id, Role.TRAINEE, self.tenant_id, self.name, "", frozenset(), scope)


def new_enterprise(jobs: Services, *, region: int = 410102, industry: str = "26") -> uuid.UUID:
    """Register an enterprise."""
    new = NewEnterprise("试验化工有限公司", new_credit_code(), region, industry, "high", "small")
    with jobs.db.transaction(WORKER_SCOPE) as session:
        return operations.register_enterprise(session, SYSTEM, new)


def new_department(jobs: Services, *, region: int = 410102, industries: tuple[str, ...] = ("*",)) -> uuid.UUID:
    """Register a department that supervises ``region``."""
    with jobs.db.transaction(WORKER_SCOPE) as session:
        return operations.register_department(
            session,
            SYSTEM,
            name="试验应急管理局",
            credit_code=new_credit_code(),
            region_code=region,
            industries=industries,
        )


def new_worker(jobs: Services, tenant_id: uuid.UUID | None = None, *, name: str = "张三丰") -> Worker:
    """Hire a new person, by a new enterprise unless one is given."""
    tenant_id = tenant_id or new_enterprise(jobs)
    number = new_id_number()
    with jobs.db.transaction(WORKER_SCOPE) as session:
        new = NewEmployment(name, number, "welder", phone="13812345678")
        employment_id = operations.employ(session, SYSTEM, tenant_id, new)
        person_id = queries.employment(session, tenant_id, employment_id).person_id
    return Worker(person_id, tenant_id, employment_id, name, number)


def new_person(jobs: Services, tenant_id: uuid.UUID, role: Role, *, name: str = "李四光") -> tuple[uuid.UUID, str]:
    """Give a new person a role; returns the person's id and id number."""
    number = new_id_number()
    with jobs.db.transaction(WORKER_SCOPE) as session:
        person_id = operations.register_person(session, name=name, id_number=number)
        roles.grant_role(session, SYSTEM, person_id=person_id, tenant_id=tenant_id, role=role)
    return person_id, number


def code_for(jobs: Services, person_id: uuid.UUID, tenant_id: uuid.UUID) -> str:
    """Issue an activation code."""
    with jobs.db.transaction(WORKER_SCOPE) as session:
        return sign_in.issue_activation_code(session, SYSTEM, person_id, tenant_id)


def activate(client: FlaskClient, jobs: Services, person_id: uuid.UUID, tenant_id: uuid.UUID, id_number: str) -> None:
    """Activate through the page; leaves the client signed in."""
    code = code_for(jobs, person_id, tenant_id)
    form = {"id_number": id_number, "code": code, "password": PASSWORD, "repeat": PASSWORD}
    answer = client.post("/activate", data=form)
    assert answer.status_code == 302, answer.text


def tenant_scope(tenant_id: uuid.UUID) -> Scope:
    """Return the scope of the tenant's administrator."""
    return Scope(ScopeRole.TENANT, actor_id=uuid.uuid4(), tenant_id=tenant_id)
