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
from lms.core.storage import ObjectMissing
from lms.core.tenancy import WORKER_SCOPE

KEY = "status/list.cwt"
TTL_S = 3600
LIFETIME_S = 7 * 24 * 3600
BATCH = 10_000


def build(services: Services) -> int:
    """Build, sign and store the list of all certificates; return its bytes. One reading, one snapshot."""
    with services.db.transaction(WORKER_SCOPE, read_only=True, snapshot=True) as session:
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


def build_when_due(services: Services) -> None:
    """Build the list unless the stored one is of this hour (ticker)."""
    age_s = clock.now().timestamp() - _built_at(services)
    if not 0 <= age_s < TTL_S:
        build(services)


def _built_at(services: Services) -> float:
    """Return when the stored list was signed, 0 where there is none or a key signed it that does not sign any more."""
    with services.db.transaction(WORKER_SCOPE, read_only=True) as session:
        key = signing_keys(session).qr.private_key.public_key()
    try:
        return statuslist.read(services.storage.get(KEY), key).issued_at
    except (ObjectMissing, statuslist.StatusListInvalidError):
        return 0


def _decided(session: Session) -> Iterator[tuple[int, int]]:
    """Yield those that are not valid; their partial index holds both columns' rows and no others."""
    query = select(Certificate.status_index, Certificate.status).where(Certificate.status != Status.VALID.value)
    with session.execute(query.execution_options(yield_per=BATCH)) as rows:
        for index, status in rows:
            yield index, statuslist.SUSPENDED if status == Status.SUSPENDED else statuslist.INVALID
