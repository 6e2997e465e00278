"""The school of this room's tests: one institution with the published course."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from lms.app import build_kernel, create_app
from lms.core import bootstrap
from lms.core.recognition import Recognition
from lms.core.services import Services
from tests.conftest import Instance
from tests.courses.school import School, course_of_the_programme
from tests.sessions import HandedSessions


@pytest.fixture(scope="session")
def school(instance: Instance, jobs_services: Services) -> Iterator[School]:
    """The product with sessions handed out by the test, and the course that the programme names."""
    kernel = build_kernel()
    sessions = {}
    kernel.recognition = Recognition(HandedSessions(sessions))
    services = bootstrap.build_services(instance.settings, kernel, admin=instance.admin)
    app = create_app(services=services)
    app.config.update(WTF_CSRF_ENABLED=False, PROPAGATE_EXCEPTIONS=False)
    institution, course_id = course_of_the_programme(services, jobs_services)
    yield School(app, services, jobs_services, institution, course_id, sessions)
    services.db.dispose()
