"""A department with an official at a browser, and lists of earlier certificates on their way in."""

from __future__ import annotations

import io
import itertools
import random
import uuid
import zipfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from flask.testing import FlaskClient
from PIL import Image
from sqlalchemy import select

from certs.imports.models import CertificateImport, CertificateImportFault
from certs.models import Certificate
from lms.core.access import Role
from lms.core.services import Services
from lms.core.tenancy import WORKER_SCOPE
from lms.core.web import AnzhengFlask
from tests.certs import certificate_world as world
from tests.conftest import Worker
from tests.rosters import GIVEN, SURNAMES, write_roster

HEADINGS = (
    *("姓名", "证件类型", "证件号码", "证书编号", "证书类型", "发证机关"),
    *("发证日期", "有效期自", "有效期至", "初次发证日期", "照片文件名"),
)
SCHEME_NAME = "危险化学品安全管理人员考核合格证（初级）"
ISSUER = "示范省安全生产监督管理局"
SOURCE = "省特种作业考核旧系统"
PAGE = "/regulator/certificate-imports"
AT = {heading: place for place, heading in enumerate(HEADINGS)}
_serial = itertools.count(random.SystemRandom().randrange(10**9))

Row = tuple[object, ...]


@dataclass(frozen=True, slots=True)
class ImportDesk:
    """One official's browser and the department that it is of."""

    client: FlaskClient
    jobs: Services
    department_id: uuid.UUID
    person_id: uuid.UUID
    region_code: int

    def upload(self, data: bytes, name: str = "旧证.xlsx", *, photos: bytes = b"", source: str = SOURCE) -> uuid.UUID:
        """Upload through the page; the list must be taken."""
        answer = self.client.post(PAGE, data=_form(data, name, photos, source))
        assert answer.status_code == 302, answer.text
        return uuid.UUID(answer.headers["Location"].rsplit("/", 1)[1])

    def refused(
        self, data: bytes, name: str = "旧证.xlsx", *, photos: bytes = b"", source: str = SOURCE
    ) -> tuple[int, str]:
        """Upload through the page; return the status and what the page says."""
        answer = self.client.post(PAGE, data=_form(data, name, photos, source))
        assert answer.status_code >= 400
        answer.request.environ["wsgi.input"].close()
        return answer.status_code, answer.text

    def act(self, import_id: uuid.UUID, step: str, **form: str) -> int:
        """Press a button of the import's page; return the status."""
        return self.client.post(f"{PAGE}/{import_id}/{step}", data=form).status_code

    def page(self, import_id: uuid.UUID) -> str:
        """Return the import's page."""
        answer = self.client.get(f"{PAGE}/{import_id}")
        assert answer.status_code == 200
        return answer.text

    def import_row(self, import_id: uuid.UUID) -> CertificateImport:
        """Return the import as it is stored."""
        with self.jobs.db.transaction(WORKER_SCOPE) as session:
            return session.scalars(select(CertificateImport).where(CertificateImport.id == import_id)).one()

    def faults(self, import_id: uuid.UUID) -> set[tuple[int, str, str]]:
        """Return (row, column, code) of every stored fault."""
        with self.jobs.db.transaction(WORKER_SCOPE) as session:
            rows = session.scalars(
                select(CertificateImportFault).where(CertificateImportFault.import_id == import_id)
            ).all()
        return {(row.row_number, row.column_name, row.code) for row in rows}

    def certificates(self, *import_ids: uuid.UUID) -> list[Certificate]:
        """Return what the imports brought, by number."""
        with self.jobs.db.transaction(WORKER_SCOPE) as session:
            query = select(Certificate).where(Certificate.import_id.in_(import_ids)).order_by(Certificate.number)
            return list(session.scalars(query))


def _form(data: bytes, name: str, photos: bytes, source: str) -> dict[str, object]:
    form: dict[str, object] = {"source": source, "file": (io.BytesIO(data), name)}
    if photos:
        form["photos"] = (io.BytesIO(photos), "照片.zip")
    return form


def open_import_desk(app: AnzhengFlask, jobs: Services, *, region_code: int = 410305) -> ImportDesk:
    """Register a department, sign an official of it in."""
    department = world.make_department(jobs, region_code=region_code)
    official = world.make_official(jobs, department)
    client = world.client_for(app, jobs, official, department, Role.REGULATOR)
    return ImportDesk(client, jobs, department, official, region_code)


def take(desk: ImportDesk, queue_worker: Worker, data: bytes, **options: object) -> uuid.UUID:
    """Upload, check, confirm and enter a list."""
    import_id = desk.upload(data, **options)  # type: ignore[arg-type]  # forwarded as they are
    queue_worker.drain()
    assert desk.act(import_id, "confirm") == 302, desk.page(import_id)
    queue_worker.drain()
    assert desk.import_row(import_id).state == "done"
    return import_id


def earlier(count: int, **changes: object) -> list[list[object]]:
    """Make valid rows of people and certificates that nobody has; ``changes`` by heading."""
    rows = []
    for _ in range(count):
        serial = next(_serial)
        name = random.choice(SURNAMES) + "".join(random.choices(GIVEN, k=2))
        row: list[object] = [
            *(name, "居民身份证", world.id_number(), f"T{serial:010d}", SCHEME_NAME, ISSUER),
            *("2025-03-01", "2025-03-01", "2028-02-29", "2019-05-20", ""),
        ]
        for heading, value in changes.items():
            row[HEADINGS.index(heading)] = value
        rows.append(row)
    return rows


def list_bytes(folder: Path, rows: Sequence[Sequence[object]], kind: str = "xlsx", **options: str) -> bytes:
    """Return the list as a file's content."""
    return write_roster(folder / f"list.{kind}", rows, kind, headings=HEADINGS, **options).read_bytes()  # type: ignore[arg-type]


def picture(width: int = 358, height: int = 441, kind: str = "JPEG") -> bytes:
    """Return a small picture file."""
    buffer = io.BytesIO()
    Image.new("RGB", (width, height), "#4f86c6").save(buffer, kind)
    return buffer.getvalue()


def album(entries: Mapping[str, bytes]) -> bytes:
    """Return a zip of files."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in entries.items():
            archive.writestr(name, data)
    return buffer.getvalue()
