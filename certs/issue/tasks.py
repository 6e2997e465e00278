"""Queue entry points of the issue: read, close, compute, store, write shortly."""

from __future__ import annotations

import hashlib
import uuid
from dataclasses import dataclass, fields
from datetime import timedelta

from sqlalchemy import bindparam, select
from sqlalchemy.orm import Session

import lms.accounts.api as accounts
from certs.issue.drawing import IssueOrder, Requested, Undrawable, draw_and_sign, stamper_for
from certs.issue.operations import ISSUE_TASK, mark_failed, mark_issued, queue_forgotten
from certs.keys.operations import signing_keys
from certs.models import Certificate, Scheme
from certs.schemes.models import Template
from certs.status import corrections
from lms.core import clock
from lms.core.access import SYSTEM
from lms.core.prepared import Prepared
from lms.core.services import Services
from lms.core.tenancy import WORKER_SCOPE

__all__ = ["ISSUE_TASK", "issue", "queue_stale"]

STALE_AFTER = timedelta(minutes=10)
_drawn_by = (Template.code == Scheme.template["code"].astext) & (
    Template.version == Scheme.template["version"].as_integer()
)
_FROZEN = [getattr(Certificate, field.name) for field in fields(Requested)]
_REQUESTED = Prepared(
    select(*_FROZEN, Scheme.name_zh, Scheme.name_en, Template.code, Template.version, Template.spec)
    .join(Scheme, (Scheme.code == Certificate.scheme_code) & (Scheme.version == Certificate.scheme_version))
    .join(Template, _drawn_by)
    .where(Certificate.person_id == bindparam("person_id"), Certificate.id == bindparam("certificate_id"))
    .where(Certificate.state == "requested")
)


def issue(services: Services, *, person_id: str, certificate_id: str) -> None:
    """Draw, sign and store one requested certificate. May run any number of times."""
    with services.db.transaction(WORKER_SCOPE, read_only=True) as session:
        order = read_order(services, session, uuid.UUID(person_id), uuid.UUID(certificate_id))
    if order is None:
        return
    made = make(services, order)
    with services.db.transaction(WORKER_SCOPE) as session:
        won = made.enter(session)
        corrections.succeed(session, order.certificate)
    if not won:
        made.withdraw(services)


@dataclass(frozen=True, slots=True)
class Made:
    """What drawing came to: a stored file, or the reason why there is none."""

    order: IssueOrder
    pdf_key: str = ""
    pdf_sha256: bytes = b""
    refusal: str = ""

    def enter(self, session: Session) -> bool:
        """Write it down; tell whether this run decided. Worker scope."""
        if self.refusal:
            return mark_failed(session, SYSTEM, self.order.certificate, self.refusal)
        return mark_issued(
            session,
            SYSTEM,
            self.order.certificate,
            pdf_key=self.pdf_key,
            pdf_sha256=self.pdf_sha256,
            issued_at=self.order.issued_at,
            signer_key_id=self.order.keys.pdf_key_id,
        )

    def withdraw(self, services: Services) -> None:
        """Delete the file. Another run was faster; signatures are random, so this one is not the certificate's."""
        if self.pdf_key:
            services.storage.delete(self.pdf_key)


def make(services: Services, order: IssueOrder) -> Made:
    """Draw, sign and store; no transaction is open meanwhile."""
    try:
        pdf = draw_and_sign(order)
    except Undrawable as error:
        return Made(order, refusal=str(error))
    digest = hashlib.sha256(pdf).digest()
    key = f"certificates/{order.certificate.id}/{digest.hex()}.pdf"
    services.storage.put_once(key, pdf)
    return Made(order, key, digest)


def read_order(
    services: Services, session: Session, person_id: uuid.UUID, certificate_id: uuid.UUID
) -> IssueOrder | None:
    """Return what a requested certificate is made from, None when it is not requested (any more). Worker scope."""
    found = _REQUESTED.rows(session, person_id=person_id, certificate_id=certificate_id)
    if not found:
        return None
    *frozen, name_zh, name_en, code, version, spec = found[0]
    return IssueOrder(
        certificate=Requested(*frozen),
        scheme_name_zh=name_zh,
        scheme_name_en=name_en,
        template={**spec, "code": code, "version": version},
        # The person's own agreement decides: without it the frame stays empty.
        portrait_jpeg=accounts.portrait_bytes(services, session, person_id),
        keys=signing_keys(session),
        base_url=services.settings.base_url,
        issued_at=clock.now(),
        issued_on=clock.today(),
        demo=not services.settings.is_production,
        stamper=stamper_for(services.settings.signing),
    )


def queue_stale(services: Services) -> None:
    """Queue again what has stayed requested for ten minutes (ticker)."""
    with services.db.transaction(WORKER_SCOPE) as session:
        queue_forgotten(session, clock.now() - STALE_AFTER)
