"""What the certificates' tests share."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest

from certs.models import Certificate
from lms.app import create_app
from lms.core import bootstrap
from lms.core.services import Kernel, Services
from lms.core.web import AnzhengFlask
from tests.certs.authorities import make_token
from tests.certs.imports_desk import ImportDesk, earlier, list_bytes, open_import_desk, take
from tests.conftest import Instance, Worker


@pytest.fixture(scope="session")
def token_folder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A SoftHSM token called "anzheng"; one for the process, which loads the library once."""
    folder = tmp_path_factory.mktemp("token")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SOFTHSM2_CONF", str(folder / "softhsm2.conf"))
        make_token(folder)
        yield folder


@pytest.fixture
def address() -> dict[str, str]:
    """A visitor's address of this test's own, so that no other test's guesses count."""
    number = uuid.uuid4().int
    return {"REMOTE_ADDR": f"10.{number % 250}.{number // 250 % 250}.{number // 62_500 % 250}"}


@pytest.fixture
def cut_off(instance: Instance, kernel: Kernel) -> Iterator[Services]:
    """Services whose database does not answer."""
    nowhere = instance.admin.replace("/anzheng_", "/nowhere_", 1)
    services = bootstrap.build_services(instance.settings, kernel, login="web", admin=nowhere)
    yield services
    services.db.dispose()


@pytest.fixture
def cut_off_app(cut_off: Services) -> AnzhengFlask:
    """The application whose database does not answer."""
    app = create_app(services=cut_off)
    app.config.update(TESTING=False, PROPAGATE_EXCEPTIONS=False)
    return app


@pytest.fixture
def desk(app: AnzhengFlask, jobs_services: Services) -> ImportDesk:
    """A department's official who imports lists of earlier certificates."""
    return open_import_desk(app, jobs_services)


@pytest.fixture
def imported(desk: ImportDesk, queue_worker: Worker, tmp_path: Path) -> Certificate:
    """One imported certificate."""
    return desk.certificates(take(desk, queue_worker, list_bytes(tmp_path, earlier(1))))[0]
