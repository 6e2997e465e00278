"""A supervising department with certificates to choose from, for tests of what is done to many at once."""

from __future__ import annotations

import io
import uuid
from collections.abc import Sequence
from dataclasses import dataclass

from flask.testing import FlaskClient
from python_calamine import CalamineWorkbook
from sqlalchemy import select
from werkzeug.test import TestResponse

from certs.actions.models import ActionItem
from certs.models import Certificate, StatusEvent
from lms.core import ids
from lms.core.access import Role
from lms.core.services import Services
from lms.core.tenancy import WORKER_SCOPE
from lms.core.web import AnzhengFlask
from tests.certs import certificate_world as world
from tests.conftest import Admin, Worker

REASON = {"code": "suspend_unsafe_act", "reason": "现场检查发现未按规定审批"}


@dataclass(frozen=True, slots=True)
class Desk:
    """A department in a county of the test's own, three certificates there, and one elsewhere."""

    app: AnzhengFlask
    jobs: Services
    worker: Worker
    region_code: int
    department: uuid.UUID
    client: FlaskClient
    mine: list[Certificate]
    elsewhere: Certificate

    def official(self, role: Role = Role.REGULATOR, department: uuid.UUID | None = None) -> FlaskClient:
        """A browser of another official, of the same department by default."""
        where = department or self.department
        return world.signed_in_at(self.app, self.jobs, where, role)

    def order(self, kind: str, chosen: Sequence[object], **more: str) -> TestResponse:
        """Send the confirmed page for the ticked certificates."""
        form = {"kind": kind, "action_id": str(ids.new_id()), "certificate": list(map(str, chosen)), **more}
        return self.client.post("/regulator/actions", data=form)

    def settled(self, answer: TestResponse) -> uuid.UUID:
        """Let the order be carried out; return its id."""
        assert answer.status_code == 302, answer.text
        world.settle(self.worker)
        return uuid.UUID(answer.location.rsplit("/", 1)[1])

    def items(self, action_id: uuid.UUID) -> dict[uuid.UUID, tuple[str, str]]:
        """What became of each certificate: state and refusal."""
        with self.jobs.db.transaction(WORKER_SCOPE, read_only=True) as session:
            rows = session.scalars(select(ActionItem).where(ActionItem.action_id == action_id))
            return {row.certificate_id: (row.state, row.refusal) for row in rows}

    def statuses(self) -> list[str]:
        """The stored statuses of the three, then of the one elsewhere."""
        rows = [world.certificate_rows(self.jobs, one.person_id)[0] for one in (*self.mine, self.elsewhere)]
        return [row.status for row in rows]

    def steps(self, certificate: Certificate) -> list[tuple[str, str]]:
        """The new status and the coded reason of each step in a certificate's history."""
        with self.jobs.db.transaction(WORKER_SCOPE, read_only=True) as session:
            query = select(StatusEvent).where(StatusEvent.certificate_id == certificate.id).order_by(StatusEvent.id)
            return [(row.new_status, row.reason_code or "") for row in session.scalars(query)]


def certified(jobs: Services, tenant_id: uuid.UUID) -> world.Learner:
    learner = world.make_learner(jobs, tenant_id)
    world.pass_exam(jobs, learner)
    return learner


def open_desk(app: AnzhengFlask, jobs_services: Services, queue_worker: Worker, admin_connection: Admin) -> Desk:
    """Let three be certified in a county where nobody was, one elsewhere, and sign an official in."""
    region_code = world.untouched_county(admin_connection, "certs_certificate")
    department = world.make_department(jobs_services, region_code=region_code)
    tenant_id = world.make_enterprise(jobs_services, region_code=region_code)
    learners = [certified(jobs_services, tenant_id) for _ in range(3)]
    stranger = certified(jobs_services, world.make_enterprise(jobs_services, region_code=world.OTHER_COUNTY))
    world.settle(queue_worker)
    mine = [world.certificate_rows(jobs_services, one.person_id)[0] for one in learners]
    elsewhere = world.certificate_rows(jobs_services, stranger.person_id)[0]
    client = world.signed_in_at(app, jobs_services, department)
    return Desk(app, jobs_services, queue_worker, region_code, department, client, mine, elsewhere)


def sheet(data: bytes) -> list[list[object]]:
    """Return the rows of a workbook's first sheet."""
    return CalamineWorkbook.from_filelike(io.BytesIO(data)).get_sheet_by_index(0).to_python()
