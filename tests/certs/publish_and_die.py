"""Run as a process of its own: sequences and publishes, and kills itself at the named moment.

python -m tests.certs.publish_and_die tile|checkpoint
"""

from __future__ import annotations

import dataclasses
import os
import signal
import sys
from pathlib import Path

from certs.registry.operations import sequence_all
from lms.app import build_kernel
from lms.core import bootstrap
from lms.core.settings import load_settings
from lms.core.storage import Storage


class DyingStorage(Storage):
    """Dies after the second tile, or right before the checkpoint."""

    moment = "tile"
    puts = 0

    def put(self, key: str, data: bytes | Path) -> None:
        self.puts += 1
        if self.moment == "tile" and self.puts == 3:
            os.kill(os.getpid(), signal.SIGKILL)
        if self.moment == "checkpoint" and key == "registry/checkpoint":
            os.kill(os.getpid(), signal.SIGKILL)
        super().put(key, data)


def main(moment: str) -> None:
    settings = load_settings()
    services = bootstrap.build_services(settings, build_kernel(), login="jobs")
    storage = DyingStorage(settings.storage_url)
    storage.moment = moment
    sequence_all(dataclasses.replace(services, storage=storage))


if __name__ == "__main__":
    main(sys.argv[1])
