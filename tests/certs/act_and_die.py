"""Run as a process of its own: carries an action out and kills itself while its n-th transaction commits.

python -m tests.certs.act_and_die ACTION_ID N
"""

from __future__ import annotations

import os
import signal
import sys

from sqlalchemy import event
from sqlalchemy.orm import Session

from certs.actions import tasks
from lms.app import build_kernel
from lms.core import bootstrap
from lms.core.settings import load_settings


def main(action_id: str, fatal: int) -> None:
    services = bootstrap.build_services(load_settings(), build_kernel(), login="jobs")
    commits: list[int] = []

    def on_commit(session: Session) -> None:
        commits.append(1)
        if len(commits) == fatal:
            session.flush()
            os.kill(os.getpid(), signal.SIGKILL)

    event.listen(Session, "before_commit", on_commit)
    tasks.run(services, action_id=action_id)


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))
