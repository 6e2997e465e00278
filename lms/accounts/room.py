"""What the accounts room adds to the product."""

from __future__ import annotations

from lms.accounts import reference_data
from lms.accounts.access import P
from lms.accounts.faces import operations as faces
from lms.accounts.sign_in.loading import load_actor
from lms.core.access import Role
from lms.core.services import Kernel

FORGET_EVERY_S = 600.0


def register(kernel: Kernel) -> None:
    """Register the room."""
    kernel.actor_loader = load_actor
    kernel.reference_steps.append((10, reference_data.load_all))
    kernel.grant(Role.AUDITOR, P.AUDIT_READ, P.AUDIT_VERIFY)
    kernel.task(faces.FORGET_OBJECT, faces.forget_object)
    kernel.ticker("accounts.forget_expired", faces.forget_expired, every_s=FORGET_EVERY_S)
