"""The demo's lesson: uploaded through this room's own door, transcoded while other steps go on."""

from __future__ import annotations

import threading
import uuid
from datetime import timedelta

from lms.accounts.demo import DAYS_BACK, measured, moment_of, province_of
from lms.core import clock
from lms.core.services import Services
from media import api, tasks

_lessons: dict[str, tuple[uuid.UUID, threading.Thread]] = {}


def make(services: Services) -> None:
    """Upload the lesson as the institution's instructor and begin to transcode it."""
    instructor = province_of(services).officials["instructor"]
    day = clock.today() - timedelta(days=DAYS_BACK - 1)
    lesson, moment = api.demo_lesson(), moment_of(day)
    with measured("upload of the lesson"), clock.travelling_to(moment):
        asset_id = api.upload_asset(
            services,
            instructor,
            file=lesson.file,
            file_name=lesson.file.name,
            title=lesson.title_zh,
            captions=lesson.captions,
        )

    def transcode() -> None:
        with clock.travelling_to(moment + timedelta(minutes=1)):
            tasks.transcode(services, asset_id=str(asset_id))

    thread = threading.Thread(target=transcode, name="demo-transcode")
    thread.start()
    _lessons[str(services.db.engine.url)] = (asset_id, thread)


def ready_lesson(services: Services) -> uuid.UUID:
    """Wait for the lesson and return its video. Raises RuntimeError when it could not be made."""
    asset_id, thread = _lessons[str(services.db.engine.url)]
    thread.join()
    with services.db.transaction(province_of(services).officials["instructor"].scope, read_only=True) as session:
        state = api.asset(session, asset_id).state
    if state != "ready":
        raise RuntimeError(f"the demo's video is {state}")
    return asset_id
