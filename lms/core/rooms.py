"""The kernel's own registrations: event delivery and the audit sealer."""

from __future__ import annotations

from lms.core import events, sealing
from lms.core.services import Kernel, Services

SEAL_EVERY_S = 1.0


def _seal_all(services: Services) -> None:
    while sealing.seal(services) == sealing.BATCH_ROWS:
        pass


def register(kernel: Kernel) -> None:
    """Register what every instance has, whatever rooms it holds."""
    kernel.task(events.DELIVER, events.deliver, queue="events", max_attempts=10)
    kernel.ticker("core.seal", _seal_all, every_s=SEAL_EVERY_S)
