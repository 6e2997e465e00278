"""Building the status list that inspectors carry where there is no network."""

from __future__ import annotations

from collections.abc import Iterator

from sqlalchemy import select, text
from sqlalchemy.orm import Session

from certs.adapters import statuslist
from certs.keys.operations import signing_keys
from certs.models import Certificate
from certs.rules import Status
from lms.core import clock
from lms.core.services import Services
from lms.core.tenancy import WORKER_SCOPE

KEY = "status/list.cwt"
TTL_S = 3600
LIFETIME_S = 7 * 24 * 3600
BATCH = 10_000


def build(services: Services) -> int:
    """Build, sign and store the list of all certificates; return its bytes. One reading, one snapshot."""
    with services.db.transaction(WORKER_SCOPE, read_only=True) as session:
        # The sequence gives every certificate its index, so it knows how many there are without counting them.
        last = int(session.execute(text("select last_value from certs_status_index_seq")).scalar_one())
        packed = statuslist.pack(_decided(session), last + 1)
        key = signing_keys(session).qr
    signed = statuslist.sign(
        packed,
        subject=f"{services.settings.base_url}/status/list",
        issued_at=int(clock.now().timestamp()),
        lifetime_s=LIFETIME_S,
        ttl_s=TTL_S,
        key=key,
    )
    services.storage.put(KEY, signed)
    return len(signed)


def build_now(services: Services) -> None:
    """Build the list (ticker)."""
    build(services)


def _decided(session: Session) -> Iterator[tuple[int, int]]:
    """Yield those that are not valid; their partial index holds both columns' rows and no others."""
    query = select(Certificate.status_index, Certificate.status).where(Certificate.status != Status.VALID.value)
    with session.execute(query.execution_options(yield_per=BATCH)) as rows:
        for index, status in rows:
            yield index, statuslist.SUSPENDED if status == Status.SUSPENDED else statuslist.INVALID
