"""Run as a process of its own: does a job and kills itself while its n-th transaction commits.

python -m tests.run_and_die rosters|certificates|action ID N
"""

from __future__ import annotations

import os
import signal
import sys

from sqlalchemy import event
from sqlalchemy.orm import Session

from certs.actions import tasks
from certs.imports.earlier import EARLIER_CERTIFICATES
from lms.accounts.staff.rosters import ROSTERS
from lms.app import build_kernel
from lms.core import bootstrap
from lms.core.imports.taking import take_over
from lms.core.settings import load_settings


def die_at_commit(fatal: int) -> None:
    """Have this process leave without a word, as in a power cut, in its ``fatal``-th commit from now."""
    commits: list[int] = []

    def on_commit(session: Session) -> None:
        commits.append(1)
        if len(commits) == fatal:
            session.flush()
            os.kill(os.getpid(), signal.SIGKILL)

    event.listen(Session, "before_commit", on_commit)


def main(kind: str, its_id: str, fatal: int) -> None:
    services = bootstrap.build_services(load_settings(), build_kernel(), login="jobs")
    die_at_commit(fatal)
    if kind == "rosters":
        take_over(ROSTERS, services, import_id=its_id)
    elif kind == "certificates":
        take_over(EARLIER_CERTIFICATES, services, import_id=its_id)
    else:
        tasks.run(services, action_id=its_id)


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], int(sys.argv[3]))
