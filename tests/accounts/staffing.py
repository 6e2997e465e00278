"""An enterprise with its administrator at a browser, and rosters on their way in."""

from __future__ import annotations

import io
import random
import re
import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from flask.testing import FlaskClient
from python_calamine import CalamineWorkbook
from sqlalchemy import select

from lms.accounts.models import Employment
from lms.accounts.staff.models import Import, ImportFault
from lms.core.access import Role
from lms.core.services import Services
from lms.core.tenancy import WORKER_SCOPE
from lms.core.web import AnzhengFlask
from tests.accounts import factories
from tests.rosters import write_roster


@dataclass(frozen=True, slots=True)
class Desk:
    """One administrator's browser, and the region from which this test's people come."""

    client: FlaskClient
    jobs: Services
    tenant_id: uuid.UUID
    person_id: uuid.UUID
    region: int

    def upload(self, data: bytes, name: str = "花名册.xlsx") -> uuid.UUID:
        """Upload through the page; the file must be taken."""
        answer = self.client.post("/staff/import", data={"file": (io.BytesIO(data), name)})
        assert answer.status_code == 302, answer.text
        return uuid.UUID(answer.headers["Location"].rsplit("/", 1)[1])

    def refused(self, data: bytes, name: str = "花名册.xlsx") -> tuple[int, str]:
        """Upload through the page; return the status and what the page says."""
        answer = self.client.post("/staff/import", data={"file": (io.BytesIO(data), name)})
        assert answer.status_code >= 400
        answer.request.environ["wsgi.input"].close()  # the client keeps a large upload in a file
        return answer.status_code, answer.text

    def import_row(self, import_id: uuid.UUID) -> Import:
        """Return the import as it is stored."""
        with self.jobs.db.transaction(WORKER_SCOPE) as session:
            return session.scalars(select(Import).where(Import.id == import_id)).one()

    def faults(self, import_id: uuid.UUID) -> set[tuple[int, str, str]]:
        """Return (row, column, code) of every stored fault."""
        with self.jobs.db.transaction(WORKER_SCOPE) as session:
            rows = session.scalars(select(ImportFault).where(ImportFault.import_id == import_id)).all()
        return {(row.row_number, row.column_name, row.code) for row in rows}

    def employments(self) -> list[tuple[object, ...]]:
        """Return what is stored of everybody here, ids and times included: equal means untouched."""
        columns = list(Employment.__table__.columns)
        with self.jobs.db.transaction(WORKER_SCOPE) as session:
            rows = session.execute(
                select(*columns).where(Employment.tenant_id == self.tenant_id).order_by(Employment.id)
            )
            return [tuple(row) for row in rows]

    def act(self, import_id: uuid.UUID, deed: str) -> int:
        """Post one of the import's deeds; return the status."""
        return self.client.post(f"/staff/import/{import_id}/{deed}").status_code


def open_desk(app: AnzhengFlask, jobs: Services) -> Desk:
    """Register an enterprise and sign its administrator in."""
    tenant_id = factories.new_enterprise(jobs)
    person_id, number = factories.new_person(jobs, tenant_id, Role.ENTERPRISE_ADMIN)
    client = app.test_client()
    factories.activate(client, jobs, person_id, tenant_id, number)
    return Desk(client, jobs, tenant_id, person_id, random.SystemRandom().randrange(110101, 659999))


def roster_bytes(folder: Path, rows: Sequence[Sequence[object]], kind: str = "xlsx", **options: str) -> bytes:
    """Return a roster file's bytes."""
    return write_roster(folder / f"roster.{kind}", rows, kind, **options).read_bytes()


def read_xlsx(data: bytes) -> list[list[object]]:
    """Return the first sheet's rows."""
    return CalamineWorkbook.from_filelike(io.BytesIO(data)).get_sheet_by_index(0).to_python()


def job_file(client: FlaskClient, location: str) -> bytes:
    """Return the file of a finished job, by the address of its page."""
    job_id = re.search(r"/jobs/([0-9a-f-]{36})", location)
    assert job_id
    answer = client.get(f"/jobs/{job_id[1]}/file")
    assert answer.status_code == 200
    return answer.data
