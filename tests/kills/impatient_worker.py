"""Run as a process of its own: the product's worker, but jobs of killed ones come back after moments.

python -m tests.kills.impatient_worker
"""

from __future__ import annotations

from lms.app import build_kernel
from lms.core import bootstrap, worker
from lms.core.settings import load_settings


def main() -> None:
    settings = load_settings()
    services = bootstrap.build_services(settings, build_kernel(), login="jobs")
    worker.STALLED_AFTER_S, worker.UPDATE_HEARTBEAT_S, worker.RECOVER_EVERY_S = 2, 1, 1
    worker.run_worker(services, bootstrap.worker_conninfo(settings))


if __name__ == "__main__":
    main()
