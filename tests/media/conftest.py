"""Clips made on the spot, and people and institutions that act in this room."""

from __future__ import annotations

import subprocess
import uuid
from collections.abc import Callable
from pathlib import Path

import imageio_ffmpeg
import pytest
from flask.testing import FlaskClient
from tests.factories import client_for

from lms.core import ids
from lms.core.access import Actor, Role
from lms.core.services import Services
from lms.core.tenancy import Scope, ScopeRole
from lms.core.web import AnzhengFlask
from media import api
from media.access import MediaPermission

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


Browser = Callable[[Actor], FlaskClient]


@pytest.fixture
def browser(app: AnzhengFlask, jobs_services: Services) -> Browser:
    """Return a browser in which the actor is signed in."""

    def sign_in(actor: Actor) -> FlaskClient:
        assert actor.person_id is not None
        assert actor.tenant_id is not None
        assert actor.role is not None
        return client_for(app, jobs_services, actor.person_id, actor.tenant_id, actor.role)

    return sign_in
