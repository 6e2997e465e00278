"""The demo province in a database of its own: everything is there, and every proof holds."""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import psycopg
import pytest

import supervision.operations as figures
from certs.registry import verification
from lms.accounts.demo import SCALE_VARIABLE, SIGN_INS
from lms.core import bootstrap, cli, sealing
from lms.core.access import Role
from lms.core.services import Kernel, Services
from lms.core.settings import load_settings
from tests.conftest import make_database

SCALE = "0.12"


@dataclass(frozen=True, slots=True)
class Made:
    """A finished demo, seen by its worker, and what the making printed."""

    services: Services
    admin: str
    printed: str

    def count(self, query: str) -> int:
        with psycopg.connect(self.admin) as connection:
            row = connection.execute(query).fetchone()
        assert row is not None
        return int(row[0])


@pytest.fixture(scope="module")
def made(run_home: Path, kernel: Kernel, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Made]:
    """Make the province once, a tenth of it."""
    home = tmp_path_factory.mktemp("demo-home")
    settings = load_settings({"ANZHENG_ENV": "test", "ANZHENG_HOME": str(run_home)})
    admin = make_database(settings, "anzheng_demo_province")
    shutil.copy(run_home / "secrets.json", home / "secrets.json")
    settings = replace(
        settings, home=home, admin_database_url=admin, storage_url=(home / "objects").as_uri(), pool_size=10
    )
    services = bootstrap.build_services(settings, kernel, login="jobs", admin=admin)
    cli.load_reference(services)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(SCALE_VARIABLE, SCALE)
        lines: list[str] = []
        patch.setattr("builtins.print", lambda *words, **_: lines.append(" ".join(map(str, words))))
        cli.make_demo(services)
    yield Made(services, admin, "\n".join(lines))
    services.db.dispose()


def test_everything_is_there(made: Made) -> None:
    assert made.count("select count(*) from accounts_tenant where kind = 'enterprise'") >= 7
    assert made.count("select count(distinct region_code) from accounts_tenant where kind = 'enterprise'") >= 6
    assert made.count("select count(distinct industry_code) from accounts_tenant where kind = 'enterprise'") >= 6
    assert made.count("select count(*) from accounts_tenant where kind = 'department'") == 4
    staff = made.count("select count(*) from accounts_employment")
    assert staff >= 60
    assert made.count("select count(*) from courses_enrolment") == staff
    assert made.count("select count(*) from exams_attempt where state <> 'graded'") == 0
    passed = made.count("select count(*) from exams_attempt where passed")
    assert 40 <= passed < staff
    assert (
        made.count("select count(*) from certs_certificate where state = 'issued' and origin = 'issued'") == passed + 1
    )
    assert made.count("select count(*) from certs_certificate where origin = 'imported'") == 2
    assert made.count("select count(*) from certs_certificate where status <> 'valid'") == 6
    assert made.count("select count(*) from accounts_portrait") >= 5
    assert made.count("select count(*) from procrastinate_jobs") == 0
    assert made.count("select count(*) from certs_bulk where state = 'done' and issued = people and people > 0") == 1
    assert made.count("select count(*) from certs_draft where state = 'open' and kind = 'scheme'") == 1
    packed = "select count(*) from certs_action a join certs_action_item i on i.action_id = a.id where a.state = 'done'"
    assert made.count(f"{packed} and i.state = 'done'") >= 1


def test_warnings_of_both_colours_are_open(made: Made) -> None:
    for level in ("yellow", "orange"):
        query = f"select count(*) from supervision_warning where level = '{level}' and state = 'open'"
        assert made.count(query) >= 1, level


def test_one_more_pass_lifts_the_shown_warning(made: Made) -> None:
    row = "from supervision_enterprise_total where name like '孟津恒昊%'"
    due, completed = made.count(f"select due {row}"), made.count(f"select completed {row}")
    assert completed * 100 < 80 * due <= (completed + 1) * 100


def test_boards_are_not_empty(made: Made) -> None:
    assert made.count("select sum(due) from supervision_region_month") >= 50
    assert made.count("select count(distinct month) from supervision_region_month") >= 2


def test_deeds_follow_each_other(made: Made) -> None:
    """Nobody sits an exam before having learned, or holds a certificate before the exam."""
    early = (
        "select count(*) from exams_attempt a join courses_enrolment e on e.id = a.enrolment_id"
        " where a.started_at < e.learning_completed_at or e.learning_completed_at < e.created_at"
    )
    assert made.count(early) == 0
    unearned = "select count(*) from certs_certificate c join exams_attempt a on a.id = c.attempt_id"
    assert made.count(f"{unearned} where c.issued_at < a.graded_at or not a.passed") == 0
    assert made.count("select count(*) from certs_certificate where issued_at > now()") == 0


def test_every_proof_holds(made: Made) -> None:
    auditor = bootstrap.build_services(made.services.settings, made.services.kernel, login="auditor", admin=made.admin)
    try:
        audit, registry = sealing.verify(auditor), verification.verify(auditor, files=True)
    finally:
        auditor.db.dispose()
    assert audit.holds, audit.problem
    assert audit.rows >= 500
    assert registry.holds, registry.problem
    assert figures.check(made.services) == []
    assert figures.rebuild(made.services) == 0


def test_sign_ins_are_written_for_the_owner_alone(made: Made) -> None:
    path = made.services.settings.home / SIGN_INS
    assert path.stat().st_mode & 0o777 == 0o600
    logins = [line.split()[0] for line in path.read_text("utf8").splitlines()[2:]]
    assert len(logins) == len(set(logins)) == 13
    roles = made.count(
        "select count(distinct role) from accounts_role_grant g"
        " join accounts_account a on a.person_id = g.person_id where a.login_name is not null"
    )
    expected = {Role.TRAINEE, Role.ENTERPRISE_ADMIN, Role.INSTRUCTOR, Role.REGULATOR, Role.INSPECTOR, Role.AUDITOR}
    assert roles == len(expected)


def test_the_time_is_told(made: Made) -> None:
    assert len(re.findall(r"demo: .+ \d+\.\d s", made.printed)) >= 8


def test_production_refuses(made: Made) -> None:
    production = replace(made.services, settings=replace(made.services.settings, environment="production"))
    with pytest.raises(RuntimeError, match="not for production"):
        min(production.kernel.demo_steps, key=lambda step: step[0])[1](production)
