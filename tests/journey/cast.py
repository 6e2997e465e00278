"""Who takes part: what an operator registers before anybody can sign in."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

from stdnum.cn import uscc

from tests.journey.client import Client
from tests.journey.instance import Instance, JourneyFailed
from tests.rosters import id_number

COUNTY, CITY, PROVINCE, FOREIGN_COUNTY = 410305, 410300, 410000, 410102
CHEMICALS, ROAD_TRANSPORT, EDUCATION = "26", "54", "83"
PASSWORD = "Qing-Shan-2046"
ENTERPRISE = "洛阳涧河化工有限公司"
LICENCE = "（豫）WH安许证字〔2026〕00316"


@dataclass(frozen=True, slots=True)
class Person:
    """One who signs in with an id number."""

    name: str
    id_number: str


@dataclass(frozen=True, slots=True)
class Cast:
    """Browsers of all who have signed in, by part, and the enterprise's id."""

    tenant_id: str
    admin: Client
    admin_person: Person
    instructor: Client
    county: Client
    city: Client
    province: Client
    transport: Client
    foreign: Client
    inspector: Client
    auditor: Client


def credit_code(serial: int, region: int) -> str:
    """Return a valid unified social credit code."""
    body = f"91{region}MA3X{serial:05d}"
    return body + uscc.calc_check_digit(body)


def person(serial: int, name: str) -> Person:
    """Return an invented official or administrator."""
    return Person(name, id_number(serial, region=410102, born=date(1979, 5, 2)))


def activate(instance: Instance, who: Person, code: str) -> Client:
    """Open an account with its activation code and stay signed in."""
    client = Client(instance.address)
    client.get("/activate")
    fields = {"id_number": who.id_number, "code": code, "password": PASSWORD, "repeat": PASSWORD}
    client.post("/activate", fields)
    return client


def sign_in(instance: Instance, who: Person) -> Client:
    """Sign somebody in who has opened the account before."""
    client = Client(instance.address)
    client.get("/sign-in")
    client.post("/sign-in", {"login": who.id_number, "password": PASSWORD, "next": ""})
    return client


def refuse_guess(instance: Instance, who: Person) -> None:
    """A guessed password is refused in the words that an unknown number is refused in."""
    refused = []
    for number in (who.id_number, id_number(999, region=410102)):
        client = Client(instance.address)
        client.get("/sign-in")
        fields = {"login": number, "password": "Zhi-Yue-1999", "next": ""}
        words = client.post("/sign-in", fields, expect=422).words
        refused.append(words.replace(number, ""))
    if refused[0] != refused[1]:
        raise JourneyFailed("a wrong password and an unknown number are told apart")


def _granted(instance: Instance, tenant_id: str, role: str, who: Person) -> Client:
    arguments = ("--tenant", tenant_id, "--role", role, "--name", who.name, "--id-number", who.id_number)
    return activate(instance, who, instance.command("accounts", "grant", *arguments).strip())


def _organisation(instance: Instance, serial: int, name: str, region: int, *more: str) -> str:
    arguments = ("--name", name, "--credit-code", credit_code(serial, region), "--region", str(region), *more)
    return instance.command("accounts", "enterprise", *arguments).strip()


def _department(instance: Instance, serial: int, name: str, region: int, *more: str) -> str:
    arguments = ("--name", name, "--credit-code", credit_code(serial, region), "--region", str(region), *more)
    return instance.command("accounts", "department", *arguments).strip()


def register_instructor(instance: Instance) -> Client:
    """Register the institution that makes the course; its instructor has signed in."""
    school = _organisation(
        instance, 1, "中原安全培训学院", 410102, "--industry", EDUCATION, "--kind", "institution", "--size", "medium"
    )
    return _granted(instance, school, "instructor", person(1, "顾文清"))


def register_cast(instance: Instance, instructor: Client) -> Cast:
    """Register the enterprise and the departments; everybody has signed in."""
    tenant_id = _organisation(
        instance, 2, ENTERPRISE, COUNTY,
        "--industry", CHEMICALS, "--risk", "high", "--size", "medium", "--licence", LICENCE,
    )  # fmt: skip
    admin = person(2, "沈素芬")
    county = _department(instance, 11, "涧西区应急管理局", COUNTY)
    city = _department(instance, 12, "洛阳市应急管理局", CITY)
    province = _department(instance, 13, "河南省应急管理厅", PROVINCE)
    transport = _department(instance, 14, "涧西区交通运输局", COUNTY, "--industry", ROAD_TRANSPORT)
    foreign = _department(instance, 15, "中原区应急管理局", FOREIGN_COUNTY)
    return Cast(
        tenant_id=tenant_id,
        admin=_granted(instance, tenant_id, "enterprise_admin", admin),
        admin_person=admin,
        instructor=instructor,
        county=_granted(instance, county, "regulator", person(11, "严正平")),
        city=_granted(instance, city, "regulator", person(12, "许国栋")),
        province=_granted(instance, province, "regulator", person(13, "方晓岚")),
        transport=_granted(instance, transport, "regulator", person(14, "路远征")),
        foreign=_granted(instance, foreign, "regulator", person(15, "贺一鸣")),
        inspector=_granted(instance, county, "inspector", person(16, "石磊")),
        auditor=_granted(instance, province, "auditor", person(17, "秦明鉴")),
    )
