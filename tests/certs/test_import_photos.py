"""Photos that come with a list: found, bounded, kept for the certificate and forgotten with the rest."""

from __future__ import annotations

import contextlib
import io
import struct
import zipfile
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import update

from certs.imports.earlier import EARLIER_CERTIFICATES
from certs.imports.limits import limits
from certs.imports.models import CertificateImport
from lms.core import clock
from lms.core.imports.forgetting import forget_old_files
from lms.core.services import Services
from lms.core.storage import ObjectMissing
from lms.core.tenancy import WORKER_SCOPE
from lms.core.web import AnzhengFlask
from tests.certs import certificate_world as world
from tests.certs.imports_desk import (
    AT,
    ImportDesk,
    album,
    earlier,
    list_bytes,
    open_import_desk,
    picture,
    take,
)
from tests.conftest import Worker


def test_photos_are_found_by_name_or_number_and_shown_to_those_who_may(
    app: AnzhengFlask, desk: ImportDesk, queue_worker: Worker, tmp_path: Path, jobs_services: Services
) -> None:
    named, numbered, without = earlier(3)
    named[AT["照片文件名"]] = "王.PNG"
    photos = album(
        {"a/王.png": picture(kind="PNG"), f"{numbered[3]}.jpg": picture(), ".hidden.jpg": b"x", "readme.txt": b"x"}
    )
    import_id = take(desk, queue_worker, list_bytes(tmp_path, [named, numbered, without]), photos=photos)
    found = {one.number: one for one in desk.certificates(import_id)}
    assert [found[str(r[3])].photo_sha256 is not None for r in (named, numbered, without)] == [True, True, False]
    one = found[str(named[3])]
    answer = desk.client.get(f"/regulator/certificates/{one.id}/photo")
    assert (answer.status_code, answer.data[:3], answer.mimetype) == (200, b"\xff\xd8\xff", "image/jpeg")
    assert desk.client.get(f"/regulator/certificates/{found[str(without[3])].id}/photo").status_code == 404
    stranger = open_import_desk(app, jobs_services, region_code=world.OTHER_COUNTY)
    assert stranger.client.get(f"/regulator/certificates/{one.id}/photo").status_code == 404
    raw = jobs_services.storage.get(one.photo_key or "")
    assert b"\xff\xd8\xff" not in raw[:64]
    jobs_services.storage.put(one.photo_key or "", raw[:-1] + b"x")
    assert desk.client.get(f"/regulator/certificates/{one.id}/photo").status_code == 500


def test_photos_of_rows_that_bring_nothing_do_not_stay(desk: ImportDesk, queue_worker: Worker, tmp_path: Path) -> None:
    row = earlier(1)[0]
    data, photos = list_bytes(tmp_path, [row]), album({f"{row[3]}.jpg": picture()})
    first = take(desk, queue_worker, data, photos=photos)
    again = take(desk, queue_worker, data, photos=photos)
    stopped = desk.upload(list_bytes(tmp_path, earlier(1, 照片文件名="p.jpg")), photos=album({"p.jpg": picture()}))
    queue_worker.drain()
    desk.act(stopped, "cancel")
    with desk.jobs.db.transaction(WORKER_SCOPE) as session:
        age = update(CertificateImport).where(CertificateImport.id.in_((first, stopped)))
        session.execute(age.values(created_at=clock.now() - timedelta(days=limits().keep_files_days + 1)))
    forget_old_files(EARLIER_CERTIFICATES, desk.jobs)
    for import_id, stays in ((first, True), (again, False), (stopped, False)):
        parts = EARLIER_CERTIFICATES.parts(desk.jobs, import_id)
        with contextlib.nullcontext() if stays else pytest.raises(ObjectMissing):
            parts.get("photo-2")
        for gone in ("source", "photos", "good-0"):
            with pytest.raises(ObjectMissing):
                parts.get(gone)


@pytest.mark.parametrize(
    ("files", "code"),
    [
        ({"other.jpg": picture()}, "photo_missing"),
        ({"a/p.jpg": picture(), "b/p.jpg": picture()}, "photo_twice"),
        ({"p.jpg": b"GIF89a" + b"x" * 100}, "photo_kind"),
        ({"p.jpg": picture()[:600]}, "photo_unreadable"),
        ({"p.jpg": picture(60, 60)}, "photo_small"),
        ({"p.jpg": picture(2500, 2500)}, "photo_large"),
        ({"p.jpg": b"\xff\xd8\xff" + bytes(3_000_000)}, "photo_large"),
    ],
)
def test_a_bad_photo_is_named_and_its_row_refused(
    desk: ImportDesk, queue_worker: Worker, tmp_path: Path, files: dict[str, bytes], code: str
) -> None:
    import_id = desk.upload(list_bytes(tmp_path, earlier(1, 照片文件名="p.jpg")), photos=album(files))
    queue_worker.drain()
    assert desk.faults(import_id) == {(2, "photo", code)}


def _beginning_at(offset: int) -> bytes:
    """Return an album whose directory says that its only photo begins there."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        entry = zipfile.ZipInfo("p.jpg")
        entry.extra = struct.pack("<HHQ", 1, 8, offset)
        archive.writestr(entry, picture())
    data = buffer.getvalue()
    place = data.index(b"PK\x01\x02") + 42
    return data[:place] + b"\xff" * 4 + data[place + 4 :]


@pytest.mark.parametrize("offset", [10**6, 2**63 + 5])
def test_a_photo_that_begins_outside_its_archive_is_named(
    desk: ImportDesk, queue_worker: Worker, tmp_path: Path, offset: int
) -> None:
    import_id = desk.upload(list_bytes(tmp_path, earlier(1, 照片文件名="p.jpg")), photos=_beginning_at(offset))
    queue_worker.drain()
    assert desk.faults(import_id) == {(2, "photo", "photo_unreadable")}


def test_an_archive_with_a_lying_or_endless_directory_is_refused(desk: ImportDesk, tmp_path: Path) -> None:
    data, photos = list_bytes(tmp_path, earlier(1)), album({"p.jpg": picture()})
    end = photos.rfind(b"PK\x05\x06")
    lying = photos[: end + 12] + (2**31).to_bytes(4, "little") + photos[end + 16 :]
    many = album({f"{n}.jpg": b"" for n in range(limits().max_photos + 1)})
    for broken in (lying, many, photos[:end], b"PK\x03\x04"):
        status, page = desk.refused(data, photos=broken)
        assert (status, ".zip" in page) == (422, True)
