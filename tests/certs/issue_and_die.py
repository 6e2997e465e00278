"""Run as a process of its own: issues one certificate and kills itself at the named moment.

python -m tests.certs.issue_and_die PERSON_ID CERTIFICATE_ID stored|marked
"""

from __future__ import annotations

import dataclasses
import os
import signal
import sys

from certs.issue import tasks
from lms.app import build_kernel
from lms.core import bootstrap
from lms.core.settings import load_settings
from lms.core.storage import Storage
from tests.run_and_die import die_at_commit


class DyingStorage(Storage):
    """Stores as always, and does not live to tell."""

    def put_once(self, key: str, data: bytes) -> bool:
        super().put_once(key, data)
        os.kill(os.getpid(), signal.SIGKILL)
        return True


def main(person_id: str, certificate_id: str, moment: str) -> None:
    settings = load_settings()
    services = bootstrap.build_services(settings, build_kernel(), login="jobs")
    if moment == "stored":
        services = dataclasses.replace(services, storage=DyingStorage(settings.storage_url))
    else:
        # The first commit ends the reading; the second would have made the certificate.
        die_at_commit(2)
    tasks.issue(services, person_id=person_id, certificate_id=certificate_id)


if __name__ == "__main__":
    main(*sys.argv[1:4])
