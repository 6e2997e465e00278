"""The operator's commands: organisations, and the first code for each."""

from __future__ import annotations

import uuid

from click.testing import CliRunner, Result
from flask.testing import FlaskClient

from lms.accounts.commands import accounts_group
from lms.core.services import Services
from tests.accounts import factories


def _run(jobs: Services, *arguments: str) -> Result:
    return CliRunner().invoke(accounts_group, arguments, obj=lambda _login: jobs)


def test_an_operator_registers_an_enterprise_and_its_administrator_signs_in(
    client: FlaskClient, jobs_services: Services
) -> None:
    place = ("--region", "410102", "--industry", "26", "--risk", "high")
    made = _run(jobs_services, "enterprise", "--name", "甲化工", "--credit-code", factories.new_credit_code(), *place)
    tenant_id = str(uuid.UUID(made.output.strip()))
    number = factories.new_id_number()
    who = ("--tenant", tenant_id, "--role", "enterprise_admin", "--name", "郑十一", "--id-number", number)
    code = _run(jobs_services, "grant", *who).output.strip()
    form = {
        "id_number": number,
        "code": code,
        "password": factories.PASSWORD,
        "repeat": factories.PASSWORD,
    }
    assert client.post("/activate", data=form).location == "/"
    assert client.get("/me").status_code == 200
    assert _run(jobs_services, "grant", *who).output.strip() == "already activated"


def test_a_department_is_registered_with_its_industries(jobs_services: Services) -> None:
    code = factories.new_credit_code()
    scope = ("--region", "410102", "--industry", "54", "--industry", "53")
    made = _run(jobs_services, "department", "--name", "交通运输局", "--credit-code", code, *scope)
    assert str(uuid.UUID(made.output.strip())) == made.output.strip()
    again = _run(jobs_services, "department", "--name", "交通运输局", "--credit-code", code, *scope)
    assert again.exit_code == 1
    assert "already_registered" in again.output
