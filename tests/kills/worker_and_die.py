"""Run as a process of its own: a worker that kills itself at the named moment of a certificate's issue.

python -m tests.kills.worker_and_die stored|issued|never
"""

from __future__ import annotations

import dataclasses
import os
import signal
import sys

from sqlalchemy import event
from sqlalchemy.orm import Session

from lms.app import build_kernel
from lms.core import bootstrap, worker
from lms.core.settings import load_settings
from lms.core.storage import Storage


def die(*_ignored: object) -> None:
    """Leave without a word, as in a power cut."""
    os.kill(os.getpid(), signal.SIGKILL)


class DyingStorage(Storage):
    """Stores as always; then dies at once, or at the next commit."""

    at_once: bool = False

    def put_once(self, key: str, data: bytes) -> bool:
        is_new = super().put_once(key, data)
        if self.at_once:
            die()
        event.listen(Session, "after_commit", die)
        return is_new


def main(moment: str) -> None:
    kernel = build_kernel()
    kernel.tickers.clear()
    settings = load_settings()
    services = bootstrap.build_services(settings, kernel, login="jobs")
    if moment != "never":
        storage = DyingStorage(settings.storage_url)
        storage.at_once = moment == "stored"
        services = dataclasses.replace(services, storage=storage)
        services.db.info["services"] = services
    # A killed worker's jobs are given back after half a minute; here after moments.
    worker.STALLED_AFTER_S, worker.UPDATE_HEARTBEAT_S, worker.RECOVER_EVERY_S = 2, 1, 1
    worker.run_worker(services, bootstrap.worker_conninfo(settings))


if __name__ == "__main__":
    main(sys.argv[1])
