"""What an operator registers before anybody can sign in: organisations and their first people."""

from __future__ import annotations

import uuid
from collections.abc import Callable

import click

from lms.accounts import operations
from lms.accounts.models import TenantKind
from lms.accounts.operations import NewEnterprise
from lms.accounts.sign_in import roles
from lms.accounts.sign_in.operations import activated_among, issue_activation_code
from lms.core.access import SYSTEM, Role
from lms.core.errors import DomainError
from lms.core.services import Services
from lms.core.tenancy import ALL, WORKER_SCOPE

BuildServices = Callable[[str], Services]


@click.group("accounts")
def accounts_group() -> None:
    """Register organisations and hand out their first roles."""


def _refuse(error: DomainError) -> click.ClickException:
    # The texts are the screens'; a terminal gets the stable code and what it is about.
    return click.ClickException(" ".join([error.code, *map(str, error.data.values())]))


@accounts_group.command("enterprise")
@click.option("--name", required=True)
@click.option("--credit-code", required=True, help="unified social credit code (GB 32100)")
@click.option("--region", required=True, type=int, help="GB/T 2260 code")
@click.option("--industry", required=True, help="GB/T 4754 division")
@click.option("--risk", type=click.Choice(["high", "ordinary"]), default="ordinary", show_default=True)
@click.option("--size", type=click.Choice(["large", "medium", "small", "micro"]), default="small", show_default=True)
@click.option("--licence", default=None, help="number of the safety production licence")
@click.option(
    "--kind",
    type=click.Choice(["enterprise", "institution", "association"]),
    default="enterprise",
    show_default=True,
    help="institutions teach, associations examine",
)
@click.pass_obj
def register_enterprise(  # noqa: PLR0913, PLR0917 - one argument for each option
    build: BuildServices,
    name: str,
    credit_code: str,
    region: int,
    industry: str,
    risk: str,
    size: str,
    licence: str | None,
    kind: str,
) -> None:
    """Register an enterprise, institution or association; prints its id."""
    new = NewEnterprise(name, credit_code, region, industry, risk, size, licence)
    with build("jobs").db.transaction(WORKER_SCOPE) as session:
        try:
            click.echo(operations.register_enterprise(session, SYSTEM, new, kind=TenantKind(kind)))
        except DomainError as error:
            raise _refuse(error) from None


@accounts_group.command("department")
@click.option("--name", required=True)
@click.option("--credit-code", required=True)
@click.option("--region", required=True, type=int, help="root of the subtree that it supervises")
@click.option("--industry", "industries", multiple=True, help="supervises this division only; may be repeated")
@click.option("--scheme", "schemes", multiple=True, help="supervises this certificate type only; may be repeated")
@click.pass_obj
def register_department(
    build: BuildServices,
    name: str,
    credit_code: str,
    region: int,
    industries: tuple[str, ...],
    schemes: tuple[str, ...],
) -> None:
    """Register a supervising department; prints its id."""
    with build("jobs").db.transaction(WORKER_SCOPE) as session:
        try:
            tenant_id = operations.register_department(
                session,
                SYSTEM,
                name=name,
                credit_code=credit_code,
                region_code=region,
                industries=industries or ALL,
                schemes=schemes or ALL,
            )
        except DomainError as error:
            raise _refuse(error) from None
        click.echo(tenant_id)


@accounts_group.command("grant")
@click.option("--tenant", required=True, type=click.UUID)
@click.option("--role", required=True, type=click.Choice([role.value for role in Role]))
@click.option("--name", required=True, help="the person's name")
@click.option("--id-number", required=True)
@click.pass_obj
def grant(build: BuildServices, tenant: uuid.UUID, role: str, name: str, id_number: str) -> None:
    """Give a person a role for an organisation; prints a fresh activation code."""
    with build("jobs").db.transaction(WORKER_SCOPE) as session:
        try:
            person_id = operations.register_person(session, name=name, id_number=id_number)
            roles.grant_role(session, SYSTEM, person_id=person_id, tenant_id=tenant, role=Role(role))
            if activated_among(session, [person_id]):
                click.echo("already activated")
                return
            click.echo(issue_activation_code(session, SYSTEM, person_id, tenant))
        except DomainError as error:
            raise _refuse(error) from None
