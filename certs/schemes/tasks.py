"""Queue entry points about schemes."""

from __future__ import annotations

import uuid

from certs.issue.operations import request_certificate
from certs.schemes.credentials import refused_attempts
from lms.core.access import SYSTEM
from lms.core.services import Services
from lms.core.tenancy import WORKER_SCOPE


def reconsider(services: Services, *, person_id: str) -> None:
    """Judge a person again who was refused, and ask for the certificate if nothing is missing any more."""
    found = uuid.UUID(person_id)
    with services.db.transaction(WORKER_SCOPE) as session:
        for attempt_id in refused_attempts(session, found):
            request_certificate(session, SYSTEM, person_id=found, attempt_id=attempt_id)
