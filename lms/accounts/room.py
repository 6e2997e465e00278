"""What the accounts room adds to the product."""

from __future__ import annotations

from lms.accounts import reference_data
from lms.accounts.access import P
from lms.accounts.sign_in.loading import load_actor
from lms.core.access import Role
from lms.core.services import Kernel


def register(kernel: Kernel) -> None:
    """Register the room."""
    kernel.actor_loader = load_actor
    kernel.reference_steps.append((10, reference_data.load_all))
    kernel.grant(Role.AUDITOR, P.AUDIT_READ, P.AUDIT_VERIFY)
