"""The kernel's own registrations: event delivery, the audit sealer, the end of exported files."""

from __future__ import annotations

from lms.core import events, exports, sealing
from lms.core.services import Kernel, Services

SEAL_EVERY_S = 1.0
FORGET_EVERY_S = 3600.0


def _seal_all(services: Services) -> None:
    while sealing.seal(services) == sealing.BATCH_ROWS:
        pass


def register(kernel: Kernel) -> None:
    """Register what every instance has, whatever rooms it holds."""
    kernel.task(events.DELIVER, events.deliver, queue="events", max_attempts=10)
    kernel.ticker("core.seal", _seal_all, every_s=SEAL_EVERY_S)
    kernel.ticker("core.forget_exports", exports.forget_overdue, every_s=FORGET_EVERY_S)
