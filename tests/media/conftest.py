"""Clips made on the spot, and people and institutions that act in this room."""

from __future__ import annotations

import subprocess
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path

import imageio_ffmpeg
import pytest
from flask.testing import FlaskClient

from lms.app import build_kernel, create_app
from lms.core import bootstrap, ids
from lms.core.access import Actor, Role
from lms.core.recognition import Recognition
from lms.core.services import Services
from lms.core.tenancy import Scope, ScopeRole
from lms.core.web import SESSION_COOKIE_KEY, AnzhengFlask
from media import api
from media.access import MediaPermission
from tests.conftest import Instance
from tests.sessions import HandedSessions

Clip = Callable[..., Path]


def run_ffmpeg(*arguments: str) -> None:
    command = [imageio_ffmpeg.get_ffmpeg_exe(), "-nostdin", "-loglevel", "error", "-y", *arguments]
    subprocess.run(command, check=True, timeout=60)


@pytest.fixture(scope="session")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Clip:
    """Make test pictures with a tone: ``clip("a.mp4", duration_s=3, size="640x360", sound=True)``."""
    folder = tmp_path_factory.mktemp("clips")

    def make(
        name: str = "clip.mp4",
        *,
        duration_s: float = 3,
        size: str = "320x180",
        rate: int = 25,
        sound: bool = True,
        extra: tuple[str, ...] = (),
    ) -> Path:
        path = folder / name
        sources = ["-f", "lavfi", "-i", f"testsrc=d={duration_s}:s={size}:r={rate}"]
        if sound:
            sources += ["-f", "lavfi", "-i", f"sine=frequency=440:d={duration_s}"]
        run_ffmpeg(*sources, "-pix_fmt", "yuv420p", "-preset", "ultrafast", *extra, str(path))
        return path

    return make


@pytest.fixture(scope="session")
def short_clip(clip: Clip) -> Path:
    """Three seconds at 320×180 with sound."""
    return clip("short.mp4")


def institution(tenant_id: uuid.UUID | None = None) -> Actor:
    """An instructor of a training institution of its own."""
    tenant_id = tenant_id or ids.new_id()
    person_id = ids.new_id()
    scope = Scope(ScopeRole.TENANT, actor_id=person_id, tenant_id=tenant_id)
    return Actor(person_id, Role.INSTRUCTOR, tenant_id, "讲师", "培训机构", frozenset(MediaPermission), scope)


def learner() -> Actor:
    """A trainee of some enterprise."""
    person_id, tenant_id = ids.new_id(), ids.new_id()
    scope = Scope(ScopeRole.PERSON, person_id=person_id, tenant_id=tenant_id)
    return Actor(person_id, Role.TRAINEE, tenant_id, "学员", "企业", frozenset(), scope)


@pytest.fixture
def instructor() -> Actor:
    return institution()


@pytest.fixture
def trainee() -> Actor:
    return learner()


@pytest.fixture
def upload(services: Services) -> Callable[..., uuid.UUID]:
    """Upload through the one door: ``upload(actor, path, captions={...})``."""

    def put(actor: Actor, path: Path, **changes: object) -> uuid.UUID:
        values: dict[str, object] = {"file_name": path.name, "title": "测试视频", "captions": {}}
        return api.upload_asset(services, actor, file=path, **(values | changes))  # type: ignore[arg-type]

    return put


@dataclass(slots=True)
class House:
    """The web application with sessions that the test hands out; everything behind them is real."""

    app: AnzhengFlask
    services: Services
    sessions: dict[str, Actor] = field(default_factory=dict)

    def browser(self, actor: Actor) -> FlaskClient:
        """Return a browser in which ``actor`` is signed in with the permissions of their role."""
        assert actor.role is not None
        token = uuid.uuid4().hex
        self.sessions[token] = replace(actor, permissions=self.services.kernel.permissions_of(actor.role))
        client = self.app.test_client()
        with client.session_transaction() as cookie:
            cookie[SESSION_COOKIE_KEY] = token
        return client


Browser = Callable[[Actor], FlaskClient]


@pytest.fixture(scope="session")
def house(instance: Instance) -> Iterator[House]:
    kernel = build_kernel()
    sessions: dict[str, Actor] = {}
    kernel.recognition = Recognition(HandedSessions(sessions))
    services = bootstrap.build_services(instance.settings, kernel, admin=instance.admin)
    app = create_app(services=services)
    app.config.update(WTF_CSRF_ENABLED=False, PROPAGATE_EXCEPTIONS=False)
    yield House(app, services, sessions)
    services.db.dispose()


@pytest.fixture
def browser(house: House) -> Browser:
    """Return a browser in which the given actor is signed in."""
    return house.browser
